"""The VIP lease: every combination for up to seven agents, and that two sides of a partition never both may hold."""

from __future__ import annotations

import pytest

from fournines.health.agent.lease import Endpoint, decide, has_quorum

GOOD = Endpoint(balancer=True, may_hold=True)
BAD = Endpoint(balancer=False, may_hold=True)


@pytest.mark.parametrize("group", range(3, 8))
def test_no_partition_leaves_two_sides_with_a_quorum(group: int) -> None:
    for side in range(group + 1):
        here, there = side - 1, group - side - 1
        assert not (here >= 0 and there >= 0 and has_quorum(group, here) and has_quorum(group, there))


@pytest.mark.parametrize("group", range(1, 8))
def test_a_whole_group_has_a_quorum(group: int) -> None:
    assert has_quorum(group, group - 1)


@pytest.mark.parametrize("group", [1, 2])
def test_one_or_two_agents_keep_the_vip_whoever_they_hear(group: int) -> None:
    assert decide(group, 0, balancer=True, others={}).may_hold


def test_who_lost_the_majority_gives_up_and_says_so() -> None:
    verdict = decide(3, 0, balancer=True, others={"b": GOOD})
    assert not verdict.may_hold
    assert verdict.why == "0 of 2 other agents confirmed this host within the lease"


def test_a_dead_balancer_gives_way_to_a_better_host() -> None:
    verdict = decide(3, 2, balancer=False, others={"b": BAD, "c": GOOD})
    assert not verdict.may_hold
    assert "does on c" in verdict.why


@pytest.mark.parametrize("others", [{}, {"b": BAD}, {"b": BAD, "c": Endpoint(balancer=True, may_hold=False)}])
def test_a_stall_of_every_balancer_takes_the_vip_from_nobody(others: dict[str, Endpoint]) -> None:
    assert decide(3, 2, balancer=False, others=others).may_hold
