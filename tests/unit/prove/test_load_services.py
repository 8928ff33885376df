"""The probes of the other services against a cloud that answers, stalls, refuses or forgets; and work done in turns."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from fournines.prove.load import services
from fournines.prove.load.attempt import Attempt
from fournines.prove.load.loop import Function, OpenLoop
from fournines.prove.load.services import ServiceProbes
from fournines.prove.load.spec import Identity, Services
from fournines.prove.model import Operation
from fournines.prove.probes import PROBES, Probe, Turns
from fournines.smoke.model import SIGNED_IN

TYPES = ("compute", "network", "image", "block-storage", "orchestration")


class FakeCloud:
    """All services on one port. `states`: what the next looks at an object say, the last one for ever."""

    def __init__(self) -> None:
        self.url = ""
        self.states = ["BUILD", "ACTIVE"]
        self.looks = 0
        self.refuses: int = 0  # a status, to what makes something
        self.fails_looks: list[int] = []  # a status each, before any state is told
        self.forgets_content = False
        self.refuses_content: int = 0
        self.sessions = {"sessionid=s"}
        self.made: list[str] = []
        self.removed: list[str] = []
        self.content = b""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path, method = request.path, request.method
        if path == "/v3/auth/tokens":
            return web.json_response(self._token(), status=201, headers={"X-Subject-Token": "t"})
        if path == "/page":
            known = request.headers.get("Cookie") in self.sessions
            return web.Response(text=SIGNED_IN if known else "Log in")
        assert request.headers["X-Auth-Token"] == "t"
        if method == "POST":
            return await self._make(request)
        if method == "DELETE":
            self.removed.append(path)
            return web.Response(status=204)
        if path.endswith("/file"):
            return await self._file(request)
        return self._show(path)

    def _token(self) -> dict[str, Any]:
        def endpoints(kind: str) -> list[dict[str, str]]:
            wrong = {"interface": "internal", "region": "phx", "url": "http://192.0.2.1"}
            elsewhere = {"interface": "public", "region": "ams", "url": "http://192.0.2.1"}
            return [wrong, {"interface": "public", "region": "phx", "url": f"{self.url}/{kind}"}, elsewhere]

        return {"token": {"catalog": [{"type": kind, "endpoints": endpoints(kind)} for kind in TYPES]}}

    async def _make(self, request: web.Request) -> web.Response:
        if self.refuses:
            return web.Response(status=self.refuses, text="quota exceeded")
        body = await request.json()
        kind = request.path.rsplit("/", 1)[-1].removesuffix("s")
        named = body.get(kind, body)
        self.made.append(named.get("name") or named["stack_name"])
        status = 202 if kind in ("server", "volume") else 201
        return web.json_response({"id": "1", kind: {"id": "1"}}, status=status)

    async def _file(self, request: web.Request) -> web.Response:
        if self.refuses_content:
            return web.Response(status=self.refuses_content)
        if request.method == "PUT":
            self.content = await request.read()
            return web.Response(status=204)
        return web.Response(body=b"" if self.forgets_content else self.content)

    def _show(self, path: str) -> web.Response:
        if path == "/compute/servers":
            return web.json_response({"servers": []})
        self.looks += 1
        if self.fails_looks:
            return web.Response(status=self.fails_looks.pop(0))
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        kind = path.split("/")[2].removesuffix("s")
        return web.json_response({kind: {"status": state, "stack_status": state}})


@pytest.fixture
async def cloud(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[FakeCloud, ServiceProbes]]:
    monkeypatch.setattr(services, "LOOK_EVERY_S", 0.01)
    fake = FakeCloud()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    who = Identity(f"{fake.url}/v3", "", "admin", "secret", "fournines-prove", "d")
    probes = ServiceProbes(Services(who, "phx", "f", "i", "n", f"{fake.url}/page", "sessionid=s"), timeout=1.0)
    await probes.start()
    yield fake, probes
    await probes.close()
    await runner.cleanup()


async def outcome(function: Function, timeout: float = 5.0) -> str:
    attempt = Attempt("fresh", 0.0, "fournines-prove-01-thing-0")
    try:
        async with asyncio.timeout(timeout):
            await function(attempt)
    except Exception as error:
        return attempt.outcome_of(error)
    return "ok"


WORK: dict[str, tuple[str, str]] = {  # function -> the state that it waits for, that of a failure
    "boot_server": ("ACTIVE", "ERROR"),
    "create_volume": ("available", "error_creating"),
    "create_stack": ("CREATE_COMPLETE", "CREATE_FAILED"),
}


@pytest.mark.parametrize("name", [name for name, probe in PROBES.items() if probe.in_project])
async def test_every_function_of_a_whole_cloud_is_ok(cloud: tuple[FakeCloud, ServiceProbes], name: str) -> None:
    fake, probes = cloud
    fake.states = ["building", WORK[name][0]] if name in WORK else []
    assert await outcome(getattr(probes, name)) == "ok"
    assert fake.made == ([] if PROBES[name].kind == "read" else ["fournines-prove-01-thing-0"])
    assert fake.looks == (2 if name in WORK else 0)


@pytest.mark.parametrize("name", WORK)
async def test_what_was_accepted_and_failed_may_still_be_there(
    cloud: tuple[FakeCloud, ServiceProbes], name: str
) -> None:
    fake, probes = cloud
    fake.states = [WORK[name][1]]
    assert await outcome(getattr(probes, name)) == "unknown"


@pytest.mark.parametrize("name", WORK)
async def test_what_never_becomes_ready_is_unknown(cloud: tuple[FakeCloud, ServiceProbes], name: str) -> None:
    fake, probes = cloud
    fake.states = ["building"]
    assert await outcome(getattr(probes, name), timeout=0.2) == "unknown"


async def test_a_look_that_fails_is_taken_again(cloud: tuple[FakeCloud, ServiceProbes]) -> None:
    fake, probes = cloud
    fake.fails_looks = [503, 500]
    assert await outcome(probes.boot_server) == "ok"


async def test_what_was_accepted_and_is_gone_was_not_refused(cloud: tuple[FakeCloud, ServiceProbes]) -> None:
    fake, probes = cloud
    fake.fails_looks = [404]
    assert await outcome(probes.boot_server) == "unknown"


async def test_an_image_whose_content_is_refused_is_there_all_the_same(
    cloud: tuple[FakeCloud, ServiceProbes],
) -> None:
    fake, probes = cloud
    fake.refuses_content = 401
    assert await outcome(probes.upload_image) == "unknown"


async def test_a_refusal_has_surely_failed(cloud: tuple[FakeCloud, ServiceProbes]) -> None:
    fake, probes = cloud
    fake.refuses = 403
    for name in (*WORK, "create_network", "upload_image"):
        assert await outcome(getattr(probes, name)) == "fail"
    assert fake.removed == []


@pytest.mark.parametrize("state", ["ACTIVE", "ERROR", "BUILD"])
async def test_a_server_is_deleted_whatever_became_of_it(cloud: tuple[FakeCloud, ServiceProbes], state: str) -> None:
    fake, probes = cloud
    fake.states = [state]
    await outcome(probes.boot_server, timeout=0.2)
    await probes.close()
    assert fake.removed == ["/compute/servers/1"]


async def test_an_image_that_comes_back_as_another_is_no_success(cloud: tuple[FakeCloud, ServiceProbes]) -> None:
    fake, probes = cloud
    fake.forgets_content = True
    assert await outcome(probes.upload_image) == "unknown"


async def test_a_page_that_does_not_know_its_user_is_no_success(cloud: tuple[FakeCloud, ServiceProbes]) -> None:
    fake, probes = cloud
    assert await outcome(probes.dashboard) == "ok"
    fake.sessions.clear()
    assert await outcome(probes.dashboard) == "unknown"


def loop_of(timeout: float) -> tuple[OpenLoop, list[Operation], Callable[[], float]]:
    done: list[Operation] = []
    began = time.monotonic()

    def now() -> float:
        return time.monotonic() - began

    return OpenLoop(now, timeout, "01", done.append), done, now


LONG = Probe("long", 0.1, ("fresh",), "write", False, "", Turns(timeout=0.3, again=0.02))


async def test_work_that_outlasts_its_interval_is_never_done_twice_at_once() -> None:
    loop, done, _ = loop_of(timeout=0.01)  # a request's own: not that of long work

    async def work(attempt: Attempt) -> None:
        await asyncio.sleep(0.15)

    loop.start({LONG: work}, 0.0)
    await asyncio.sleep(0.5)
    await loop.stop()
    assert [o.outcome for o in done] == ["ok"] * len(done)
    assert len(done) >= 3
    assert all(b.started >= a.ended for a, b in itertools.pairwise(done))
    assert len({o.value for o in done}) == len(done)


async def test_quick_work_waits_for_its_interval_and_failed_work_does_not() -> None:
    loop, done, _ = loop_of(timeout=1.0)
    works = True

    async def work(attempt: Attempt) -> None:
        if not works:
            raise OSError("refused")

    loop.start({LONG: work}, 0.0)
    await asyncio.sleep(0.25)
    good, works = len(done), False
    await asyncio.sleep(0.25)
    await loop.stop()
    assert good == 3  # due at 0, 0.1 and 0.2 s
    assert len(done) - good >= 5
    assert {o.outcome for o in done[good:]} == {"fail"}


async def test_hanging_work_is_given_up_and_what_is_on_its_way_is_waited_for() -> None:
    loop, done, now = loop_of(timeout=0.01)

    async def hang(attempt: Attempt) -> None:
        attempt.sent = True
        await asyncio.sleep(60)

    loop.start({LONG: hang}, 0.0)
    await asyncio.sleep(0.1)
    await loop.stop()
    assert [o.outcome for o in done] == ["unknown"]
    assert now() >= 0.3
