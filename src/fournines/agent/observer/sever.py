"""What this host does at once about a peer that has departed, rather than each daemon after its own timeout; and about
a VIP that has left this host.

A dead host sends no RST: a query that waits for its answer, or a worker in recv, has nothing to send again, and hangs
until keepalive or its own timeout ends it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable

from . import sockets
from .config import Haproxy

log = logging.getLogger(__name__)

_WITHIN = 5.0


async def end(
    addresses: Collection[str],
    end: sockets.End = "dst",
    states: int = sockets.CONNECTED,
    spare: Collection[int] = (),
) -> int | None:
    """Ends every TCP connection of this host whose other end (`src`: own end) is one of `addresses`: whoever waits on
    one gets ECONNABORTED now. Listeners stay. How many; None: the kernel cannot, and they end by their timers."""
    if not addresses:
        return 0
    try:
        return await asyncio.to_thread(sockets.destroy, addresses, end, states, spare)
    except OSError as error:
        log.warning("cannot end connections: %s", error or type(error).__name__)
        return None


async def cut(addresses: Collection[str], side: sockets.End = "dst", spare: Collection[int] = ()) -> None:
    """`end`, once, with a line in the log."""
    if ended := await end(addresses, side, spare=spare):
        log.info("ended %d connections: %s %s", ended, side, " ".join(addresses))


async def mark(haproxy: Haproxy, servers: Iterable[tuple[str, str, str]]) -> None:
    """Tells the local HAProxy (proxy, server, `up` | `down`) ahead of its own checks, whose next results stand again
    (`set server … health`, HAProxy management guide 9.3)."""
    commands = ";".join(f"set server {proxy}/{server} health {health}" for proxy, server, health in servers)
    if not commands:
        return
    try:
        async with asyncio.timeout(_WITHIN):
            reader, writer = await asyncio.open_unix_connection(haproxy.socket)
            try:
                writer.write(commands.encode() + b"\n")
                await reader.read(-1)
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        log.warning("HAProxy is not told %s: %s", commands, error or type(error).__name__)
