"""No history of crashes, leaves, freezes and partitions makes two Primary components or loses an acknowledged write."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from fournines.agent.observer.database import FRESH
from fournines.agent.observer.primary import (
    JOIN_AFTER,
    SETTLE,
    VOTE_LASTS,
    Action,
    Ballot,
    Choice,
    Kind,
    Report,
    choose,
)
from samples import galera_model as model
from samples.galera_model import World

THREE = ("a", "b", "c")
FIVE = ("a", "b", "c", "d", "e")


def explore(world: World, rule: model.Choose, depth: int, writes: int) -> tuple[int, list[str]]:
    """Every history of at most `depth` events. (worlds seen, first history that violates the invariant)"""
    seen = {world}
    frontier: list[tuple[World, tuple[str, ...]]] = [(world, ())]
    for _ in range(depth):
        following: list[tuple[World, tuple[str, ...]]] = []
        for current, history in frontier:
            for label, after in model.events(current, rule, writes):
                if after in seen:
                    continue
                seen.add(after)
                if wrong := model.violation(after):
                    return len(seen), [*history, label, wrong]
                following.append((after, (*history, label)))
        frontier = following
    return len(seen), []


def wander(world: World, rule: model.Choose, steps: int, rng: random.Random) -> list[str]:
    """A random history; [] when the invariant held throughout and everything came back by itself at the end."""
    history: list[str] = []
    for _ in range(steps):
        label, world = rng.choice(list(model.events(world, rule, 12)))
        history.append(label)
        if wrong := model.violation(world):
            return [*history, wrong]
    world = model.all_back(world, rule)
    if model.violation(world) or world.committing() != [frozenset(world.names)]:
        return [*history, "all back", model.violation(world) or "needs a person"]
    return []


def test_every_short_history_of_three_running_nodes() -> None:
    seen, wrong = explore(model.running_world(THREE), choose, 5, 2)
    assert not wrong
    assert seen > 10_000


def test_every_short_history_of_three_new_nodes() -> None:
    seen, wrong = explore(model.new_world(THREE), choose, 7, 1)
    assert not wrong
    assert seen > 100


@pytest.mark.parametrize("names", [THREE, FIVE])
@pytest.mark.parametrize("seed", range(3))
def test_long_random_histories(names: tuple[str, ...], seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(40):
        assert not wander(model.running_world(names), choose, 60, rng)


# Rules that people use, or that this one is tempted to become. Each must be caught, or the model proves nothing.


def most_advanced_of_a_majority(members: tuple[str, ...], reports: Mapping[str, Report]) -> Choice:
    """What the usual recovery playbooks do: seqno decides among whoever answers."""
    here = {n: r for n, r in reports.items() if r.kind in (Kind.RUNNING, Kind.STOPPED)}
    if len(here) < len(reports) or 2 * len(here) <= len(members):
        return Choice("", frozenset(), "")
    best = max(here, key=lambda n: (here[n].seqno, n))
    return Choice(best, frozenset(here), "")


def majority_of_the_configured(members: tuple[str, ...], reports: Mapping[str, Report]) -> Choice:
    """A majority of the configured members instead of the last view's."""
    running = [n for n in members if n in reports and reports[n].kind is Kind.RUNNING]
    if any(r.kind is Kind.PRIMARY for r in reports.values()) or 2 * len(running) <= len(members):
        return choose(members, reports)
    return Choice(running[0], frozenset(running), "")


def without_view_seqno(members: tuple[str, ...], reports: Mapping[str, Report]) -> Choice:
    return choose(members, {n: replace(r, view_seqno=0) for n, r in reports.items()})


def first_instead_of_best(members: tuple[str, ...], reports: Mapping[str, Report]) -> Choice:
    return choose(members, {n: replace(r, seqno=0, view_seqno=0) for n, r in reports.items()})


@pytest.mark.parametrize(
    "rule",
    [
        most_advanced_of_a_majority,
        first_instead_of_best,
    ],
)
def test_the_model_catches_unsafe_rules(rule: model.Choose) -> None:
    rng = random.Random(9)
    worlds = [model.running_world(THREE), model.running_world(FIVE)]
    assert any(wander(worlds[i % 2], rule, 60, rng) for i in range(3000)), "no history shows it unsafe"


def replay(world: World, rule: model.Choose, history: list[str]) -> str:
    """The first violation in a named history, "" for none."""
    for label in history:
        world = dict(model.events(world, rule, 12))[label]
        if wrong := model.violation(world):
            return wrong
    return ""


def test_a_majority_of_the_configured_nodes_is_not_a_majority_of_the_last_view() -> None:
    history = ["network d+e | a+b+c", "galera", "network a+b | c+d+e", "galera", "agents"]
    assert "two Primary" in replay(model.running_world(FIVE), majority_of_the_configured, history)
    assert not replay(model.running_world(FIVE), choose, history)


