"""`fournines prove --calm`: nothing injected, and what happened all the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fournines.cli.proof_show import STYLE
from fournines.prove.calm.model import Calm, Count, Wait
from fournines.prove.report_text import seconds as shown


def document(calm: Calm) -> str:
    data: dict[str, Any] = asdict(calm)
    data["pressure"]["saturated"] = calm.pressure.saturated
    return json.dumps(data, indent=1)


def show(calm: Calm) -> None:
    console = Console(emoji=False, highlight=False, width=None if sys.stdout.isatty() else 140)
    how = ["every core kept busy"] if calm.busy else []
    how += [f"{calm.without} off"] if calm.without else []
    console.print(
        f"calm for {calm.ended - calm.began:.0f} s under timing {calm.profile}" + "".join(f", {h}" for h in how)
    )
    console.print(_counts(calm.counts))
    console.print()
    console.print(_waits(calm.waits))
    console.print(f"this machine was idle for {calm.pressure.cpu_idle:.0%} of the time")
    if calm.without:
        again = "not within the deadline" if calm.redundant_again_s is None else f"after {calm.redundant_again_s:.0f} s"
        console.print(f"fully redundant again with {calm.without}: {again}")
    console.print(Text.assemble("verdict: ", (calm.verdict, f"bold {STYLE[calm.verdict]}")))


def _counts(counts: Iterable[Count]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("what must not happen", "times", "counted by", ""):
        table.add_column(column, justify="right" if column == "times" else "left")
    for count in counts:
        style = "yellow" if count.count is None else "red" if count.count else "green"
        number = Text("unknown" if count.count is None else str(count.count), style)
        table.add_row(count.what, number, count.source, count.detail)
    return table


def _waits(waits: Iterable[Wait]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("function", "requests", "failed", "unknown", "worst wait"):
        table.add_column(column, justify="left" if column == "function" else "right")
    for wait in waits:
        numbers = (str(wait.requests), str(wait.fail), str(wait.unknown))
        table.add_row(wait.function.replace("_", " "), *numbers, shown(wait.worst_s))
    return table
