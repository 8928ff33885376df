"""What people and programs read of a plan: complete, short, and without secrets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.plan import render
from fournines.plan.diffs import texts, with_diffs
from fournines.plan.model import Change, Plan, Stage
from fournines.services.render import HEADER
from fournines.services.resource import Fact, File, Package


def plan(*changes: Change) -> Plan:
    hosts = tuple(dict.fromkeys(c.host for c in changes))
    return Plan("toy", (Stage("api", changes, "by-zone", (), tuple((h,) for h in hosts)),), "w")


def text(made: Plan) -> str:
    return "\n".join(line for _, line in render.lines(made))


OLD, NEW = "a\nb\nc\nd\ne\nf\n", "a\nb\nc\nD\ne\nf\n"


def update(host: str, *, secret: bool = False) -> Change:
    return Change(host, File("/etc/api", NEW, secret=secret), "update", "content")


def test_hosts_with_the_same_change_share_a_line() -> None:
    made = plan(*(Change(f"cmp{n:04}", Package("curl"), "add", "absent → installed") for n in range(1, 10_000)))
    assert "  + package:curl  [cmp[0001-9999]]  absent → installed" in text(made)
    assert len(text(made)) < 300


def test_a_changed_file_is_shown_as_a_unified_diff() -> None:
    made = plan(update("h1"), update("h2"))
    assert texts(made) == {host: [Fact("text", "/etc/api")] for host in ("h1", "h2")}
    shown = text(with_diffs(made, {host: {Fact("text", "/etc/api"): f"text {OLD}"} for host in ("h1", "h2")}))
    assert "  ~ file:/etc/api  [h1 h2]  content" in shown
    assert "      -d\n      +D\n" in shown
    assert "      @@ -2,5 +2,5 @@" in shown
    assert shown.count("+D") == 1


def test_a_packages_default_is_counted_and_not_printed() -> None:
    made = plan(Change("h1", File("/etc/api", HEADER + NEW), "update", "content"))
    shown = text(with_diffs(made, {"h1": {Fact("text", "/etc/api"): f"text {OLD}"}}))
    assert "  ~ file:/etc/api  [h1]  content: 6 lines that are not fournines' → 7\n" in shown
    assert "-d" not in shown
    ours = text(with_diffs(made, {"h1": {Fact("text", "/etc/api"): f"text {HEADER}{OLD}"}}))
    assert "      -d\n      +D\n" in ours


def test_a_secret_is_neither_asked_for_nor_shown() -> None:
    made = plan(update("h1", secret=True))
    assert texts(made) == {}
    assert with_diffs(made, {}) == made
    assert NEW not in text(made)
    assert "D" not in text(made).split("content")[1]


def test_a_new_files_content_is_in_neither_rendering() -> None:
    made = plan(Change("h1", File("/etc/api", "do not tell"), "add", "absent → present"))
    assert texts(made) == {}
    assert "do not tell" not in text(made) + json.dumps(render.document(made))


def test_a_file_that_is_gone_by_the_second_look_keeps_its_line() -> None:
    made = plan(update("h1"))
    assert with_diffs(made, {"h1": {Fact("text", "/etc/api"): "absent"}}) == made


def test_json_says_what_the_text_says() -> None:
    document = render.document(plan(update("h1"), update("h2")))
    assert document["empty"] is False
    (stage,) = document["stages"]
    assert stage["changes"] == [
        {"kind": "update", "resource": "file:/etc/api", "hosts": ["h1", "h2"], "diff": "content"}
    ]
    assert stage["waves"] == (("h1",), ("h2",))


def test_an_empty_plan_says_so() -> None:
    empty = Plan("toy", (), "w")
    assert text(empty) == "Nothing to change."
    assert render.document(empty)["empty"] is True


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["ctl1", "ctl2", "ctl3", "db1"], "ctl[1-3] db1"),
        (["ctl1", "ctl2"], "ctl1 ctl2"),
        (["a9", "a10", "a11"], "a[9-11]"),
        (["a09", "a10", "a11", "a13"], "a[09-11] a13"),
        (["a1", "b2", "c3"], "a1 b2 c3"),
        (["n1-x", "n2-x", "n3-x", "n4-y"], "n[1-3]-x n4-y"),
        (["alpha", "beta"], "alpha beta"),
        ([], ""),
    ],
)
def test_folded(names: list[str], said: str) -> None:
    assert render.folded(tuple(names)) == said


@given(st.lists(st.integers(0, 30), unique=True).map(sorted), st.sampled_from([1, 2]))
def test_folding_loses_no_host(numbers: list[int], width: int) -> None:
    names = [f"h{n:0{width}}" for n in numbers]
    found: list[str] = []
    for part in render.folded(tuple(names)).split():
        if "[" in part:
            first, last = part[part.index("[") + 1 : -1].split("-")
            found += [f"h{n:0{len(first) if first.startswith('0') else 1}}" for n in range(int(first), int(last) + 1)]
        else:
            found.append(part)
    assert found == names
