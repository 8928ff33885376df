"""The other hosts, as this host's guard hears them."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

log = logging.getLogger(__name__)

NEVER = float("-inf")
#: Seconds for which a peer's observer may say nothing while its host's kernel answers: an observer or a guard that was
#: killed is back by then, and an election that it causes would cut every database session for nothing.
OBSERVER_RETURNS = 2.0
#: Seconds until another writer has been elected in place of one whose observer does not come back.
ELECTED = OBSERVER_RETURNS + 0.5
#: Seconds after its start for which a guard may not have met its peers yet.
ACQUAINTANCE = 1.0
#: Bytes of one body, decompressed.
LARGEST = 1 << 16


def packed(body: Mapping[str, Any], room: int | None = None) -> bytes:
    """As peers' observers read it; compressed where it would not fit in `room` bytes: a report of seven members that
    have lost their Primary component does not."""
    plain = json.dumps(body, separators=(",", ":")).encode()
    return plain if room is None or len(plain) <= room else zlib.compress(plain, 9)


def unpacked(said: bytes) -> dict[str, Any]:
    """ValueError or zlib.error when it is not one."""
    if not said.startswith(b"{"):
        said = zlib.decompressobj().decompress(said, LARGEST)
    body: Any = json.loads(said)
    if not isinstance(body, dict):
        raise ValueError("not a document")
    return cast("dict[str, Any]", body)


class Peers:
    """Ages go on while the guard is silent, so that a dead guard looks like peers that are not heard. Times are
    `clock.now()`, which both processes share."""

    def __init__(self, names: Sequence[str]) -> None:
        self._heard = dict.fromkeys(names, NEVER)  # its guard
        self._confirmed = dict.fromkeys(names, NEVER)
        self._said = dict.fromkeys(names, NEVER)  # its observer
        self._answered = dict.fromkeys(names, NEVER)  # when that was sent which the observer's last word came with
        self._bodies: dict[str, dict[str, Any]] = {name: {} for name in names}
        self.departed: frozenset[str] = frozenset()
        self._silent: frozenset[str] = frozenset()  # kernel and guard, as this host's guard finds
        self.degraded = False
        #: The guard's last word, whole, and when it came.
        self.guard: Mapping[str, Any] = {}
        self.told = NEVER

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(self._heard)

    def hear(self, at: float, said: Mapping[str, Any], bodies: Sequence[bytes]) -> list[str]:
        """`said`, `bodies`: of one datagram of the guard (`guard.channel`). Names of the peers whose observer has said
        something new."""
        self.guard, self.told = said, at
        for name, (heard, confirmed) in said.get("peers", {}).items():
            if name in self._heard:
                self._heard[name] = NEVER if heard is None else heard
                self._confirmed[name] = NEVER if confirmed is None else confirmed
        self.departed = frozenset(said.get("departed", ())) & self._heard.keys()
        self._silent = frozenset(said.get("silent", ()))
        self.degraded = bool(said.get("degraded"))
        fresh: list[str] = []
        for head, body in zip(bodies[::2], bodies[1::2], strict=False):
            name, heard, echoed = head.decode().split(" ")
            try:
                parsed = unpacked(body)
            except (ValueError, RecursionError, zlib.error) as error:
                log.warning("what the observer of %s says cannot be read: %s", name, error)
                continue
            if name in self._bodies:
                self._bodies[name] = parsed
                self._said[name], self._answered[name] = float(heard), float(echoed)
                fresh.append(name)
        return fresh

    def acquainted(self, now: float, within: float) -> bool:
        """This host's guard has said something in the last `within` seconds, and has run for long enough to know whom
        it hears."""
        return now - self.told <= within and now - self.guard.get("started", NEVER) >= ACQUAINTANCE

    def heard(self, now: float, within: float) -> frozenset[str]:
        """Peers whose observer has said something in the last `within` seconds, or in `OBSERVER_RETURNS` while their
        host is not silent altogether."""

        def there(name: str) -> bool:
            silent = now - self._said[name]
            return silent <= within or (silent <= OBSERVER_RETURNS and name not in self._silent)

        return frozenset(filter(there, self._heard)) - self.departed

    def confirmed(self, now: float, within: float) -> frozenset[str]:
        """Peers that heard a heartbeat which this host sent in the last `within` seconds."""
        return frozenset(n for n, at in self._confirmed.items() if now - at <= within)

    def current(self, now: float, within: float) -> frozenset[str]:
        """Peers whose observer's last word is an answer to what this host sent in the last `within` seconds: not older
        than that, however long it was on its way."""
        return frozenset(n for n, at in self._answered.items() if now - at <= within)

    def age(self, name: str, now: float) -> float | None:
        """Seconds since `name` was heard; None: never."""
        heard = self._heard[name]
        return None if heard == NEVER else now - heard

    def body(self, name: str) -> dict[str, Any]:
        """What `name`'s observer said last, {} before it said anything."""
        return self._bodies[name]

    def held(self) -> frozenset[str]:
        """The VIPs that are on this host."""
        vip: Mapping[str, Any] = self.guard.get("vip") or {}
        return frozenset(vip.get("held", ()))
