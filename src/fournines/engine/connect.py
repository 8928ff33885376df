"""Connections to many hosts at once: the slow and the dead do not delay the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

from fournines.cloud.model import Host
from fournines.engine.ssh import SshOptions, connect_host
from fournines.engine.together import merged
from fournines.engine.transport import ManagedHost
from fournines.errors import HostError

_AT_ONCE = 64  # handshakes: more only queue in this process, and then run into their own timeout


class Connected(dict[str, ManagedHost]):
    """Host name -> host, of those that answered, in the order asked. `failures`: name -> why, of the others."""

    def __init__(self, hosts: Mapping[str, ManagedHost] | None = None) -> None:
        super().__init__(hosts or {})
        self.failures: dict[str, HostError] = {}

    def require_all(self) -> None:
        """Raises one `HostError` for all hosts that did not answer."""
        if self.failures:
            raise merged(list(self.failures.values()))


@asynccontextmanager
async def connect(
    hosts: Iterable[Host],
    options: SshOptions | None = None,
    *,
    failed: Callable[[str, HostError], None] = lambda host, error: None,
) -> AsyncGenerator[Connected]:
    """Yields all hosts that can be reached; `failed` is told of each other one at once."""
    options = options or SshOptions()
    limit = asyncio.Semaphore(_AT_ONCE)
    reached: dict[str, ManagedHost] = {}
    failures: dict[str, HostError] = {}

    async def reach(host: Host) -> None:
        async with limit:
            try:
                reached[host.name] = await connect_host(host, options)
            except HostError as error:
                failures[host.name] = error
                failed(host.name, error)

    wanted = list(hosts)
    try:
        async with asyncio.TaskGroup() as group:
            for host in wanted:
                group.create_task(reach(host))
        connected = Connected({h.name: reached[h.name] for h in wanted if h.name in reached})
        connected.failures = {h.name: failures[h.name] for h in wanted if h.name in failures}
        yield connected
    finally:
        await asyncio.gather(*(h.close() for h in reached.values()), return_exceptions=True)
