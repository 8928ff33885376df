"""Suites are faults that can be written, within the time that they promise; a soak is the same for the same seed."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.cloud.model import Cloud
from fournines.prove.estimate import estimates, spell
from fournines.prove.faults.catalogue import drawn
from fournines.prove.faults.target import TARGETS
from fournines.prove.functions import carried
from fournines.prove.site import Lengths
from fournines.prove.suites import SUITES, functions_of, soak, suite
from fournines.services import load

EXAMPLES = Path(__file__).parents[3] / "examples"
CORE = EXAMPLES / "three-controllers.yaml"


@pytest.fixture(scope="module", params=["three-controllers.yaml", "split-groups.yaml"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    return load(EXAMPLES / request.param)


@pytest.mark.parametrize("name", ["smoke", "standard"])
def test_a_suite_keeps_its_time(name: str, cloud: Cloud) -> None:
    functions = functions_of(name, carried(cloud, next(iter(cloud.regions))))
    total = sum(e.total for e in estimates(suite(name, cloud), functions, Lengths()))
    assert total < SUITES[name].within


def test_a_suite_has_what_the_cloud_has_services_for() -> None:
    core = [str(f) for f in suite("standard", load(CORE))]
    assert "host.power_off@vip" in core
    assert not any("nova" in f for f in core)
    assert any("nova" in str(f) for f in suite("standard", load(EXAMPLES / "split-groups.yaml")))


def test_full_has_every_fault_at_every_target(cloud: Cloud) -> None:
    faults = suite("full", cloud)
    hosts = {(f.name, f.target) for f in faults if not f.service and not f.parts}
    for kind in drawn(cloud):
        if kind.subject == "host":
            assert {(kind.name, target) for target in TARGETS} <= hosts
    assert any(f.parts for f in faults)


def test_full_has_every_zone_of_several_hosts() -> None:
    cloud = load(EXAMPLES / "split-groups.yaml")
    lost = {f.target for f in suite("full", cloud) if f.name == "host.power_off"}
    assert {h.zone.name for h in cloud.hosts} <= lost


def test_a_seed_repeats_its_sequence(cloud: Cloud) -> None:
    def first(seed: int) -> list[str]:
        return [str(f) for f in itertools.islice(soak(cloud, seed), 60)]

    assert first(7) == first(7)
    assert first(7) != first(8)
    assert any(" and " in f for f in first(7)) and any(" then " in f for f in first(7))


def test_work_in_turns_and_hosts_that_boot_take_longer() -> None:
    cloud = load(CORE)
    (quick,) = estimates(suite("smoke", cloud)[:1], ["validate"], Lengths())
    (turns,) = estimates(suite("smoke", cloud)[:1], ["validate", "boot_server"], Lengths())
    assert turns.total > quick.total + 30


@pytest.mark.parametrize(("seconds", "said"), [(45, "45 s"), (240, "4 min"), (9000, "2 h 30 min")])
def test_an_estimate_is_said_as_exactly_as_it_is(seconds: float, said: str) -> None:
    assert spell(seconds) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--suite", "smoke", "--faults", "each"], "both say what to inject"),
        (["--suite", "smoke", "--soak", "--for", "1h"], "both say what to inject"),
        (["--soak"], "has no end"),
        (["--soak", "--for", "0s"], "lasts no time"),
        (["--for", "1h"], "go with --soak"),
        (["--seed", "7"], "go with --soak"),
        (["--soak", "--for", "1h", "--repeat", "3"], "does not go with --repeat"),
        (["--calm", "1m", "--suite", "smoke"], "does not go with --suite"),
    ],
)
def test_what_does_not_go_together_is_said(words: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, ["prove", str(CORE), *words])
    assert done.exit_code != 0
    assert said in str(done.exception)
