"""Heartbeats: what counts as heard, what as confirmed, and what an attacker or a bad network cannot do."""

from __future__ import annotations

from fournines.agent.guard.heartbeat import Links

NAMES = ("a", "b", "c")


def pair(secret: str = "s") -> tuple[Links, Links]:
    return Links("a", NAMES, secret), Links("b", NAMES, secret)


def exchange(one: Links, other: Links, now: float) -> None:
    """Until each has heard the other."""
    for _ in range(2):
        other.receive(now, one.beat(now, {})["b"])
        one.receive(now, other.beat(now, {})["a"])


def test_two_agents_find_each_other_and_carry_bodies() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    assert b.receive(2.0, a.beat(2.0, {"x": 1})["b"]) == "a"
    assert b.body("a") == {"x": 1}
    assert b.heard(2.0, 0.1) == {"a"}
    assert b.heard(3.0, 0.5) == frozenset()
    assert b.age("a", 2.5) == 0.5
    assert b.age("c", 2.5) is None


def test_a_datagram_counts_only_for_whom_it_was_made() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    to_b = a.beat(2.0, {})["b"]
    assert a.receive(2.0, to_b) == ""
    assert Links("c", NAMES, "s").receive(2.0, to_b) == ""


def test_another_secret_or_a_changed_byte_is_not_authentic() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    stranger = Links("a", NAMES, "other")
    assert b.receive(2.0, stranger.beat(2.0, {})["b"]) == ""
    good = bytearray(a.beat(2.0, {})["b"])
    good[-1] ^= 1
    assert b.receive(2.0, bytes(good)) == ""
    assert b.receive(2.0, b"") == ""


def test_a_replay_is_not_heard() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    first, second = a.beat(2.0, {})["b"], a.beat(2.1, {})["b"]
    assert b.receive(2.1, second) == "a"
    assert b.receive(2.2, second) == ""
    assert b.receive(2.2, first) == ""


def test_a_datagram_held_back_from_an_earlier_run_is_not_heard() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    held_back = a.beat(1.5, {})["b"]
    a = Links("a", NAMES, "s")
    exchange(a, b, 2.0)
    assert b.receive(2.5, held_back) == ""
    assert b.receive(2.6, a.beat(2.6, {})["b"]) == "a"


def test_a_recording_means_nothing_to_a_new_run_of_the_receiver() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    recording = a.beat(2.0, {})["b"]
    assert Links("b", NAMES, "s").receive(3.0, recording) == ""


def test_confirmed_counts_from_when_the_echoed_heartbeat_was_sent() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    b.receive(9.0, a.beat(2.0, {})["b"])  # seven seconds on the way
    assert a.receive(9.1, b.beat(9.1, {})["a"]) == "b"
    assert a.heard(9.1, 0.1) == {"b"}
    assert a.confirmed(9.1, 7.0) == frozenset()
    assert a.confirmed(9.1, 7.2) == {"b"}


def test_who_hears_without_being_heard_is_not_confirmed() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    for tick in range(20, 40):
        a.beat(tick / 10, {})  # lost
        a.receive(tick / 10, b.beat(tick / 10, {})["a"])
    assert a.heard(3.9, 0.1) == {"b"}
    assert a.confirmed(3.9, 1.0) == frozenset()
