"""Checks: run until they hold, or until their time is up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence

from fournines.engine.diagnose import why_not
from fournines.engine.events import GateWaits, Report
from fournines.engine.together import together
from fournines.engine.transport import Done, ManagedHost
from fournines.errors import GateError
from fournines.services.resource import Run
from fournines.services.service import Check

_PAUSE = 0.3  # seconds between two looks: short beside what a start takes, long beside what a look costs
_LOOK = 15.0  # seconds for one check to answer


async def failing(hosts: Mapping[str, ManagedHost], checks: Iterable[Check]) -> dict[Check, Done]:
    """Those of `checks` that do not hold now, and what they said."""
    found = await together(_look(hosts[host], mine) for host, mine in _by_host(checks).items())
    return {check: done for mine in found for check, done in mine.items()}


async def wait(hosts: Mapping[str, ManagedHost], stage: str, checks: Iterable[Check], report: Report) -> None:
    """Returns when on every host all of its checks hold in the same look. Raises one `GateError` otherwise."""
    await together(_wait_on(hosts[host], stage, mine, report) for host, mine in _by_host(checks).items())


def _by_host(checks: Iterable[Check]) -> dict[str, list[Check]]:
    found: dict[str, list[Check]] = {}
    for check in checks:
        found.setdefault(check.host, []).append(check)
    return found


async def _look(host: ManagedHost, checks: Sequence[Check]) -> dict[Check, Done]:
    steps = [Run(check.script, timeout=_LOOK) for check in checks]
    results = [done async for done in host.perform(steps, keep_going=True)]
    return {check: done for check, done in zip(checks, results, strict=True) if done.status}


async def _wait_on(host: ManagedHost, stage: str, checks: Sequence[Check], report: Report) -> None:
    began = time.monotonic()
    while wrong := await _look(host, checks):
        spent = time.monotonic() - began
        if late := next((check for check in wrong if check.within <= spent), None):
            raise GateError(
                f"{stage}: check `{late.name}` does not hold on {late.host} after {late.within:g} s",
                where=late.host,
                why=await why_not(host, late, wrong[late]),
                next="fix what the log says, then run the same command again: it continues here",
            )
        first = next(iter(wrong))
        report(GateWaits(stage, first.host, first.name, first.within - spent))
        await asyncio.sleep(_PAUSE)
