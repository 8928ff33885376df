"""The application: every request passes the same gate before its handler, and every answer gets the same headers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path_
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fournines.errors import CloudFileError, FourninesError, HostError, LockedError
from fournines.watch.incidents import NoSuchIncidentError
from fournines.web.access import COOKIE, CSRF_HEADER, Session, TooManyError
from fournines.web.call import Call, DeniedError, Server
from fournines.web.jobs import NoSuchJobError
from fournines.web.keystone import KeystoneDownError, RefusedError
from fournines.web.models import Job
from fournines.web.roles import Identity
from fournines.web.routes import ROUTES, Route
from fournines.web.work import refusal

EVENTS = "/v1/events"
LARGEST = 256 * 1024  # bytes of a request's body
DEEPEST = 100  # brackets in it: no route takes more than lists of words
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
#: The page and its parts. Nothing of them is secret.
MEDIA = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
log = logging.getLogger(__name__)


#: The first that fits. What is not here is the request's own fault: 422.
STATUS: tuple[tuple[type[FourninesError], int], ...] = (
    (LockedError, 409),
    (NoSuchJobError, 404),
    (NoSuchIncidentError, 404),
    (TooManyError, 429),
    (RefusedError, 401),
    (KeystoneDownError, 503),
    (CloudFileError, 422),
    (HostError, 502),
)


def application(server: Server) -> ASGIApp:
    routes = [Path_(r.path, _endpoint(server, r), methods=[r.method]) for r in ROUTES]
    page = files("fournines.web").joinpath("page")
    for part in page.iterdir():
        media = MEDIA.get(part.name.rpartition(".")[2])
        if media:
            content = part.read_bytes()
            routes.append(Path_("/" if part.name == "index.html" else f"/{part.name}", _static(content, media)))

    async def missing(_request: Request, _error: Exception) -> Response:
        return _refused(404, {"what": "there is no such page", "where": "", "why": "", "next": "see /v1/openapi.json"})

    async def not_allowed(_request: Request, _error: Exception) -> Response:
        return _refused(405, {"what": "not with this method", "where": "", "why": "", "next": "see /v1/openapi.json"})

    return WithHeaders(Starlette(routes=routes, exception_handlers={404: missing, 405: not_allowed}))


class WithHeaders:
    """Adds what every answer has; one that says something else itself keeps it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in present]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            await self.app(scope, receive, with_headers)
        except asyncio.CancelledError:
            if scope.get("path") != EVENTS:  # the stream of events has no other end when the server stops
                raise


def _static(content: bytes, media: str) -> Any:
    async def page(_request: Request) -> Response:
        return Response(content, media_type=media)

    return page


def _endpoint(server: Server, route: Route) -> Any:
    async def endpoint(request: Request) -> Response:
        address = request.client.host if request.client else ""
        identity: Identity | None = None
        try:
            identity, session = await _identify(server, route, request, address)
            body = await _body(route, request)
            answer = await route.handler(Call(server, request, address, identity, session, body))
            made = (
                answer if isinstance(answer, Response) else JSONResponse(answer.model_dump(), status_code=route.status)
            )
            outcome, more = "ok", _noted(route, body, answer)
        except FourninesError as error:
            identity = error.whom or identity if isinstance(error, DeniedError) else identity
            made = _answer(error)
            outcome, more = str(error).splitlines()[0], {}
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            log.exception("%s %s failed", route.method, route.path)
            what = {"what": "fournines failed", "where": "", "why": "see the server's log", "next": "try again"}
            made, outcome, more = _refused(500, what), "failed", {}
        # A sign-in is noted with who it is, and that nobody is signed in yet is how every visit begins.
        ordinary = route.path == "/v1/session" and (outcome == "ok" or route.method == "GET")
        if not ordinary and (route.method != "GET" or made.status_code in (401, 403, 429)):
            server.audit.note(f"{route.method} {request.url.path}", identity, address, outcome, **more)
        return made

    return endpoint


def _noted(route: Route, body: BaseModel | None, answer: object) -> dict[str, Any]:
    """For the audit: what was asked for, and which job does it. Passwords are in no body but the sign-in's."""
    more: dict[str, Any] = {"asked": body.model_dump()} if body and route.role != "public" else {}
    return more | ({"job": answer.id} if isinstance(answer, Job) else {})


async def _identify(
    server: Server, route: Route, request: Request, address: str
) -> tuple[Identity | None, Session | None]:
    """Raises DeniedError, RefusedError, KeystoneDownError, TooManyError."""
    _same_origin(request)
    if route.role == "public":
        return None, None
    session = server.access.sessions.find(request.cookies.get(COOKIE, ""))
    identity = session.identity if session else await server.access.by_headers(address, request.headers)
    if identity is None:
        raise DeniedError(401, "nobody is signed in", "POST /v1/session, or send X-Auth-Token")
    if session and route.method != "GET" and request.headers.get(CSRF_HEADER) != session.csrf:
        next_step = f"send the session's `csrf` as {CSRF_HEADER}; reload the page"
        raise DeniedError(403, "the CSRF token is wrong", next_step, whom=identity)
    if not identity.may(route.role):
        raise DeniedError(403, f"{identity.name} is {identity.role} here; this takes {route.role}", whom=identity)
    return identity, session


def _same_origin(request: Request) -> None:
    """Another site's page cannot even sign somebody in."""
    origin = request.headers.get("origin")
    if request.method != "GET" and origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise DeniedError(403, "this request comes from another site's page", "open the dashboard itself")


async def _body(route: Route, request: Request) -> BaseModel | None:
    if route.request is None:
        return None
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise DeniedError(415, "the body is not JSON", "content-type: application/json")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST:
            raise DeniedError(413, f"the body is larger than {LARGEST // 1024} KiB")
    if data.count(b"[") + data.count(b"{") > DEEPEST:
        raise DeniedError(400, "the body is nested too deeply", "see /v1/openapi.json")
    try:
        read = json.loads(data or b"{}")
    except ValueError as error:
        raise DeniedError(400, f"the body is no JSON: {error}", "see /v1/openapi.json") from error
    try:
        return route.request.model_validate(read)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in first[:5])
        raise DeniedError(422, said, "see /v1/openapi.json") from error


def _answer(error: FourninesError) -> Response:
    found = next((status for kind, status in STATUS if isinstance(error, kind)), 422)
    made = _refused(error.status if isinstance(error, DeniedError) else found, refusal(error))
    if isinstance(error, TooManyError):
        made.headers["retry-after"] = str(int(error.after) + 1)
    return made


def _refused(status: int, what: Mapping[str, str]) -> Response:
    return JSONResponse({"error": dict(what)}, status_code=status)
