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


async def cut(addresses: Collection[str], end: sockets.End = "dst", states: int = sockets.CONNECTED) -> bool:
    """Ends every TCP connection of this host whose other end (`src`: own end) is one of `addresses`: whoever waits on
    one gets ECONNABORTED now. Listeners stay. False: the kernel cannot, and the connections end by their timers."""
    if not addresses:
        return True
    try:
        ended = await asyncio.to_thread(sockets.destroy, addresses, end, states)
    except OSError as error:
        log.warning("cannot cut connections: %s", error or type(error).__name__)
        return False
    if ended:
        log.info("cut %d connections: %s %s", ended, end, " ".join(addresses))
    return True


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
