"""Second by second, whether a function was answered well: by `prove`'s rule for degraded time. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from fournines.prove.degraded import degraded_spans
from fournines.prove.model import Connection, Operation
from fournines.prove.probes import ANSWERED_WITHIN_S, Probe
from fournines.prove.waits import Request

#: `unknown`: it could not be asked for, or the prober itself was late.
State = Literal["good", "bad", "unknown"]
#: A request that was sent so much later than it was due tells of this machine, not of the cloud. Seconds.
LATE_S = 0.5
#: Silence of the prober after which nobody knows what was. Seconds.
SILENT_S = 2.0
#: A word about a request may be so much behind the clock. Seconds.
_SLACK_S = 0.1
_ROUNDING_S = 1e-6


class Judge:
    """Of one function over one kind of connection. Times are the prober's, seconds.

    A second is judged as soon as it can only come out one way: bad with the first request in it that was not answered
    well, good when all were. `announced`: requests are told of when they are sent, not only when they have ended.
    """

    def __init__(self, probe: Probe, connection: Connection, *, announced: bool = True) -> None:
        self.probe = probe
        self.connection = connection
        self._announced = announced
        self._sent: dict[float, float] = {}  # intended -> started, of those on their way
        self._done: list[Operation] = []
        self._blind: set[int] = set()
        self._heard: float | None = None
        self._next: int | None = None
        self._last: Request | None = None

    def sent(self, intended: float, started: float) -> None:
        if self._next is None or _second(intended) >= self._next:
            self._sent[intended] = started

    def done(self, operation: Operation) -> None:
        self._sent.pop(operation.intended, None)
        if self._next is None or _second(operation.intended) >= self._next:
            self._done.append(operation)

    def lost(self) -> None:
        """The prober is gone, and with it what was on its way."""
        self._blind |= {_second(intended) for intended in self._sent}
        self._sent.clear()

    def alive(self, now: float, *, ready: bool) -> None:
        """The prober runs; `ready`: this function can be asked for."""
        before = now if self._heard is None else self._heard
        if self._next is None:
            self._next = math.ceil(now)
        if not ready or now - before > SILENT_S:
            self._blind |= set(range(max(self._next, math.floor(before)), math.floor(now) + 1))
        self._heard = now

    def judged(self) -> Iterator[tuple[int, State]]:
        """Seconds that can be told now, each once and in their order."""
        while self._next is not None and self._heard is not None and (state := self._judge(self._next, self._heard)):
            second, self._next = self._next, self._next + 1
            self._forget(second, state)
            yield second, state

    def _judge(self, second: int, now: float) -> State | None:
        if second in self._blind:
            return "unknown" if now >= second + 1 else None
        due = [o for o in self._done if _second(o.intended) == second]
        away = [(i, started) for i, started in self._sent.items() if _second(i) == second]
        if any(started - i > LATE_S for i, started in [*((o.intended, o.started) for o in due), *away]):
            return "unknown" if now >= second + 1 else None
        within = ANSWERED_WITHIN_S
        over = [(i, started) for i, started in away if now - i > within]
        requests = [Request(o.intended, o.ended, o.ended, o.outcome) for o in due]
        requests += [Request(i, now, now, "unknown") for i, _ in over]
        surely_bad = any(not r.good(within) for r in requests)
        whole = now >= second + 1 + _SLACK_S and (self._announced or now >= second + 1 + within + _SLACK_S)
        if not surely_bad and (not whole or len(over) < len(away)):
            return None
        if not requests and self._last is None:
            return "unknown"
        return "bad" if self._degraded(second, requests, within) else "good"

    def _degraded(self, second: int, requests: list[Request], within: float) -> bool:
        every = sorted(requests, key=lambda r: r.intended)
        if self._last:
            # `degraded_spans` counts what is in flight at the beginning into the first second: it was judged before.
            ended = min(self._last.ended, second - _ROUNDING_S)
            every.insert(0, Request(self._last.intended, ended, self._last.until, self._last.outcome))
        period = self.probe.period(len(self.probe.connections))
        return bool(degraded_spans(every, period, within, float(second), second + 1.0))

    def _forget(self, second: int, state: State) -> None:
        due = [o for o in self._done if _second(o.intended) <= second]
        self._done = [o for o in self._done if _second(o.intended) > second]
        self._blind.discard(second)
        # What is still on its way cannot be answered well any more, nor be told a second time.
        over = [i for i in self._sent if _second(i) <= second]
        for intended in over:
            del self._sent[intended]
        if state == "unknown":
            self._last = None
            return
        told = [Request(o.intended, o.ended, o.ended, o.outcome) for o in due]
        told += [Request(i, second + 1.0, second + 1.0 + ANSWERED_WITHIN_S, "unknown") for i in over]
        if told:
            self._last = max(told, key=lambda r: (r.intended, r.outcome != "ok"))


def _second(intended: float) -> int:
    return math.floor(intended + _ROUNDING_S)
