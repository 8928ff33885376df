"""What each request waited: the ones that were not answered too. Pure; seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fournines.prove.model import Operation, Outcome, Span
from fournines.prove.probes import LIGHT_S

#: Times are kept to the microsecond.
_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `ended`: it was answered, or timed out. `until`: what was asked for was there."""

    intended: float
    ended: float
    until: float
    outcome: Outcome

    @property
    def seconds(self) -> float:
        return self.until - self.intended

    def good(self, within: float) -> bool:
        return self.outcome == "ok" and self.seconds <= within + _ROUNDING_S


def waits(operations: Iterable[Operation], retried_after: float, end: float) -> list[Request]:
    """Of one function over one kind of connection, in the order in which they were due.

    Who is refused at once has not been served at once: a request that was not answered waits until one that was due
    later is, at least until it timed out, and at most to the `end` of the load. The next one is due `retried_after`
    seconds later; what that has over a light probe's interval is the probe's, not the cloud's, and is taken off.
    """
    ordered = sorted(operations, key=lambda o: o.intended)
    slack = max(0.0, retried_after - LIGHT_S)
    served = end + slack  # when the first answer came to any request that was due later
    found: list[Request] = []
    for o in reversed(ordered):
        if o.outcome == "ok":
            served = min(served, o.ended)
            until = o.ended
        else:
            until = max(o.ended, served - slack)
        found.append(Request(o.intended, o.ended, until, o.outcome))
    return found[::-1]


def longest(every: Sequence[Request]) -> Span:
    """Of at least one."""
    worst = max(every, key=lambda w: w.seconds)
    return worst.intended, worst.until
