"""Strikes the faults of `alert_faults`, and watches each alert fire and resolve."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack

from lab.alert_clients import clients, hook
from lab.alert_faults import ALONE, HOURLY, TOGETHER, Site, Struck, with_queues, without_them

POLL = 2.0
#: Seconds that all may take to be well: before the first fault, where notifications that nobody took since the first
#: `apply` count for ten minutes; and after a heal.
CALM, HEALED = 1200.0, 420.0
#: Made of what happened within five or ten minutes: they outlast their faults by that.
COUNTED = frozenset(("NotificationsFail", "AlertsNotDelivered", "RulesFail", "ServerErrors"))
#: Takes ten minutes of a lost host.
SLOW = frozenset(("QueuesNotRedundant",))


class Watch:
    """fired: when an alert was first seen to, since its fault. now: those that fire."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.fired: dict[str, float] = {}
        self.now: frozenset[str] = frozenset()

    def look(self) -> None:
        self.now = frozenset(self._site.firing()) - {"Watchdog"}
        for name in self.now:
            self.fired.setdefault(name, time.monotonic())

    def until(self, done: Callable[[], bool], within: float) -> bool:
        ends = time.monotonic() + within
        while True:
            self.look()
            if done():
                return True
            if time.monotonic() > ends:
                return False
            time.sleep(POLL)

    def well(self, but: Collection[str] = ()) -> Callable[[], bool]:
        return lambda: not self.now - {*HOURLY, *but}


def exercise(
    site: Site, *, quick: bool = False, only: Collection[str] = ()
) -> Iterator[tuple[str, float | None, bool]]:
    """Each alert's name, the seconds in which its fault raised it (None: it did not), whether it resolved. quick: but
    for what takes longer than six minutes. only: the faults of these alerts, or all. Raises RuntimeError when something
    fires before any fault."""
    watch = Watch(site)
    at_once, alone = (
        [struck for struck in faults if not only or set(only) & set(struck.alerts)] for faults in (TOGETHER, ALONE)
    )
    with hook(str(site.gateway)):
        if not watch.until(watch.well(), CALM):
            raise RuntimeError(f"before any fault fire {', '.join(sorted(watch.now))}")
    watch.fired.clear()
    took: dict[str, float | None] = {}
    with_queues(site)
    try:
        together = {name for struck in at_once for name in struck.alerts} - (SLOW if quick else set())
        with clients(site.cloud), ExitStack() as healing:
            began = time.monotonic()
            for struck in at_once:
                healing.callback(struck.heal, site)
                struck.strike(site)
            watch.until(lambda: together <= set(watch.fired), 400.0 if quick else 780.0)
            took |= {n: watch.fired[n] - began if n in watch.fired else None for n in together}
        with hook(str(site.gateway)):
            watch.until(watch.well(COUNTED), HEALED)
            for struck in alone:
                took |= _one(watch, site, struck)
            watch.until(watch.well(), 900.0)
    finally:
        without_them(site)
    for name, seconds in took.items():
        yield name, seconds, name in HOURLY or name not in watch.now


def each(site: Site, faults: Iterable[Struck]) -> Iterator[tuple[str, float | None, bool]]:
    """As `exercise`, of faults of a cloud with other services: one after another, each healed before the next."""
    watch = Watch(site)
    if not watch.until(watch.well(), CALM):
        raise RuntimeError(f"before any fault fire {', '.join(sorted(watch.now))}")
    for struck in faults:
        for name, seconds in _one(watch, site, struck).items():
            yield name, seconds, name not in watch.now


def _one(watch: Watch, site: Site, struck: Struck) -> dict[str, float | None]:
    """By itself; until all is well again. Alert -> seconds in which it fired."""
    for name in struck.alerts:
        watch.fired.pop(name, None)
    began = time.monotonic()
    try:
        with clients(site.cloud):
            struck.strike(site)
            watch.until(lambda: set(struck.alerts) <= set(watch.fired), 240.0)
    finally:
        struck.heal(site)
    watch.until(watch.well(COUNTED), HEALED)
    return {n: watch.fired[n] - began if n in watch.fired else None for n in struck.alerts}
