"""Departed hosts: who is silent, who has a say, and that neither load nor a partition makes a living host depart."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.agent.guard import echo
from fournines.agent.guard.departure import PROOF, Echoes, departed

BEAT, DEAD = 0.05, 0.4


class World:
    """One peer, asked once a heartbeat. `hears`: its heartbeats arrive; `kernel`: its kernel answers."""

    def __init__(self) -> None:
        self.echoes = Echoes(["b"], DEAD, BEAT)
        self.at = 0.0
        self.heard: float | None = None

    def run(self, seconds: float, *, hears: bool, kernel: bool) -> None:
        for _ in range(round(seconds / BEAT)):
            self.at += BEAT
            if hears:
                self.heard = self.at
            if self.echoes.due(self.at, self.ages) and kernel:
                self.echoes.answered("b")

    @property
    def ages(self) -> Mapping[str, float | None]:
        return {"b": None if self.heard is None else self.at - self.heard}

    @property
    def silent(self) -> bool:
        return bool(self.echoes.silent(self.at, self.ages, DEAD, frozenset()))


@pytest.fixture
def world() -> World:
    well = World()
    well.run(3 * PROOF, hears=True, kernel=True)
    return well


def test_a_host_without_power_is_silent_soon_after_dead_host(world: World) -> None:
    world.run(DEAD - 2 * BEAT, hears=False, kernel=False)
    assert not world.silent
    world.run(4 * BEAT, hears=False, kernel=False)
    assert world.silent


def test_a_host_whose_agent_died_is_never_silent(world: World) -> None:
    world.run(10.0, hears=False, kernel=True)
    assert not world.silent


def test_a_host_behind_a_firewall_is_never_silent() -> None:
    world = World()
    world.run(3 * PROOF, hears=True, kernel=False)
    world.run(10.0, hears=False, kernel=False)
    assert not world.silent


def test_who_comes_back_is_not_silent(world: World) -> None:
    world.run(5.0, hears=False, kernel=False)
    world.run(BEAT, hears=True, kernel=True)
    assert not world.silent


def test_an_agent_that_was_stopped_asks_anew_before_it_believes_old_news(world: World) -> None:
    world.at += 30.0
    assert not world.silent
    world.run(2 * BEAT, hears=False, kernel=False)  # the first answers are on their way
    assert not world.silent
    world.run(BEAT, hears=True, kernel=True)
    assert not world.silent


def test_one_lost_answer_makes_nobody_silent(world: World) -> None:
    world.run(DEAD / 2, hears=False, kernel=False)
    world.run(BEAT, hears=False, kernel=True)
    world.run(DEAD / 2, hears=False, kernel=False)
    assert not world.silent


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=200))
def test_silent_means_unheard_and_unanswered_for_long(history: list[tuple[bool, bool]]) -> None:
    world, last = World(), 0.0
    world.run(3 * PROOF, hears=True, kernel=True)
    for hears, kernel in history:
        before = world.at
        world.run(BEAT, hears=hears, kernel=kernel)
        if hears:
            last = before + BEAT
        assert not world.silent or world.at - last >= DEAD - 1e-9


def test_a_majority_that_agrees_gives_a_host_up() -> None:
    assert departed(3, frozenset("c"), {"b": frozenset("c")}) == frozenset("c")


def test_who_is_still_heard_by_one_of_us_has_not_departed() -> None:
    assert departed(3, frozenset("c"), {"b": frozenset()}) == frozenset()


def test_the_side_that_was_cut_off_gives_nobody_up() -> None:
    assert departed(3, frozenset("bc"), {}) == frozenset()


def test_two_hosts_cannot_tell() -> None:
    assert departed(2, frozenset("b"), {}) == frozenset()


@pytest.mark.parametrize("group", range(3, 8))
def test_no_partition_makes_two_sides_give_each_other_up(group: int) -> None:
    names = "abcdefg"[:group]
    for size in range(group + 1):
        for side in combinations(names, size):
            other = frozenset(names) - set(side)
            gave_up = [
                bool(departed(group, frozenset(names) - mine, dict.fromkeys(sorted(mine)[1:], frozenset(names) - mine)))
                for mine in (frozenset(side), other)
                if mine and mine != frozenset(names)
            ]
            assert sum(gave_up) <= 1


def test_two_hosts_depart_in_one_beat() -> None:
    gone = frozenset("de")
    assert departed(5, gone, {"b": gone, "c": gone}) == gone
    assert departed(5, gone, {"b": gone, "c": frozenset("d")}) == frozenset("d")


def test_without_a_majority_in_contact_nobody_departs() -> None:
    gone = frozenset("cde")
    assert departed(5, gone, {"b": gone}) == frozenset()


def test_who_is_in_contact_has_not_departed_whatever_is_said() -> None:
    assert departed(3, frozenset("b"), {"b": frozenset(), "c": frozenset("b")}) == frozenset()


class TestPatience:
    """While a voter is away, the survivors are slower to give one another up."""

    def test_a_host_that_is_not_gone_yet_has_the_patience(self, world: World) -> None:
        world.run(3 * DEAD, hears=False, kernel=False)
        assert world.echoes.silent(world.at, world.ages, 1.5, frozenset()) == frozenset()
        world.run(1.0, hears=False, kernel=False)
        assert world.echoes.silent(world.at, world.ages, 1.5, frozenset()) == frozenset("b")

    def test_a_host_that_has_departed_stays_so_when_patience_grows_with_that(self, world: World) -> None:
        """Its own departure makes the group patient: that must not bring it back."""
        world.run(DEAD + 2 * BEAT, hears=False, kernel=False)
        gone = world.echoes.silent(world.at, world.ages, 0.35, frozenset())
        assert gone == frozenset("b")
        for _ in range(40):
            world.run(BEAT, hears=False, kernel=False)
            assert world.echoes.silent(world.at, world.ages, 1.5, gone) == gone

    def test_patience_below_dead_host_makes_nobody_silent_sooner(self, world: World) -> None:
        world.run(DEAD - 2 * BEAT, hears=False, kernel=False)
        assert world.echoes.silent(world.at, world.ages, 0.07, frozenset()) == frozenset()


class TestDeaf:
    """A peer that is heard, and says that it hears no majority: no answer reaches it."""

    def says(self, world: World, seconds: float, deaf: bool) -> None:
        for _ in range(round(seconds / BEAT)):
            world.run(BEAT, hears=True, kernel=True)
            world.echoes.heard("b", world.at, deaf)

    def test_it_is_silent_after_dead_host(self, world: World) -> None:
        self.says(world, DEAD, True)
        assert not world.silent
        self.says(world, 2 * BEAT, True)
        assert world.silent

    def test_after_the_patience_while_a_voter_is_away(self, world: World) -> None:
        self.says(world, 3 * DEAD, True)
        assert not world.echoes.silent(world.at, world.ages, 1.5, frozenset())
        self.says(world, 1.0, True)
        assert world.echoes.silent(world.at, world.ages, 1.5, frozenset())

    def test_one_that_hears_again_is_not_silent(self, world: World) -> None:
        self.says(world, 2 * DEAD, True)
        self.says(world, BEAT, False)
        assert not world.silent
        self.says(world, DEAD, True)
        assert not world.silent


def test_an_echo_reply_is_told_from_what_else_a_raw_socket_hears() -> None:
    request = echo.request(77, 1)
    assert echo.checksum(request) == 0  # RFC 1071: over a packet with its checksum
    header = bytes([0x45]) + bytes(19)
    assert not echo.is_reply(header + request, 77)
    reply = struct.pack("!BBHHH", 0, 0, 0, 77, 1)
    assert echo.is_reply(header + reply, 77)
    assert not echo.is_reply(header + reply, 78)
    assert not echo.is_reply(header, 77)
    assert echo.is_reply(bytes([0x46]) + bytes(23) + reply, 77)  # a header with options
