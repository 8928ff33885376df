"""The load against a server that answers, hangs, breaks off or is gone: outcomes are exact, the loop stays open."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from fournines.prove.load.attempt import Attempt, RefusedError, describe
from fournines.prove.load.control import last_answer
from fournines.prove.load.identity import KeystoneProbes
from fournines.prove.load.loop import Function, OpenLoop
from fournines.prove.load.spec import Broker, Database, Identity, LoadSpec, dumps, loads
from fournines.prove.model import Operation
from fournines.prove.probes import PROBES, Connection, Probe


class FakeKeystone:
    """Answers like Keystone as long as `mood` is ok; else it hangs, cuts the connection, or answers that status."""

    def __init__(self) -> None:
        self.mood: str | int = "ok"
        self.requests = 0
        self.connections = set[tuple[str, int]]()
        self.projects = ["admin"]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        assert request.transport
        self.connections.add(request.transport.get_extra_info("peername"))
        if self.mood == "hang":
            await asyncio.sleep(2)
        if self.mood == "cut":
            request.transport.abort()
            return web.Response()
        if isinstance(self.mood, int):
            return web.Response(status=self.mood, text="no")
        if request.path == "/v3/projects" and request.method == "POST":
            self.projects.append((await request.json())["project"]["name"])
            return web.json_response({}, status=201)
        if request.path == "/v3/projects":
            return web.json_response({"projects": [{"name": name} for name in self.projects]})
        token = {"token": {"user": {"name": "admin"}}}
        return web.json_response(
            token, status=201 if request.method == "POST" else 200, headers={"X-Subject-Token": "t"}
        )


@pytest.fixture
async def keystone() -> AsyncIterator[tuple[FakeKeystone, KeystoneProbes]]:
    fake = FakeKeystone()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    probes = KeystoneProbes(Identity(f"http://127.0.0.1:{port}/v3", "", "admin", "secret", "admin", "d"))
    await probes.start()
    yield fake, probes
    await probes.close()
    await runner.cleanup()


async def outcome(function: Function, connection: Connection = "fresh", timeout: float = 0.5) -> str:
    attempt = Attempt(connection, 0.0, "name")
    try:
        async with asyncio.timeout(timeout):
            await function(attempt)
    except Exception as error:
        return attempt.outcome_of(error)
    return "ok"


@pytest.mark.parametrize("connection", ["fresh", "kept"])
async def test_every_function_of_a_whole_keystone_is_ok(
    keystone: tuple[FakeKeystone, KeystoneProbes], connection: Connection
) -> None:
    fake, probes = keystone
    for function in (
        probes.authenticate,
        probes.authenticate_password,
        probes.validate,
        probes.list_projects,
        probes.create_project,
    ):
        assert await outcome(function, connection) == "ok"
    assert "name" in fake.projects


@pytest.mark.parametrize(
    ("mood", "expected"),
    [
        ("hang", "unknown"),
        ("cut", "unknown"),
        (500, "unknown"),
        (503, "unknown"),
        (409, "unknown"),
        (404, "fail"),
        (401, "fail"),
    ],
)
@pytest.mark.parametrize("connection", ["fresh", "kept"])
async def test_what_was_sent_is_unknown_unless_it_was_refused(
    keystone: tuple[FakeKeystone, KeystoneProbes], mood: str | int, expected: str, connection: Connection
) -> None:
    fake, probes = keystone
    assert await outcome(probes.validate, connection) == "ok"
    fake.mood = mood
    for function in (probes.validate, probes.create_project):
        assert await outcome(function, connection) == expected


async def test_an_idempotent_request_on_a_kept_connection_is_sent_once(
    keystone: tuple[FakeKeystone, KeystoneProbes],
) -> None:
    fake, probes = keystone
    assert await outcome(probes.validate, "kept") == "ok"
    fake.mood, fake.requests = "cut", 0
    assert await outcome(probes.validate, "kept") == "unknown"
    assert fake.requests == 1


async def test_fresh_and_kept_connections_are_what_they_say(keystone: tuple[FakeKeystone, KeystoneProbes]) -> None:
    fake, probes = keystone
    fake.connections.clear()
    for _ in range(3):
        await outcome(probes.validate, "kept")
    assert len(fake.connections) == 1
    for _ in range(3):
        await outcome(probes.validate, "fresh")
    assert len(fake.connections) == 4


async def test_a_token_of_somebody_else_is_no_success(keystone: tuple[FakeKeystone, KeystoneProbes]) -> None:
    fake, probes = keystone
    fake.projects = ["other"]
    assert await outcome(probes.list_projects) == "unknown"


def gone() -> KeystoneProbes:
    """A Keystone whose port nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    return KeystoneProbes(Identity(f"http://127.0.0.1:{port}/v3", "", "admin", "secret", "admin", "d"))


