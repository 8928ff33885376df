"""Repairable systems: groups of alike components, a repair crew, and when the whole works.

A system is a chain whose state is how many of each group are down, and what each of the crew does. Time has any unit,
the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fournines.design.markov import Chain, explore

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
        return float(
            sum(p for p, state in zip(chain.steady(), chain.states, strict=True) if self.works(self.up(state)))
        )

    def after(self, time: float) -> float:
        """The chance that it works `time` after everything was up."""
        chain = self.chain()
        at = chain.after(time)
        return float(sum(p for p, state in zip(at, chain.states, strict=True) if self.works(self.up(state))))

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
