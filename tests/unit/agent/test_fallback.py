"""When all guards may be dead: the VIP stays only where no other host can have been given it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fournines.agent.guard import fallback, gate
from fournines.agent.guard.fallback import ANSWERS, AT_ONCE, EXTENDS, LISTEN, LOOK, STALE, Fallback
from fournines.agent.guard.heartbeat import Links, Said
from fournines.agent.guard.votes import FALLBACK, GUARD_DEAD, MARGIN
from fournines.timing import profile
from samples.guards import configuration, key

ADDRESS = {name: f"198.18.0.{ord(name)}" for name in "abcde"}


class Wire:
    """The world as the fallback of host a sees it. talks: guards that are heard; young: those that have just started;
    answers: kernels that do."""

    def __init__(self, voters: str) -> None:
        self.at = 100.0
        self.voters, self.talks, self.young, self.answers = voters, set[str](), set[str](), set(voters) - {"a"}
        self._links = {n: Links(n, {"a": key("a", n)}) for n in voters if n != "a"}
        self._asked: list[str] = []

    def ask(self, name: str) -> None:
        self._asked.append(name)

    def heard(self) -> Iterator[str]:
        asked, self._asked = self._asked, []
        return iter([n for n in asked if n in self.answers])

    def recvfrom(self, _: int) -> tuple[bytes, tuple[str, int]]:
        self.at += 0.05
        for name in sorted(self.talks | self.young):
            said = Said("a", 0.35, young=name not in self.talks)
            datagram = self._links[name].beat(self.at, said)["a"]
            return bytes([0x45]) + bytes(19) + struct.pack("!HHHH", 9201, 9201, 8, 0) + datagram, (ADDRESS[name], 0)
        raise TimeoutError

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None: ...

    def bind(self, _: object) -> None: ...

    def settimeout(self, _: float) -> None: ...


@pytest.fixture(params=["abc", "abcde"])
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Wire:
    made = Wire(request.param)
    monkeypatch.setattr(fallback, "now", lambda: made.at)
    monkeypatch.setattr(fallback.socket, "socket", lambda *_: made)

    class Echo:
        def __init__(self, *_: object) -> None:
            self.ask, self.answers = made.ask, made.heard

    monkeypatch.setattr(fallback, "Echo", Echo)
    return made


def watcher(wire: Wire) -> Fallback:
    return Fallback(configuration("a", wire.voters, "abc"))


def test_when_no_guard_is_heard_and_kernels_answer_it_stays(wire: Wire) -> None:
    watched, signed = watcher(wire), wire.at - STALE
    for _ in range(20):
        assert watched.stays(True, signed)
        wire.at += LOOK
    assert "no voter's guard is heard" in watched.why


def test_a_guard_that_lives_ends_it_for_good(wire: Wire) -> None:
    """Also when this host is cut off afterwards, and hears it no more: it may have voted for another host since."""
    watched, signed = watcher(wire), wire.at - STALE
    wire.talks = {"b"}
    while wire.at - signed <= AT_ONCE + LOOK:
        assert not watched.stays(True, signed)
        wire.at += LOOK
    assert "the guard of b lives" in watched.why
    wire.talks = set()
    for _ in range(20):
        assert not watched.stays(True, signed)
        wire.at += LOOK


def test_guards_that_die_within_a_moment_of_one_another_die_at_once(wire: Wire) -> None:
    watched, signed = watcher(wire), wire.at - STALE
    wire.talks = {"b"}
    assert not watched.stays(True, signed)
    wire.talks = set()
    assert watched.stays(True, signed)


def test_a_guard_that_crashes_again_and_again_counts_as_dead(wire: Wire) -> None:
    wire.young = {"b"}
    assert watcher(wire).stays(True, wire.at - STALE)


def test_a_cut_off_host_gives_up_at_once_and_for_good(wire: Wire) -> None:
    watched, signed = watcher(wire), wire.at - STALE
    assert watched.stays(True, signed)
    wire.answers, cut = set(), wire.at
    while watched.stays(True, signed):
        wire.at += LOOK
    assert wire.at - cut <= ANSWERS + LOOK + LISTEN
    wire.answers = set(wire.voters) - {"a"}
    wire.at += 1.0
    assert not watched.stays(True, signed)


def test_half_of_the_voters_kernels_are_no_majority(wire: Wire) -> None:
    most = len(wire.voters) // 2  # beside its own
    wire.answers = set(sorted(wire.answers)[: most - 1])
    assert not watcher(wire).stays(True, wire.at - STALE)
    wire.answers = set("bcde"[:most]) & set(wire.voters)
    assert watcher(wire).stays(True, wire.at - STALE)


def test_what_is_not_here_is_never_taken(wire: Wire) -> None:
    assert not watcher(wire).stays(False, wire.at - STALE)


def test_another_s_datagram_says_nothing(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not authentic: whoever forges it would take the VIP from a cloud whose guards are all dead."""
    wire._links["b"] = Links("b", {"a": "00" * 32})
    wire.talks = {"b"}
    assert watcher(wire).stays(True, wire.at - STALE)


@pytest.mark.parametrize("name", ["lan", "wan"])
def test_its_figures_fit_the_votes(name: str) -> None:
    t = profile(name)
    assert GUARD_DEAD - min(t.vip_lease, 0.35) + MARGIN >= AT_ONCE  # nobody has moved its vote by then
    assert t.dead_host > ANSWERS
    assert EXTENDS < FALLBACK
    assert STALE + LOOK + LISTEN <= AT_ONCE + 1e-9  # at least one look falls into it


class TestGate:
    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        told: list[Any] = []
        monkeypatch.setattr(gate, "_open", lambda vips, seconds: told.append(round(seconds, 3)))
        monkeypatch.setattr(gate, "revoke", lambda vips: told.append("shut"))
        return told

    @pytest.mark.parametrize(
        ("clock", "said"),
        [
            ([10.0, 10.001], [0.35]),
            ([10.0, 10.04], [0.35]),
            ([10.0, 10.2], [0.35, "shut"]),  # stopped before the kernel was told: it would be open until 10.55
            ([10.0, 99.0], [0.35, "shut"]),
            ([10.4, 10.4], ["shut"]),
        ],
    )
    def test_a_grant_that_comes_late_is_taken_back(
        self, clock: list[float], said: list[Any], told: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moments = iter(clock)
        monkeypatch.setattr(gate, "now", lambda: next(moments))
        assert gate.grant(["198.18.0.100"], 10.35) == ("shut" not in said)
        assert told == said


def test_a_sign_that_was_never_given(tmp_path: Path) -> None:
    assert fallback.last_sign(tmp_path / "none") == float("-inf")
