"""What a VIP's holder tells of its clients: new ones at once, all of them in turn, never too many."""

from __future__ import annotations

import socket
import struct
from base64 import b64decode, b64encode
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from fournines.agent.observer.clients import A_BEAT, FORGOTTEN, MOST, SIZE, UNKNOWN, Roster, Told

VIPS = frozenset({"198.18.0.100"})


def client(number: int, vip: str = "198.18.0.100") -> bytes:
    return struct.pack("!HH4sI", 5000, 1 + number % 65535, socket.inet_aton(vip), number // 65535)


def position(number: int) -> bytes:
    return struct.pack("!II", 1000 + number, 2000 + number)


def clients(*numbers: int) -> dict[bytes, bytes]:
    return {client(number): position(number) for number in numbers}


def told_of(known: Mapping[bytes, bytes]) -> str:
    return b64encode(b"".join(connection + at for connection, at in known.items())).decode()


def said(roster: Roster) -> list[bytes]:
    packed = b64decode(roster.say(A_BEAT))
    return [packed[i : i + 12] for i in range(0, len(packed), SIZE)]


def test_a_new_connection_is_told_with_the_next_heartbeat_however_many_others_wait() -> None:
    roster = Roster()
    roster.see(clients(*range(10 * A_BEAT)))
    for _ in range(10):
        said(roster)
    roster.see(clients(*range(10 * A_BEAT + 1)))
    assert client(10 * A_BEAT) in said(roster)


def test_all_connections_are_told_in_turn() -> None:
    roster, everyone = Roster(), clients(*range(10 * A_BEAT))
    roster.see(everyone)
    for _ in range(3):
        assert {c for _ in range(10) for c in said(roster)} == everyone.keys()


def test_a_few_connections_are_told_with_every_heartbeat() -> None:
    roster = Roster()
    roster.see(clients(1, 2))
    assert [sorted(said(roster)) for _ in range(3)] == [sorted(clients(1, 2))] * 3


@given(st.lists(st.frozensets(st.integers(0, 200)), max_size=20))
def test_only_what_is_open_is_told_and_each_once_a_heartbeat(looks: list[frozenset[int]]) -> None:
    roster = Roster()
    for look in looks:
        roster.see(clients(*look))
        told = said(roster)
        assert len(told) == len(set(told)) == min(len(look), A_BEAT)
        assert set(told) <= clients(*look).keys()
        assert len(roster) == len(look)


def test_more_than_most_are_neither_told_nor_kept() -> None:
    roster, told = Roster(), Told()
    roster.see(clients(*range(MOST + 100)))
    assert len(roster) == MOST
    for start in range(0, MOST + 1000, 1000):
        told.hear(0.0, told_of(clients(*range(start, start + 1000))))
    assert len(told) == MOST
    assert client(0) not in told.take(VIPS)  # the one told longest ago went


def test_what_is_told_again_is_kept_and_what_is_not_is_forgotten() -> None:
    told = Told()
    told.hear(0.0, told_of(clients(1, 2)))
    told.hear(FORGOTTEN, told_of(clients(1)))
    told.hear(FORGOTTEN + 1, "")
    assert told.take(VIPS) == clients(1)


def test_a_takeover_takes_the_connections_of_its_vips_once() -> None:
    told, public = Told(), {client(2, "198.18.1.100"): UNKNOWN}
    told.hear(0.0, told_of(clients(1) | public))
    assert told.take(VIPS) == clients(1)
    assert told.take(VIPS) == {}
    assert told.take(frozenset({"198.18.1.100"})) == public


@given(st.integers(-100, 2000))
def test_no_more_are_told_than_there_is_room_for(room: int) -> None:
    roster = Roster()
    roster.see(clients(*range(A_BEAT + 10)))
    assert len(roster.say(Roster.fitting(room))) <= max(0, room)


def test_a_holder_takes_its_own_clients_too() -> None:
    roster, public = Roster(), {client(2, "198.18.1.100"): UNKNOWN}
    roster.see(clients(1) | public)
    roster.say(1)
    assert roster.take(VIPS) == clients(1)
    assert len(roster) == 1


def test_a_connection_is_told_where_it_is_now() -> None:
    roster, told = Roster(), Told()
    for at in (position(5), position(6)):
        roster.see({client(1): at})
        told.hear(0.0, roster.say(1))
    assert told.take(VIPS) == {client(1): position(6)}
