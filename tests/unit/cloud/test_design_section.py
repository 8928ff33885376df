"""`design:` of the cloud file: times with units, shares, and errors with their place."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from fournines.cloud.values import UNITS, span
from fournines.design import check_file
from fournines.design.overview import overview
from fournines.design.reliability import DEFAULTS, Reliability, spell
from fournines.errors import CloudFileError
from fournines.services import load

THREE = (Path(__file__).parents[3] / "examples/three-controllers.yaml").read_text()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cloud.yaml"


def write(file: Path, design: str) -> Path:
    file.write_text(f"{THREE}design: {design}\n")
    return file


def test_what_is_stated_replaces_the_assumption(file: Path) -> None:
    made = load(write(file, "{failures: {host: {mttf: 3y, mttr: 2h}, process: {mttf: 30d}, mariadb: {mttr: 60}}}"))
    figures = Reliability.of(made).own
    assert (figures["host"].mttf, figures["host"].mttr, figures["host"].assumed) == (3 * UNITS["y"], 7200.0, False)
    assert (figures["process"].mttf, figures["process"].mttr) == (30 * UNITS["d"], DEFAULTS["process"].mttr)
    assert (figures["mariadb"].mttf, figures["mariadb"].mttr) == (30 * UNITS["d"], 60.0)
    assert figures["mariadb"].assumed


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ("{coverage: 1.2}", "22:20: design.coverage: a probability is a number from 0 to 1, not 1.2"),
        ("{failures: {host: {mttf: -5}}}", "22:34: design.failures.host.mttf: a time between failures, or"),
        ("{failures: {host: {mttf: -5h}}}", "22:34: design.failures.host.mttf: '-5h' is not a time such as"),
        ("{failures: {hosts: {mttf: 5h}}}", "22:21: design.failures.hosts: unknown component or service hosts"),
        ("{failover: {marriadb: 5s}}", "22:21: design.failover.marriadb: unknown service marriadb"),
        ("{target: 100}", "22:18: design.target: an availability is a percentage above 0 and below 100"),
        ("{targets: {boot: many}}", "22:26: design.targets.boot: an availability is a percentage"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place(file: Path, design: str, message: str) -> None:
    with pytest.raises(CloudFileError) as refused:
        load(write(file, design))
    assert message in str(refused.value)


def test_a_target_for_what_nobody_provides(file: Path) -> None:
    write(file, "{targets: {authentikate: 99.9}}")
    (found,) = check_file(file)[1]
    assert (found.rule, found.line, found.column, found.change) == (
        "unknown-function", 22, 20, "did you mean authenticate?",
    )  # fmt: skip
    with pytest.raises(CloudFileError, match="targets"):
        overview(load(file))


@pytest.mark.parametrize(("text", "seconds"), [("90d", 7_776_000.0), ("1.5 h", 5400.0), (3, 3.0), ("never", math.inf)])
def test_spans(text: object, seconds: float) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["5 weeks", "", None, True, 0, "0s", float("nan")])
def test_what_is_no_span(text: object) -> None:
    with pytest.raises(ValueError, match="time"):
        span(text)


def test_spelled() -> None:
    assert [spell(s) for s in (math.inf, 7_776_000, 5400, 0.5)] == ["never", "90 d", "1.5 h", "500 ms"]
