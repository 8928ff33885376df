"""The decision diagram against enumeration of every state."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.design.bdd import Diagram
from fournines.design.condition import Component, Condition, Copy, Kind, Requirement
from fournines.design.derive import conditions
from fournines.design.exact import Model, exact, tail, tail_slope
from fournines.design.reliability import DEFAULTS, Figure, Reliability
from fournines.services import load
from samples.clouds import tiered

EXAMPLES = Path(__file__).parents[3] / "examples"
#: Components that fail often, each kind differently, so that no term vanishes in rounding.
WORN = Reliability({k: Figure(k, 10.0 - i, 2.0 + i, "") for i, k in enumerate(DEFAULTS)})


def enumerated(condition: Condition, reliability: Reliability, forced: dict[str, bool] | None = None) -> float:
    parts = condition.components
    total = 0.0
    for states in product((True, False), repeat=len(parts)):
        up = dict(zip((p.key for p in parts), states, strict=True))
        if any(up[k] != v for k, v in (forced or {}).items()):
            continue
        free = [p for p in parts if p.key not in (forced or {})]
        chance = math.prod(
            1 - reliability.unavailability(p) if up[p.key] else reliability.unavailability(p) for p in free
        )
        total += chance * condition.works({k for k, v in up.items() if not v})
    return total


def part(kind: Kind, name: str) -> Component:
    return Component(f"{kind}:{name}", kind, name, "r1", (), name[0] if kind == "process" else "")


@st.composite
def any_condition(draw: st.DrawFn) -> Condition:
    """Services on hosts, some of which share a zone; a process for some copies."""
    hosts = [part("host", f"h{i}") for i in range(draw(st.integers(1, 3)))]
    zones = [part("zone", f"z{draw(st.integers(0, 1))}") for _ in hosts]

    def requirement(i: int) -> Requirement:
        on = draw(st.lists(st.integers(0, len(hosts) - 1), min_size=1, max_size=len(hosts), unique=True))
        own = draw(st.booleans())
        copies = tuple(Copy(f"h{j}", (hosts[j], zones[j], *([part("process", f"s{i}{j}")] if own else []))) for j in on)
        return Requirement(f"s{i}", draw(st.integers(1, len(on))), copies, "")

    wanted = tuple(requirement(i) for i in range(draw(st.integers(1, 2))))
    return Condition("f", "", "s0", "r1", (part("region", "r1"),), wanted)


@given(any_condition())
@settings(max_examples=60, deadline=None)
def test_equals_enumeration(condition: Condition) -> None:
    assert exact(condition, WORN).availability == pytest.approx(enumerated(condition, WORN), rel=1e-12)


@given(any_condition())
@settings(max_examples=20, deadline=None)
def test_birnbaum_is_the_difference_that_a_component_makes(condition: Condition) -> None:
    found = exact(condition, WORN).birnbaum
    difference = {
        c.key: enumerated(condition, WORN, {c.key: True}) - enumerated(condition, WORN, {c.key: False})
        for c in condition.components
    }
    for kind in {(c.kind, c.service) for c in condition.components}:
        keys = [c.key for c in condition.components if (c.kind, c.service) == kind]
        assert sum(found[k] for k in keys) == pytest.approx(sum(difference[k] for k in keys), rel=1e-9, abs=1e-12)


def test_alike_copies_are_as_many_single_ones() -> None:
    zone, own = part("zone", "z"), (part("host", "h"), part("process", "p"))
    many = Copy("h", (zone,), 4, own)
    single = [Copy(f"h{i}", (zone, part("host", f"h{i}"), part("process", f"p{i}"))) for i in range(4)]
    for least in (1, 3):
        one, all_of_them = (
            Condition("f", "", "s", "r1", (), (Requirement("s", least, copies, ""),))
            for copies in ((many,), tuple(single))
        )
        assert exact(one, WORN).availability == pytest.approx(exact(all_of_them, WORN).availability, rel=1e-12)


def test_of_an_example() -> None:
    """Two hosts of three, by hand: everything else never fails."""
    host = Figure("host", 9.0, 1.0, "")
    never = {k: replace(f, mttf=math.inf) for k, f in DEFAULTS.items()}
    condition = conditions(load(EXAMPLES / "three-controllers.yaml"))[0]
    found = exact(condition, Reliability({**never, "host": host}))
    assert found.availability == pytest.approx(0.9**3 + 3 * 0.9**2 * 0.1, rel=1e-14)
    assert found.birnbaum["host:ctl2"] == pytest.approx(2 * 0.9 * 0.1)


@given(any_condition(), st.sampled_from(["host", "zone", "s"]))
@settings(max_examples=30, deadline=None)
def test_other_figures_of_a_kind_need_no_other_diagram(condition: Condition, name: str) -> None:
    perfect = Reliability({**WORN.own, name: Figure(name, math.inf, 1.0, "")})
    assert Model(condition, WORN).availability(perfect) == pytest.approx(
        exact(condition, perfect).availability, rel=1e-12
    )


def test_what_lacks_a_service_never_works() -> None:
    condition = conditions(load(EXAMPLES / "three-controllers.yaml"))[0]
    assert exact(replace(condition, missing=("store",)), WORN).availability == 0.0


@given(st.integers(0, 8), st.integers(0, 9), st.floats(0.05, 0.95))
def test_tails_and_their_slopes(n: int, least: int, p: float) -> None:
    every = sum(p ** sum(s) * (1 - p) ** (n - sum(s)) for s in product((0, 1), repeat=n) if sum(s) >= least)
    assert tail(n, least, p) == pytest.approx(every)
    numeric = (tail(n, least, p + 1e-6) - tail(n, least, p - 1e-6)) / 2e-6
    assert tail_slope(n, least, p) == pytest.approx(numeric, rel=1e-4, abs=1e-6)


def test_a_diagram_of_thirty_voters_is_small() -> None:
    names = [f"x{i}" for i in range(30)]
    diagram = Diagram(names)
    root = diagram.at_least(16, [diagram.variable(n) for n in names])
    assert diagram.size(root) < 300
    assert diagram.probability(root, dict.fromkeys(names, 0.9)) == pytest.approx(tail(30, 16, 0.9))
    assert diagram.gradient(root, dict.fromkeys(names, 0.9))[1]["x3"] == pytest.approx(tail_slope(30, 16, 0.9) / 30)


def test_tiers_of_their_own_keep_the_diagram_small(tmp_path: Path) -> None:
    """Were hosts remembered for longer than they must be, this would be 190,000 nodes for list_alarms alone."""
    (tmp_path / "cloud.yaml").write_text(tiered(regions=1, racks=4, computes=14))
    for condition in conditions(load(tmp_path / "cloud.yaml")):
        model = Model(condition, Reliability(DEFAULTS))
        assert model.diagram.size(model.root) < 5_000, condition.name
