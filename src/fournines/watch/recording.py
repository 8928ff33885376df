"""The operations around an incident, and what `prove` makes of them: gaps, waits, counts of each function. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

from fournines.prove.figures import Phases, figures
from fournines.prove.model import Operation, RequestFigures
from fournines.prove.pass_marks import service_gap
from fournines.watch.functions import watched

#: Seconds of operations that are kept while all is well; of an incident all, up to so many.
BEFORE_S, MOST = 30.0, 40_000


class Recording:
    def __init__(self) -> None:
        self._kept: deque[Operation] = deque()
        self._whole = True

    def add(self, done: Operation, *, keep: bool) -> None:
        """`keep`: an incident goes on, so what is older stays as well."""
        self._kept.append(done)
        if not keep:
            self._whole = True
            while self._kept and self._kept[0].ended < done.ended - BEFORE_S:
                self._kept.popleft()
        while len(self._kept) > MOST:
            self._kept.popleft()
            self._whole = False

    def figures(
        self, since: float, until: float, wall: Callable[[float], float]
    ) -> dict[str, dict[str, dict[str, Any]]] | None:
        """Of each function that was asked for in [since, until]: kind of connection, "" over all -> figures. None: the
        incident was so long that its beginning is no longer there. `wall`: a moment of these in seconds since the
        epoch."""
        if not self._whole:
            return None
        by_function: dict[str, list[Operation]] = {}
        for done in self._kept:
            by_function.setdefault(done.function, []).append(done)
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for function, operations in by_function.items():
            began = min(o.intended for o in operations)
            said, _ = figures(watched(function), operations, Phases(began, since, until, until, until))
            found[function] = {how: _plain(f, wall) for how, f in said.connections() if f.sampled}
        return found


def _plain(f: RequestFigures, wall: Callable[[float], float]) -> dict[str, Any]:
    """longest_gap_s: as a light probe would have seen it, as `prove`'s marks judge it."""
    gap = f.gap or (math.nan, math.nan)
    values = {
        "longest_gap_s": service_gap(f, f.longest_gap_s),
        "gap_from": wall(gap[0]),
        "gap_to": wall(gap[1]),
        "worst_wait_s": f.worst_wait_s,
        "degraded_s": f.degraded_s,
    }
    return {
        "ok": f.ok,
        "fail": f.fail,
        "unknown": f.unknown,
        **{name: None if math.isnan(value) else round(value, 3) for name, value in values.items()},
    }
