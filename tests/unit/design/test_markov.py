"""Chains against models with published or closed-form answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fournines.design import markov
from fournines.design.failover import Switching
from fournines.design.markov import explore
from fournines.design.repairable import Crew, Group, System
from fournines.errors import UsageError

HOUR = 3600.0


def workstation_cluster(n: int) -> System:
    """Haverkort, Hermanns and Katoen (SRDS 2000), as in the PRISM benchmark suite; "premium" quality of service."""

    def premium(up: Mapping[str, int]) -> bool:
        left, right, to_left, to_right, line = (up[k] for k in ("left", "right", "to left", "to right", "line"))
        return bool(
            (left >= n and to_left)
            or (right >= n and to_right)
            or (left + right >= n and to_left and line and to_right)
        )

    groups = (
        Group("left", n, 1 / 500, 2),
        Group("right", n, 1 / 500, 2),
        Group("to left", 1, 1 / 4000, 0.25),
        Group("to right", 1, 1 / 4000, 0.25),
        Group("line", 1, 1 / 5000, 0.125),
    )
    return System(groups, Crew(size=1, inspect=10.0), premium)


def test_the_workstation_cluster() -> None:
    system = workstation_cluster(2)
    assert len(system.chain().states) == 276  # as PRISM and Storm report it
    assert system.availability() == pytest.approx(0.9999615335623628, abs=1e-14)


def test_large_chains_agree_with_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = workstation_cluster(3).availability()
    monkeypatch.setattr(markov, "_DENSE", 10)
    assert workstation_cluster(3).availability() == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(
    ("repair", "survives"), [(52.142857143, 0.9994395322), (365, 0.9999181150), (8760, 0.9999965759)]
)
def test_replicas_survive_a_year(repair: float, survives: float) -> None:
    """Three of four fragments are needed, each lost at 5 % a year."""
    system = System((Group("fragment", 4, 0.05, repair),), Crew(), lambda up: up["fragment"] >= 3, lost_is_lost=True)
    assert system.after(1.0) == pytest.approx(survives, abs=5e-11)


def test_two_in_parallel_with_one_repairman() -> None:
    """The textbook's machine-repair model."""
    system = System((Group("m", 2, 1.0, 10.0),), Crew(size=1), lambda up: up["m"] >= 1)
    pi = [1, 2 / 10, 2 / 100]
    assert system.availability() == pytest.approx(1 - pi[2] / sum(pi))


def test_a_crew_works_at_one_thing_after_the_other() -> None:
    groups = (Group("a", 1, 0.5, 1.0), Group("b", 1, 0.5, 1.0))
    one = System(groups, Crew(size=1), lambda up: bool(up["a"])).availability()
    both = System(groups, Crew(), lambda up: bool(up["a"])).availability()
    assert both == pytest.approx(1 / 1.5)
    assert one < both


def test_small_probabilities_keep_their_digits() -> None:
    """Where subtraction would leave noise: a birth and death chain with an exact product form."""
    fail, repair = 1e-6, 1.0
    chain = explore(0, lambda down: _birth_and_death(down, fail, repair))
    pi = chain.steady()
    exact = np.array([math.comb(3, k) * (fail / repair) ** k for k in range(4)])
    assert pi[list(map(chain.states.index, range(4)))] == pytest.approx(exact / exact.sum(), rel=1e-12)


def _birth_and_death(down: int, fail: float, repair: float) -> Iterable[tuple[float, int]]:
    if down < 3:
        yield (3 - down) * fail, down + 1
    if down:
        yield down * repair, down - 1


def test_too_large_a_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markov, "MOST_STATES", 100)
    with pytest.raises(UsageError, match="more than 100 states"):
        workstation_cluster(5).chain()


def group(**changes: Any) -> Switching:
    sound = Switching(
        copies=3, least=2, fail=1 / (1000 * HOUR), repair=1 / HOUR, seconds=2.0, coverage=1.0, manual=1800.0
    )
    return replace(sound, **changes)


def test_a_perfect_instant_switch_costs_nothing() -> None:
    assert group(seconds=1e-9).cost() == pytest.approx(0.0, abs=1e-12)


def test_switches_cost_their_rate_times_their_time() -> None:
    """To first order; the rest is what happens during a switch."""
    assert group(repair=1e9).cost() == pytest.approx(2.0 / (1000 * HOUR), rel=1e-3)
    half = group(coverage=0.5, repair=1e9)
    assert half.cost() == pytest.approx((0.5 * 2.0 + 0.5 * 1800.0) / (1000 * HOUR), rel=1e-2)


def test_worse_coverage_costs_more() -> None:
    costs = [group(coverage=c).cost() for c in (1.0, 0.99, 0.9, 0.0)]
    assert costs == sorted(costs)
