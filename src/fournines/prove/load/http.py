"""HTTP as a client on the outside has it: TLS, connections that are fresh or kept alive, nothing sent twice unasked."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp

from fournines.prove.load.attempt import Attempt, RefusedError
from fournines.prove.load.pinned import connector
from fournines.prove.model import Connection


class CutOffError(Exception):
    """The request could have been applied: the connection broke after it was sent, or the answer is not a right one."""


class Client:
    """`cafile`: PEM, empty for the system's. `addresses`: of names. To be opened before use. One pool of connections a
    kind."""

    def __init__(self, cafile: str, addresses: Mapping[str, str]) -> None:
        self._cafile = cafile
        self._addresses = addresses
        self._sessions: dict[Connection, aiohttp.ClientSession] = {}

    async def open(self) -> None:
        context = ssl.create_default_context(cafile=self._cafile or None)
        self._sessions = {
            "fresh": _session(connector(self._addresses, limit=0, ssl=context, force_close=True)),
            "kept": _session(connector(self._addresses, limit=0, ssl=context, keepalive_timeout=60.0)),
        }

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    @asynccontextmanager
    async def answer(
        self, attempt: Attempt, method: str, url: str, status: int, **kw: Any
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """What was answered with `status`, its body read. Raises RefusedError of a refusal, CutOffError of any other
        status, aiohttp.ClientError. Sets `attempt.sent`. A redirection is an answer."""
        session = self._sessions[attempt.connection]
        async with session.request(method, url, trace_request_ctx=attempt, allow_redirects=False, **kw) as response:
            await _expect(response, status)
            yield response


async def _expect(response: aiohttp.ClientResponse, status: int) -> None:
    body = await response.read()
    if response.status == status:
        return
    said = f"{response.status} {body[:120].decode(errors='replace')}"
    # 409: the name is there already, so that an earlier copy of this very request was applied.
    if 400 <= response.status < 500 and response.status != 409:
        raise RefusedError(said)
    raise CutOffError(said)


def _session(pool: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_sent)
    trace.on_connection_reuseconn.append(_sent)
    # The caller's own timeout bounds the whole request; aiohttp's defaults would add a second, unrelated one.
    return aiohttp.ClientSession(
        connector=pool, trace_configs=[trace], timeout=aiohttp.ClientTimeout(total=None), middlewares=(_once,)
    )


async def _sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.sent = True


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp sends an idempotent request again, unasked, when a kept connection breaks: that would hide a cut."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise CutOffError(str(error)) from error
