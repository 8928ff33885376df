"""Cut sets against brute force over every set of at most three components; sentences against known flaws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.cloud.model import Cloud
from fournines.design.condition import Component, Condition, Copy, Requirement
from fournines.design.cutsets import CutSets, minimal
from fournines.design.derive import conditions
from fournines.design.reliability import Reliability
from fournines.design.weakness import degraded, weaknesses
from fournines.services import load
from fournines.services.capabilities import Function
from samples.toy import Toy, cloud, registry

EXAMPLES = Path(__file__).parents[3] / "examples"
THREE = (EXAMPLES / "three-controllers.yaml").read_text()


def brute(condition: Condition, order: int = 3) -> set[frozenset[str]]:
    keys = [c.key for c in condition.components]
    fatal = [frozenset(s) for n in range(1, order + 1) for s in combinations(keys, n) if not condition.works(s)]
    return {s for s in fatal if not any(t < s for t in fatal)}


def found(condition: Condition) -> set[frozenset[str]]:
    return {c.keys for c in CutSets(Reliability({})).of(condition)}


def part(name: str) -> Component:
    return Component(name, "host", name, "r1", ())


@st.composite
def any_condition(draw: st.DrawFn) -> Condition:
    """Copies that share parts in every way."""
    parts = [part(f"p{i}") for i in range(draw(st.integers(3, 8)))]
    stands_on = st.lists(st.sampled_from(parts), min_size=1, max_size=3, unique=True)

    def requirement(i: int) -> Requirement:
        copies = tuple(
            Copy(f"h{i}{j}", tuple(draw(stands_on)), draw(st.integers(1, 3))) for j in range(draw(st.integers(1, 5)))
        )
        total = sum(c.count for c in copies)
        return Requirement(f"s{i}", draw(st.integers(1, total)), copies, "")

    return Condition(
        "f", "", "s0", "r1", (part("base"),), tuple(requirement(i) for i in range(draw(st.integers(1, 3))))
    )


@given(any_condition())
@settings(max_examples=300, deadline=None)
def test_every_minimal_cut_set_and_no_other(condition: Condition) -> None:
    assert found(condition) == brute(condition)


@pytest.mark.parametrize("name", ["three-controllers", "dedicated-tiers"])
def test_of_examples(name: str) -> None:
    first = conditions(load(EXAMPLES / f"{name}.yaml"))[0]
    assert found(first) == brute(first)


def test_minimal_keeps_no_set_that_contains_another() -> None:
    sets = [frozenset(s) for s in ("ab", "abc", "a", "bcd", "bc", "bc")]
    assert minimal(sets) == [frozenset("a"), frozenset("bc")]


def test_the_probable_come_first() -> None:
    cuts = CutSets(Reliability({})).of(conditions(load(EXAMPLES / "three-controllers.yaml"))[0])
    probabilities = [c.probability for c in cuts]
    assert probabilities == sorted(probabilities, reverse=True)
    assert {c.kind for c in cuts[0].components} == {"host"}


def of(tmp_path: Path, *changes: tuple[str, str]) -> Cloud:
    text = THREE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "cloud.yaml").write_text(text)
    return load(tmp_path / "cloud.yaml")


def said(made: Cloud) -> Iterator[tuple[int, int, str, str]]:
    for w in weaknesses(conditions(made), CutSets(Reliability.of(made))):
        if w.cut.components[0].kind not in ("region", "network"):
            yield w.order, w.count, w.what, w.removes


def test_one_power_feed_under_two_of_three(tmp_path: Path) -> None:
    first, *_ = said(of(tmp_path, ("pdu-c", "pdu-b")))
    assert first == (
        1, 1, "power feed pdu-b: mariadb and the VIP's vote: 1 of 3 left, 2 needed",
        "spread mariadb so that no power feed carries more than 1 of its 3 copies",
    )  # fmt: skip


def test_alike_cut_sets_are_one_weakness(tmp_path: Path) -> None:
    first, second, *_ = said(of(tmp_path))
    assert first[:3] == (
        2, 48, "2 of ctl1, ctl2 and ctl3 (by host, zone, power feed or switch): mariadb and the VIP's vote: "
        "1 of 3 left, 2 needed",
    )  # fmt: skip
    assert first[3] == "5 hosts that carry mariadb instead of 3"
    assert "agent on another host" in second[2]


def test_what_a_loss_leaves(tmp_path: Path) -> None:
    made = of(tmp_path)
    first = degraded(conditions(made), CutSets(Reliability.of(made)))[0]
    assert first.what == (
        "after losing ctl1 (host ctl1, zone rack1, power feed pdu-a or switch tor-1): one more of ctl2 and ctl3, "
        "or agent or mariadb elsewhere stops authenticate and list_projects"
    )


def test_copies_that_share_a_zone_are_to_be_spread(tmp_path: Path) -> None:
    line = "\n      c{0}: {{zone: rack{1}, address: 198.18.0.2{0}, roles: [controller]}}"
    made = of(tmp_path, ("hosts:", "hosts:" + line.format(4, 1) + line.format(5, 2)))
    ways = {way for _, _, _, way in said(made)}
    assert "spread mariadb so that no power feed carries more than 1 of its 5 copies" in ways


@dataclass
class Giver(Toy):
    functions: tuple[Function, ...] = (Function("ask", "asks"),)


def test_what_never_worked_has_no_cut_sets() -> None:
    services = registry(Toy("store"), Giver("api", needs=("store",)))
    (missing,) = conditions(cloud({"a": ("api",)}), services)
    assert missing.missing == ("store",)
    assert weaknesses([missing], CutSets(Reliability({}))) == ()
