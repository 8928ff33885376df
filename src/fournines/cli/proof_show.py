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

from fournines.commands.proof import Operator
from fournines.prove.load.control import Progress
from fournines.prove.mark_summary import State, state, summary
from fournines.prove.model import Campaign, Fault, FaultResult, Subject, Verdict
from fournines.prove.pass_marks import PassMark, pass_marks
from fournines.prove.repeats import FIGURES, comparisons, repeated
from fournines.prove.report_text import (
    amount,
    between,
    change,
    fine_share,
    function,
    limit,
    milliseconds,
    of_runs,
    ratio,
    seconds,
)
from fournines.prove.side_by_side import OF_FUNCTION, Beside, side_by_side
from fournines.prove.site import Reporter
from fournines.prove.verdict import baseline_of, of_subject

STYLE: dict[Verdict, str] = {"pass": "green", "fail": "red", "unknown": "yellow"}
MARK: dict[State, Text] = {
    "pass": Text("reached", "green"),
    "fail": Text("missed", "red"),
    "unknown": Text("unknown", "yellow"),
}


def operator() -> Operator:
    """Whoever sits at this terminal."""
    return Operator(
        say=lambda line: click.echo(line, err=True),
        name=lambda: click.prompt("Type the cloud's name to go on", err=True),
        reporting=reporting,
    )


@contextmanager
def reporting() -> Generator[Reporter, None, None]:
    """One live table on a terminal, one line a phase elsewhere."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    console = Console(stderr=True, emoji=False)
    board = Board(console)
    with Live(board, console=console, refresh_per_second=4, transient=True):
        yield board


class Lines:
    def __init__(self) -> None:
        self._since = time.monotonic()
        self._fault = ""

    def begin(self, number: int, total: int, fault: Fault, subject: Subject) -> None:
        self._fault = str(fault)
        self._say(f"{number}/{total} on {subject.cloud} under timing {subject.profile}")

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

    def begin(self, number: int, total: int, fault: Fault, subject: Subject) -> None:
        self._title = f"{number}/{total}  {fault}  {subject.cloud}, timing {subject.profile}"
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
    console = Console(emoji=False, highlight=False, width=None if sys.stdout.isatty() else 140)
    for result in campaign.results:
        if result.subject in campaign.subjects:
            _show_fault(console, campaign, result)
    _show_repeats(console, campaign)
    _show_side_by_side(console, campaign)
    if len(campaign.subjects) > 1:
        for subject in campaign.subjects:
            said = of_subject(campaign, subject)
            console.print(Text.assemble(f"{subject.cloud}: ", (said, STYLE[said])))
    console.print(Text.assemble("verdict: ", (campaign.verdict, f"bold {STYLE[campaign.verdict]}")))


def _show_fault(console: Console, campaign: Campaign, result: FaultResult) -> None:
    baseline = baseline_of(campaign, result)
    run = f", run {result.run}" if result.run > 1 else ""
    struck = f" on {', '.join(result.hosts)}" if result.hosts else ""
    was = f" ({' and '.join(result.roles)})" if result.roles else ""
    told = (result.verdict, STYLE[result.verdict])
    console.print(Text.assemble((f"{result.fault}{campaign.on(result.subject)}", "bold"), run, struck, was, ": ", told))
    for reason in result.reasons:
        console.print(f"  {reason}")
    if result.functions:
        console.print(_functions(result, baseline))
        console.print(_marks(pass_marks(result, baseline)))
    console.print()


def _functions(result: FaultResult, baseline: FaultResult | None) -> Table:
    """A row a function, and one for each kind of connection."""
    theirs = {f.function: dict(f.connections()) for f in baseline.functions} if baseline else {}
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("  function", no_wrap=True)
    waits = ("every", "worst wait", "degraded", "within 1 s", "longest gap", "on return")
    for column in (*waits, "fail", "unknown", "p99 ms before / during / after"):
        table.add_column(column, justify="right")
    if baseline:
        table.add_column(f"under {baseline.subject.profile} timers: worst wait, degraded", justify="right")
    for f in result.functions:
        for connection, seen in f.connections():
            name = f"    {connection}" if connection else f"  {f.function.replace('_', ' ')}"
            latency = "" if connection else " / ".join(milliseconds(ms) for ms in f.p99_ms)
            beside = theirs.get(f.function, {}).get(connection)
            table.add_row(
                name,
                "" if connection else limit(f.interval_s, "s"),
                seconds(seen.worst_wait_s),
                seconds(seen.degraded_s),
                fine_share(seen.answered_within_1s),
                seconds(seen.longest_gap_s),
                seconds(seen.gap_returning_s),
                str(seen.fail),
                str(seen.unknown),
                latency,
                *([f"{seconds(beside.worst_wait_s)}, {seconds(beside.degraded_s)}"] if beside else []),
            )
    return table


def _marks(marks: Iterable[PassMark]) -> Table:
    """The worst of each kind."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for mark in summary(marks):
        bound = f"{mark.bound} {limit(mark.limit, mark.unit)}"
        whose = f" ({mark.whose})" if mark.whose else ""
        table.add_row(f"  {mark.what}{whose}", amount(mark.measured, mark.unit), bound, MARK[state(mark)])
    return table


