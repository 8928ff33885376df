"""What the report says about each fault, worked out from a campaign. Plain data: the page only lays it out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fournines.prove.model import Campaign, FaultResult, FunctionFigures, Pressure, Verdict
from fournines.prove.pass_marks import PassMark, pass_marks, service_gap, worst_gap
from fournines.prove.report_text import count, plural, seconds
from fournines.prove.report_timeline import Panel, panels

#: Where one gap stands for a whole fault, it is of the functions that could have told one of so many seconds.
TELLS_S = 1.0


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """`baseline_s`: the longest gap under the peer's timing; `ratio`: that over ours."""

    figures: FunctionFigures
    baseline_s: float | None
    ratio: float | None

    @property
    def by_connection(self) -> dict[str, float]:
        """Each kind's longest gap. They take turns, so that each is probed less often than the function: what that
        adds to a gap is taken off."""
        turns = len(self.figures.gap_by_connection) - 1
        return {how: gap - turns * self.figures.interval_s for how, gap in self.figures.gap_by_connection.items()}


@dataclass(frozen=True, slots=True)
class FaultView:
    anchor: str
    result: FaultResult
    baseline: FaultResult | None
    baseline_missing: str  # why it was not measured
    sentence: str
    worst_s: float | None
    baseline_s: float | None
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
    def worst_read_s(self) -> float | None:
        return worst_gap(self.result, ["read"], TELLS_S)

    @property
    def worst_write_s(self) -> float | None:
        return worst_gap(self.result, ["write"], TELLS_S)

    @property
    def saturated(self) -> bool:
        return any(r.pressure.saturated or _starved_gap(r) for r in (self.result, self.baseline) if r)


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
class View:
    headline: str
    faults: tuple[FaultView, ...]  # measured
    not_measured: tuple[FaultResult, ...]
    scale: Scale

    @property
    def saturated(self) -> tuple[FaultView, ...]:
        return tuple(f for f in self.faults if f.saturated)


def view(campaign: Campaign) -> View:
    """Results under the cloud's own timing profile, each beside the baseline's of the same fault."""
    ours = [r for r in campaign.results if r.profile == campaign.profile]
    theirs = {(str(r.fault), r.busy): r for r in campaign.results if r.profile == campaign.baseline}
    measured = [r for r in ours if not r.not_measured]
    faults = tuple(_fault(n, r, theirs.get((str(r.fault), r.busy))) for n, r in enumerate(measured, 1))
    return View(
        headline=_headline(campaign.verdict, measured),
        faults=faults,
        not_measured=tuple(r for r in ours if r.not_measured),
        scale=_scale(faults),
    )


def _fault(number: int, result: FaultResult, other: FaultResult | None) -> FaultView:
    baseline = None if other is None or other.not_measured else other
    gaps = {f.function: f.longest_gap_s for f in baseline.functions} if baseline else {}
    worst = worst_gap(result, within=TELLS_S)
    worst_theirs = worst_gap(baseline, within=TELLS_S) if baseline else None
    return FaultView(
        anchor=f"fault-{number}",
        result=result,
        baseline=baseline,
        baseline_missing=other.not_measured if other else "",
        sentence=_sentence(result),
        worst_s=worst,
        baseline_s=worst_theirs,
        ratio=_ratio(worst, worst_theirs),
        pass_marks=pass_marks(result, baseline),
        panels=panels(result),
        baseline_panels=panels(baseline) if baseline else (),
        rows=tuple(
            FunctionRow(f, gaps.get(f.function), _ratio(f.longest_gap_s, gaps.get(f.function)))
            for f in result.functions
        ),
    )


def _struck(result: FaultResult) -> FunctionFigures | None:
    """The function whose longest gap stands for the fault."""
    return max((f for f in result.functions if f.interval_s <= TELLS_S / 2), key=service_gap, default=None)


def _starved_gap(result: FaultResult) -> bool:
    """Whether the longest gap fell into a time in which the machine had no idle time: the heal can be far behind."""
    struck = _struck(result)
    spans = [s.gap for s in result.series if struck and s.function == struck.function]
    shares = [idle for at, idle in result.idle for begin, end in spans if begin < at <= end]
    return bool(shares) and Pressure(sum(shares) / len(shares), 0, 0, 0).saturated


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return theirs / ours if ours and theirs is not None else None


def _headline(verdict: Verdict, measured: Sequence[FaultResult]) -> str:
    """The campaign in one sentence."""
    if not measured:
        return "No fault could be measured."
    gaps = [g for r in measured if (g := worst_gap(r, within=TELLS_S)) is not None]
    lost = sum(w.lost for r in measured for w in r.writes.values())
    acknowledged = sum(w.acknowledged for r in measured for w in r.writes.values())
    passed = sum(r.verdict == "pass" for r in measured)
    held = (
        f"{plural(len(measured), 'fault')} injected"
        if verdict == "pass"
        else f"{passed} of {plural(len(measured), 'fault')} held"
    )
    longest = "no gap between two successes longer than" if verdict == "pass" else "longest gap between two successes"
    waited = f"; {longest} {seconds(max(gaps))}" if gaps else ""
    kept = f"{count(lost) if lost else 'none'} of {plural(acknowledged, 'acknowledged write')} lost"
    return f"{held}{waited}; {kept}."


def _sentence(result: FaultResult) -> str:
    """One fault in two short sentences: the outage, then the way back."""
    struck = _struck(result)
    if struck is None:
        outage = "No function was probed."
    else:
        failed, unknown = sum(f.fail for f in result.functions), sum(f.unknown for f in result.functions)
        name = struck.function.replace("_", " ")
        outage = (
            f"Longest gap between two successes: {seconds(service_gap(struck))} ({name}); "
            f"{plural(failed, 'request')} failed, {unknown} ended unknown."
        )
    if result.redundant_again_s is None:
        return f"{outage} Not back to full redundancy within the time watched."
    return f"{outage} Fully redundant again {seconds(result.redundant_again_s)} after the heal."


def _scale(faults: Sequence[FaultView]) -> Scale:
    """Whole decades around every gap shown; never less than 0.1 to 10 s."""
    gaps = [g for f in faults for g in (f.worst_s, f.baseline_s) if g and math.isfinite(g)]
    low = 10 ** math.floor(math.log10(min([0.1, *gaps])))
    high = 10 ** math.ceil(math.log10(max([10.0, *gaps])))
    return Scale(low, high)
