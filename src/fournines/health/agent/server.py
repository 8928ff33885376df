"""The agent's doors: HTTP on the management address for load balancers and people, a root-only socket for galera-start.

GET /database          200 when the local node is Primary and Synced, else 503
GET /database/writer   200 when this host is the (acting) writer, else 503
GET /galera            this node's report on where it stands, and what the agents have chosen
GET /state             everything, as in /run/fournines/state.json
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

SOCKET = Path("/run/fournines/agent.sock")
#: Seconds for one request: nobody who is slower is a health check.
REQUEST = 2.0
_REASON = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}

Answer = tuple[int, dict[str, Any]]
Route = Callable[[], Answer]


def reply(status: int, document: dict[str, Any]) -> bytes:
    body = json.dumps(document).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} {_REASON[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def serve_http(address: str, port: int, routes: dict[str, Route]) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader) -> bytes:
        words = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)
        path = words[1].decode(errors="replace") if len(words) > 1 else ""
        route = routes.get(path)
        return reply(404, {"paths": sorted(routes)}) if route is None else reply(*route())

    return await asyncio.start_server(_session(answer), address, port, limit=8192, backlog=256)


async def serve_start(path: Path, waiting: Callable[[dict[str, Any]], dict[str, str]]) -> asyncio.Server:
    """One JSON line in, one out (`galera_start`)."""

    async def answer(reader: asyncio.StreamReader) -> bytes:
        return json.dumps(waiting(json.loads(await reader.readline()))).encode() + b"\n"

    return await asyncio.start_unix_server(_session(answer), sock=_root_only(path))


def _root_only(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


def _session(
    answer: Callable[[asyncio.StreamReader], Awaitable[bytes]],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST):
                writer.write(await answer(reader))
                await writer.drain()
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # who asked has gone, or does not speak the protocol: no business of anybody else's
        finally:
            writer.close()

    return session
