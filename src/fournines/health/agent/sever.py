"""What this host does at once about a peer that has departed, rather than each daemon after its own timeout; and about
a VIP that has left this host.

A dead host sends no RST: a query that waits for its answer, or a worker in recv, has nothing to send again, and hangs
until keepalive or its own timeout ends it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Literal

from .config import Haproxy

log = logging.getLogger(__name__)

_WITHIN = 5.0


async def cut(addresses: Iterable[str], end: Literal["dst", "src"] = "dst") -> None:
    """Ends every TCP connection of this host whose other end (`src`: own end) is one of `addresses`, by SOCK_DESTROY
    (sock_diag(7)): whoever waits on one gets ECONNABORTED now. Listeners stay. A kernel without it says so, and the
    connections end by their timers."""
    wanted = [word for address in addresses for word in ("or", end, address)][1:]
    if not wanted:
        return
    try:
        async with asyncio.timeout(_WITHIN):
            process = await asyncio.create_subprocess_exec(
                *("ss", "-HtnK", *wanted), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            out, err = await process.communicate()
    except (OSError, TimeoutError) as error:
        log.warning("cannot cut connections: %s", error or type(error).__name__)
        return
    if err.strip():
        log.warning("cannot cut connections: %s", err.decode(errors="replace").strip().splitlines()[0])
    log.info("cut %d connections: %s", len(out.splitlines()), " ".join(wanted))


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
