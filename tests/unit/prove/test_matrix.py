"""Faults × functions, in the report, in JUnit's XML; and what faults cost in a year."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.prove import store
from fournines.prove.analyse import analyse
from fournines.prove.budget import ALLOWED_MIN, budget
from fournines.prove.document import document
from fournines.prove.junit import junit
from fournines.prove.matrix import WHOLE, Row, matrix
from fournines.prove.model import Campaign, FailureRate, Fault, FaultResult
from fournines.prove.report import render
from samples.campaign import OWN, campaign
from samples.history import events, operations
from samples.history import store as written


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> FaultResult:
    """Nothing went wrong in it."""
    fault = {"name": "service.kill", "service": "keystone", "target": "one", "duration": 0.0}
    began = next(e for e in events() if e.name == "began").data | {"fault": fault, "candidates": 3}
    return analyse(written(tmp_path_factory.mktemp("run"), operations(), events(began=began)))


def of(*results: FaultResult, **changes: object) -> Campaign:
    return dataclasses.replace(campaign(), results=results, reference=None, **changes)


def states(row: Row) -> dict[str, str]:
    return {c.function: c.state for c in row.cells}


def slow(result: FaultResult, function: str, seconds: float) -> FaultResult:
    """`function` waited so long."""

    def late(f):
        whole = dataclasses.replace(f.whole, worst_wait_s=seconds, degraded_s=seconds)
        return dataclasses.replace(f, whole=whole) if f.function == function else f

    return dataclasses.replace(result, functions=tuple(map(late, result.functions)))


def test_a_cell_is_judged_by_its_functions_marks_alone(measured: FaultResult) -> None:
    (row,) = matrix(of(slow(measured, "validate", 5.0)))
    found = states(row)
    assert found.pop("validate") == "fail"
    assert set(found.values()) == {"pass"}
    assert WHOLE in found


def test_what_is_unknown_and_what_was_not_measured_are_neither_green_nor_red(measured: FaultResult) -> None:
    unsampled = slow(measured, "validate", math.nan)
    absent = dataclasses.replace(measured, fault=Fault("host.reset", "", "vip", 0.0), not_measured="no power switch")
    first, second = matrix(of(unsampled, absent))
    assert states(first)["validate"] == "unknown"
    assert set(states(second).values()) == {"absent"}


def test_of_several_runs_the_worst_stands_in_each_cell(measured: FaultResult) -> None:
    runs = slow(measured, "validate", 5.0), dataclasses.replace(slow(measured, "publish", 7.0), run=2)
    (row,) = matrix(of(*runs))
    assert states(row)["validate"] == states(row)["publish"] == "fail"
    assert next(c for c in row.cells if c.function == "publish").worst_wait_s == 7.0


def test_every_cell_of_the_report_leads_to_what_it_tells(measured: FaultResult) -> None:
    page = render(of(slow(measured, "validate", 5.0)))
    assert 'href="#fault-1-validate"' in page
    assert 'id="fault-1-validate"' in page
    assert 'href="#fault-1-writes"' in page
    assert 'id="fault-1-writes"' in page


def test_junit_has_a_case_a_fault_and_function(measured: FaultResult) -> None:
    absent = dataclasses.replace(
        measured, fault=Fault("host.reset", "", "vip", 0.0), not_measured="it said \x1b[31m<no>\x00"
    )
    root = ElementTree.fromstring(junit(of(slow(measured, "validate", 5.0), absent)))
    cases = {(c.get("classname"), c.get("name")): c for c in root.iter("testcase")}
    assert len(cases) == 2 * (len(measured.functions) + 1)
    failed = cases["service.kill@keystone+one", "validate"].find("failure")
    assert failed is not None and "worst wait" in (failed.get("message") or "")
    assert len(cases["service.kill@keystone+one", "publish"].findall("*")) == 1
    skipped = cases["host.reset@vip", "validate"].find("skipped")
    assert skipped is not None and "<no>" in (skipped.get("message") or "")
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == (
        str(len(cases)),
        "1",
        str(len(cases) // 2),
    )


def test_the_command_writes_junit(tmp_path: Path) -> None:
    store.save(tmp_path / "run", campaign())
    path = tmp_path / "proof.xml"
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "run"), "--junit", str(path)])
    assert done.exit_code == 0, done.output
    assert ElementTree.parse(path).getroot().tag == "testsuites"


def test_a_year_is_cost_times_rate(measured: FaultResult) -> None:
    """Degraded for 3 s, twice a year each of the two hosts that are alike."""
    day = 86400.0
    off = dataclasses.replace(measured, fault=Fault("host.power_off", "", "one", 20.0))
    off = dataclasses.replace(slow(off, "validate", 3.0), roles=(), candidates=3)
    (cost,) = budget(of(off, failures={"host": FailureRate(365.25 * day / 2, "stated", False)}), OWN).costs
    assert (cost.each_s, cost.a_year, cost.minutes) == pytest.approx((3.0, 4.0, 0.2), rel=1e-3)


def test_of_several_faults_of_one_component_the_dearest_counts(measured: FaultResult) -> None:
    kill = slow(measured, "validate", 2.0)
    freeze = dataclasses.replace(
        slow(measured, "validate", 3.0), fault=Fault("service.freeze", "keystone", "one", 20.0)
    )
    found = budget(of(kill, freeze), OWN)
    assert found.minutes == pytest.approx(max(c.minutes or 0.0 for c in found.costs))
    assert found.share == pytest.approx(found.minutes / ALLOWED_MIN, rel=1e-3)
    assert pytest.approx(52.56) == ALLOWED_MIN


@pytest.mark.parametrize(
    ("fault", "hosts"),
    [
        (Fault("service.kill", "mariadb", "all", 0.0), ("ctl1", "ctl2", "ctl3")),
        (Fault("host.run_full", "", "vip", 20.0), ("ctl1",)),
        (Fault("service.stop", "keystone", "one", 20.0), ("ctl1",)),
    ],
)
def test_what_no_rate_is_stated_for_is_not_counted(measured: FaultResult, fault: Fault, hosts: tuple[str, ...]) -> None:
    found = budget(of(dataclasses.replace(measured, fault=fault, hosts=hosts)), OWN)
    assert found.costs[0].why
    assert found.minutes == 0.0


def test_the_document_says_which_rates_it_assumed(measured: FaultResult) -> None:
    year = json.loads(document(of(slow(measured, "validate", 2.0))))["year"]
    assert year["rates"]["process"]["assumed"]
    assert year["faults"][0]["rate"] == "process"
    assert year["cost_min"] == pytest.approx(year["faults"][0]["cost_min"])
