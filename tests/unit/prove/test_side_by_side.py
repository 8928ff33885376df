"""Two clouds under the same faults: what is computed of planted figures, and that every form of the report shows it."""

from __future__ import annotations

import dataclasses
import json
import math
from xml.etree import ElementTree

import pytest

from fournines.prove.document import document
from fournines.prove.junit import junit
from fournines.prove.model import Campaign, FaultResult
from fournines.prove.repeats import differences
from fournines.prove.report import render
from fournines.prove.report_markdown import page
from fournines.prove.report_table import table
from fournines.prove.run import judged
from fournines.prove.side_by_side import ALL, side_by_side
from fournines.prove.versions import merged
from samples.campaign import OTHER, OWN, beside, campaign


@pytest.fixture(scope="module")
def both() -> Campaign:
    return judged(beside())


def waited(result: FaultResult, seconds: float, run: int) -> FaultResult:
    (f,) = (f for f in result.functions if f.function == "validate")
    whole = dataclasses.replace(f.whole, worst_wait_s=seconds, longest_gap_s=seconds / 2, gap_returning_s=0.1)
    return dataclasses.replace(result, functions=(dataclasses.replace(f, whole=whole),), run=run)


def planted(ones: list[float], others: list[float]) -> Campaign:
    made = beside()
    first = {s: next(r for r in made.of(s) if not r.not_measured) for s in (OWN, OTHER)}
    runs = [waited(first[s], w, n) for s, waits in ((OWN, ones), (OTHER, others)) for n, w in enumerate(waits, 1)]
    return dataclasses.replace(made, results=tuple(runs))


def test_medians_differences_and_ratios_with_their_intervals() -> None:
    (fault,) = side_by_side(planted([1.0, 1.2, 1.1], [4.0, 5.0, 6.0]))
    assert [line.function for line in fault.lines] == [ALL, "validate"]
    for line in fault.lines:
        seen = line.figures["worst_wait_s"]
        assert seen.one and seen.other and seen.difference and seen.ratio
        assert (seen.one.median, seen.one.worst) == (1.1, 1.2)
        assert (seen.other.median, seen.other.worst) == (5.0, 6.0)
        assert seen.difference.median == pytest.approx(3.9)
        assert seen.ratio.median == pytest.approx(5.0 / 1.1)
        assert seen.difference.low is not None and seen.difference.high is not None
        assert 2.8 <= seen.difference.low <= 3.9 <= seen.difference.high <= 5.0
        gap = line.figures["longest_gap_s"]
        assert gap.difference and gap.difference.median == pytest.approx(1.95)


def test_of_one_run_each_there_is_no_interval() -> None:
    (fault,) = side_by_side(planted([1.0], [4.0]))
    difference = fault.lines[0].figures["worst_wait_s"].difference
    assert difference and (difference.median, difference.low, difference.high) == (3.0, None, None)


def test_one_that_never_came_back_is_longer_by_nobody_knows_how_much() -> None:
    (fault,) = side_by_side(planted([1.0, 1.0], [math.inf, math.inf]))
    seen = fault.lines[0].figures["worst_wait_s"]
    assert seen.difference and seen.difference.median == math.inf
    assert differences([math.inf], [math.inf]) is None
    for text in (render(planted([math.inf], [math.inf])), page(planted([1.0], [math.inf]), "x.html")):
        assert "nan" not in text


def test_what_one_cannot_be_struck_with_is_said_and_compared_with_nothing(both: Campaign) -> None:
    *measured, last = side_by_side(both)
    assert [str(b.fault) for b in measured] == ["host.power_off@vip", "host.power_off@writer"]
    assert all(b.lines and not b.missing for b in measured)
    assert last.lines == ()
    assert [(s.cloud, why) for s, why in last.missing] == [
        ("acme", "there is nothing on duo to set it beside"),
        ("duo", "there is no service 'arbitrator'"),
    ]


def test_a_campaign_that_ended_before_the_second_cloud_says_so(both: Campaign) -> None:
    half = dataclasses.replace(both, results=both.results[:1])
    (only,) = side_by_side(half)
    assert only.missing == ((OTHER, "the campaign ended before"),)


def test_one_cloud_alone_stands_beside_nothing() -> None:
    assert list(side_by_side(campaign())) == []


def test_every_form_names_each_cloud_at_each_fault(both: Campaign) -> None:
    html, text, short = render(both), page(both, "x.html"), table(both)
    for cloud in ("acme", "duo"):
        assert all(f"host.power_off@vip on {cloud}" in form for form in (html, text, short))
    assert "acme beside duo" in html and "acme beside duo" in text
    assert all("there is no service" in form for form in (html, text, short))
    assert "+1.97 s" in html and "+1.97 s (" in text


def test_both_clouds_marks_are_judged(both: Campaign) -> None:
    """The second one is no baseline: its faults have marks of their own, and can fail the run."""
    whole = json.loads(document(both))
    assert whole["beside"]["cloud"] == "duo"
    assert {f["verdict"] for f in whole["beside"]["faults"]} == {"fail", "unknown"}
    assert all(f["targets"] for f in whole["beside"]["faults"] if not f["not_measured"])
    good = tuple(dataclasses.replace(r, verdict="pass") for r in both.of(OWN))
    assert whole["baseline"] is None
    assert judged(dataclasses.replace(both, results=(*good, *both.of(OTHER)))).verdict == "fail"


def test_the_document_has_the_figures_side_by_side(both: Campaign) -> None:
    whole = json.loads(document(both))
    first = whole["side_by_side"][0]
    assert (first["one"]["cloud"], first["other"]["cloud"]) == ("acme", "duo")
    figures = first["functions"]["all"]["longest_gap_s"]
    assert {"one", "other", "difference_s", "ratio"} == figures.keys()
    assert figures["difference_s"]["median"] == pytest.approx(
        figures["other"]["median"] - figures["one"]["median"], 1e-3
    )
    assert len(figures["difference_s"]["interval"]) == 2
    assert {r["cloud"] for r in whole["repeats"]} == {"acme", "duo"}


def test_junit_has_a_suite_a_fault_and_cloud(both: Campaign) -> None:
    names = [s.get("name") for s in ElementTree.fromstring(junit(both))]
    assert "host.power_off@vip on acme" in names
    assert "host.power_off@vip on duo, run 2" in names
    assert "service.kill@arbitrator+one on duo" in names


def test_versions_that_differ_are_said_of_each() -> None:
    every = {"acme": {"haproxy": "3.0", "galera-4": "26"}, "duo": {"haproxy": "3.0", "pacemaker": "3.0"}}
    assert merged(every) == {"haproxy": "3.0", "galera-4, acme": "26", "pacemaker, duo": "3.0"}
    assert merged({"acme": {"haproxy": "3.0"}}) == {"haproxy": "3.0"}
