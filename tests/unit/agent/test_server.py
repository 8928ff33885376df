"""The agent's doors, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import json
import select
import socket
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from fournines.agent.clock import now
from fournines.agent.guard.balancer import BUSY_PATIENCE, EVERY, IDLE, PATIENCE, Balancer
from fournines.agent.observer import watch
from fournines.agent.observer.server import FROM_ONE, IN_ALL, Crowd, serve_http, serve_start, server_side
from fournines.services import pki


async def port_of(server: asyncio.Server) -> int:
    return server.sockets[0].getsockname()[1]


async def test_routes_and_what_is_not_one() -> None:
    routes = {"/database/writer": lambda: (503, {"acting": False}), "/database": lambda: (200, {"database": True})}
    server = await serve_http("127.0.0.1", 0, routes, {}, "")
    port = await port_of(server)
    async with server:
        assert (await watch.http_get("127.0.0.1", port, "/database/writer", 2))[0] == 503
        status, body = await watch.http_get("127.0.0.1", port, "/database", 2)
        assert (status, json.loads(body)) == (200, {"database": True})
        assert (await watch.http_get("127.0.0.1", port, "/else", 2))[0] == 404


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    said = await asyncio.wait_for(reader.read(-1), 5)
    writer.close()
    return said


@pytest.mark.parametrize("header", [b"", b"Authorization: Bearer wrong\r\n", b"Authorization: Basic tok\r\n"])
async def test_the_state_is_for_those_who_know_the_token(header: bytes) -> None:
    server = await serve_http("127.0.0.1", 0, {}, {"/state": lambda: (200, {"secret": "x"})}, "tok")
    port = await port_of(server)
    async with server:
        refused = await ask(port, b"GET /state HTTP/1.0\r\n" + header + b"\r\n")
        assert refused.startswith(b"HTTP/1.1 403 ") and b"secret" not in refused
        told = await ask(port, b"GET /state HTTP/1.0\r\nAuthorization: Bearer tok\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 200 ") and b"secret" in told


async def test_a_narrow_token_opens_its_own_path_alone() -> None:
    private = {"/state": lambda: (200, {"secret": "x"}), "/metrics": lambda: (200, "up{} 1\n")}
    server = await serve_http("127.0.0.1", 0, {}, private, "tok", narrow={"/metrics": "narrow"})
    port = await port_of(server)
    async with server:
        for token, path, status in (
            (b"narrow", b"/metrics", 200),
            (b"tok", b"/metrics", 200),
            (b"narrow", b"/state", 403),
            (b"", b"/metrics", 403),
        ):
            said = await ask(port, b"GET " + path + b" HTTP/1.0\r\nAuthorization: Bearer " + token + b"\r\n\r\n")
            assert said.startswith(b"HTTP/1.1 %d " % status), (token, path)
        said = await ask(port, b"GET /metrics HTTP/1.0\r\nAuthorization: Bearer narrow\r\n\r\n")
        assert b"Content-Type: text/plain; version=0.0.4" in said
        assert said.endswith(b"\r\n\r\nup{} 1\n")


async def test_without_a_token_the_state_is_for_nobody() -> None:
    server = await serve_http("127.0.0.1", 0, {}, {"/state": lambda: (200, {"secret": "x"})}, "")
    port = await port_of(server)
    async with server:
        for header in (b"", b"Authorization: Bearer \r\n", b"Authorization: Bearer\r\n"):
            assert (await ask(port, b"GET /state HTTP/1.0\r\n" + header + b"\r\n")).startswith(b"HTTP/1.1 403 ")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A directory with `ca.pem`, and with `host.pem` that it signed for 127.0.0.1."""
    ca_key, key = pki.new_key(), pki.new_key()
    ca = pki.sign_ca("test", ca_key)
    (tmp_path / "ca.pem").write_text(ca)
    (tmp_path / "host.pem").write_text(pki.sign(pki.Subject((), (IPv4Address("127.0.0.1"),)), key, ca, ca_key) + key)
    return tmp_path


