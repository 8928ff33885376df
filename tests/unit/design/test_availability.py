"""Availability of an example, its targets, its switches by origin, and what more hosts would buy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.cloud.model import Cloud
from fournines.design.availability import Availability, availability
from fournines.design.derive import conditions
from fournines.design.growth import purchases, with_hosts
from fournines.design.switches import Observed
from fournines.prove import store
from fournines.prove.observed import observed, stored
from fournines.prove.pass_marks import service_degraded
from fournines.services import load
from samples.campaign import campaign

EXAMPLES = Path(__file__).parents[3] / "examples"
THREE = (EXAMPLES / "three-controllers.yaml").read_text()
Make = Callable[..., Cloud]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(design: str = "{}", *changes: tuple[str, str]) -> Cloud:
        text = THREE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "cloud.yaml").write_text(f"{text}design: {design}\n")
        return load(tmp_path / "cloud.yaml")

    return make


def first(made: Cloud, *seen: Observed) -> Availability:
    return availability(made, conditions(made), seen)[0]


def test_the_parts_make_the_whole(make: Make) -> None:
    found = first(make())
    product = found.static
    for switch in found.switches:
        product *= 1 - switch.unavailability
    assert found.availability == pytest.approx(product, rel=1e-15)
    assert {s.service for s in found.switches} == {"mariadb", "keepalived"}
    assert 0.99995 < found.availability < found.static < 1


@pytest.mark.parametrize(("target", "met"), [("{target: 99.9}", True), ("{target: 99.9999}", False), ("{}", None),
                                             ("{target: 99.9999, targets: {authenticate: 99}}", True)])  # fmt: skip
def test_targets(make: Make, target: str, met: bool | None) -> None:
    assert first(make(target)).met is met


def test_one_rack_is_worse_than_three(make: Make) -> None:
    one = make("{}", ("zone: rack2, address", "zone: rack1, address"), ("zone: rack3, address", "zone: rack1, address"))
    assert first(one).minutes > 50 * (1 - first(make()).static)
    assert first(one).importance[0].what in ("zone", "power")


def test_measured_outages_replace_the_timers(make: Make) -> None:
    derived = first(make()).switches
    assert {s.origin for s in derived} == {"derived"}
    measured = first(make(), Observed("authenticate", "", 40.0), Observed("authenticate", "mariadb", 9.0)).switches
    by = {s.service: s for s in measured}
    assert by["mariadb"].origin == "measured"
    assert 9.0 < by["mariadb"].seconds < 40.0  # of its own process, and of the host
    assert by["keepalived"].a_year < next(
        s.a_year for s in derived if s.service == "keepalived"
    )  # the host counts once


def test_what_the_file_states_goes_first(make: Make) -> None:
    found = first(make("{failover: {mariadb: 25s}}"), Observed("authenticate", "mariadb", 9.0)).switches
    assert [(s.origin, s.seconds) for s in found if s.service == "mariadb"] == [("stated", 25.0)]


def test_two_more_hosts_help_and_one_in_a_used_rack_harms(make: Make) -> None:
    made = make()
    found = conditions(made)
    offers = {p.hosts: p for p in purchases(made, found, availability(made, found))}
    assert offers[2].gained > 0 > offers[1].gained
    assert offers[2].like == "ctl1"


def test_more_hosts_go_where_fewest_are(make: Make) -> None:
    made = make("{}", ("zone: rack3, address", "zone: rack2, address"))
    region = made.regions["phx"]
    grown = with_hosts(made, region, region.hosts[0], 2)
    assert [h.zone.name for h in grown.hosts[3:]] == ["rack1", "rack1"]  # no host is in rack3: it may have no power
    assert len(made.hosts) == 3


def test_what_proofs_tell(tmp_path: Path) -> None:
    run = campaign()
    seen = observed([run], run.own.profile)
    assert {o.service for o in seen} >= {""}
    longest = max(service_degraded(f.whole) for r in run.results if r.fault.name == "host.power_off" and r.roles
                  and r.subject == run.own for f in r.functions if f.function == "authenticate")  # fmt: skip
    assert Observed("authenticate", "", longest) in seen
    assert observed([run], "another") == ()
    assert stored(tmp_path, run.own.profile) == ()
    store.save(tmp_path / "runs" / "one", run)
    assert stored(tmp_path, run.own.profile) == seen


def test_the_command() -> None:
    file = str(EXAMPLES / "three-controllers.yaml")
    shown = CliRunner().invoke(cli, ["design", file], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "authenticate" in shown.output and "What two losses together stop" in shown.output
    assert "assumed" in shown.output
    document = CliRunner().invoke(cli, ["design", "--json", file], catch_exceptions=False).output
    assert '"availability": 0.9999' in document
    assert "Infinity" not in document