async def test_a_refused_connection_has_surely_failed() -> None:
    probes = gone()
    with pytest.raises(aiohttp.ClientConnectorError):
        await probes.start()
    assert await outcome(probes.create_project) == "fail"
    await probes.close()


async def test_a_connection_that_is_never_accepted_has_surely_failed() -> None:
    """A listener whose backlog is full answers no SYN: the time runs out before anything could be sent."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        port = deaf.getsockname()[1]
        probes = KeystoneProbes(Identity(f"http://127.0.0.1:{port}/v3", "", "admin", "secret", "admin", "d"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await probes.start()
        assert await outcome(probes.create_project, timeout=0.3) == "fail"
        await probes.close()
        for filler in fillers:
            filler.close()


def loop_of(timeout: float) -> tuple[OpenLoop, list[Operation]]:
    done: list[Operation] = []
    began = time.monotonic()
    return OpenLoop(lambda: time.monotonic() - began, timeout, "01", done.append), done


FAST = Probe("fast", 0.02, ("fresh", "kept"), "write", False, "")


async def test_a_hanging_server_does_not_hold_up_the_next_request() -> None:
    loop, done = loop_of(timeout=0.3)

    async def hang(attempt: Attempt) -> None:
        attempt.sent = True
        await asyncio.sleep(60)

    loop.start({FAST: hang}, 0.0)
    await asyncio.sleep(0.25)
    await loop.stop()
    assert len(done) >= 10
    assert {o.outcome for o in done} == {"unknown"}
    assert all(o.intended == pytest.approx(i * 0.02) for i, o in enumerate(sorted(done, key=lambda o: o.intended)))
    assert all(o.ended - o.intended >= 0.3 for o in done)


async def test_values_are_unique_and_connections_take_turns() -> None:
    loop, done = loop_of(timeout=1.0)

    async def answer(attempt: Attempt) -> None:
        pass

    loop.start({FAST: answer, PROBES["read_row"]: answer}, 0.0)
    await asyncio.sleep(0.15)
    await loop.stop()
    written = [o for o in done if o.function == "fast"]
    assert len({o.value for o in written}) == len(written)
    assert written[0].value == "01-fast-0"
    assert [o.connection for o in written[:4]] == ["fresh", "kept", "fresh", "kept"]
    assert {o.value for o in done if o.function == "read_row"} == {""}


async def test_a_stalled_prober_counts_from_the_intended_time() -> None:
    loop, done = loop_of(timeout=1.0)

    async def answer(attempt: Attempt) -> None:
        pass

    loop.start({FAST: answer}, 0.0)
    await asyncio.sleep(0.05)
    time.sleep(0.2)  # the prober itself is stopped
    await asyncio.sleep(0.05)
    await loop.stop()
    assert max(o.ended - o.intended for o in done) > 0.15


def test_outcomes() -> None:
    assert Attempt("fresh", 0.0).outcome_of(OSError()) == "fail"
    assert Attempt("fresh", 0.0, sent=True).outcome_of(OSError()) == "unknown"
    assert Attempt("fresh", 0.0, sent=True).outcome_of(RefusedError()) == "fail"
    assert describe(OSError("a\n  b")) == "OSError: a b"
    assert describe(TimeoutError()) == "TimeoutError"


SPEC = LoadSpec(
    epoch=1.5,
    history="/h",
    probes=("validate",),
    timeout=10.0,
    prefix="01",
    identity=Identity("u", "", "a", "p", "a", "d"),
    database=Database("h", 3306, "u", "p", "s", 2.0, 10.0),
    broker=Broker(("a", "b"), 5672, "v", "u", "p", "q", 10.0, 0.5, 5.0),
)


def test_what_the_load_is_told_survives_its_way() -> None:
    assert loads(dumps(SPEC)) == SPEC


def test_the_end_of_a_load_waits_for_the_slowest_that_may_still_answer() -> None:
    assert last_answer(SPEC) == 10.0
    boot = PROBES["boot_server"].turns
    assert boot
    assert last_answer(replace(SPEC, probes=("validate", "boot_server"))) == boot.timeout > 10.0
