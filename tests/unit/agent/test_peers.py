"""What guard and observer of one host tell each other, and what the peers' observers say by them."""

from __future__ import annotations

import random
import zlib
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from fournines.agent.guard import channel
from fournines.agent.guard.heartbeat import Endpoint, Links, Said
from fournines.agent.observer.galera_files import View
from fournines.agent.observer.peers import OBSERVER_RETURNS, Peers, packed, unpacked
from fournines.agent.observer.primary import Kind, Report
from fournines.agent.observer.writer import Health, Node, Row


def head(name: str, heard: float, echoed: float) -> bytes:
    return f"{name} {heard} {echoed}".encode()


def told(to: Peers, at: float, *bodies: bytes, **said: Any) -> list[str]:
    known = {"at": at, "started": 0.0, "peers": {n: [at, at] for n in to.others}}
    return to.hear(at, {**known, **said}, bodies)


def test_bodies_arrive_with_when_they_were_heard_and_what_they_answer() -> None:
    peers = Peers(["b", "c"])
    assert told(peers, 10.0, head("b", 9.9, 9.8), b'{"x":1}') == ["b"]
    assert peers.body("b") == {"x": 1}
    assert peers.heard(10.0, 0.2) == {"b"}
    assert peers.current(10.0, 0.1) == frozenset()
    assert peers.current(10.0, 0.3) == {"b"}


@pytest.mark.parametrize(
    "body", [b"", b"x", b"{", b"[]", b"7", b"\xff\x00", zlib.compress(b"[1]"), b"{" * 9999, b"[" * 99]
)
def test_a_malformed_body_harms_nobody_else(body: bytes) -> None:
    peers = Peers(["b", "c"])
    told(peers, 9.0, head("b", 9.0, 9.0), b'{"x":1}')
    assert told(peers, 10.0, head("b", 9.9, 9.8), body, head("c", 9.9, 9.8), b'{"y":2}') == ["c"]
    assert peers.body("b") == {"x": 1}
    assert peers.body("c") == {"y": 2}


def test_a_stranger_s_body_is_nobody_s() -> None:
    peers = Peers(["b"])
    assert told(peers, 10.0, head("z", 9.9, 9.8), b"{}", peers={"z": [1.0, 1.0]}) == []
    assert peers.others == ("b",)


def test_a_silent_observer_of_a_living_host_is_back_soon_and_a_departed_one_is_not() -> None:
    peers = Peers(["b", "c"])
    told(peers, 10.0, head("b", 10.0, 10.0), b"{}", head("c", 10.0, 10.0), b"{}")
    assert peers.heard(11.5, 0.8) == {"b", "c"}
    assert peers.heard(10.1 + OBSERVER_RETURNS, 0.8) == frozenset()
    told(peers, 11.0, silent=["b"])
    assert peers.heard(11.0, 0.8) == {"c"}
    told(peers, 11.0, departed=["c"])
    assert peers.heard(11.0, 2.0) == {"b"}


def test_a_guard_that_is_silent_or_young_knows_nobody() -> None:
    peers = Peers(["b"])
    assert not peers.acquainted(10.0, 0.3)
    told(peers, 10.0)
    assert peers.acquainted(10.2, 0.3)
    assert not peers.acquainted(10.4, 0.3)
    told(peers, 10.0, started=9.5)
    assert not peers.acquainted(10.2, 0.3)


def largest(names: list[str], rng: random.Random) -> dict[str, Any]:
    """All that an observer can say at once: of a member of a component that is not Primary."""
    uuids = [str(UUID(int=rng.getrandbits(128))) for _ in range(len(names) + 2)]
    nodes = frozenset(uuids[2:])
    writer = Node(Health.GOOD, uuids[0], Row(names[0], 10**9), 10**9, frozenset(names), True, True)
    report = Report(
        Kind.RUNNING, uuids[0], 10**12, uuids[1], View(f"{uuids[1]}:10000", nodes), 10**12, True, True, nodes, names[0]
    )
    said = {"writer": writer.to_json(), "galera": report.to_json(), "acting": True, "node": uuids[1]}
    return {**said, "brokers": names, "vips": True, "flows": ""}


@pytest.mark.parametrize("voters", [3, 5, 7])
@pytest.mark.parametrize("length", [4, 12, 63])
def test_the_largest_body_fits_beside_the_guard_s_own_word(voters: int, length: int) -> None:
    """Names of letters by chance: those of hosts, with much in common, compress better."""
    rng = random.Random(voters * length)
    names = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length)) for _ in range(voters)]
    links = Links(names[0], dict.fromkeys(names[1:], "00" * 32))
    room = links.room(Said(names[0], 1.5, frozenset(names[1:]), True, True, Endpoint(*[True] * 5)))
    body = largest(names, rng)
    sent = packed(body, room)
    assert len(sent) <= room
    assert unpacked(sent) == body


class TestChannel:
    @pytest.fixture
    def ends(self, tmp_path: Path) -> Any:
        one, other = channel.bind(tmp_path / "one"), channel.bind(tmp_path / "other")
        yield one, other, tmp_path / "other"
        one.close()
        other.close()

    def test_any_bytes_arrive_as_they_are(self, ends: Any) -> None:
        one, other, path = ends
        parts = (b"a 1 2", bytes(range(256)), b"", b"\0\0")
        assert channel.send(one, path, {"at": 1.0}, *parts)
        assert channel.receive(other) == ({"at": 1.0}, list(parts))
        assert channel.receive(other) is None
        assert path.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("datagram", [b"", b"x", b"\0\0\0\x09{}", b"\0\0\0\x02[]", b"\0\0\0\x02{}\0"])
    def test_what_is_not_one_is_an_error(self, ends: Any, datagram: bytes) -> None:
        one, other, path = ends
        one.sendto(datagram, str(path))
        with pytest.raises(ValueError):
            channel.receive(other)

    def test_nobody_there_is_no_error(self, ends: Any, tmp_path: Path) -> None:
        assert not channel.send(ends[0], tmp_path / "nobody", {})
