"""The observer's wiring: what follows from each word of the guard, and that no part takes the others down."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fournines.agent.clock import now
from fournines.agent.guard import channel
from fournines.agent.observer import config, maintenance, observer, sever, tickle
from fournines.agent.observer.database import EVICT_AFTER
from fournines.agent.observer.observer import VIPS_LEAVE_AFTER, Observer, forever
from fournines.agent.observer.peers import packed

VIP, ADDRESS = "198.18.0.100", {"a": "198.18.0.11", "b": "198.18.0.12", "c": "198.18.0.13"}
DOCUMENT: dict[str, Any] = {
    "cloud": "acme",
    "region": "phx",
    "host": "a",
    "address": ADDRESS["a"],
    "http_port": 9200,
    "token": "s",
    "peers": [{"name": name, "address": address} for name, address in ADDRESS.items()],
    "heartbeat": 0.05,
    "vips": [VIP],
    "cluster_ports": [4567],
    "writer_patience": 0.8,
    "units": [],
    "certificates": [],
    "fernet_keys": "",
    "haproxy": {"others": [ADDRESS["b"], ADDRESS["c"]]},
}


class World:
    """In the kernel's and HAProxy's place: what was done, in order."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    async def cut(self, addresses: Collection[str], side: str = "dst", spare: Collection[int] = ()) -> None:
        self.done.append(("cut", side, *sorted(addresses), *spare))

    async def mark(self, haproxy: config.Haproxy, servers: Iterable[tuple[str, str, str]]) -> None:
        self.done += [("mark", *server) for server in servers]

    async def taken_over(self, vips: frozenset[str]) -> None:
        self.done.append(("tell", *vips))

    async def lost(self, vips: frozenset[str]) -> None:
        self.done.append(("tell for long", *vips))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(sever, "cut", made.cut)
    monkeypatch.setattr(sever, "mark", made.mark)
    return made


@pytest.fixture
def guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The guard's end of the channel."""
    for name, path in (("RUN", ""), ("GUARD", "guard.sock"), ("OBSERVER", "observer.sock")):
        monkeypatch.setattr(channel, name, tmp_path / path)
    with channel.bind(channel.GUARD) as bound:
        yield bound


@pytest.fixture
def one(guard: socket.socket, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Observer]:
    made = Observer(config.parse(DOCUMENT))
    monkeypatch.setattr(made.tickle, "taken_over", world.taken_over)
    monkeypatch.setattr(made.tickle, "lost", world.lost)
    bound = made._channel  # pyright: ignore[reportPrivateUsage]
    assert bound
    with bound:
        yield made


def says(guard: socket.socket, *held: str, departed: tuple[str, ...] = (), bodies: tuple[bytes, ...] = ()) -> None:
    at = now()
    document: dict[str, Any] = {
        "at": at,
        "started": at - 60,
        "peers": {"b": [at, at], "c": [at, at]},
        "departed": list(departed),
        "vip": {"held": list(held)},
        "room": 1000,
    }
    assert channel.send(guard, channel.OBSERVER, document, *bodies)


async def hears(one: Observer) -> None:
    one.hear()
    await asyncio.sleep(0)


def test_clients_are_told_when_a_vip_comes_and_for_longer_when_it_goes(
    one: Observer, guard: socket.socket, world: World
) -> None:
    async def act() -> None:
        for held in ((), (VIP,), (VIP,), ()):
            says(guard, *held)
            await hears(one)

    asyncio.run(act())
    assert world.done == [("tell", VIP), ("cut", "src", VIP), ("tell for long", VIP)]


