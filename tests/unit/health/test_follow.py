"""What is known of hosts whose words come as they are said: who is gone, since when, and how old the rest is."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fournines.cloud.model import Cloud, Host
from fournines.engine.shell import Pipes, ShellHost
from fournines.errors import HostError
from fournines.health import follow
from fournines.health.cluster import Unknown
from fournines.health.follow import Follower, hosts_of
from fournines.health.snapshot import HostState
from fournines.services import load
from samples.agents import HOSTS, well

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def nobody(host: Host) -> ShellHost:
    raise HostError(f"{host.name} is not reachable", where=host.name)


@pytest.fixture
def cloud() -> Cloud:
    return load(EXAMPLE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def follower(cloud: Cloud, clock: Clock) -> Follower:
    made = Follower(cloud, nobody, clock)
    for number, host in enumerate(HOSTS):
        says(made, host, well(host, number))
    return made


def says(follower: Follower, host: str, document: dict[str, Any]) -> None:
    said = follow.understood(host, "1000.2", json.dumps(document), asked=1000.0, answered=1000.4)
    assert isinstance(said, HostState)
    follower.hear(host, said)


def without(host: str, number: int, departed: str) -> dict[str, Any]:
    document = copy.deepcopy(well(host, number))
    document["peers"][departed] |= {"confirmed": False, "departed": True}
    return document


def test_what_all_say_is_the_clouds_state(follower: Follower) -> None:
    assert follower.ready
    assert follower.seen().healthy
    assert follower.seen().sentence() == "acme is healthy: 3 hosts, ctl1 holds the VIPs, ctl2 takes the writes."


def test_a_host_that_a_peer_declares_dead_holds_nothing_any_more(follower: Follower, clock: Clock) -> None:
    clock.now += 0.6
    says(follower, "ctl3", without("ctl3", 2, "ctl1"))
    seen = follower.seen()
    assert seen.regions[0].vip_holders == ()
    assert isinstance(hosts_of(seen)["ctl1"], Unknown)
    assert any("declared it dead" in p.what and p.where == "ctl1" for p in seen.problems), seen.problems


def test_a_host_that_speaks_after_it_was_declared_dead_is_heard(follower: Follower, clock: Clock) -> None:
    clock.now += 0.6
    says(follower, "ctl3", without("ctl3", 2, "ctl1"))
    clock.now += 0.2
    says(follower, "ctl1", well("ctl1", 0))
    assert follower.seen().regions[0].vip_holders == ("ctl1",)


def test_silence_alone_says_that_a_host_is_gone(follower: Follower, clock: Clock) -> None:
    for _ in range(4):
        clock.now += 1.0
        for number, host in enumerate(HOSTS[:2]):
            says(follower, host, well(host, number))
    assert [u.host for u in follower.seen().regions[0].unknown] == ["ctl3"]
    assert follower.age < 1.0


def test_nobody_heard_makes_what_is_known_old(follower: Follower, clock: Clock) -> None:
    clock.now += 2.0
    assert follower.age == 2.0
    assert next(iter(follower.seen().regions[0].states.values())).age == pytest.approx(2.2, abs=1.0)


def test_nothing_is_told_before_everybody_had_a_chance(cloud: Cloud, clock: Clock) -> None:
    made = Follower(cloud, nobody, clock)
    assert not made.ready
    clock.now += follow.PATIENCE
    assert made.ready
    assert {u.what for u in made.seen().regions[0].unknown} == {"has not answered yet"}


class Lines:
    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    async def readuntil(self, separator: bytes = b"\n", /) -> bytes:
        if not self._lines:
            raise asyncio.IncompleteReadError(b"", None)
        return self._lines.pop(0)

    async def read(self, n: int = -1, /) -> bytes:
        return b""


class Talking(ShellHost):
    """Sends these lines, then its connection is lost."""

    def __init__(self, host: str, lines: list[bytes]) -> None:
        super().__init__(host)
        self._lines = lines
        self.closed = False

    @asynccontextmanager
    async def shell(self, script: str) -> AsyncIterator[Pipes]:  # pyright: ignore[reportIncompatibleMethodOverride]
        assert follow.STATE in script

        async def wait() -> int:
            return 0

        reader: Any = Lines(self._lines)
        writer: Any = None
        yield Pipes(writer, reader, reader, wait)

    async def close(self) -> None:
        self.closed = True


async def test_lines_of_a_host_become_words_and_a_lost_connection_is_made_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "AGAIN", 0.01)
    made: list[Talking] = []

    async def connect(host: Host) -> ShellHost:
        number = HOSTS.index(host.name)
        document = json.dumps(well(host.name, number)).encode()
        made.append(Talking(host.name, [b"1000.5 " + document + b"\n", b"1001.5 \n"]))
        return made[-1]

    follower = Follower(cloud, connect)
    running = asyncio.create_task(follower.run())
    try:
        async with asyncio.timeout(5):
            while len(made) < 6:
                await follower.changed(follower.version, 1.0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert follower.seen().healthy
    assert made[0].closed


async def test_a_host_that_refuses_says_why(cloud: Cloud) -> None:
    follower = Follower(cloud, nobody)
    running = asyncio.create_task(follower.run())
    try:
        async with asyncio.timeout(5):
            while not follower.ready:
                await follower.changed(follower.version, 1.0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert {u.what for u in follower.seen().regions[0].unknown} == {f"{h} is not reachable" for h in HOSTS}
    with pytest.raises(HostError):
        follower.reached("ctl1")


def test_the_program_on_the_host_sends_what_is_new(tmp_path: Path) -> None:
    import subprocess
    import sys

    state = tmp_path / "state.json"
    state.write_text("{}")
    program = Path(follow.__file__).with_name("follow_script.py")
    with subprocess.Popen([sys.executable, program, state], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout
            assert running.stdout.readline().endswith(" {}\n")
            fresh = tmp_path / "new"
            fresh.write_text('{"a": 1}')
            fresh.replace(state)
            assert running.stdout.readline().endswith(' {"a": 1}\n')
            assert running.stdout.readline().endswith(" \n")
            state.unlink()
            assert running.stdout.readline().endswith(" -\n")
        finally:
            running.kill()
