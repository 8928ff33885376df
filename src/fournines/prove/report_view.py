"""What the report says about each fault, worked out from a campaign. Plain data: the page only lays it out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fournines.prove.budget import Budget, Cost, budget
from fournines.prove.headline import headline, sentence
from fournines.prove.machine import starved
from fournines.prove.mark_summary import State, state, summary
from fournines.prove.matrix import Row, functions, matrix
from fournines.prove.model import Campaign, FaultResult, FunctionFigures, RequestFigures, Verdict
from fournines.prove.pass_marks import (
    AGAIN,
    DEGRADED,
    GAP,
    RETURN,
    TROUBLED,
    WAIT,
    PassMark,
    pass_marks,
    worst_degraded,
    worst_gap,
    worst_wait,
)
from fournines.prove.repeats import FIGURES, Repeated, RunsCompared, Spread, comparisons, repeated
from fournines.prove.report_timeline import Panel, panels
from fournines.prove.side_by_side import Beside, side_by_side
from fournines.prove.verdict import baseline_of, of_subject

#: Mark -> the column of the functions' table that it is about.
COLUMN = {WAIT: "wait", DEGRADED: "degraded", AGAIN: "degraded", GAP: "gap", RETURN: "return", TROUBLED: "trouble"}


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """`seen`: over `connection`, "" for all. `theirs`: the same under the baseline's timers. `states`: column -> what
    its mark says; without an entry, no mark is about it."""

    figures: FunctionFigures
    connection: str
    seen: RequestFigures
    theirs: RequestFigures | None
    states: dict[str, State]


@dataclass(frozen=True, slots=True)
class FaultView:
    """All runs of one fault on one subject; `result` is the one that is drawn, the worst of them, with `baseline` (the
    reference's) beside it."""

    anchor: str
    name: str  # the fault, and where it struck if that needs saying
    group: Repeated
    result: FaultResult
    verdict: Verdict
    reasons: tuple[str, ...]
    baseline: FaultResult | None
    baseline_missing: str  # why it was not measured
    sentence: str
    spreads: dict[str, Spread | None]  # figure -> over all runs
    theirs: dict[str, Spread | None]
    comparison: RunsCompared | None
    ratio: float | None
    pass_marks: tuple[PassMark, ...]
    panels: tuple[Panel, ...]
    baseline_panels: tuple[Panel, ...]
    rows: tuple[FunctionRow, ...]

    @property
    def other_reasons(self) -> tuple[str, ...]:
        """Why it did not pass, but for the marks, which stand for themselves."""
        return tuple(r for r in self.result.reasons if not any(r.startswith(m.what) for m in self.pass_marks))

    @property
    def wait_limit(self) -> float | None:
        """The least of those that hold, seconds."""
        limits = (m.limit for m in self.pass_marks if m.what == WAIT and m.limit)
        return min(limits, default=None)

    @property
    def acknowledged(self) -> int:
        return sum(w.acknowledged for r in self.group.runs for w in r.writes.values())

    @property
    def lost(self) -> int:
        return sum(w.lost for r in self.group.runs for w in r.writes.values())

    @property
    def saturated(self) -> bool:
        return any(r.pressure.saturated or _starved_in_its_worst(r) for r in (self.result, self.baseline) if r)


@dataclass(frozen=True, slots=True)
class Scale:
    """Logarithmic, whole decades, in seconds."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        bounded = min(max(value, self.low), self.high)
        return round(100 * math.log10(bounded / self.low) / math.log10(self.high / self.low), 2)

    @property
    def decades(self) -> tuple[float, ...]:
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return tuple(10.0**n for n in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Headline:
    """`whose`: a cloud's name, "" where there is one alone."""

    whose: str
    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True)
class View:
    """`excluded`: runs that measured nothing of a fault that others did measure. `under`: the reference, as one says it
    after a figure's name; "" without one."""

    headlines: tuple[Headline, ...]
    faults: tuple[FaultView, ...]  # measured
    not_measured: tuple[tuple[str, str], ...]  # its name, and why
    excluded: tuple[tuple[FaultResult, str], ...]
    repeats: bool
    scale: Scale
    figures: dict[str, Callable[[FaultResult], float | None]]  # of one run
    matrix: tuple[tuple[str, str, Row], ...]  # the fault's anchor, "" of one that was not measured, and its name
    functions: tuple[str, ...]  # its columns but for the last
    years: dict[str, Budget]  # cloud, "" of one alone -> what its faults cost
    called: tuple[str, ...]  # the two that are set side by side; () of one alone
    side_by_side: tuple[Beside, ...]
    under: str

    def cost(self, fault: FaultView) -> Cost | None:
        """A year; None of one with every core kept busy."""
        costs = (c for year in self.years.values() if year.subject == fault.group.subject for c in year.costs)
        return next((c for c in costs if c.fault == fault.group.fault), None)

    @property
    def saturated(self) -> tuple[FaultView, ...]:
        return tuple(f for f in self.faults if f.saturated)


