"""A saved plan is the plan: the same hosts, steps and checks after a trip through JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.errors import PlanError
from fournines.plan import saved
from fournines.plan.actions import Recorded
from fournines.plan.model import Change, Plan, Stage
from fournines.services.resource import Fact, File, Put, Run
from fournines.services.service import Check

text = st.text(max_size=20)
names = st.text("abc123", min_size=1, max_size=4)
steps = st.one_of(
    st.builds(Run, text, st.floats(0.1, 900), text),
    st.builds(Put, text, st.binary(max_size=40), st.integers(0, 0o7777), names, names),
)
actions = st.builds(Recorded, text, st.lists(text, max_size=2).map(tuple), st.lists(steps, max_size=3).map(tuple))
changes = st.builds(Change, names, actions, st.sampled_from(["add", "update", "remove"]), text)
stages = st.builds(
    Stage,
    names,
    st.lists(changes, max_size=4).map(tuple),
    st.sampled_from(["together", "one-by-one", "by-zone"]),
    st.lists(st.builds(Check, text, names, text, st.floats(0, 600), text), max_size=2).map(tuple),
    st.lists(st.lists(names, max_size=3).map(tuple), max_size=3).map(tuple),
)
facts = st.builds(Fact, st.sampled_from(["path", "text", "unit", "package", "shell", "python"]), text)
plans = st.builds(
    Plan,
    names,
    st.lists(stages, max_size=3).map(tuple),
    text,
    text,
    st.dictionaries(names, st.lists(facts, max_size=4).map(tuple), max_size=3),
)


@given(plans)
def test_a_plan_survives_a_trip_through_json(plan: Plan) -> None:
    written = saved.dump(plan)
    assert saved.is_saved(written)
    assert saved.load(written) == plan


def test_any_resource_is_saved_as_the_steps_that_it_takes() -> None:
    file = File("/etc/a", "content\n", mode=0o640, secret=True, triggers=("restart:a.service",))
    plan = Plan("c", (Stage("a", (Change("h", file, "add", "absent → present"),), "together", (), (("h",),)),), "w")
    (change,) = saved.load(saved.dump(plan)).stages[0].changes
    assert (change.resource.key, change.resource.triggers) == (file.key, file.triggers)
    assert list(change.resource.steps()) == list(file.steps())


@pytest.mark.parametrize("written", ["", "{", "[]", '{"format": 1}', "cloud: acme", "3", '{"format": 1, "stages": 3}'])
def test_what_is_not_a_plan_is_told(written: str) -> None:
    with pytest.raises(PlanError, match="not a saved plan") as caught:
        saved.load(written, "some.plan")
    assert caught.value.where == "some.plan"
    assert "plan CLOUD -o" in caught.value.next


def test_another_format_is_told() -> None:
    with pytest.raises(PlanError, match="format 99"):
        saved.load('{"format": 99}')


def test_a_cloud_file_is_not_taken_for_a_plan() -> None:
    assert not saved.is_saved("cloud: acme\n")
    assert not saved.is_saved('{"cloud": "acme"}')
