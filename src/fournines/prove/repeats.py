"""What several runs of one fault say together: all of them, with the ones that are left out and why. Pure."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fournines.prove.model import Campaign, Fault, FaultResult, Subject
from fournines.prove.pass_marks import (
    BASELINE,
    BASELINE_RATIO,
    PassMark,
    compared,
    ratio_name,
    worst_degraded,
    worst_gap,
    worst_wait,
)
from fournines.prove.severity import severity

#: Bootstrap: the share that the interval covers, resamples, and a seed, so that the same runs give the same interval.
COVERS = 0.95
RESAMPLES = 2000
SEED = 1979


#: Of one run: those by which runs are set side by side.
FIGURES: dict[str, Callable[[FaultResult], float | None]] = {
    "worst_wait_s": worst_wait,
    "degraded_s": worst_degraded,
    "longest_gap_s": worst_gap,
    "redundant_again_s": lambda r: math.inf if r.redundant_again_s is None else r.redundant_again_s,
}


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one figure over several runs. `low`, `high`: bootstrap interval of the median; None of a single run."""

    runs: int
    median: float
    worst: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Repeated:
    """All runs of one fault on one subject. `excluded`: those that measured nothing, beside why."""

    fault: Fault
    subject: Subject
    busy: bool
    runs: tuple[FaultResult, ...]
    excluded: tuple[tuple[FaultResult, str], ...]

    def spread(self, figure: Callable[[FaultResult], float | None]) -> Spread | None:
        return spread([v for r in self.runs if (v := figure(r)) is not None])


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """A baseline's runs over ours: the ratio of medians and its bootstrap interval."""

    fault: Fault
    ratio: Spread | None
    mark: PassMark


def repeated(campaign: Campaign) -> tuple[Repeated, ...]:
    """Fault after fault, in the order in which each was first measured, on each subject; those of a reference last."""
    keys = dict.fromkeys((r.fault, r.busy, r.subject) for r in campaign.results)
    faults = list(dict.fromkeys(key[:2] for key in keys))
    ordered = sorted(
        keys, key=lambda key: (key[2] == campaign.reference, faults.index(key[:2]), _place(campaign, key[2]))
    )
    return tuple(_group(campaign, *key) for key in ordered)


def _place(campaign: Campaign, subject: Subject) -> int:
    return campaign.subjects.index(subject) if subject in campaign.subjects else len(campaign.subjects)


def _group(campaign: Campaign, fault: Fault, busy: bool, subject: Subject) -> Repeated:
    every = [r for r in campaign.results if (r.fault, r.busy, r.subject) == (fault, busy, subject)]
    left_out = tuple((r, r.not_measured) for r in every if r.not_measured)
    return Repeated(fault, subject, busy, tuple(r for r in every if not r.not_measured), left_out)


def spread(values: Sequence[float]) -> Spread | None:
    """None of nothing. Infinite values are values: a function that never came back."""
    known = [v for v in values if not math.isnan(v)]
    if not known:
        return None
    low = high = None
    if len(known) > 1:
        dice = random.Random(SEED)  # noqa: S311
        low, high = _interval([statistics.median(dice.choices(known, k=len(known))) for _ in range(RESAMPLES)])
    return Spread(len(known), statistics.median(known), max(known), low, high)


def comparisons(campaign: Campaign) -> Iterator[RunsCompared]:
    """Of every fault that was measured more than once under both timings."""
    peer = campaign.reference
    groups = {(g.subject, g.fault, g.busy): g for g in repeated(campaign)}
    if peer is None or peer.profile != BASELINE or all(r.run == 1 for r in campaign.results):
        return
    for (subject, fault, busy), ours in groups.items():
        theirs = groups.get((peer, fault, busy))
        if subject == campaign.own and theirs and not busy:
            yield from _comparison(ours, theirs)


def _comparison(ours: Repeated, theirs: Repeated) -> Iterator[RunsCompared]:
    how = next((severity(r) for r in (*ours.runs, *theirs.runs)), None)
    if how not in BASELINE_RATIO:
        return
    ratio = ratios(_figures(theirs), _figures(ours))
    lower = None if ratio is None else ratio.low
    mark = PassMark(f"{ratio_name(how)}, interval's lower end", BASELINE_RATIO[how], "×", lower, "at least")
    yield RunsCompared(ours.fault, ratio, mark)


def _figures(of: Repeated) -> list[float]:
    return [v for r in of.runs if (v := compared(r)) is not None and not math.isnan(v)]


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread | None:
    """Of medians, by resampling both sides; None when there is nothing on one of them, or nothing to divide by."""
    if not above or not below or not statistics.median(below):
        return None
    return _between(above, below, _divided)


def differences(above: Sequence[float], below: Sequence[float]) -> Spread | None:
    """Of medians, by resampling both sides; None when there is nothing on one of them."""
    return _between(above, below, lambda a, b: a - b) if above and below else None


def _between(above: Sequence[float], below: Sequence[float], how: Callable[[float, float], float]) -> Spread | None:
    middle = how(statistics.median(above), statistics.median(below))
    if math.isnan(middle):  # neither came back: nobody knows by how much
        return None
    low = high = None
    if len(above) > 1 and len(below) > 1:
        dice = random.Random(SEED)  # noqa: S311
        drawn = [
            how(
                statistics.median(dice.choices(above, k=len(above))),
                statistics.median(dice.choices(below, k=len(below))),
            )
            for _ in range(RESAMPLES)
        ]
        if known := [d for d in drawn if not math.isnan(d)]:
            low, high = _interval(known)
    return Spread(min(len(above), len(below)), middle, how(max(above), min(below)), low, high)


def _divided(above: float, below: float) -> float:
    return above / below if below else math.inf


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """By percentiles, nearest rank."""
    ordered = sorted(values)
    outside = (1 - COVERS) / 2
    last = len(ordered) - 1
    return ordered[math.floor(outside * last)], ordered[math.ceil((1 - outside) * last)]
