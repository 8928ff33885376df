"""Brokers that run, reach one another, and have lost one another all the same. Pure.

RabbitMQ's `pause_minority` acts on a node that sees too few others. One whose host or process was suspended for longer
than `net_ticktime` sees all of them again the moment it goes on, while they have declared it down: Mnesia then reports
running_partitioned_network on both sides and nothing ends it but a restart of one side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: Seconds for which it must have been so: nodes that start or stop see different things for a while.
SETTLE = 10.0


def outside(me: str, order: Sequence[str], sees: Mapping[str, frozenset[str]]) -> bool:
    """Whether this broker is the one to restart.

    order: all brokers, as configured. sees: for this one and every peer whose agent is in contact and whose broker
    answers, the brokers that it sees running, itself included.
    """
    if me not in sees or len(sees) < 2:
        return False
    sides = {name: frozenset(n for n in sees if n in sees[name] and name in sees[n]) for name in sees}
    # The side that most can do without a restart; the configured order settles a draw the same way everywhere.
    keeps = max(sides, key=lambda name: (len(sides[name]), -order.index(name)))
    return me not in sides[keeps]


class Lasting:
    """Whether something has been so, at every look, for `SETTLE`."""

    def __init__(self) -> None:
        self._since: float | None = None

    def look(self, at: float, so: bool) -> bool:
        self._since = (self._since if self._since is not None else at) if so else None
        return self._since is not None and at - self._since >= SETTLE
