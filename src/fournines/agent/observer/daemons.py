"""This host's daemons, watched for what systemd does not see: that they hang, or that brokers have lost one another.

systemd starts again what dies; what this finds is killed, so that systemd starts it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..cgroup import Cgroup
from ..clock import now
from . import partition, system
from .hung import Hung
from .watch import Found

log = logging.getLogger(__name__)

_EVERY = 0.75
#: Seconds for which one look at the brokers describes them: two of its intervals.
_FRESH = 12.0


@dataclass
class Daemon:
    """answers: whether it did when it was last asked. killed: counts what this has killed, by unit."""

    unit: str
    answers: Callable[[], bool]
    killed: Counter[str]
    hung: Hung = field(default_factory=Hung)

    async def look(self, at: float) -> None:
        cgroup = Cgroup(self.unit)
        stopped = cgroup.stopped()
        excused = not stopped and (self.answers() or cgroup.wants_cpu())
        hung = self.hung.look(at, excused, None if excused else cgroup.cpu(), stopped)
        if hung is not None and await system.active(self.unit):
            why = "all its processes have been stopped for" if stopped else "it has neither answered nor used CPU for"
            log.warning("%s: kills it, %s %.1f s", self.unit, why, hung)
            self.killed[self.unit] += 1
            cgroup.kill()


def brokers_seen(found: Found, at: float) -> list[str] | None:
    """Hosts whose broker the local one sees running; None: it does not answer."""
    entry = found.get("rabbitmq", {})
    if not entry.get("ok") or at - entry["at"] > _FRESH:
        return None
    return [node["name"].partition("@")[2] for node in entry["nodes"] if node["running"]]


class Brokers:
    """sees: by host, what its broker sees, of this host and the peers in contact. killed: as of `Daemon`."""

    def __init__(
        self,
        unit: str,
        me: str,
        order: tuple[str, ...],
        sees: Callable[[], Mapping[str, frozenset[str]]],
        killed: Counter[str],
    ) -> None:
        self._unit, self._me, self._order, self._sees, self._killed = unit, me, order, sees, killed
        self._outside = partition.Lasting()

    async def look(self, at: float) -> None:
        so = partition.outside(self._me, self._order, self._sees())
        if self._outside.look(at, so) and await system.active(self._unit):
            log.warning("%s: kills it, the other brokers run and have lost it", self._unit)
            self._outside = partition.Lasting()
            self._killed[self._unit] += 1
            Cgroup(self._unit).kill()


Look = Callable[[float], Awaitable[None]]


async def watch(looks: Sequence[Look]) -> None:
    """Each every `_EVERY` seconds, for ever."""
    while True:
        for look in looks:
            try:
                await look(now())
            except Exception as error:  # the other daemons are looked after all the same
                log.warning("%s", error or type(error).__name__)
        await asyncio.sleep(_EVERY)
