"""A dry run says of each condition what a handler would do, and the weightiest reason why it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fournines.cloud.handlers import Handler
from fournines.watch.decide import Action, Condition, Decider
from fournines.watch.foresee import foresee

RESTART = Handler("restart", "daemon.down", ("restart", "notify"), lasts=30.0, settle=60.0, limit=1, per=3600.0)
DOWN = Condition("daemon.down", "cmp1", "nova-compute")
OTHER = Condition("daemon.down", "cmp2", "nova-compute")


def said(
    handler: Handler, decider: Decider, now: float, *there: Condition, watched: bool = True
) -> list[tuple[str, str]]:
    found = foresee([handler], there, decider.state(), now, watched=watched)
    return [(f.condition.host, f.holds) for f in found]


def test_what_the_decider_does_next_is_what_was_foreseen() -> None:
    decider = Decider([RESTART], {})
    decider.step(0.0, {DOWN})
    assert said(RESTART, decider, 10.0, DOWN) == [("cmp1", "it must last 20 s longer")]
    assert said(RESTART, decider, 30.0, DOWN) == [("cmp1", "")]
    [action] = [a for a in decider.step(30.0, {DOWN}) if isinstance(a, Action)]
    assert list(decider.finished(action.id, 31.0, ok=True, text="restarted")) == []
    decider.step(40.0, {DOWN, OTHER})
    assert said(RESTART, decider, 80.0, OTHER) == [("cmp2", "1 in 3600 s are its limit")]
    decider.step(92.0, {DOWN, OTHER})
    assert said(RESTART, decider, 92.0, DOWN) == [("cmp1", "stopped: restart did not help within 60 s")]


def test_what_has_been_seen_to_is_not_done_again() -> None:
    notify = replace(RESTART, do=("notify",), lasts=0.0, limit=9)
    decider = Decider([notify], {})
    decider.step(0.0, {DOWN})
    assert said(notify, decider, 1.0, DOWN) == [("cmp1", "it has acted on this already")]


@pytest.mark.parametrize(
    ("handler", "watched", "holds"),
    [
        (replace(RESTART, enabled=False), True, "it is switched off in the cloud file"),
        (replace(RESTART, lasts=0.0, dry_run=True), True, "dry run"),
        (replace(RESTART, lasts=0.0, times=3), True, "it has begun 0 times of 3 within 600 s"),
        (replace(RESTART, lasts=0.0), False, "no watch runs"),
    ],
)
def test_why_nothing_is_done(handler: Handler, watched: bool, holds: str) -> None:
    assert said(handler, Decider([handler], {}), 0.0, DOWN, watched=watched) == [("cmp1", holds)]


def test_a_handler_of_something_else_is_not_named() -> None:
    assert said(replace(RESTART, of=("neutron*",)), Decider([], {}), 0.0, DOWN) == []
