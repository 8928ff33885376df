"""Votes for the VIP, by real guards in a world of loss, delay, cuts, stalls and restarts: never two hosts serve."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from fournines.agent.guard.config import Config
from samples.guards import STEP, World, configuration

VOTERS = {3: "abc", 5: "abcde"}


def never_two(world: World) -> Callable[[], None]:
    def check() -> None:
        assert len(world.serving) <= 1, (world.serving, world.trace[-30:])

    return check


def settled(count: int, seed: int = 1, **how: float) -> World:
    """A world in which one host has served for a while."""
    world = World(VOTERS[count], VOTERS[count][:3], random.Random(seed), **how)
    world.run(4.0, never_two(world))
    assert world.serving == ["a"]
    return world


def seconds_until(world: World, so: Callable[[], bool], most: float) -> float:
    began, check = world.at, never_two(world)
    while not so():
        world.step()
        check()
        assert world.at - began <= most, world.trace[-30:]
    return world.at - began


def well(world: World) -> None:
    """All that is broken is repaired, but nobody is told."""
    world.heal()
    world.loss, world.delay = 0.0, 0.02
    for host in world.hosts.values():
        host.frozen, host.balancer, host.drained = False, True, False
        if host.powered and host.guard is None:
            host.start()
        elif not host.powered and world.at >= host.due:
            host.on()


def trouble(world: World, rng: random.Random) -> str:
    """One event of any kind, half of them the holder's; its name, for the trace."""
    name = rng.choice(world.serving or world.voters) if rng.random() < 0.5 else rng.choice(world.voters)
    host, others = world.hosts[name], [n for n in world.voters if n != name]
    kind = rng.choice(
        ["stall", "kill", "restart", "off", "cut", "deaf", "mute", "one way", "balancer", "drain", "loss", "delay"]
    )
    if kind == "stall":
        host.frozen = host.guard is not None
    elif kind in ("kill", "restart") and host.powered:
        host.kill()
        if kind == "restart":
            host.start()
    elif kind == "off":
        host.off()
        host.due = world.at + 3.0  # a boot takes longer than any vote lasts
    elif kind == "cut":
        world.partition(name + "".join(rng.sample(others, rng.randrange(len(others)))))
    elif kind == "deaf":
        world.deafen(name)
    elif kind == "mute":
        world.cut |= {(name, n) for n in others}
    elif kind == "one way":
        world.cut.add((name, rng.choice(others)))
    elif kind == "balancer":
        host.balancer = not host.balancer
    elif kind == "drain":
        host.drained = not host.drained
    elif kind == "loss":
        world.loss = rng.choice([0.1, 0.3, 0.6])
    elif kind == "delay":
        world.delay = rng.choice([0.1, 0.3, 0.5])
    return f"{kind} {name}"


@pytest.mark.parametrize("count", [3, 5])
@pytest.mark.parametrize("seed", range(12))
def test_never_two_hosts_serve_whatever_happens(count: int, seed: int) -> None:
    rng = random.Random(seed)
    world = settled(count, seed)
    check, holders = never_two(world), {"a"}
    for _ in range(25):
        for _ in range(rng.randrange(1, 4)):
            world.trace.append(f"{world.at:.2f} ---- {trouble(world, rng)}")
            world.run(rng.choice([STEP, 0.05, 0.2, 0.4, 0.6, 1.2]), check)
        world.trace.append(f"{world.at:.2f} ---- well")
        well(world)
        world.run(rng.choice([0.1, 0.3, 1.0, 2.0]), check)
        holders |= set(world.serving)
    assert len(holders) > 1  # a world in which nothing moves proves nothing


@pytest.mark.parametrize("count", [3, 5])
def test_calm_moves_nothing(count: int) -> None:
    world = settled(count, loss=0.05)
    moved: list[str] = []

    def check() -> None:
        if world.serving != ["a"]:
            moved.append(f"{world.at:.2f}")

    world.run(20.0, check)
    assert moved == []


