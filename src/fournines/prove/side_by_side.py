"""What the same faults cost two clouds, function by function. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from fournines.prove.model import Campaign, Fault, FaultResult, FunctionFigures, Subject
from fournines.prove.probes import PROBES
from fournines.prove.repeats import FIGURES, Repeated, Spread, differences, ratios, repeated, spread

#: Of one function in one run, by the names that they have in FIGURES.
OF_FUNCTION: dict[str, Callable[[FunctionFigures], float]] = {
    "worst_wait_s": lambda f: f.whole.worst_wait_s,
    "degraded_s": lambda f: _greatest(seen.degraded_s for _, seen in f.connections()),
    "longest_gap_s": lambda f: _greatest((f.whole.longest_gap_s, f.whole.gap_returning_s)),
}
#: Stands for all functions together, as a campaign's table at a glance has them.
ALL = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure on both, seconds. `difference`, `ratio`: the second one's median less, and over, the first one's, with
    bootstrap intervals. None where there is nothing to tell it from."""

    one: Spread | None
    other: Spread | None
    difference: Spread | None
    ratio: Spread | None


@dataclass(frozen=True, slots=True)
class Line:
    """Of one function, or of ALL; `figures` by the names in OF_FUNCTION."""

    function: str
    figures: dict[str, Compared]


@dataclass(frozen=True, slots=True)
class Beside:
    """A fault on both. `lines`: empty unless both were measured; `missing`: where it was not, and why."""

    fault: Fault
    busy: bool
    lines: tuple[Line, ...]
    missing: tuple[tuple[Subject, str], ...]


def side_by_side(campaign: Campaign) -> Iterator[Beside]:
    """Of each fault; none where nothing is set beside anything."""
    if campaign.pair is None:
        return
    groups = {(g.fault, g.busy, g.subject): g for g in repeated(campaign)}
    for fault, busy in dict.fromkeys(key[:2] for key in groups):
        one, other = (groups.get((fault, busy, subject)) for subject in campaign.pair)
        missing = tuple(
            (subject, _why(group, beside))
            for subject, group, beside in zip(campaign.pair, (one, other), (other, one), strict=True)
            if group is None or not group.runs
        )
        lines = _lines(one.runs, other.runs) if one and other and not missing else ()
        yield Beside(fault, busy, tuple(lines), missing)


def _why(group: Repeated | None, beside: Repeated | None) -> str:
    if group:
        return group.excluded[0][1]
    if beside and not beside.runs:
        return f"there is nothing on {beside.subject.cloud} to set it beside"
    return "the campaign ended before"


def _lines(one: tuple[FaultResult, ...], other: tuple[FaultResult, ...]) -> Iterator[Line]:
    yield Line(ALL, {name: _compared(*(_values(runs, FIGURES[name]) for runs in (one, other))) for name in OF_FUNCTION})
    probed = {f.function for r in (*one, *other) for f in r.functions}
    for function in (name for name in PROBES if name in probed):
        figures = {
            name: _compared(*([figure(f) for f in _of(runs, function)] for runs in (one, other)))
            for name, figure in OF_FUNCTION.items()
        }
        yield Line(function, figures)


def _values(runs: Iterable[FaultResult], figure: Callable[[FaultResult], float | None]) -> list[float]:
    return [v for r in runs if (v := figure(r)) is not None]


def _of(runs: Iterable[FaultResult], function: str) -> Iterator[FunctionFigures]:
    return (f for r in runs for f in r.functions if f.function == function and f.whole.sampled)


def _compared(one: list[float], other: list[float]) -> Compared:
    ones, others = ([v for v in values if not math.isnan(v)] for values in (one, other))
    return Compared(spread(ones), spread(others), differences(others, ones), ratios(others, ones))


def _greatest(values: Iterable[float]) -> float:
    return max((v for v in values if not math.isnan(v)), default=math.nan)