def _show_repeats(console: Console, campaign: Campaign) -> None:
    """Of faults that were measured more than once: medians, worst values, and what was left out."""
    groups = [g for g in repeated(campaign) if len(g.runs) + len(g.excluded) > 1]
    if not groups:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), title="Median / worst of all runs", title_justify="left")
    table.add_column("fault")
    for column in ("cloud", "timing", "runs", *(name.removesuffix("_s").replace("_", " ") for name in FIGURES)):
        table.add_column(column, justify="right")
    for group in groups:
        spreads = [group.spread(figure) for figure in FIGURES.values()]
        cells = [f"{seconds(s.median)} / {seconds(s.worst)}" if s else seconds(None) for s in spreads]
        where = (group.subject.cloud, group.subject.profile)
        table.add_row(str(group.fault), *where, str(len(group.runs)), *cells)
    console.print(table)
    for group in groups:
        for result, why in group.excluded:
            console.print(f"left out: {result.fault}, {campaign.called(result.subject)}, run {result.run}: {why}")
    for compared in comparisons(campaign):
        between = compared.ratio
        interval = f", {ratio(between.low)} to {ratio(between.high)}" if between and between.low is not None else ""
        mark = compared.mark
        told = MARK[state(mark)]
        console.print(
            Text.assemble(
                f"{compared.fault}: {mark.what}: {ratio(between.median if between else None)}{interval}, "
                f"{mark.bound} {limit(mark.limit, mark.unit)}: ",
                told,
            )
        )


def _show_side_by_side(console: Console, campaign: Campaign) -> None:
    for beside in side_by_side(campaign):
        for subject, why in beside.missing:
            console.print(f"{beside.fault}: not measured{campaign.on(subject)}: {why}")
        if beside.lines:
            console.print(_beside(campaign, beside))


def _beside(campaign: Campaign, beside: Beside) -> Table:
    """A row a function and figure: the two, and what lies between their medians."""
    assert campaign.pair is not None
    one, other = (campaign.called(subject) for subject in campaign.pair)
    table = Table(box=None, padding=(0, 2, 0, 0), title=f"{beside.fault}: {one} and {other}", title_justify="left")
    table.add_column("  function", no_wrap=True)
    table.add_column("figure", no_wrap=True)
    for column in (one, other, "difference", "ratio"):
        table.add_column(column, justify="right")
    for line in beside.lines:
        for name in OF_FUNCTION:
            seen = line.figures[name]
            table.add_row(
                f"  {function(line.function)}" if name == next(iter(OF_FUNCTION)) else "",
                name.removesuffix("_s").replace("_", " "),
                of_runs(seen.one),
                of_runs(seen.other),
                between(seen.difference, change),
                between(seen.ratio, ratio),
            )
    return table