def test_the_writes_of_a_dead_writer_are_waited_for_when_its_heirs_were_killed_before_committing_them() -> None:
    history = ["write c", "crash c", "galera", "crash a", "crash b", "start a", "start b", "agents"]
    assert "without acknowledged" in replay(model.running_world(THREE), without_view_seqno, history)
    assert not replay(model.running_world(THREE), choose, history)


def stopped(**fields: Any) -> Report:
    return replace(Report(Kind.STOPPED, cluster="u1", clean=True), **fields)


def test_histories_are_told_apart_by_cluster_uuid_and_never_by_seqno() -> None:
    reports = {"a": stopped(seqno=10), "b": stopped(seqno=10), "c": stopped(seqno=99, cluster="u2")}
    choice = choose(THREE, reports)
    assert choice.chosen == ""
    assert "u1, u2" in choice.why


def test_a_new_node_is_never_chosen_when_another_has_data() -> None:
    reports = {"a": stopped(cluster="", seqno=-1), "b": stopped(seqno=5), "c": stopped(seqno=4)}
    assert choose(THREE, reports).chosen == "b"


def test_the_first_start_waits_for_every_member() -> None:
    new = stopped(cluster="", seqno=-1)
    assert "waits for c" in choose(THREE, {"a": new, "b": new}).why
    assert choose(THREE, {"a": new, "b": new, "c": new}).chosen == "a"


def test_the_last_to_leave_need_not_wait() -> None:
    assert choose(THREE, {"b": stopped(seqno=7, last=True), "a": stopped(seqno=6)}).chosen == "b"


def test_a_flag_that_the_position_contradicts_is_not_believed() -> None:
    assert choose(THREE, {"b": stopped(seqno=7, last=True), "a": stopped(seqno=8)}).chosen == ""


class TestBallot:
    reports: Mapping[str, Report] = MappingProxyType({n: stopped(seqno=1, vote="a") for n in THREE})
    choice = Choice("a", frozenset(THREE), "")

    def test_acts_when_the_choice_has_settled_and_all_agree(self) -> None:
        ballot = Ballot()
        assert ballot.action(0, "a", self.choice, self.reports) is Action.WAIT
        assert ballot.vote == "a"
        assert ballot.action(SETTLE, "a", self.choice, self.reports) is Action.BOOTSTRAP

    def test_whoever_is_not_chosen_waits(self) -> None:
        ballot = Ballot()
        ballot.action(0, "b", self.choice, self.reports)
        assert ballot.action(SETTLE, "b", self.choice, self.reports) is Action.WAIT

    @pytest.mark.parametrize("vote", ["", "b"])
    def test_one_dissent_is_enough_to_wait(self, vote: str) -> None:
        reports = {**self.reports, "c": replace(self.reports["c"], vote=vote)}
        ballot = Ballot()
        ballot.action(0, "a", self.choice, reports)
        assert ballot.action(9, "a", self.choice, reports) is Action.WAIT

    def test_a_change_of_mind_starts_again(self) -> None:
        ballot = Ballot()
        ballot.action(0, "a", self.choice, self.reports)
        ballot.action(1, "a", Choice("b", frozenset(THREE), ""), self.reports)
        ballot.action(1.1, "a", self.choice, self.reports)
        assert ballot.action(1.1 + SETTLE / 2, "a", self.choice, self.reports) is Action.WAIT

    def test_a_primary_component_is_joined_once_its_report_cannot_be_of_before(self) -> None:
        """Killed together, one node asked while another's observer still said Primary, joined nobody for 30 s, and kept
        from the others what it knew."""
        reports = {**self.reports, "c": Report(Kind.PRIMARY)}
        ballot = Ballot()
        assert ballot.action(0, "a", choose(THREE, reports), reports) is Action.WAIT
        assert ballot.action(JOIN_AFTER, "a", choose(THREE, reports), reports) is Action.JOIN
        ballot.action(2, "a", self.choice, self.reports)
        assert ballot.action(3, "a", choose(THREE, reports), reports) is Action.WAIT
        assert JOIN_AFTER >= FRESH

    def test_what_was_primary_before_this_node_stopped_says_nothing(self) -> None:
        running = {**self.reports, "a": Report(Kind.PRIMARY), "c": Report(Kind.PRIMARY)}
        reports = {**self.reports, "c": Report(Kind.PRIMARY)}
        ballot = Ballot()
        ballot.action(0, "a", choose(THREE, running), running)
        assert ballot.action(10, "a", choose(THREE, reports), reports) is Action.WAIT

    def test_votes_expire_before_a_choice_settles(self) -> None:
        assert VOTE_LASTS < SETTLE
