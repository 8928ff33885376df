"""The hosts during a campaign: connections that are opened once, and again after their host was away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fournines.engine.transport import Completed, Transport
from fournines.errors import HostError

Connect = Callable[[str], Awaitable[Transport]]


class Reach:
    """`connect` opens a transport to the host of that name, or raises HostError."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._open: dict[str, Transport] = {}

    async def run(self, host: str, script: str, *, stdin: str = "", timeout: float = 30.0) -> Completed:
        """Runs `script`, which must bear being run twice: a connection that died unnoticed is replaced, once."""
        if host in self._open:
            try:
                return await self._open[host].run(script, stdin=stdin, timeout=timeout)
            except HostError:
                await self._drop(host)
        self._open[host] = await self._connect(host)
        return await self._open[host].run(script, stdin=stdin, timeout=timeout)

    async def close(self) -> None:
        for host in tuple(self._open):
            await self._drop(host)

    async def _drop(self, host: str) -> None:
        await self._open.pop(host).close()