def test_a_departed_host_loses_clients_at_once_and_members_of_clusters_later(
    one: Observer, guard: socket.socket, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.found["haproxy"] = {"at": 0.0, "ok": True, "proxies": {"keystone": {"a": {}, "b": {}}, "mariadb": {"a": {}}}}
    vips = (f"b {now()} {now()}".encode(), packed({"vips": True}))

    async def act() -> None:
        says(guard, bodies=vips)
        says(guard, departed=("b",))
        await hears(one)
        assert world.done == [
            ("cut", "dst", VIP, ADDRESS["b"], 4567),
            ("mark", "keystone", "b", "down"),
        ]
        world.done.clear()
        later = now() + EVICT_AFTER
        one.tick(later)
        one.tick(later + 1)
        await asyncio.sleep(0)
        assert world.done == [("cut", "dst", ADDRESS["b"])]

    asyncio.run(act())


def test_an_observer_that_has_just_started_marks_every_node_but_the_writer_down(
    one: Observer, guard: socket.socket, world: World
) -> None:
    one.found["haproxy"] = {"at": 0.0, "ok": True, "proxies": {"mariadb": {name: {} for name in ADDRESS}}}

    async def act() -> None:
        for writer in ("b", "b", "c"):
            said = (f"{writer} {now()} {now()}".encode(), packed({"acting": True}))
            other = (f"{'c' if writer == 'b' else 'b'} {now()} {now()}".encode(), packed({}))
            says(guard, bodies=(*said, *other))
            await hears(one)

    asyncio.run(act())
    down = [[("mark", "mariadb", n, "down") for n in ADDRESS if n != writer] for writer in ("b", "c")]
    assert world.done == [
        *down[0],
        ("mark", "mariadb", "b", "up"),
        *down[1],
        ("mark", "mariadb", "c", "up"),
    ]


def test_a_host_that_is_back_in_time_keeps_what_members_of_clusters_have(
    one: Observer, guard: socket.socket, world: World
) -> None:
    async def act() -> None:
        says(guard, departed=("b",))
        await hears(one)
        says(guard)
        await hears(one)
        world.done.clear()
        one.tick(now() + EVICT_AFTER)
        await asyncio.sleep(0)

    asyncio.run(act())
    assert world.done == []


def test_what_cannot_be_read_takes_nothing_else_along(
    one: Observer, guard: socket.socket, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def act() -> None:
        guard.sendto(b"\0\0\0\x7f", str(channel.OBSERVER))
        says(guard, bodies=(f"b {now()} {now()}".encode(), b"{no document"))
        says(guard, VIP)
        await hears(one)

    asyncio.run(act())
    assert world.done == [("tell", VIP)]
    assert "cannot be read" in caplog.text


def test_the_guard_has_this_host_s_word_again_after_each_of_its_own(one: Observer, guard: socket.socket) -> None:
    async def act() -> None:
        says(guard, VIP)
        await hears(one)

    asyncio.run(act())
    said = channel.receive(guard)
    assert said and said[0]["starting"] is True and b'"flows"' in said[1][0]


def test_it_goes_on_at_its_own_pace_without_a_guard(
    one: Observer, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[float] = []
    monkeypatch.setattr(one, "tick", ticks.append)
    monkeypatch.setattr(observer, "SILENCE", 0.01)

    async def act() -> None:
        task = asyncio.create_task(one.pace())
        await asyncio.sleep(0.1)
        task.cancel()

    asyncio.run(act())
    assert len(ticks) >= 3


def test_a_part_that_fails_runs_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(observer, "AGAIN", 0.0)
    runs: list[int] = []

    async def part() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise KeyError("an odd answer")

    asyncio.run(forever(part))
    assert runs == [0, 1, 2]
    assert caplog.text.count("goes on after an error") == 2


def test_every_part_is_one_that_runs_again(one: Observer) -> None:
    """None of them is started outside of `forever`."""
    names = {getattr(part, "__name__", "") for part in one._parts()}  # pyright: ignore[reportPrivateUsage]
    assert {"pace", "refuse", "tell", "start_up", "note_handshakes"} <= names


def test_a_kernel_without_copies_costs_the_copies_alone(
    one: Observer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refused(vips: Collection[str], others: Collection[str]) -> None:
        assert (tuple(vips), tuple(others)) == ((VIP,), (ADDRESS["b"], ADDRESS["c"]))
        raise OSError("Operation not supported")

    monkeypatch.setattr(observer.handshakes, "note", refused)
    asyncio.run(one.note_handshakes())
    assert "not copied" in caplog.text


def test_a_table_that_is_not_there_leaves_what_heartbeats_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(vips: Collection[str]) -> dict[bytes, bytes]:
        raise OSError(2, "No such file or directory")

    sent: list[int] = []
    monkeypatch.setattr(tickle.handshakes, "noted", none)
    monkeypatch.setattr(tickle, "send", lambda connections, number: sent.append(len(connections)))
    monkeypatch.setattr(tickle, "PAUSE", 0.0)
    heir = tickle.Tickle(frozenset[str])
    connection = b"\x13\x88\xc3\x50" + socket.inet_aton(VIP) + socket.inet_aton("203.0.113.9")
    holder = tickle.Roster()
    holder.see({connection: tickle.UNKNOWN})
    heir.hear(holder.say(1))
    asyncio.run(heir.taken_over(frozenset({VIP})))
    assert sent == [1] * tickle.ROUNDS


async def test_a_departure_is_written_down_at_once(one: Observer, guard: socket.socket, tmp_path: Path) -> None:
    telling = asyncio.create_task(one.tell())
    try:
        await asyncio.sleep(0.3)
        says(guard, departed=("b",))
        one.hear()
        began = now()
        state = tmp_path / "state.json"
        async with asyncio.timeout(5):
            while not json.loads(state.read_text())["peers"]["b"]["departed"]:
                await asyncio.sleep(0.01)
        assert now() - began < 0.5
    finally:
        telling.cancel()


async def test_vips_leave_a_drained_host_after_the_writes(one: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in flight through a VIP that moves is reset, and most is while the writes move."""
    monkeypatch.setattr(maintenance, "read", lambda: {"a": {"drained": True}})
    looks = asyncio.create_task(one.look_for_maintenance())
    await asyncio.sleep(0)
    at = now()
    assert one.drained
    assert not one.leaves(at)
    assert one.leaves(at + VIPS_LEAVE_AFTER)
    looks.cancel()


def test_one_that_was_drained_before_it_booted_takes_no_vip(
    guard: socket.socket, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "read", lambda: {"a": {"drained": True}})
    made = Observer(config.parse(DOCUMENT))
    assert made._channel  # pyright: ignore[reportPrivateUsage]
    with made._channel:  # pyright: ignore[reportPrivateUsage]
        assert made.leaves(now())