def view(campaign: Campaign) -> View:
    """Results of all subjects, each beside the reference's of the same fault."""
    groups = repeated(campaign)
    ours = [g for g in groups if g.subject in campaign.subjects]
    theirs = {(g.fault, g.busy): g for g in groups if g.subject == campaign.reference}
    together = {c.fault: c for c in comparisons(campaign)}
    measured = [g for g in ours if g.runs]
    faults = tuple(
        _fault(campaign, n, g, theirs.get((g.fault, g.busy)), together.get(g.fault)) for n, g in enumerate(measured, 1)
    )
    headlines = tuple(_headlines(campaign, measured))
    return View(
        headlines=headlines,
        faults=faults,
        not_measured=tuple((_name(campaign, g), g.excluded[0][1]) for g in ours if not g.runs),
        excluded=tuple(e for g in groups if g.runs for e in g.excluded),
        repeats=any(len(g.runs) + len(g.excluded) > 1 for g in groups),
        scale=_scale(faults),
        figures=FIGURES,
        matrix=tuple((_anchor(faults, row), f"{row.fault}{campaign.on(row.subject)}", row) for row in matrix(campaign)),
        functions=functions(campaign),
        years={h.whose: budget(campaign, s) for h, s in zip(headlines, campaign.subjects, strict=True)},
        called=tuple(campaign.called(subject) for subject in campaign.pair or ()),
        side_by_side=tuple(side_by_side(campaign)),
        under=campaign.on(campaign.reference).strip() if campaign.reference else "",
    )


def _headlines(campaign: Campaign, measured: Sequence[Repeated]) -> Iterator[Headline]:
    for subject in campaign.subjects:
        alone = len(campaign.subjects) == 1
        verdict = campaign.verdict if alone else of_subject(campaign, subject)
        runs = [r for g in measured if g.subject == subject for r in g.runs]
        yield Headline("" if alone else campaign.called(subject), verdict, headline(verdict, runs))


def _name(campaign: Campaign, group: Repeated) -> str:
    return f"{group.fault}{campaign.on(group.subject)}"


def _anchor(faults: Sequence[FaultView], row: Row) -> str:
    return next((f.anchor for f in faults if (f.group.fault, f.group.subject) == (row.fault, row.subject)), "")


def _fault(
    campaign: Campaign, number: int, group: Repeated, other: Repeated | None, comparison: RunsCompared | None
) -> FaultView:
    result = _worst_of(group.runs)
    baseline = _worst_of(other.runs) if other and other.runs else None
    marks = pass_marks(result, baseline_of(campaign, result))
    verdict, reasons = _verdict(group.runs)
    ratio = next((m.measured for m in marks if m.unit == "×"), None)
    return FaultView(
        anchor=f"fault-{number}",
        name=_name(campaign, group),
        group=group,
        result=result,
        verdict=verdict,
        reasons=reasons,
        baseline=baseline,
        baseline_missing=other.excluded[0][1] if other and not other.runs else "",
        sentence=sentence(result),
        spreads={name: group.spread(figure) for name, figure in FIGURES.items()},
        theirs={name: other.spread(figure) if other else None for name, figure in FIGURES.items()},
        comparison=comparison,
        ratio=comparison.ratio.median if comparison and comparison.ratio else ratio,
        pass_marks=summary(marks),
        panels=panels(result),
        baseline_panels=panels(baseline) if baseline else (),
        rows=tuple(_rows(result, baseline, marks)),
    )


def _worst_of(runs: Sequence[FaultResult]) -> FaultResult:
    """By verdict, then by what requests waited."""
    order = {"pass": 0, "unknown": 1, "fail": 2}
    figures = (worst_wait, worst_degraded, worst_gap)
    return max(runs, key=lambda r: (order[r.verdict], *(figure(r) or 0.0 for figure in figures)))


def _verdict(runs: Sequence[FaultResult]) -> tuple[Verdict, tuple[str, ...]]:
    """The worst of all runs, with the reasons of each that did not pass."""
    worst = _worst_of(runs)
    if len(runs) == 1:
        return worst.verdict, worst.reasons
    said = tuple(f"run {r.run}: {'; '.join(r.reasons)}" for r in runs if r.reasons)
    return worst.verdict, said


def _rows(result: FaultResult, baseline: FaultResult | None, marks: Iterable[PassMark]) -> Iterable[FunctionRow]:
    theirs = {f.function: dict(f.connections()) for f in baseline.functions} if baseline else {}
    states: dict[tuple[str, str], dict[str, State]] = {}
    for mark in marks:
        if mark.what in COLUMN:
            states.setdefault((mark.function, mark.connection), {})[COLUMN[mark.what]] = state(mark)
    for f in result.functions:
        for connection, seen in f.connections():
            beside = theirs.get(f.function, {}).get(connection)
            yield FunctionRow(f, connection, seen, beside, states.get((f.function, connection), {}))


def _starved_in_its_worst(result: FaultResult) -> bool:
    """Whether the longest wait or gap fell into a time in which the machine had no idle time: it can be long after the
    heal."""
    spans = [s for f in result.functions for s in (f.whole.worst, f.whole.gap, f.whole.gap_returning) if s]
    return bool(result.idle and spans) and starved(result.idle, [max(spans, key=lambda s: s[1] - s[0])])


def _scale(faults: Sequence[FaultView]) -> Scale:
    """Whole decades around every worst wait shown; never less than 0.1 to 10 s."""
    spreads = [s["worst_wait_s"] for f in faults for s in (f.spreads, f.theirs)]
    waits = [w for s in spreads if s for w in (s.median, s.worst) if w and math.isfinite(w)]
    low = 10 ** math.floor(math.log10(min([0.1, *waits])))
    high = 10 ** math.ceil(math.log10(max([10.0, *waits])))
    return Scale(low, high)