async def test_one_port_speaks_tls_to_who_begins_with_it(authority: Path) -> None:
    routes = {"/database/writer": lambda: (503, {"acting": False})}
    context = server_side(str(authority / "host.pem"))
    server = await serve_http("127.0.0.1", 0, routes, {}, "", context=context)
    port = await port_of(server)
    async with server:
        for cafile in ("", str(authority / "ca.pem"), "", str(authority / "ca.pem")):
            assert (await watch.http_get("127.0.0.1", port, "/database/writer", 2, cafile=cafile))[0] == 503


async def test_what_is_private_is_told_by_tls_alone(authority: Path) -> None:
    private = {"/state": lambda: (200, {"secret": "x"})}
    context = server_side(str(authority / "host.pem"))
    server = await serve_http("127.0.0.1", 0, {}, private, "tok", context=context, private_by_tls=True)
    port = await port_of(server)
    request = b"GET /state HTTP/1.0\r\nAuthorization: Bearer tok\r\n\r\n"
    async with server:
        plain = await ask(port, request)
        assert plain.startswith(b"HTTP/1.1 403 ") and b"secret" not in plain
        trust = watch.trusting(str(authority / "ca.pem"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        writer.write(request)
        assert b'"secret"' in await asyncio.wait_for(reader.read(-1), 5)
        writer.close()


@pytest.mark.parametrize("rubbish", [b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x16" * 20_000])
async def test_what_only_begins_like_tls_does_not_stop_the_server(authority: Path, rubbish: bytes) -> None:
    server = await serve_http(
        "127.0.0.1", 0, {"/": lambda: (200, {})}, {}, "", context=server_side(str(authority / "host.pem"))
    )
    port = await port_of(server)
    async with server:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(rubbish)
        writer.close()
        assert (await watch.http_get("127.0.0.1", port, "/", 2))[0] == 200


def test_a_crowd_is_capped_by_source_and_in_all() -> None:
    crowd = Crowd()
    assert [crowd.enter("a") for _ in range(FROM_ONE + 3)] == [True] * FROM_ONE + [False] * 3
    assert crowd.enter("b")
    crowd.leave("a")
    assert crowd.enter("a")
    others = [crowd.enter(f"{n}") for n in range(IN_ALL)]
    assert sum(others) == IN_ALL - FROM_ONE - 1
    for n in range(IN_ALL):
        if others[n]:
            crowd.leave(f"{n}")
    assert crowd.enter("z")


async def test_hundreds_of_idle_connections_of_one_source_keep_nobody_else_from_being_answered() -> None:
    """1,200 of them once ended the agent: it ran out of file descriptors."""
    server = await serve_http("127.0.0.1", 0, {"/": lambda: (200, {})}, {}, "")
    port = await port_of(server)
    async with server:
        with ExitStack() as stack:
            idle: list[socket.socket] = []
            for _ in range(1200):
                one = stack.enter_context(socket.socket())
                one.bind(("127.9.9.9", 0))
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
                idle.append(one)
                await asyncio.sleep(0)
            assert (await watch.http_get("127.0.0.1", port, "/", 4))[0] == 200
            await asyncio.sleep(0.1)
            ended = sum(1 for one in idle if _ended(one))
            assert ended >= 1200 - FROM_ONE


def _ended(one: socket.socket) -> bool:
    try:
        return one.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("rubbish", [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"x" * 20_000, bytes(range(256)) + b"\r\n\r\n"])
async def test_rubbish_does_not_stop_the_server(rubbish: bytes) -> None:
    server = await serve_http("127.0.0.1", 0, {"/": lambda: (200, {})}, {}, "")
    port = await port_of(server)
    async with server:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(rubbish)
        writer.write_eof()
        writer.close()
        assert (await watch.http_get("127.0.0.1", port, "/", 2))[0] == 200


async def test_galera_start_speaks_through_a_socket_of_roots_own(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    asked: list[dict[str, Any]] = []

    def waiting(said: dict[str, Any]) -> dict[str, str]:
        asked.append(said)
        return {"action": "wait", "why": "x"}

    async with await serve_start(path, waiting):
        assert path.stat().st_mode & 0o777 == 0o600
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"force": false}\n')
        assert json.loads(await reader.readline()) == {"action": "wait", "why": "x"}
        writer.close()
    assert asked == [{"force": False}]
    async with await serve_start(path, waiting):  # a socket that a crash left behind is in nobody's way
        assert path.exists()


class Idle:
    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    def seconds(self, now: float) -> float:
        return self._seconds


class TestBalancer:
    async def watched(self, balancer: Balancer, seconds: float) -> None:
        """As the guard's loop does it."""
        until = now() + seconds
        while now() < until:
            if (fresh := balancer.ask(now())) is not None:
                for _ in range(20):
                    await asyncio.sleep(0.005)
                    if select.select([fresh], [], [], 0)[0]:
                        balancer.answer(now())
                        break
            await asyncio.sleep(0.02)

    async def test_one_that_answers_is_alive(self) -> None:
        server = await serve_http("127.0.0.1", 0, {"/alive": lambda: (200, {})}, {}, "")
        balancer = Balancer("127.0.0.1", await port_of(server), Idle(IDLE), now() - 100)
        assert not balancer.alive(now())
        async with server:
            await self.watched(balancer, 0.1)
        assert balancer.alive(now())
        assert not balancer.alive(now() + PATIENCE + 0.1)

    async def test_one_that_refuses_twice_is_dead(self) -> None:
        server = await serve_http("127.0.0.1", 0, {}, {}, "")
        port = await port_of(server)
        server.close()
        await server.wait_closed()
        balancer = Balancer("127.0.0.1", port, Idle(), now())
        balancer.ask(now())
        assert balancer.alive(now())
        balancer.ask(now())
        assert not balancer.alive(now())

    async def test_one_that_says_something_else_twice_is_dead_and_back_with_its_first_good_answer(self) -> None:
        said = [503]
        server = await serve_http("127.0.0.1", 0, {"/alive": lambda: (said[0], {})}, {}, "")
        balancer = Balancer("127.0.0.1", await port_of(server), Idle(), now())
        async with server:
            await self.watched(balancer, 0.15)
            assert not balancer.alive(now())
            said[0] = 200
            await self.watched(balancer, 0.05)
        assert balancer.alive(now())

    async def test_one_that_accepts_and_never_answers_is_asked_again_and_dead_in_the_end(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as frozen:
            balancer = Balancer("127.0.0.1", frozen.getsockname()[1], Idle(IDLE), 100.0)
            first = balancer.ask(100.0)
            assert first is not None
            assert balancer.ask(100.0 + EVERY) is None  # one question at a time
            assert balancer.alive(99.9 + PATIENCE)
            assert not balancer.alive(100.1 + PATIENCE)
            again = balancer.ask(100.1 + BUSY_PATIENCE)
            assert again is not None and first.fileno() == -1
            assert not balancer.alive(100.1 + BUSY_PATIENCE)
            balancer.close()

    async def test_a_silent_one_that_works_is_slow_for_longer(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as slow:
            balancer = Balancer("127.0.0.1", slow.getsockname()[1], Idle(IDLE - 0.1), 100.0)
            assert balancer.ask(100.0) is not None
            assert balancer.alive(99.9 + BUSY_PATIENCE)
            assert not balancer.alive(100.1 + BUSY_PATIENCE)
            balancer.close()


async def test_a_watcher_keeps_what_it_saw_when_a_look_fails() -> None:
    looks = iter([{"x": 1}, OSError("refused")])

    async def look() -> dict[str, Any]:
        seen = next(looks)
        if isinstance(seen, OSError):
            raise seen
        return seen

    found: watch.Found = {}
    task = asyncio.create_task(watch.Watcher("thing", 0.01, look).run(found))
    await asyncio.sleep(0.15)
    task.cancel()
    assert found["thing"]["x"] == 1
    assert (found["thing"]["ok"], found["thing"]["error"]) == (False, "refused")
