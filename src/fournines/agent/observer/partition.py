"""Brokers that run, reach one another, and have lost one another all the same. Pure.

RabbitMQ's `pause_minority` acts on a node that sees too few others. One whose host or process was suspended for longer
than `net_ticktime` sees all of them again the moment it goes on, while they have declared it down: Mnesia then reports
running_partitioned_network on both sides and nothing ends it but a restart of one side.

A partition may be partial: a broker that starts on a starved host misses the ticks of one other, those two have lost
each other, and a third sees both. Queues that are declared through one are unknown to the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

#: Seconds for which it must have been so: nodes that start or stop see different things for a while.
SETTLE = 15.0


def outside(me: str, order: Sequence[str], sees: Mapping[str, frozenset[str]]) -> bool:
    """Whether this broker is the one to restart.

    order: all brokers, as configured. sees: for this one and every peer whose agent is in contact and whose broker
    answers, the brokers that it sees running, itself included.
    """
    if me not in sees or len(sees) < 2:
        return False
    return me not in _stay(sorted(sees, key=order.index), sees)


def _stay(brokers: Sequence[str], sees: Mapping[str, frozenset[str]]) -> Sequence[str]:
    """The most that see one another, each every other; of several such groups the first in the order of `brokers`."""
    for size in range(len(brokers), 1, -1):
        for group in combinations(brokers, size):
            if all(b in sees[a] and a in sees[b] for a, b in combinations(group, 2)):
                return group
    return brokers[:1]


class Lasting:
    """Whether something has been so, at every look, for `SETTLE`."""

    def __init__(self) -> None:
        self._since: float | None = None

    def look(self, at: float, so: bool) -> bool:
        self._since = (self._since if self._since is not None else at) if so else None
        return self._since is not None and at - self._since >= SETTLE
