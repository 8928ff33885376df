"""Simulation, for what neither diagram nor chain can: lives that wear, repairs of any length, few hands, maintenance.

Every component alternates between up and down for itself. Nearly all outages are alone and stop nothing; so whole
batches of years are drawn as arrays, what overlaps nothing is dropped, and the condition is evaluated at the edges of
the few clusters that remain. Components that people repair can share a crew: those are played event by event.

A switch is an outage of its own, which begins when the copy fails that does the work. Copies are alike, so that is each
of those that are up with the same chance.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fournines.design.condition import Condition, Kind
from fournines.design.reliability import YEAR, Reliability
from fournines.design.switches import SwitchGroup
from fournines.errors import UsageError

Vector = NDArray[np.float64]
Repair = Literal["exponential", "lognormal", "fixed"]

#: Batches whose means give the confidence interval.
BATCHES = 100
#: Repaired by people, so subject to a crew. A process is restarted by systemd.
BY_HAND: tuple[Kind, ...] = ("region", "network", "power", "switch", "zone", "host")
#: Student's t of 97.5 % with so many degrees of freedom: the half width of a 95 % interval in standard errors.
_T = 1.984
#: Spread of lognormal repairs, of the logarithm: the longest one in a hundred takes ten times the median.
_SIGMA = 1.0


@dataclass(frozen=True)
class Assumptions:
    """What differs from the exact model. life_shape: Weibull's, below 1 for early failures, above for wear. crew: hands
    that repair; None: enough. maintenance: (every, for) seconds that each host is down on purpose, one host at a time,
    the hosts in turn."""

    life_shape: float = 1.0
    repair: Repair = "exponential"
    crew: int | None = None
    maintenance: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not self.life_shape > 0:
            raise UsageError(f"a Weibull shape is above zero, not {self.life_shape:g}")
        if self.crew is not None and self.crew < 1:
            raise UsageError("a crew has at least one hand")
        if self.maintenance and not 0 < self.maintenance[1] < self.maintenance[0]:
            raise UsageError("maintenance lasts less long than it is apart, and above zero")


@dataclass(frozen=True)
class Estimate:
    """availability ± half_width, 95 %. outages: spans without the function."""

    function: str
    region: str
    years: float
    availability: float
    half_width: float
    outages: int


@dataclass(frozen=True)
class _Spans:
    """Component `part[i]` is down from start[i] to end[i]. Seconds."""

    part: NDArray[np.intp]
    start: Vector
    end: Vector


def simulate(
    condition: Condition,
    reliability: Reliability,
    years: float,
    assumptions: Assumptions | None = None,
    seed: int = 1,
    *,
    groups: Iterable[SwitchGroup] = (),
) -> Estimate:
    """`groups`: those whose switches take time. Raises UsageError when fewer years than batches are asked for. What
    never works has availability 0."""
    if years < BATCHES:
        raise UsageError(f"at least {BATCHES} years are needed for an estimate of its own error, not {years:g}")
    if condition.missing:
        return Estimate(condition.name, condition.region, years, 0.0, 0.0, 0)
    dice = np.random.default_rng(seed)
    player = _Player(condition, reliability, assumptions or Assumptions(), dice, tuple(groups))
    length = years * YEAR / BATCHES
    lost = np.zeros(BATCHES)
    outages = 0
    for batch in range(BATCHES):
        seconds, count = player.play(length)
        lost[batch] = seconds / length
        outages += count
    half_width = _T * float(lost.std(ddof=1)) / math.sqrt(BATCHES)
    return Estimate(condition.name, condition.region, years, 1.0 - float(lost.mean()), half_width, outages)


class _Player:
    def __init__(
        self,
        condition: Condition,
        reliability: Reliability,
        assumptions: Assumptions,
        dice: np.random.Generator,
        groups: Sequence[SwitchGroup],
    ) -> None:
        self.assume = assumptions
        self.dice = dice
        parts = condition.components
        place = {c.key: i for i, c in enumerate(parts)}
        # A switch under way counts as one more part that is down, without which nothing works.
        self.width = len(parts) + len(groups)
        self.base = [*(place[c.key] for c in condition.base), *range(len(parts), self.width)]
        # Of many alike copies all would have to be down: they are, when what they share is.
        self.requirements = [
            (r.least, [(c.count, [place[p.key] for p in c.parts]) for c in r.copies]) for r in condition.requirements
        ]
        self.figures = [reliability.figure(c) for c in parts]
        self.failing = [i for i, f in enumerate(self.figures) if math.isfinite(f.mttf)]
        self.fatal = np.array([not condition.works({c.key}) for c in parts] + [True] * len(groups))
        self.crewed = [i for i in self.failing if assumptions.crew and parts[i].kind in BY_HAND]
        self.hosts = [i for i, c in enumerate(parts) if c.kind == "host"]
        self.processes = np.array([c.kind == "process" for c in parts])
        self.groups = [(g, [[place[p.key] for p in c.parts] for c in g.requirement.copies]) for g in groups]

    def play(self, length: float) -> tuple[float, int]:
        """Seconds without the function in `length` seconds, and in how many spans."""
        failures = _joined([*self._alone(length), *self._by_crew(length)])
        spans = _joined([failures, *self._switched(failures, length), *self._maintained(length)])
        return self._lost(self._clustered(spans), length)

    def _alone(self, length: float) -> Iterator[_Spans]:
        for i in self.failing:
            if i not in self.crewed:
                start, end = self._renewals(i, length)
                yield _Spans(np.full(len(start), i, dtype=np.intp), start, end)

    def _renewals(self, i: int, length: float) -> tuple[Vector, Vector]:
        """Up first. A batch begins with everything new: one failure in thousands, for years of a batch."""
        mean = self.figures[i].mttf + self.figures[i].mttr
        starts, ends, at = list[Vector](), list[Vector](), 0.0
        while at < length:
            expected = (length - at) / mean
            count = int(expected + 4 * math.sqrt(expected) + 8)
            lives, repairs = self._lives(i, count), self._repairs(i, count)
            end = at + np.cumsum(lives + repairs)
            starts.append(end - repairs)
            ends.append(end)
            at = float(end[-1])
        start, end = np.concatenate(starts), np.concatenate(ends)
        inside = start < length
        return start[inside], np.minimum(end[inside], length)

    def _lives(self, i: int, count: int) -> Vector:
        shape, mttf = self.assume.life_shape, self.figures[i].mttf
        if shape == 1.0:
            return self.dice.exponential(mttf, count)
        return self.dice.weibull(shape, count) * (mttf / math.gamma(1 + 1 / shape))

    def _repairs(self, i: int, count: int) -> Vector:
        mttr = self.figures[i].mttr
        if self.assume.repair == "fixed":
            return np.full(count, mttr)
        if self.assume.repair == "lognormal":
            return self.dice.lognormal(math.log(mttr) - _SIGMA**2 / 2, _SIGMA, count)
        return self.dice.exponential(mttr, count)

    def _by_crew(self, length: float) -> Iterator[_Spans]:
        """First failed, first repaired; who is free goes to the next."""
        if not self.crewed:
            return
        lives = {i: self._stream(self._lives, i) for i in self.crewed}
        repairs = {i: self._stream(self._repairs, i) for i in self.crewed}
        failures = [(next(lives[i]), i) for i in self.crewed]
        heapq.heapify(failures)
        free = [0.0] * (self.assume.crew or 1)
        found: list[tuple[int, float, float]] = []
        while failures[0][0] < length:
            start, i = failures[0]
            end = max(start, free[0]) + next(repairs[i])
            heapq.heapreplace(free, end)
            found.append((i, start, min(end, length)))
            heapq.heapreplace(failures, (end + next(lives[i]), i))
        part, start, end = zip(*found, strict=True) if found else ((), (), ())
        yield _Spans(np.array(part, dtype=np.intp), np.array(start, dtype=float), np.array(end, dtype=float))

    @staticmethod
    def _stream(draw: Callable[[int, int], Vector], i: int) -> Iterator[float]:
        while True:
            yield from draw(i, 1024).tolist()

    def _maintained(self, length: float) -> Iterator[_Spans]:
        if self.assume.maintenance is None:
            return
        every, lasts = self.assume.maintenance
        for turn, i in enumerate(self.hosts):
            first = every * (turn + 1) / (len(self.hosts) + 1)
            start = np.arange(first, length, every)
            yield _Spans(np.full(len(start), i, dtype=np.intp), start, np.minimum(start + lasts, length))

    def _switched(self, failures: _Spans, length: float) -> Iterator[_Spans]:
        """Maintenance is none of the causes: who takes a host down on purpose moves its work away first."""
        for g, (group, copies) in enumerate(self.groups):
            down = [self._down(failures, parts) for parts in copies]
            start, end, of_host = (np.concatenate(column) for column in zip(*down, strict=True))
            order = np.argsort(start)
            start, end, of_host = start[order], end[order], of_host[order]
            up = group.requirement.total - np.arange(len(start)) + np.searchsorted(np.sort(end), start, side="right")
            works = (up >= group.requirement.least) & (self.dice.random(len(start)) * up < 1)
            if group.host is None:
                works &= ~of_host
            start, of_host = start[works], of_host[works]
            lasts = np.where(of_host, group.host or 0.0, group.own)
            lasts[self.dice.random(len(start)) > group.coverage] = group.manual
            part = np.full(len(start), self.width - len(self.groups) + g, dtype=np.intp)
            yield _Spans(part, start, np.minimum(start + self.dice.exponential(lasts), length))

    def _down(self, failures: _Spans, parts: Sequence[int]) -> tuple[Vector, Vector, NDArray[np.bool_]]:
        """When a copy that stands on `parts` is down: from, to, whether more than a process of its own was lost."""
        mine = np.flatnonzero(np.isin(failures.part, parts))
        mine = mine[np.argsort(failures.start[mine])]
        start, latest = failures.start[mine], np.maximum.accumulate(failures.end[mine])
        first = np.ones(len(mine), np.bool_)
        first[1:] = start[1:] >= latest[:-1]
        return start[first], latest[np.roll(first, -1)], ~self.processes[failures.part[mine[first]]]

    def _clustered(self, spans: _Spans) -> _Spans:
        """Those that overlap another, or stop the function alone; in order of their start."""
        order = np.argsort(spans.start)
        part, start, end = spans.part[order], spans.start[order], spans.end[order]
        if not len(start):
            return spans
        latest = np.maximum.accumulate(end)
        begins = np.concatenate(([True], start[1:] >= latest[:-1]))
        cluster = np.cumsum(begins) - 1
        kept = (np.bincount(cluster)[cluster] > 1) | self.fatal[part]
        return _Spans(part[kept], start[kept], end[kept])

    def _lost(self, spans: _Spans, length: float) -> tuple[float, int]:
        if not len(spans.start):
            return 0.0, 0
        times = np.concatenate((spans.start, spans.end))
        change = np.concatenate((np.ones(len(spans.start), np.int8), -np.ones(len(spans.end), np.int8)))
        part = np.concatenate((spans.part, spans.part))
        order = np.argsort(times, kind="stable")
        down = np.zeros((len(times), self.width), np.int8)
        down[np.arange(len(times)), part[order]] = change[order]
        np.cumsum(down, axis=0, out=down)
        stopped = ~self._works(down > 0)
        lasts = np.diff(np.append(times[order], length))
        begins = stopped & ~np.concatenate(([False], stopped[:-1]))
        return float(lasts[stopped].sum()), int(begins.sum())

    def _works(self, down: NDArray[np.bool_]) -> NDArray[np.bool_]:
        works: NDArray[np.bool_] = np.logical_not(down[:, self.base].any(axis=1))
        for least, copies in self.requirements:
            up = np.zeros(len(down), np.int64)
            for count, parts in copies:
                up += count * ~down[:, parts].any(axis=1)
            works = np.logical_and(works, up >= least)
        return works


def _joined(spans: Sequence[_Spans]) -> _Spans:
    if not spans:
        return _Spans(np.zeros(0, np.intp), np.zeros(0), np.zeros(0))
    return _Spans(
        np.concatenate([s.part for s in spans]),
        np.concatenate([s.start for s in spans]),
        np.concatenate([s.end for s in spans]),
    )
