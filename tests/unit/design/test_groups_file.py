"""Models of repairable groups as files: published ones, and ones that cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.design.groups_file import read
from fournines.design.markup import ModelError
from fournines.errors import FourninesError

CLUSTER = """\
repairable: workstation cluster
groups:
  left: {count: 2, fail: 1/500, repair: 2}
  right: {count: 2, fail: 1/500, repair: 2}
  to_left: {count: 1, fail: 1/4000, repair: 0.25}
  to_right: {count: 1, fail: 1/4000, repair: 0.25}
  line: {count: 1, fail: 1/5000, repair: 0.125}
crew: {size: 1, inspect: 10}
works: >-
  (left >= 2 and to_left) or (right >= 2 and to_right)
  or (left + right >= 2 and to_left and line and to_right)
"""
REPLICAS = """\
repairable: three of four
groups: {fragment: {count: 4, fail: 0.05, repair: 365}}
works: not fragment < 3
lost_is_lost: true
after: 1
"""


def test_the_workstation_cluster_as_a_file() -> None:
    model = read(CLUSTER, "model.yaml")
    assert model.system.availability() == pytest.approx(0.9999615335623628, abs=1e-14)
    assert model.after is None


def test_the_command_solves_both_formats(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        return CliRunner().invoke(cli, ["design", "solve", *words], catch_exceptions=False).output

    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    (tmp_path / "replicas.yaml").write_text(REPLICAS)
    (tmp_path / "tree.xml").write_text(
        '<opsa-mef><define-gate name="t"><and><event name="a"/><event name="b"/></and></define-gate>'
        '<define-basic-event name="a"><float value="0.5"/></define-basic-event>'
        '<define-basic-event name="b"><float value="0.25"/></define-basic-event></opsa-mef>'
    )
    assert "0.999961533562363" in run(str(tmp_path / "cluster.yaml"))
    answer = json.loads(run("--json", str(tmp_path / "replicas.yaml")))
    assert answer["availability"] is None  # sooner or later it is lost
    assert answer["then"] == pytest.approx(0.9999181150, abs=5e-11)
    assert "0.125" in run(str(tmp_path / "tree.xml"))
    (solution,) = json.loads(run("--json", str(tmp_path / "tree.xml")))["solutions"]
    assert solution["cuts"] == [[["a", "b"], 0.125]]
    assert solution["birnbaum"] == {"a": 0.25, "b": 0.5}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "fail: 1/500, repair: 2}\n  right",
            "fail: -1/500, repair: 2}\n  right",
            "3:26: groups.left.fail: a rate, or a",
        ),
        (
            "fail: 1/500, repair: 2}\n  right",
            "fail: 1/0, repair: 2}\n  right",
            "3:26: groups.left.fail: expected a number",
        ),
        ("left: {count: 2", "left: {count: 0", "3:17: groups.left.count: expected a whole number from 1"),
        ("size: 1", "size: 0", "8:14: crew.size: expected a whole number of at least 1"),
        ("size: 1, ", "", "8:7: crew: who inspects is a crew of some size"),
        ("inspect: 10", "inspect: -10", "8:26: crew.inspect: a rate, or a time, is above zero"),
        ("and line and", "and lines and", "9:8: works: there is no group lines"),
        ("and line and", "and and", "9:8: works: this is no condition"),
        ("and line and", "and print(line) and", "9:8: works: print(line) is not understood"),
        ("to_left: {", "to-left: {", "groups.to-left: to-left cannot stand in a condition"),
        ("crew:", "crews:", "8:1: crews: unknown key crews"),
        ("works: >-", "work: >-", "works is missing"),
        ("  line: {count: 1, fail: 1/5000, repair: 0.125}", "  line: 5", "7:9: groups.line: expected a mapping"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    assert old in CLUSTER
    with pytest.raises(ModelError) as refused:
        read(CLUSTER.replace(old, new, 1), "model.yaml")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "works",
    [
        "a >= 2 and b",
        "a + b > 3 or not a",
        "(a or b) >= 2",  # as in Python: the first that is not zero
        "(a and b) + 1 == 3",
        "a != b and (a < 2 or b <= 1)",
        "not (a and b)",
        "not a < 2",
        "a or b or 1",
        "a and 0 and b",
        "True",
    ],
)
def test_a_condition_means_what_it_does_in_python(works: str) -> None:
    system = read(
        f"repairable: x\ngroups: {{a: &g {{count: 3, fail: 1, repair: 1}}, b: *g}}\nworks: {works}\n", "f"
    ).system
    for a in range(4):
        for b in range(4):
            assert system.works({"a": a, "b": b}) is bool(eval(works, {"a": a, "b": b}))


@pytest.mark.parametrize("works", ["left + " * 5000 + "left", "not " * 5000 + "left"])
def test_a_condition_without_end_is_refused(works: str) -> None:
    with pytest.raises(ModelError, match="this is no condition"):
        read(f"repairable: x\ngroups: {{left: {{count: 1, fail: 1, repair: 1}}}}\nworks: {works}\n", "model.yaml")


@pytest.mark.parametrize("text", ["", "[]", "just text", "a: [", "repairable: x"])
def test_what_is_no_model(text: str) -> None:
    with pytest.raises(ModelError):
        read(text, "model.yaml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["design", "solve", str(tmp_path / "none.xml")])
    assert "cannot be read" in str(result.exception)


@pytest.mark.parametrize("rates", ["fail: 1e300, repair: 1e-300", "fail: 1e-300, repair: 1e300", "fail: 1, repair: 1"])
@pytest.mark.parametrize("crew", ["{}", "{size: 1}", "{size: 1, inspect: 1e300}"])
@pytest.mark.parametrize("after", ["1", "1e300"])
def test_no_answer_is_not_a_number(tmp_path: Path, rates: str, crew: str, after: str) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(f"repairable: x\ngroups: {{a: {{count: 3, {rates}}}}}\ncrew: {crew}\nworks: a\nafter: {after}\n")
    result = CliRunner().invoke(cli, ["design", "solve", "--json", str(file)])
    assert "nan" not in result.output.lower()
    if result.exit_code == 0:
        found = json.loads(result.output)
        assert 0 <= found["availability"] <= 1
        assert 0 <= found["then"] <= 1
    else:
        assert isinstance(result.exception, FourninesError)
