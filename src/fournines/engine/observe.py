"""What the hosts say: one probe a host, all at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fournines.engine.events import HostAnswered, HostFailed, Report, silent
from fournines.engine.transport import ManagedHost
from fournines.errors import HostError
from fournines.services.resource import Fact

PROBE_TIMEOUT = 60.0


@dataclass(frozen=True)
class Observation:
    """`replies`: host -> fact -> reply, of hosts that answered; `failures`: why the others did not."""

    replies: dict[str, dict[Fact, str]]
    failures: dict[str, HostError]


async def observe(
    hosts: Mapping[str, ManagedHost],
    facts: Mapping[str, Sequence[Fact]],
    report: Report = silent,
    *,
    timeout: float = PROBE_TIMEOUT,
) -> Observation:
    """Asks each of `hosts` its `facts`. A host that fails or is slow keeps nobody waiting but this function's end."""
    seen = Observation({}, {})

    async def ask(name: str) -> None:
        began = time.monotonic()
        try:
            seen.replies[name] = await hosts[name].probe(facts[name], timeout=timeout)
        except HostError as error:
            seen.failures[name] = error
            report(HostFailed(name, error))
        else:
            report(HostAnswered(name, time.monotonic() - began))

    async with asyncio.TaskGroup() as group:
        for name in hosts:
            if name in facts:
                group.create_task(ask(name))
    return seen