@pytest.mark.parametrize("count", [3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_after_the_holder_s_power_off_another_serves_within_a_second(count: int, seed: int) -> None:
    world = settled(count, seed)
    world.hosts["a"].off()
    assert seconds_until(world, lambda: bool(world.serving), 1.0) >= 0.3


def test_who_has_departed_stays_so_although_the_survivors_grow_patient() -> None:
    """Degraded, a peer that was heard 1.5 s ago still has a say; the dead one, heard half a second ago, must not."""
    world = settled(3, 0)
    world.hosts["a"].off()
    world.run(0.8)
    lost: list[str] = []

    def check() -> None:
        lost.extend(n for n in "bc" if (g := world.hosts[n].guard) is not None and "a" not in g.departed)

    world.run(2.0, check)
    assert not lost


@pytest.mark.parametrize("strike", ["freeze", "kill"])
@pytest.mark.parametrize("count", [3, 5])
def test_after_the_holder_s_guard_stops_another_serves_within_two_seconds_and_keeps_it(count: int, strike: str) -> None:
    world = settled(count)
    if strike == "freeze":
        world.hosts["a"].frozen = True
    else:
        world.hosts["a"].kill()
    seconds_until(world, lambda: bool(world.serving) and world.serving != ["a"], 2.0)
    new = world.serving
    if strike == "freeze":
        world.hosts["a"].frozen = False
    else:
        world.hosts["a"].start()
    world.run(5.0, never_two(world))
    assert world.serving == new


def test_a_stall_that_ends_in_time_moves_nothing() -> None:
    world = settled(3)
    for _ in range(5):
        world.hosts["a"].frozen = True
        world.run(0.25, never_two(world))
        world.hosts["a"].frozen = False
        world.run(1.0, never_two(world))
        assert world.serving == ["a"]


def test_a_holder_that_is_cut_off_stops_before_another_begins() -> None:
    world = settled(3)
    world.partition("a")
    until = seconds_until(world, lambda: world.serving == [], 0.4)
    assert until > 0.2
    assert until + seconds_until(world, lambda: bool(world.serving), 1.0) < 1.2
    assert world.serving != ["a"]


@pytest.mark.parametrize("how", ["deaf", "mute"])
def test_so_does_one_that_is_cut_off_one_way(how: str) -> None:
    world = settled(3)
    if how == "deaf":
        world.deafen("a")
    else:
        world.cut |= {("a", "b"), ("a", "c")}
    took = seconds_until(world, lambda: bool(world.serving) and world.serving != ["a"], 1.0)
    assert took < 0.55  # it says that the votes have run out: nobody waits for the last ones to end
    new = world.serving
    world.heal()
    world.run(5.0, never_two(world))
    assert world.serving == new


@pytest.mark.parametrize("seed", range(8))
def test_votes_that_were_on_their_way_when_the_holder_gave_them_up_count_no_more(seed: int) -> None:
    """It hears again, late, what was sent to it while it was deaf; the others vote for another one by then."""
    world = settled(3, seed)
    world.delay = 0.5
    for _ in range(10):
        world.deafen(next(iter(world.serving), "a"))
        world.run(0.3 + 0.3 * world.random.random(), never_two(world))
        world.heal()
        world.run(0.5 + world.random.random(), never_two(world))


@pytest.mark.parametrize("apart", [0.0, 0.2, 0.9])
def test_after_all_guards_were_dead_the_votes_return_to_the_holder(apart: float) -> None:
    world = settled(3)
    for host in world.hosts.values():
        host.kill()
    world.run(3.0, never_two(world))
    for name in "cba":
        world.hosts[name].start()
        world.run(apart, never_two(world))
    seconds_until(world, lambda: bool(world.serving), 1.0)
    assert world.serving == ["a"]
    world.run(6.0, never_two(world))
    assert world.serving == ["a"]


def test_a_rolling_restart_of_all_guards_moves_nothing() -> None:
    world = settled(3)
    dark = 0.0
    for name in "abc":
        world.hosts[name].kill()
        for _ in range(25):
            world.step()
            dark += STEP if world.serving != ["a"] else 0.0
        world.hosts[name].start()
        for _ in range(200):
            world.step()
            dark += STEP if world.serving != ["a"] else 0.0
    assert world.serving == ["a"]
    assert dark <= 0.2


def test_while_a_voter_is_away_the_others_are_patient_with_one_another() -> None:
    world = settled(3)
    world.hosts["c"].off()
    world.run(3.0, never_two(world))
    assert world.serving == ["a"]
    world.hosts["b"].frozen = True
    world.run(1.0, never_two(world))
    assert world.serving == ["a"]
    world.hosts["b"].frozen = False
    world.run(1.0, never_two(world))
    assert world.serving == ["a"]


def test_two_of_five_lost_at_once_and_a_third_later() -> None:
    world = settled(5)
    world.hosts["a"].off()
    world.hosts["b"].off()
    seconds_until(world, lambda: world.serving == ["c"], 1.5)
    world.run(3.0, never_two(world))
    world.hosts["e"].off()
    world.run(3.0, never_two(world))
    assert world.serving == []  # two of five are no majority


def test_a_dead_load_balancer_gives_way_unless_all_are_dead() -> None:
    world = settled(3)
    for host in world.hosts.values():
        host.balancer = False
    world.run(3.0, never_two(world))
    assert world.serving == ["a"]
    world.hosts["c"].balancer = True
    seconds_until(world, lambda: world.serving == ["c"], 1.0)


@pytest.mark.parametrize("count", [3, 5])
def test_a_drained_holder_gives_way_and_stays_away(count: int) -> None:
    world = settled(count)
    world.hosts["a"].drained = True
    took = seconds_until(world, lambda: bool(world.serving) and world.serving != ["a"], 1.0)
    assert took < 1.0
    holder = world.serving
    world.run(3.0, never_two(world))
    world.hosts["a"].drained = False
    world.run(3.0, never_two(world))
    assert world.serving == holder  # coming back moves nothing


def test_a_drained_host_serves_while_nobody_else_can() -> None:
    world = settled(3)
    world.hosts["b"].balancer = world.hosts["c"].balancer = False
    world.hosts["a"].drained = True
    world.run(3.0, never_two(world))
    assert world.serving == ["a"]
    world.hosts["c"].balancer = True
    seconds_until(world, lambda: world.serving == ["c"], 1.0)
    world.hosts["c"].balancer = False
    seconds_until(world, lambda: world.serving == ["a"], 1.0)


def test_a_vote_that_cannot_be_remembered_is_not_given() -> None:
    """It would be forgotten by a restart, and another host voted for while it stands."""
    world = settled(3)
    for host in world.hosts.values():
        host.disk_full = True
    world.hosts["a"].off()
    world.run(2.0, never_two(world))
    assert world.serving == []
    for host in world.hosts.values():
        host.disk_full = False
    seconds_until(world, lambda: bool(world.serving), 1.0)


class Voteless(World):
    """Three members of a Pacemaker cluster: nobody votes, the cluster moves the VIP."""

    def config(self, name: str) -> Config:
        return configuration(name, "", "", "abc")


@pytest.mark.parametrize("seed", range(4))
def test_where_nobody_votes_a_host_that_comes_back_has_no_living_host_declared_dead(seed: int) -> None:
    """Seen: all were deaf for ever; one that had just booted found both others silent, each of them believed that of
    the other, and both were evicted from Galera: two Primary components."""
    world = Voteless("abc", "", random.Random(seed))
    world.run(5.0)
    world.hosts["a"].off()
    world.run(3.0)
    gone: set[str] = set()

    def check() -> None:
        for name in "bc":
            running = world.hosts[name].guard
            assert running
            gone.update(running.departed)

    check()
    assert gone == {"a"}
    world.hosts["a"].on()
    world.run(5.0, check)
    assert gone == {"a"}
    assert not any(h.guard and (h.guard.departed or h.guard.deaf(world.at)) for h in world.hosts.values())
