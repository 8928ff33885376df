"""`fournines prove --calm`: nothing injected, and what happened all the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fournines.cli.proof_show import STYLE, operator
from fournines.cloud.model import Cloud, Region
from fournines.cloud.names import suggest
from fournines.commands.clouds import region_of
from fournines.commands.proof import alone, site_of
from fournines.commands.proof_plan import Wish
from fournines.errors import UsageError
from fournines.prove.calm.model import Calm, Count, Wait
from fournines.prove.calm.run import Order, functions_of, run
from fournines.prove.faults.text import seconds
from fournines.prove.functions import chosen
from fournines.prove.report_text import seconds as shown
from fournines.prove.versions import versions


def prove_calm(cloud: Cloud, wish: Wish, lasts: str, without: str) -> Calm:
    """Raises ProveError, UsageError, LockedError, HostError."""
    region = region_of(cloud, wish.region)
    length = seconds(lasts)
    if not length:
        raise UsageError("a calm that lasts no time says nothing", next="--calm 30m")
    names = [h.name for h in region.hosts]
    if without and without not in names:
        raise UsageError(f"region {region.name} has no host {without}", next=suggest(without, names))
    functions = functions_of(chosen([name for name in wish.functions.split(",") if name], cloud, region.name))
    if not functions:
        raise UsageError("none of these functions is asked gently", next="leave --functions out")
    return alone(cloud, wish, operator(), lambda: _calm(cloud, region, functions, wish, (length, without)))


async def _calm(cloud: Cloud, region: Region, functions: tuple[str, ...], wish: Wish, what: tuple[float, str]) -> Calm:
    async with site_of(cloud, region, functions, wish, operator()) as site:
        order = Order(
            seconds=what[0],
            without=what[1],
            force=wish.force,
            command=wish.command,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=await versions(site.reach, cloud, region),
        )
        return await run(order, site)


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
        again = "not within the deadline" if calm.whole_again_s is None else f"after {calm.whole_again_s:.0f} s"
        console.print(f"whole again with {calm.without}: {again}")
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
