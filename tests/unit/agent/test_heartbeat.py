"""Heartbeats: what counts as heard, what as confirmed, and what an attacker or a bad network cannot do."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.agent.guard.heartbeat import (
    FRAME,
    NEVER,
    PROTOCOL,
    Endpoint,
    Links,
    Said,
    pair_name,
)

NAMES = ("a", "b", "c")


def links(me: str, protocol: int = PROTOCOL, secret: str = "s") -> Links:
    keys = {n: hmac.digest(secret.encode(), pair_name((me, n)).encode(), "sha256").hex() for n in NAMES if n != me}
    return Links(me, keys, protocol)


def pair() -> tuple[Links, Links]:
    return links("a"), links("b")


def beat(one: Links, at: float, to: str, said: Said = Said(), payload: bytes = b"") -> bytes:  # noqa: B008
    return one.beat(at, said, payload)[to]


def exchange(one: Links, other: Links, now: float, names: str = "ab") -> None:
    """Until each has heard the other, and both their echoes are known."""
    first, second = names
    for _ in range(3):
        other.receive(now, first, beat(one, now, second))
        one.receive(now, second, beat(other, now, first))


def test_two_guards_find_each_other_and_carry_what_they_say() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    said = Said("a", 0.35, frozenset("c"), True, True, Endpoint(True, held=True), 3)
    assert b.receive(2.0, "a", beat(a, 2.0, "b", said, b'{"x":1}')) == 1.0
    assert b.said("a") == said
    assert b.payload("a") == b'{"x":1}'
    assert b.heard(2.0, 0.1) == {"a"}
    assert b.heard(3.0, 0.5) == frozenset()
    assert b.age("a", 2.5) == 0.5
    assert b.age("c", 2.5) is None


def test_the_first_datagrams_only_make_each_other_known() -> None:
    a, b = pair()
    assert b.receive(1.0, "a", beat(a, 1.0, "b")) is None
    assert b.heard(1.0, 1.0) == frozenset()
    assert a.receive(1.1, "b", beat(b, 1.1, "a")) == NEVER  # answers a challenge: it is there, and promises nothing
    assert a.heard(1.1, 1.0) == {"b"}
    assert b.receive(1.2, "a", beat(a, 1.2, "b")) == 1.1
    assert a.receive(1.3, "b", beat(b, 1.3, "a")) == 1.2


def test_a_datagram_counts_only_for_whom_it_was_made() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    to_b = beat(a, 2.0, "b")
    assert a.receive(2.0, "b", to_b) is None
    assert links("c").receive(2.0, "a", to_b) is None
    assert b.receive(2.0, "c", to_b) is None


def test_a_host_that_is_taken_over_cannot_speak_for_a_third() -> None:
    """b has the keys of a-b and b-c only: whatever it makes, c's address is not its own, and c's key with a is not."""
    a, b = pair()
    c = links("c")
    exchange(a, c, 1.0, "ac")
    exchange(b, c, 1.0, "bc")
    exchange(a, b, 1.0)
    vote = Said("b", 60.0)
    for to in ("a", "c"):
        forged = beat(b, 2.0, to, vote)
        assert a.receive(2.0, "c", forged) is None
    claims_to_be_c = Links("c", {"a": hmac.digest(b"s", pair_name("ab").encode(), "sha256").hex()})
    for _ in range(3):
        assert a.receive(2.0, "c", beat(claims_to_be_c, 2.0, "a", vote)) is None
    assert a.said("c") == Said()
    assert a.dropped == {"not authentic": 5}


def test_another_secret_or_a_changed_byte_is_not_authentic() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    assert b.receive(2.0, "a", beat(links("a", secret="other"), 2.0, "b")) is None
    good = beat(a, 2.0, "b", Said("a", 0.35), b"{}")
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1
        assert b.receive(2.0, "a", bytes(bad)) is None
    for length in (0, 1, 31, 32, 33, 80, len(good) - 1):
        assert b.receive(2.0, "a", good[:length]) is None
    assert b.dropped.keys() - {"unanswered"} == {"not authentic"}
    assert b.receive(2.0, "a", good) is not None


def test_a_replay_is_not_heard() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    first, second = beat(a, 2.0, "b"), beat(a, 2.1, "b")
    assert b.receive(2.1, "a", second) is not None
    assert b.receive(2.2, "a", second) is None
    assert b.receive(2.2, "a", first) is None
    assert b.dropped == {"unanswered": 1, "old": 2}


def test_a_datagram_held_back_from_an_earlier_run_is_not_heard() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    held_back = beat(a, 1.5, "b")
    a = links("a")
    exchange(a, b, 2.0)
    assert b.receive(2.5, "a", held_back) is None
    assert b.receive(2.6, "a", beat(a, 2.6, "b")) is not None


def test_a_recording_means_nothing_to_a_new_run_of_the_receiver() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    recording = beat(a, 2.0, "b", Said("b", 1.5))
    again = links("b")
    again.beat(3.0, Said())
    assert again.receive(3.0, "a", recording) is None
    assert again.said("a") == Said()


def test_what_is_replayed_with_a_good_hmac_takes_nothing_away() -> None:
    """Old datagrams once set the echo before they were verified: a replay of them took every confirmation away."""
    a, b = pair()
    before = [beat(a, 0.1 * n, "b") for n in range(5)]  # of before they knew each other
    old = links("a")
    earlier = [beat(old, 0.5, "b") for _ in range(5)]  # of another run
    exchange(a, b, 1.0)
    said = Said("b", 0.35)
    a_to_b = [beat(a, 1.5, "b", said)]
    assert b.receive(1.5, "a", a_to_b[0]) == 1.0
    for tick in range(20, 60):
        at = tick / 20
        for datagram in (*before, *earlier, *a_to_b):
            assert b.receive(at, "a", datagram) is None
        a_to_b.append(beat(a, at, "b", said))
        assert b.receive(at, "a", a_to_b[-1]) is not None
        assert b.said("a") == said
        assert a.receive(at, "b", beat(b, at, "a")) == at  # b still echoes the newest
        assert a.confirmed(at, 0.01) == {"b"}
        assert b.confirmed(at, 0.06) == {"a"}


def test_replays_keep_no_new_run_out_for_longer_than_a_heartbeat() -> None:
    a, b = pair()
    old = [beat(links("a"), 0.5, "b") for _ in range(50)]
    exchange(a, b, 1.0)
    a = links("a")
    for at in (2.0, 2.05, 2.1):
        for datagram in old:
            b.receive(at, "a", datagram)
        b.receive(at, "a", beat(a, at, "b"))
        a.receive(at, "b", beat(b, at, "a"))
    assert b.heard(2.1, 0.06) == {"a"}


def test_confirmed_counts_from_when_the_echoed_heartbeat_was_sent() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    b.receive(9.0, "a", beat(a, 2.0, "b"))  # seven seconds on the way
    assert a.receive(9.1, "b", beat(b, 9.1, "a", Said("a", 0.35))) == 2.0  # and so does the vote
    assert a.heard(9.1, 0.1) == {"b"}
    assert a.confirmed(9.1, 7.0) == frozenset()
    assert a.confirmed(9.1, 7.2) == {"b"}


def test_who_hears_without_being_heard_is_not_confirmed() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    for tick in range(20, 40):
        a.beat(tick / 10, Said())  # lost
        a.receive(tick / 10, "b", beat(b, tick / 10, "a"))
    assert a.heard(3.9, 0.1) == {"b"}
    assert a.confirmed(3.9, 1.0) == frozenset()


@pytest.mark.parametrize(("mine", "yours"), [(PROTOCOL, PROTOCOL + 1), (PROTOCOL, PROTOCOL - 1)])
def test_neighbouring_versions_hear_each_other(mine: int, yours: int) -> None:
    a, b = links("a", mine), links("b", yours)
    exchange(a, b, 1.0)
    assert a.receive(2.0, "b", beat(b, 2.0, "a", Said("a", 0.35))) == 1.0
    assert b.receive(2.0, "a", beat(a, 2.0, "b", Said("a", 0.35))) == 2.0


@pytest.mark.parametrize("other", [0, PROTOCOL - 2, PROTOCOL + 2, 255])
def test_others_do_not_and_are_counted(other: int) -> None:
    a, b = links("a"), links("b", other)
    for _ in range(3):
        assert a.receive(1.0, "b", beat(b, 1.0, "a")) is None
    assert a.dropped == {f"protocol {other}": 3}


def forged(sender: Links, at: float, document: bytes) -> bytes:
    """As `sender` would send it, with another document: by who has the key."""

    class Raw(Said):
        def to_json(self) -> Any:
            return json.loads(document)

    return beat(sender, at, "b", Raw())


@pytest.mark.parametrize(
    "document",
    [
        b"[]", b"null", b"7", b'"x"', b'{"vote": 7}', b'{"vote": null}', b'{"lasts": "x"}', b'{"lasts": -1}',
        b'{"lasts": 61}', b'{"lasts": 1e999}', b'{"lasts": NaN}', b'{"silent": 7}', b'{"silent": [7]}',
        b'{"lapses": 1e999}', b'{"lapses": "1"}', b'{"lapses": -1}',
        b'{"silent": [[]]}', b'{"endpoint": 7}', b'{"vote": "%s"}' % (b"x" * 256),
    ],
)  # fmt: skip
def test_a_malformed_document_is_dropped_and_counted_and_changes_nothing(document: bytes) -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    b.receive(1.5, "a", beat(a, 1.5, "b", Said("a", 0.35)))
    assert b.receive(2.0, "a", forged(a, 2.0, document)) is None
    assert b.dropped["malformed"] == 1
    assert b.said("a") == Said("a", 0.35)
    assert b.heard(2.0, 0.4) == frozenset()
    assert b.receive(2.1, "a", beat(a, 2.1, "b")) is not None


@pytest.mark.parametrize(
    "document", [b'{"mood": "fine"}', b'{"vote": "a", "lasts": 1, "endpoint": ["held", "shiny"]}', b"{}"]
)
def test_what_a_newer_guard_says_beyond_this_is_ignored(document: bytes) -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    assert b.receive(2.0, "a", forged(a, 2.0, document)) is not None
    assert b.said("a").vote in ("", "a")


NAME = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=63)


@given(
    st.builds(
        Said,
        NAME | st.just(""),
        st.floats(0, 60),
        st.frozensets(NAME),
        st.booleans(),
        st.booleans(),
        st.none() | st.builds(Endpoint, *[st.booleans()] * 5),
    )
)
def test_documents_survive_the_wire(said: Said) -> None:
    assert Said.from_json(json.loads(json.dumps(said.to_json()))) == said


@pytest.mark.parametrize("voters", [3, 5, 7])
def test_the_largest_datagram_fits_one_frame_at_the_longest_names(voters: int) -> None:
    names = [f"{n}{'x' * 62}" for n in range(voters)]
    group = Links(names[0], dict.fromkeys(names[1:], "00" * 32))
    said = Said(names[0], 60.0, frozenset(names[1:]), True, True, Endpoint(*[True] * 5))
    room = group.room(said)
    assert room > 0
    for datagram in group.beat(1.0, said, b"x" * room).values():
        assert len(datagram) == FRAME
    for datagram in group.beat(1.0, said, b"x" * (room + 1)).values():
        assert len(datagram) == FRAME - room  # without the payload, the guard's own word goes on


def test_a_payload_stays_known_until_the_next_and_is_forgotten_with_the_run() -> None:
    a, b = pair()
    exchange(a, b, 1.0)
    b.receive(2.0, "a", beat(a, 2.0, "b", payload=b"1"))
    b.receive(2.1, "a", beat(a, 2.1, "b"))
    assert b.payload("a") == b"1"
    a = links("a")
    exchange(a, b, 3.0)
    assert b.payload("a") == b""
