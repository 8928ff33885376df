"""The guard's wiring: an error in one step ends no other; who may speak; what the observer is told; what is stale."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fournines.agent.guard import channel, guard, lease, vip
from fournines.agent.guard.config import Address, Vip
from fournines.agent.guard.guard import STALE, Guard, read_vote, write_vote
from fournines.agent.guard.lease import ACQUAINTANCE, GRACE, STANDS_BACK, TAKES, Lease
from samples.guards import ADDRESSES, VIP, World, configuration


@pytest.fixture
def world() -> World:
    made = World("abc", "abc", random.Random(3))
    made.run(4.0)
    assert made.serving == ["a"]
    return made


def guard_of(world: World, name: str) -> Guard:
    running = world.hosts[name].guard
    assert running
    return running


def test_an_error_in_one_step_stops_no_heartbeat(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host is heard, votes for nobody, and its right ends by itself."""

    def fails(*_: object) -> Any:
        raise KeyError("odd")

    one = guard_of(world, "c")
    monkeypatch.setattr(one, "look_for_departed", fails)
    monkeypatch.setattr(World, "_complain", staticmethod(lambda *_: None))
    world.run(2.0)
    for other in "ab":
        assert guard_of(world, other).links.heard(world.at, 0.1) >= {"c"}
        assert guard_of(world, other).links.said("c").vote == ""
    assert world.serving == ["a"]


def test_a_datagram_from_another_address_is_nobody_s(world: World) -> None:
    a, b = guard_of(world, "a"), guard_of(world, "b")
    with world.on(world.hosts["b"]):
        datagram = b.beat(world.at, lambda _: None)["a"]
    before = a.links.heard_at("b")
    with world.on(world.hosts["a"]):
        a.hear(world.at + 1, ADDRESSES["c"], datagram)
        a.hear(world.at + 1, "203.0.113.9", datagram)
        assert a.links.heard_at("b") == before
        a.hear(world.at + 1, ADDRESSES["b"], datagram)
        assert a.links.heard_at("b") == world.at + 1


def test_what_the_observer_says_is_passed_on_once_and_not_when_it_is_old(world: World) -> None:
    a, b = guard_of(world, "a"), guard_of(world, "b")
    for age, arrives in ((0.0, True), (STALE + 0.1, False)):
        b._heard_from.clear()
        a._payload = world.at - age, b'{"age":%d}' % age
        world.run(0.2)
        assert ("a" in b._heard_from) == arrives
    assert b.links.payload("a") == b'{"age":0}'


def test_the_observer_is_told_each_word_once(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "OBSERVER", tmp_path / "observer")
    observer, by = channel.bind(tmp_path / "observer"), channel.bind(tmp_path / "guard")
    a, b = guard_of(world, "a"), guard_of(world, "b")
    a._payload = world.at, b"\0word"
    world.run(0.2)
    b._tell(by, world.at)
    b._tell(by, world.at)
    first, second = channel.receive(observer), channel.receive(observer)
    assert first and second
    assert first[1][1::2] == [b"\0word"] and second[1] == []
    assert first[0]["voters"] == ["b", "a", "c"] and first[0]["vote"] == "a"
    by.close()
    observer.close()


def test_a_silent_observer_takes_nothing_from_the_vip(world: World) -> None:
    world.run(20.0)  # nobody here has an observer
    assert world.serving == ["a"]


def test_the_vote_is_remembered_whole(tmp_path: Path) -> None:
    path = tmp_path / "vote"
    assert read_vote(path) == ""
    write_vote("ctl1", path)
    assert read_vote(path) == "ctl1"
    with pytest.raises(OSError):
        write_vote("ctl2", tmp_path / "none" / "vote")


