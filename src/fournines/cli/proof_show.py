"""A campaign for people: live on stderr while it runs, its figures on stdout when it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fournines.prove.load.control import Progress
from fournines.prove.model import Campaign, Fault, FaultResult, FunctionFigures, Verdict
from fournines.prove.pass_marks import PassMark, pass_marks
from fournines.prove.report_text import amount, limit, milliseconds, ratio, seconds
from fournines.prove.site import Reporter
from fournines.prove.verdict import baseline_of

STYLE: dict[Verdict, str] = {"pass": "green", "fail": "red", "unknown": "yellow"}
MARK = {True: Text("reached", "green"), False: Text("missed", "red"), None: Text("unknown", "yellow")}


@contextmanager
def reporting() -> Generator[Reporter, None, None]:
    """One live table on a terminal, one line a phase elsewhere."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    console = Console(stderr=True)
    board = Board(console)
    with Live(board, console=console, refresh_per_second=4, transient=True):
        yield board


class Lines:
    def __init__(self) -> None:
        self._since = time.monotonic()
        self._fault = ""

    def begin(self, number: int, total: int, fault: Fault, profile: str) -> None:
        self._fault = str(fault)
        self._say(f"{number}/{total} under timing {profile}")

    def phase(self, text: str) -> None:
        self._say(text)

    def counts(self, progress: Progress) -> None:
        pass

    def result(self, result: FaultResult) -> None:
        self._say(": ".join([result.verdict, *result.reasons[:1]]))

    def _say(self, text: str) -> None:
        where = f" {self._fault}:" if self._fault else ""
        click.echo(f"{time.monotonic() - self._since:6.1f} s{where} {text}", err=True)


class Board:
    """What is being done, and what the client sees at this moment."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._title = ""
        self._phase = ""
        self._seen: Progress = {}

    def begin(self, number: int, total: int, fault: Fault, profile: str) -> None:
        self._title = f"{number}/{total}  {fault}  timing {profile}"
        self._seen = {}

    def phase(self, text: str) -> None:
        self._phase = text

    def counts(self, progress: Progress) -> None:
        self._seen = progress

    def result(self, result: FaultResult) -> None:
        reason = f"  {result.reasons[0]}" if result.reasons else ""
        line = Text.assemble((f"{result.verdict:8}", STYLE[result.verdict]), f"{result.fault}{reason}")
        self._console.print(line)

    def __rich__(self) -> RenderableType:
        table = Table(title=f"{self._title}\n{self._phase}", title_justify="left", box=None, padding=(0, 2))
        for column in ("", "ok", "fail", "unknown", "last success"):
            table.add_column(column, justify="left" if not column else "right")
        latest = max((last or 0.0 for *_, last in self._seen.values()), default=0.0)
        for name, (ok, fail, unknown, last) in self._seen.items():
            ago = "never" if last is None else f"{latest - last:.1f} s ago"
            table.add_row(name.replace("_", " "), f"{ok:g}", f"{fail:g}", f"{unknown:g}", ago)
        return table


def show(campaign: Campaign) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    for result in campaign.results:
        if result.profile == campaign.profile:
            _show_fault(console, result, baseline_of(campaign, result))
    console.print(Text.assemble("verdict: ", (campaign.verdict, f"bold {STYLE[campaign.verdict]}")))


def _show_fault(console: Console, result: FaultResult, baseline: FaultResult | None) -> None:
    where = f" on {', '.join(result.hosts)}" if result.hosts else ""
    was = f" ({' and '.join(result.roles)})" if result.roles else ""
    console.print(Text.assemble((str(result.fault), "bold"), where, was, ": ", (result.verdict, STYLE[result.verdict])))
    for reason in result.reasons:
        console.print(f"  {reason}")
    if result.functions:
        console.print(_functions(result.functions, baseline))
        console.print(_marks(pass_marks(result, baseline)))
    console.print()


def _functions(figures: Iterable[FunctionFigures], baseline: FaultResult | None) -> Table:
    theirs = {f.function: f.longest_gap_s for f in baseline.functions} if baseline else {}
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("  function")
    times = ("every", "longest gap", "on return", "unavailable")
    for column in (*times, "fail", "unknown", "p99 ms before", "during", "after"):
        table.add_column(column, justify="right")
    if baseline:
        table.add_column(baseline.profile, justify="right")
        table.add_column("ratio", justify="right")
    for f in figures:
        cells = [
            f"  {f.function.replace('_', ' ')}",
            limit(f.interval_s, "s"),
            *map(seconds, (f.longest_gap_s, f.gap_returning_s, f.unavailable_s)),
        ]
        cells += [str(f.fail), str(f.unknown), *(milliseconds(ms) for ms in f.p99_ms)]
        if baseline:
            gap = theirs.get(f.function)
            cells += [seconds(gap), ratio(gap / f.longest_gap_s if gap and f.longest_gap_s else None)]
        table.add_row(*cells)
    return table


def _marks(marks: Iterable[PassMark]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for mark in marks:
        bound = f"{mark.bound} {limit(mark.limit, mark.unit)}"
        table.add_row(f"  {mark.what}", amount(mark.measured, mark.unit), bound, MARK[mark.reached])
    return table
