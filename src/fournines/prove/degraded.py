"""Degraded time: the seconds in which fewer than 99 % of the requests that were due were answered well. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fournines.prove.model import Span
from fournines.prove.waits import Request

GOOD_SHARE = 0.99
_ROUNDING_S = 1e-6


def degraded_spans(
    every: Sequence[Request], period: float, within: float, injected: float, ended: float
) -> tuple[Span, ...]:
    """Seconds are counted from the injection. What was in flight then counts into the first one: it is the first that
    the fault could hit. `every` is in the order in which they were due.

    In a second in which nothing was due it is as it was when something last was; if that is more than `period`, and a
    second, ago, then nobody asked, and a second in which nobody asked is not known to be good.
    """
    if math.isnan(within) or ended <= injected:
        return ()
    due: dict[int, list[Request]] = {}
    last: tuple[float, bool] | None = None
    for w in every:
        if w.ended >= injected:
            due.setdefault(max(0, math.floor(w.intended - injected + _ROUNDING_S)), []).append(w)
        else:
            last = w.intended, w.good(within)
    bad: list[Span] = []
    for second in range(math.ceil(ended - injected - _ROUNDING_S)):
        start = injected + second
        asked = due.get(second, [])
        if asked:
            good = sum(w.good(within) for w in asked) >= GOOD_SHARE * len(asked)
            last = max(start, asked[-1].intended), good
        else:
            good = last is not None and last[1] and start - last[0] <= period + 1.0
        if not good:
            bad.append((start, min(start + 1.0, ended)))
    return _joined(bad)


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Neighbours as one."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < _ROUNDING_S:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return tuple(joined)