class TestLease:
    @pytest.fixture
    def tracked(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        tracked: list[int] = []
        monkeypatch.setattr(vip.Keepalived, "track", lambda _, value: tracked.append(value))
        monkeypatch.setattr(lease.gate, "grant", lambda *_: True)
        monkeypatch.setattr(lease, "say", lambda _: None)
        return tracked

    def lease(self) -> Lease:
        made = Lease(configuration("a", "abc", "abc"), 0.0)
        made.held = frozenset({VIP})
        return made

    def vote(self, one: Lease, at: float) -> None:
        for voter in "ab":
            one.voted(voter, at, 0.35)

    def test_a_lapse_that_ends_in_time_moves_no_address(self, tracked: list[int]) -> None:
        one = self.lease()
        self.vote(one, 10.0)
        one.renew(10.0, [], False, True)
        one.renew(10.4, [], True, True)
        one.renew(10.0 + GRACE - 0.01, [], True, True)
        assert tracked == [vip.GRANTED]
        one.renew(10.0 + GRACE + 0.01, [], True, True)
        assert tracked[-1] == vip.FORBIDDEN

    def test_who_has_just_taken_the_addresses_waits_for_the_votes(
        self, tracked: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Backups that give them up again at once take them in turns until the votes come."""
        one = self.lease()
        one.held = frozenset()
        monkeypatch.setattr(vip, "local_addresses", lambda: frozenset({VIP}))
        one.look_for_addresses(10.0)
        assert one.held
        one.renew(10.0 + GRACE - 0.01, [], False, True)
        assert tracked == [vip.STANDBY]
        one.renew(10.0 + GRACE - 0.01, [guard.Endpoint(granted=True)], False, True)
        assert tracked[-1] == vip.FORBIDDEN, "another host serves it"
        one.renew(10.0 + GRACE - 0.01, [], False, True)
        assert tracked[-1] == vip.STANDBY
        one.renew(10.0 + GRACE + 0.01, [], False, True)
        assert tracked[-1] == vip.FORBIDDEN

    def test_unless_another_host_has_the_votes(self, tracked: list[int]) -> None:
        one = self.lease()
        self.vote(one, 10.0)
        one.renew(10.0, [], False, True)
        one.renew(10.4, [guard.Endpoint(granted=True)], False, True)
        assert tracked == [vip.GRANTED, vip.FORBIDDEN]

    def test_a_new_guard_leaves_the_file_of_the_last_one_until_it_knows_somebody(self, tracked: list[int]) -> None:
        one = self.lease()
        one.renew(ACQUAINTANCE - 0.1, [], True, True)
        assert tracked == []
        one.renew(ACQUAINTANCE, [], True, True)
        assert tracked == [vip.FORBIDDEN]

    def test_who_stands_by_and_hears_no_majority_is_forbidden_before_vrrp_takes_over(
        self, tracked: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else its keepalived tells clients on a network that is not broken that the VIP is there."""
        one = Guard(configuration("a", "abc", "abc"))
        heard = {"b": 10.0, "c": 10.0}

        def within(at: float, seconds: float) -> frozenset[str]:
            return frozenset(n for n, since in heard.items() if at - since <= seconds)

        monkeypatch.setattr(one.links, "heard", within)
        assert one.lease
        one.lease._started = 0.0  # pyright: ignore[reportPrivateUsage]
        adverts = 3 * 3 * one.config.heartbeat
        one.claim(10.0 + 0.5 * adverts)
        assert tracked == [vip.STANDBY]
        one.claim(10.0 + 0.75 * adverts)
        assert tracked[-1] == vip.FORBIDDEN
        heard["b"] = 11.0
        one.claim(11.0 + 0.5 * adverts)
        assert tracked[-1] == vip.STANDBY, "one of two others is a majority with it"

    def test_who_is_granted_and_whose_keepalived_does_not_take_it_stands_back(self, tracked: list[int]) -> None:
        one, at = self.lease(), 10.0
        one.held = frozenset()
        while one.endpoint(at, True, False).able:
            assert at <= 10.1 + TAKES
            self.vote(one, at)
            one.renew(at, [], False, True)
            at += 0.05
        assert at > 10.0 + TAKES
        assert one.endpoint(at + STANDS_BACK, True, False).able


def test_where_a_cluster_moves_the_vip_the_guard_only_sees_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody votes: its state can be told, nothing is tracked, nothing is killed, whatever becomes of the VIP."""
    made = configuration("a", "", "", "bc")
    watched = replace(made, vip_lease=0.0, vip=Vip((Address(VIP, 32, "management"),), unit=""))

    def touched(*_: object) -> Any:
        raise AssertionError("it is another's")

    for name in ("track", "running", "kill"):
        monkeypatch.setattr(vip.Keepalived, name, touched)
    monkeypatch.setattr(vip, "local_addresses", lambda: frozenset({VIP}))
    own = Lease(watched, 0.0)
    for at in (0.0, ACQUAINTANCE + 1.0, 60.0):
        own.look_at_keepalived(at, conflict=True)
        own.renew(at, (), deaf=True, balancer=False)
    assert own.state(60.0) == {
        "held": [VIP],
        "may_hold": True,
        "granted": True,
        "why": "",
        "arbitrated": False,
        "remaining": 0.0,
    }
    assert Guard(watched).state(60.0)["vip"]["held"] == []
