"""What each route does. Thin: each calls one function of those that the command line calls too."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from fournines import __version__, lab
from fournines.errors import ProveError, UsageError
from fournines.web.access import COOKIE
from fournines.web.call import Call, DeniedError
from fournines.web.kinds import KINDS, Kind
from fournines.web.models import (
    AuditList,
    CloudPage,
    Document,
    FaultKind,
    FaultList,
    HostPage,
    Job,
    JobList,
    JobPage,
    Lock,
    Log,
    Operation,
    OperationList,
    RunList,
    SignedIn,
    Status,
)
from fournines.web.roles import Identity

if TYPE_CHECKING:
    from fournines.prove.model import Campaign

#: The report brings its own script and styles; it gets no access to the dashboard's session.
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " frame-ancestors 'none'"
)
#: Seconds between two looks at the jobs.
LOOK = 0.25


async def sign_in(call: Call) -> Response:
    asked = call.body
    if bool(asked.token) == bool(asked.user):
        raise UsageError("say either a token, or a user and a password", next='{"user": "…", "password": "…"}')
    identity = await call.server.access.sign_in(
        call.address, token=asked.token, user=asked.user, password=asked.password, domain=asked.domain
    )
    if old := call.request.cookies.get(COOKIE):
        call.server.access.sessions.close(old)
    key, session = call.server.access.sessions.open(identity)
    call.server.audit.note("sign in", identity, call.address, "ok")
    answer = JSONResponse(_signed_in(call, identity, session.csrf).model_dump())
    answer.set_cookie(COOKIE, key, path="/", secure=True, httponly=True, samesite="strict")
    return answer


async def who(call: Call) -> SignedIn:
    return _signed_in(call, call.who, call.session.csrf if call.session else "")


async def sign_out(call: Call) -> Response:
    if key := call.request.cookies.get(COOKIE):
        call.server.access.sessions.close(key)
    answer = JSONResponse({})
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return answer


def _signed_in(call: Call, identity: Identity, csrf: str) -> SignedIn:
    return SignedIn(
        name=identity.name,
        role=identity.role,
        how=identity.how,
        csrf=csrf,
        cloud=call.server.feed.cloud.name,
        version=__version__,
    )


async def openapi(call: Call) -> Response:
    from fournines.web.openapi import document

    return JSONResponse(document())


async def cloud(call: Call) -> CloudPage:
    served = call.server.feed.cloud
    return CloudPage(
        name=served.name,
        file=str(served.source),
        release=served.release,
        profile=served.timing.profile,
        regions=list(served.regions),
        hosts=len(served.hosts),
        lab=lab.exists(served.name),
        applied=(served.state_dir / "clouds.yaml").exists(),
    )


async def status(call: Call) -> Status:
    return await call.server.feed.now()


async def host(call: Call) -> HostPage:
    return await call.server.feed.host(call.path("name"))


async def host_log(call: Call) -> Log:
    return await call.server.feed.log(call.path("name"), call.request.query_params.get("unit", ""))


async def check(call: Call) -> BaseModel:
    return Document.model_validate(await call.server.computed.get("check"))


async def design(call: Call) -> BaseModel:
    return Document.model_validate(await call.server.computed.get("design"))


async def locks(call: Call) -> Lock:
    return Lock(holder=call.server.jobs.lock())


async def operations(call: Call) -> OperationList:
    return OperationList(
        operations=[
            Operation(
                name=kind.name,
                title=kind.title,
                what=kind.what,
                role=kind.role,
                confirm=kind.confirm,
                group=kind.group,
                typed=kind.typed,
                again=kind.again,
                arguments=kind.arguments.model_json_schema(),
            )
            for kind in KINDS.values()
        ]
    )


def begin(call: Call, kind: Kind) -> Job:
    return call.server.jobs.start(kind, call.body, call.who.name)


async def jobs(call: Call) -> JobList:
    return JobList(jobs=call.server.jobs.all())


async def job(call: Call) -> JobPage:
    name, since = call.path("id"), call.request.query_params.get("since", "0")
    if not since.isdecimal() or len(since) > 15:
        raise UsageError(f"since={since[:20]} is no number of bytes", next="use what the last answer's `seen` said")
    found = call.server.jobs.get(name)  # before its events: those of a job that has ended are all there
    events, seen = call.server.jobs.events(name, int(since))
    ended = call.server.jobs.result(name) or {}
    return JobPage(job=found, events=[dict(e) for e in events], seen=seen, result=ended.get("result"))


async def cancel(call: Call) -> Job:
    found = call.server.jobs.get(call.path("id"))
    if not call.who.may(KINDS[found.kind].role):
        raise DeniedError(
            403, f"who cancels a job of kind {found.kind} must be {KINDS[found.kind].role}", whom=call.who
        )
    return call.server.jobs.cancel(found.id)


async def faults(call: Call) -> FaultList:
    from fournines.prove.faults.catalogue import CATALOGUE, each

    kinds = [
        FaultKind(name=k.name, subject=k.subject, what=k.what, until=k.until, seen=k.seen, targets=list(k.each))
        for k in CATALOGUE.values()
    ]
    return FaultList(faults=kinds, each=list(each(call.server.feed.cloud)))


async def runs(call: Call) -> RunList:
    from fournines.web.runs import stored

    return RunList(runs=await asyncio.to_thread(stored, call.server.feed.cloud.state_dir))


async def run_report(call: Call) -> Response:
    from fournines.prove.report import render

    return HTMLResponse(await _of_run(call, render), headers={"content-security-policy": REPORT_POLICY})


async def run_table(call: Call) -> Response:
    from fournines.prove.report_table import table

    return PlainTextResponse(await _of_run(call, table), media_type="text/markdown")


async def run_junit(call: Call) -> Response:
    from fournines.prove.junit import junit

    return Response(await _of_run(call, junit), media_type="application/xml")


async def _of_run(call: Call, make: Callable[[Campaign], str]) -> str:
    """Raises ProveError when there is no such run, or it cannot be read."""
    from fournines.web.runs import campaign

    def made() -> str | None:
        found = campaign(call.server.feed.cloud.state_dir, call.path("id"))
        return make(found) if found else None

    text = await asyncio.to_thread(made)
    if text is None:
        raise ProveError("there is no such run", where=call.path("id"), next="see the list of runs")
    return text


async def audit(call: Call) -> AuditList:
    return AuditList(entries=[dict(e) for e in call.server.audit.last(200)])


async def events(call: Call) -> Response:
    return StreamingResponse(
        _events(call), media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"}
    )


async def _events(call: Call) -> AsyncIterator[str]:
    """Ends when the session does."""
    queue: asyncio.Queue[str] = asyncio.Queue(maxsize=8)
    key = call.request.cookies.get(COOKIE, "")

    async def put_states() -> None:
        async for state in call.server.feed.states():
            await queue.put(_event("status", state.model_dump_json()))

    async def put_jobs() -> None:
        told = ""
        while True:
            found = json.dumps([j.model_dump() for j in call.server.jobs.all()[:30]])
            if found != told:
                told = found
                await queue.put(_event("jobs", found))
            await asyncio.sleep(LOOK)

    tasks = [asyncio.create_task(put_states()), asyncio.create_task(put_jobs())]
    try:
        yield _event("hello", json.dumps({"version": __version__, "at": time.time()}))
        while True:
            if call.session and not call.server.access.sessions.find(key):
                yield _event("bye", "{}")
                return
            yield await queue.get()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
