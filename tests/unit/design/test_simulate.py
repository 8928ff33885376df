"""The simulation agrees with what is known exactly, and moves the right way where nothing is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.design.condition import Component, Condition, Copy, Requirement
from fournines.design.derive import conditions
from fournines.design.exact import exact
from fournines.design.reliability import DEFAULTS, HOUR, YEAR, Figure, Reliability
from fournines.design.repairable import Crew, Group, System
from fournines.design.simulate import Assumptions, Estimate, simulate
from fournines.design.switches import SwitchGroup, SwitchGroups, cost
from fournines.errors import UsageError
from fournines.services import load

CLOUD = Path(__file__).parents[3] / "examples/three-controllers.yaml"
AUTHENTICATE = conditions(load(CLOUD))[0]
#: Ten times worse than the table, so that a thousand years hold enough outages.
POOR = Reliability({k: replace(f, mttf=f.mttf / 10) for k, f in DEFAULTS.items()})


def two_of_three(shared: bool = False) -> Condition:
    hosts = [Component(f"host:{i}", "host", str(i), "r", ()) for i in range(3)]
    rack = (Component("zone:r", "zone", "r", "r", ()),) if shared else ()
    copies = tuple(Copy(str(i), (h, *rack)) for i, h in enumerate(hosts))
    return Condition("f", "", "s", "r", (), (Requirement("s", 2, copies, ""),))


def errors(estimate: Estimate, truth: float) -> float:
    """How far off, in standard errors."""
    return abs(estimate.availability - truth) / (estimate.half_width / 1.984)


@pytest.mark.parametrize("condition", [AUTHENTICATE, two_of_three(), two_of_three(shared=True)], ids=lambda c: c.name)
def test_agrees_with_the_exact_result_within_its_confidence_interval(condition: Condition) -> None:
    truth = exact(condition, POOR).availability
    estimate = simulate(condition, POOR, 20_000, seed=3)
    assert 0 < estimate.half_width < 0.2 * (1 - truth)
    assert errors(estimate, truth) < 2.6  # 99 %: one seed in a hundred may miss


#: Slow switches, of which one in ten waits for a person, so that a thousand years hold enough of both.
SWITCHES = SwitchGroup(two_of_three().requirements[0], 30.0, 60.0, "stated", coverage=0.9, manual=1800.0)


def test_switching_agrees_with_the_chain_within_its_confidence_interval() -> None:
    condition = two_of_three()
    switch = cost(SWITCHES, POOR)
    assert switch is not None
    static = exact(condition, POOR).availability
    estimate = simulate(condition, POOR, 20_000, seed=7, groups=[SWITCHES])
    assert errors(estimate, static * (1 - switch.unavailability)) < 2.6
    assert errors(estimate, static) > 10  # switching is what makes the difference


def test_switches_of_one_host_are_waited_for_together() -> None:
    """The model adds them up, which is cautious: no more is lost than that, no less than by the worst group alone."""
    groups = list(SwitchGroups(load(CLOUD)).of(AUTHENTICATE))
    assert len(groups) == 2
    costs = [s.unavailability for s in (cost(g, POOR) for g in groups) if s]
    static = exact(AUTHENTICATE, POOR).availability
    estimate = simulate(AUTHENTICATE, POOR, 20_000, seed=7, groups=groups)
    error = estimate.half_width / 1.984
    assert static * (1 - costs[0]) * (1 - costs[1]) - 2.6 * error < estimate.availability
    assert estimate.availability < static * (1 - max(costs)) + 2.6 * error


def test_a_host_whose_loss_is_another_groups_to_switch_costs_this_one_nothing() -> None:
    estimate = simulate(two_of_three(), POOR, 20_000, seed=7, groups=[replace(SWITCHES, host=None)])
    assert errors(estimate, exact(two_of_three(), POOR).availability) < 2.6


def test_the_interval_covers_as_often_as_it_says() -> None:
    condition = two_of_three()
    truth = exact(condition, POOR).availability
    hits = sum(errors(simulate(condition, POOR, 2_000, seed=s), truth) < 1.984 for s in range(60))
    assert 51 <= hits <= 60  # 57 of 60 on average


def test_one_hand_agrees_with_the_chain() -> None:
    """Slow repairs, so that they queue: the machine-repair model."""
    figure = Figure("host", 100 * HOUR, 20 * HOUR, "")
    estimate = simulate(two_of_three(), Reliability({"host": figure}), 2_000, Assumptions(crew=1), seed=5)
    system = System((Group("host", 3, 1 / 100, 1 / 20),), Crew(size=1), lambda up: up["host"] >= 2)
    assert errors(estimate, system.availability()) < 2.6
    enough = System((Group("host", 3, 1 / 100, 1 / 20),), Crew(), lambda up: up["host"] >= 2)
    assert errors(estimate, enough.availability()) > 10  # the crew is what makes the difference


def test_lives_and_repairs_of_another_shape_keep_the_average_of_one_component() -> None:
    """Availability of a single component is MTTF / (MTTF + MTTR) whatever the distributions."""
    one = replace(two_of_three(), requirements=(replace(two_of_three().requirements[0], least=3),))
    figure = Figure("host", 300 * HOUR, 30 * HOUR, "")
    truth = figure.mttf**3 / (figure.mttf + figure.mttr) ** 3
    for assumed in (Assumptions(0.7), Assumptions(2.0), Assumptions(repair="lognormal"), Assumptions(repair="fixed")):
        assert errors(simulate(one, Reliability({"host": figure}), 5_000, assumed, seed=2), truth) < 3.0


def test_maintenance_alone_is_arithmetic() -> None:
    never = Reliability({"host": Figure("host", math.inf, HOUR, "")})
    assumed = Assumptions(maintenance=(30 * 24 * HOUR, 2 * HOUR))
    assert simulate(two_of_three(), never, 200, assumed).availability == 1.0  # one host at a time
    all_needed = replace(two_of_three(), requirements=(replace(two_of_three().requirements[0], least=3),))
    lost = 1 - simulate(all_needed, never, 1000, assumed).availability
    assert lost == pytest.approx(3 * 2 / (30 * 24), rel=0.02)


def test_few_hands_and_maintenance_cost() -> None:
    plain, one, kept = (
        simulate(AUTHENTICATE, POOR, 5_000, a, seed=3).availability
        for a in (Assumptions(), Assumptions(crew=1), Assumptions(maintenance=(30 * 24 * HOUR, 4 * HOUR)))
    )
    assert one < plain and kept < plain


def test_the_same_seed_gives_the_same_years() -> None:
    assert simulate(AUTHENTICATE, POOR, 500, seed=4) == simulate(AUTHENTICATE, POOR, 500, seed=4)
    assert simulate(AUTHENTICATE, POOR, 500, seed=4) != simulate(AUTHENTICATE, POOR, 500, seed=5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"life_shape": 0.0}, "above zero"),
        ({"crew": 0}, "at least one hand"),
        ({"maintenance": (3600.0, 7200.0)}, "less long"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Assumptions(**wrong)


def test_too_few_years_and_what_never_works() -> None:
    with pytest.raises(UsageError, match="at least 100 years"):
        simulate(AUTHENTICATE, POOR, 50)
    assert simulate(replace(AUTHENTICATE, missing=("store",)), POOR, 100).availability == 0.0
    assert YEAR == 365 * 24 * HOUR


def test_the_command() -> None:
    words = [
        "design",
        "simulate",
        str(CLOUD),
        "authenticate",
        "--years",
        "500",
        "--maintenance",
        "30d/2h",
        "--crew",
        "2",
    ]
    shown = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert shown.exit_code == 0 and "(95 %)" in shown.output
    bad = CliRunner().invoke(cli, [*words, "--maintenance", "soon"])
    assert "30d/2h" in bad.output and bad.exit_code != 0
