"""The observer's doors: HTTP on the management address for load balancers, a root-only socket for galera-start.

GET /database          200 when the local node is Primary and Synced, else 503
GET /database/writer   200 when this host is the (acting) writer, else 503
GET /state             everything, as in /run/fournines/state.json, to who sends `Authorization: Bearer TOKEN`; else 403
GET /metrics           the same in Prometheus' text format, to the same, and to who sends a token for it alone

On one port with TLS and without, by the first byte of the client: load balancers change from one to the other after the
observer, or before it, and at no moment is there a database without a writer.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

SOCKET = Path("/run/fournines/galera-start.sock")
#: Connections at once: load balancers have one each. Whoever opens more has them closed unanswered.
FROM_ONE, IN_ALL = 16, 256
#: Seconds for one request: nobody who is slower is a health check.
REQUEST = 2.0
#: What a TLS client's first record begins with (RFC 8446, 5.1: handshake).
_HELLO = b"\x16"
_REASON = {200: "OK", 403: "Forbidden", 404: "Not Found", 503: "Service Unavailable"}

Answer = tuple[int, "dict[str, Any] | str"]
Route = Callable[[], Answer]


def reply(status: int, document: dict[str, Any] | str) -> bytes:
    """JSON, or text as Prometheus reads it."""
    plain = isinstance(document, str)
    body = document.encode() if isinstance(document, str) else json.dumps(document).encode() + b"\n"
    kind = "text/plain; version=0.0.4; charset=utf-8" if plain else "application/json"
    head = (
        f"HTTP/1.1 {status} {_REASON[status]}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


class Crowd:
    """How many connections are open, by where they come from."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def enter(self, source: str) -> bool:
        if self._open[source] >= FROM_ONE or self._open.total() >= IN_ALL:
            return False
        self._open[source] += 1
        return True

    def leave(self, source: str) -> None:
        self._open[source] -= 1
        if not self._open[source]:
            del self._open[source]


class _Quiet(asyncio.StreamReaderProtocol):
    """Reads nothing until it is told to, so that what comes first may be TLS."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        super().connection_made(transport)


async def _first_byte(writer: asyncio.StreamWriter) -> bytes:
    """Left where it is; b"" when the client has gone."""
    loop = asyncio.get_running_loop()
    with writer.get_extra_info("socket").dup() as peeked:
        readable = loop.create_future()
        loop.add_reader(peeked.fileno(), lambda: readable.done() or readable.set_result(None))
        try:
            await readable
            return peeked.recv(1, socket.MSG_PEEK)
        finally:
            loop.remove_reader(peeked.fileno())


async def _begin(writer: asyncio.StreamWriter, context: ssl.SSLContext | None) -> None:
    """With TLS where the client speaks it."""
    if await _first_byte(writer) == _HELLO and context:
        await writer.start_tls(context)
    else:
        writer.transport.resume_reading()  # type: ignore[attr-defined]  # a StreamWriter's transport reads, too


def server_side(certificate: str) -> ssl.SSLContext | None:
    """Of the PEM file with certificate and key; none for ""."""
    if not certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate)
    return context


async def serve_http(
    address: str,
    port: int,
    routes: Mapping[str, Route],
    private: Mapping[str, Route],
    token: str,
    *,
    context: ssl.SSLContext | None = None,
    private_by_tls: bool = False,
    narrow: Mapping[str, str] | None = None,
) -> asyncio.Server:
    """`private`: for those who know `token`, for nobody when that is empty; with `private_by_tls`, by TLS alone.
    narrow: path -> another token, which opens that path alone."""
    narrow = narrow or {}
    bearers = {path: [_bearer(t) for t in (token, narrow.get(path, "")) if t] for path in private}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        await _begin(writer, context)
        request, *headers = (await reader.readuntil(b"\r\n\r\n")).splitlines()
        words = request.split(b" ", 2)
        path = words[1].decode(errors="replace") if len(words) > 1 else ""
        if path in private:
            if private_by_tls and writer.get_extra_info("ssl_object") is None:
                return reply(403, {"why": "this needs TLS"})
            known = any(hmac.compare_digest(h.lower(), bearer) for h in headers for bearer in bearers[path])
            return reply(*private[path]()) if known else reply(403, {"why": "this needs the cloud's token"})
        route = routes.get(path)
        return reply(404, {"paths": sorted(routes)}) if route is None else reply(*route())

    crowd = Crowd()
    session = _session(answer)

    async def one_of_few(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        source = peer[0] if peer else ""
        if not crowd.enter(source):
            writer.close()
            return
        try:
            await session(reader, writer)
        finally:
            crowd.leave(source)

    loop = asyncio.get_running_loop()

    def accepted() -> _Quiet:
        return _Quiet(asyncio.StreamReader(limit=8192, loop=loop), one_of_few, loop=loop)

    return await loop.create_server(accepted, address, port, backlog=256)


def _bearer(token: str) -> bytes:
    return f"authorization: bearer {token}".lower().encode()


async def serve_start(path: Path, waiting: Callable[[dict[str, Any]], dict[str, str]]) -> asyncio.Server:
    """One JSON line in, one out (`galera_start`)."""

    async def answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> bytes:
        return json.dumps(waiting(json.loads(await reader.readline()))).encode() + b"\n"

    return await asyncio.start_unix_server(_session(answer), sock=_root_only(path))


def _root_only(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


def _session(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST):
                writer.write(await answer(reader, writer))
                await writer.drain()
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # who asked has gone, or does not speak the protocol: no business of anybody else's
        finally:
            writer.close()

    return session
