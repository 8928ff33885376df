"""Keystone as a client on the outside sees it: TLS, the public VIP, connections that are fresh or kept alive."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp

from fournines.prove.load.attempt import Attempt, RefusedError
from fournines.prove.load.spec import Identity
from fournines.prove.model import Connection


class CutOffError(Exception):
    """The connection broke after the request could have been sent."""


class KeystoneProbes:
    """Each method is one probe: it returns when the answer is as it must be, and raises otherwise."""

    what = "Keystone on the public VIP"

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._token = ""
        self._sessions: dict[Connection, aiohttp.ClientSession] = {}

    async def start(self) -> None:
        """Opens the sessions and takes the token that every probe but `authenticate_password` uses."""
        context = ssl.create_default_context(cafile=self._identity.cafile or None)
        self._sessions = {
            "fresh": _session(aiohttp.TCPConnector(limit=0, ssl=context, force_close=True)),
            "kept": _session(aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=60.0)),
        }
        self._token = await self._issue(Attempt("fresh", 0.0), self._password())

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    async def authenticate_password(self, attempt: Attempt) -> None:
        await self._issue(attempt, self._password())

    async def authenticate(self, attempt: Attempt) -> None:
        await self._issue(attempt, {"methods": ["token"], "token": {"id": self._token}})

    async def validate(self, attempt: Attempt) -> None:
        body = await self._request(attempt, "GET", "/auth/tokens", 200, headers={"X-Subject-Token": self._token})
        if body["token"]["user"]["name"] != self._identity.user:
            raise CutOffError("the token is somebody else's")

    async def list_projects(self, attempt: Attempt) -> None:
        body = await self._request(attempt, "GET", "/projects?domain_id=default", 200)
        if not any(p["name"] == self._identity.project for p in body["projects"]):
            raise CutOffError(f"the list lacks {self._identity.project}")

    async def create_project(self, attempt: Attempt) -> None:
        project = {"name": attempt.value, "domain_id": self._identity.domain}
        await self._request(attempt, "POST", "/projects", 201, json={"project": project})

    def _password(self) -> dict[str, Any]:
        who = self._identity
        user = {"name": who.user, "domain": {"name": who.user_domain}, "password": who.password}
        return {"methods": ["password"], "password": {"user": user}}

    async def _issue(self, attempt: Attempt, identity: Mapping[str, Any]) -> str:
        scope = {"project": {"name": self._identity.project, "domain": {"name": self._identity.user_domain}}}
        body = {"auth": {"identity": identity, "scope": scope}}
        session, url = self._sessions[attempt.connection], self._identity.url
        async with session.post(f"{url}/auth/tokens", json=body, trace_request_ctx=attempt) as response:
            await _expect(response, 201)
            return response.headers["X-Subject-Token"]

    async def _request(
        self,
        attempt: Attempt,
        method: str,
        path: str,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        **kw: Any,
    ) -> Any:
        session = self._sessions[attempt.connection]
        headers = {"X-Auth-Token": self._token, **(headers or {})}
        url = self._identity.url + path
        async with session.request(method, url, headers=headers, trace_request_ctx=attempt, **kw) as response:
            await _expect(response, status)
            return await response.json()


async def _expect(response: aiohttp.ClientResponse, status: int) -> None:
    body = await response.read()
    if response.status == status:
        return
    said = f"{response.status} {body[:120].decode(errors='replace')}"
    # 409: the name is there already, so that an earlier copy of this very request was applied.
    if 400 <= response.status < 500 and response.status != 409:
        raise RefusedError(said)
    raise CutOffError(said)


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_sent)
    trace.on_connection_reuseconn.append(_sent)
    # The caller's own timeout bounds the whole request; aiohttp's defaults would add a second, unrelated one.
    return aiohttp.ClientSession(
        connector=connector, trace_configs=[trace], timeout=aiohttp.ClientTimeout(total=None), middlewares=(_once,)
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
