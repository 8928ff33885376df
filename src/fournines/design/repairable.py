"""Repairable systems: groups of alike components, a repair crew, and when the whole works.

A system is a chain whose state is how many of each group are down, and what each of the crew does. Time has any unit,
the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from fournines.design.markov import Chain, Vector, explore
from fournines.errors import UsageError

#: Steps of the fastest event that are followed: a minute's work.
_MOST_STEPS = 1e7

#: Down of each group; group at which each of the crew works, sorted.
State = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Group:
    """`count` alike components: each fails at rate `fail`; `repair`: the rate of one repair."""

    name: str
    count: int
    fail: float
    repair: float


@dataclass(frozen=True)
class Crew:
    """`size` repairs at a time; None: each component has its own. `inspect`: rate at which a free one of the crew finds
    its way to each group that has something to repair; None: at once, to the first such group in the file's order."""

    size: int | None = None
    inspect: float | None = None


@dataclass(frozen=True)
class System:
    """`works`: of how many of each group are up (group's name -> count). `lost_is_lost`: what no longer works is never
    repaired (a lost datum): the availability after a time is the chance to have survived until then."""

    groups: tuple[Group, ...]
    crew: Crew
    works: Callable[[Mapping[str, int]], bool]
    lost_is_lost: bool = False

    def chain(self) -> Chain[State]:
        return explore(((0,) * len(self.groups), ()), self._moves)

    def up(self, state: State) -> dict[str, int]:
        return {g.name: g.count - down for g, down in zip(self.groups, state[0], strict=True)}

    def availability(self) -> float:
        """Share of time for which the system works, in the long run."""
        chain = self.chain()
        with np.errstate(all="ignore"):
            return self._share(chain, chain.steady())

    def after(self, time: float) -> float:
        """The chance that it works `time` after everything was up."""
        chain = self.chain()
        if max(chain.rates, default=0.0) * time > _MOST_STEPS:
            raise UsageError(
                f"what happens in {time:g} of the model's units of time is too much to be followed",
                why=f"its fastest event happens more than {_MOST_STEPS:,.0f} times in it",
                next="a shorter `after`; the long run is the availability itself",
            )
        with np.errstate(all="ignore"):
            return self._share(chain, chain.after(time))

    def _share(self, chain: Chain[State], at: Vector) -> float:
        """Of the states in which the system works. Raises UsageError rather than to say what was not computed."""
        share = float(sum(p for p, state in zip(at, chain.states, strict=True) if self.works(self.up(state))))
        if not -1e-9 <= share <= 1 + 1e-9:  # nan is neither
            raise UsageError(
                "the model cannot be computed with these rates",
                why=f"they span from {min(chain.rates):g} to {max(chain.rates):g}: the arithmetic has 16 digits",
                next="rates that are nearer to one another, in a unit of time that suits them",
            )
        return min(1.0, max(0.0, share))

    def _moves(self, state: State) -> Iterable[tuple[float, State]]:
        if self.lost_is_lost and not self.works(self.up(state)):
            return
        down, busy = state
        for i, group in enumerate(self.groups):
            up = group.count - down[i]
            if up:
                yield up * group.fail, self._assigned((_plus(down, i, 1), busy))
        if self.crew.size is None:
            yield from ((down[i] * g.repair, (_plus(down, i, -1), busy)) for i, g in enumerate(self.groups) if down[i])
            return
        for i in dict.fromkeys(busy):
            yield busy.count(i) * self.groups[i].repair, self._assigned((_plus(down, i, -1), _without(busy, i)))
        if self.crew.inspect is not None and len(busy) < self.crew.size:
            for i in range(len(self.groups)):
                if down[i] > busy.count(i):
                    yield self.crew.inspect, (down, tuple(sorted((*busy, i))))

    def _assigned(self, state: State) -> State:
        """With a crew that needs no time to find its work: at it."""
        down, busy = state
        if self.crew.size is None or self.crew.inspect is not None:
            return state
        for i in range(len(self.groups)):
            while len(busy) < self.crew.size and down[i] > busy.count(i):
                busy = tuple(sorted((*busy, i)))
        return down, busy


def _plus(down: tuple[int, ...], i: int, change: int) -> tuple[int, ...]:
    return (*down[:i], down[i] + change, *down[i + 1 :])


def _without(busy: tuple[int, ...], i: int) -> tuple[int, ...]:
    at = busy.index(i)
    return busy[:at] + busy[at + 1 :]
