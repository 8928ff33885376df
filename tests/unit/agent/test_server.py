"""The agent's doors, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from fournines.agent.observer import config, watch
from fournines.agent.clock import now
from fournines.agent.observer.server import serve_http, serve_start


async def port_of(server: asyncio.Server) -> int:
    return server.sockets[0].getsockname()[1]


async def test_routes_and_what_is_not_one() -> None:
    routes = {"/database/writer": lambda: (503, {"acting": False}), "/state": lambda: (200, {"host": "a"})}
    server = await serve_http("127.0.0.1", 0, routes)
    port = await port_of(server)
    async with server:
        assert (await watch.http_get("127.0.0.1", port, "/database/writer", 2))[0] == 503
        status, body = await watch.http_get("127.0.0.1", port, "/state", 2)
        assert (status, json.loads(body)) == (200, {"host": "a"})
        assert (await watch.http_get("127.0.0.1", port, "/else", 2))[0] == 404


@pytest.mark.parametrize("rubbish", [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"x" * 20_000, bytes(range(256)) + b"\r\n\r\n"])
async def test_rubbish_does_not_stop_the_server(rubbish: bytes) -> None:
    server = await serve_http("127.0.0.1", 0, {"/": lambda: (200, {})})
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


class TestBalancer:
    def balancer(self, port: int) -> watch.Balancer:
        document: dict[str, Any] = dict.fromkeys(("cloud", "region", "host", "secret", "fernet_keys"), "x")
        ports = {"http_port": 1, "heartbeat_port": 1}
        times = {"heartbeat": 0.05, "vip_lease": 0.2, "dead_host": 0.4, "writer_patience": 0.8}
        nothing: dict[str, Any] = {"peers": [], "vips": [], "units": [], "certificates": []}
        whole = {**document, **ports, **times, **nothing, "address": "127.0.0.1"}
        parsed = config.parse({**whole, "haproxy": {"monitor_port": port}})
        assert parsed.haproxy
        return watch.Balancer(parsed, parsed.haproxy)

    async def watched(self, balancer: watch.Balancer, seconds: float) -> None:
        task = asyncio.create_task(balancer.run())
        await asyncio.sleep(seconds)
        task.cancel()

    async def test_one_that_answers_is_alive(self) -> None:
        server = await serve_http("127.0.0.1", 0, {"/alive": lambda: (200, {})})
        balancer = self.balancer(await port_of(server))
        async with server:
            await self.watched(balancer, 0.1)
        assert balancer.alive(now())
        assert not balancer.alive(now() + balancer.PATIENCE + 0.1)

    async def test_one_that_refuses_twice_is_dead(self) -> None:
        server = await serve_http("127.0.0.1", 0, {})
        port = await port_of(server)
        server.close()
        await server.wait_closed()
        balancer = self.balancer(port)
        await self.watched(balancer, balancer.EVERY * 1.5)
        assert not balancer.alive(now())


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
