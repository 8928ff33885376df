"""A host more or less: who restarts, who joins when, and what is left to delete. Plans of the real services."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from fournines.cloud.model import Cloud, Host, Zone
from fournines.cloud.record import Retired
from fournines.cloud.secrets import Secrets
from fournines.plan.desired import desired, facts
from fournines.plan.make import NOTHING, make
from fournines.plan.model import Plan, Stage
from fournines.plan.preview import carried_out
from fournines.services import registry
from fournines.services.base import entry_of
from samples import cases

FOURTH = "ctl4"


@pytest.fixture
def three(tmp_path: Path) -> Cloud:
    made = cases.Case(Path("none"), {"cloud": {"components": "core"}}).cloud(tmp_path)
    cloud = replace(made, secrets=Secrets.load(tmp_path / "cloud.secrets.yaml"))
    desired(cloud, registry())
    return cloud


def with_hosts(cloud: Cloud, *hosts: Host) -> Cloud:
    (region,) = cloud.regions.values()
    return replace(cloud, regions={region.name: replace(region, hosts=hosts)})


def fourth(cloud: Cloud) -> Host:
    like = cloud.hosts[0]
    addresses = {name: IPv4Address(int(address) + 3) for name, address in like.addresses.items()}
    return replace(like, name=FOURTH, zone=Zone("rack1"), address=addresses["management"], addresses=addresses)


def four(cloud: Cloud) -> Cloud:
    return with_hosts(cloud, *cloud.hosts, fourth(cloud))


def planned(before: Cloud, after: Cloud) -> Plan:
    """On hosts on which everything is as `before`; what is new has nothing."""
    wanted = desired(after, registry())
    observed = carried_out(desired(before, registry()))
    for host, asked in facts(wanted).items():
        known = observed.setdefault(host, {})
        for fact in asked:
            known.setdefault(fact, NOTHING[fact.kind])
    return make(after, registry(), wanted, observed)


def restarts(plan: Plan) -> dict[str, set[str]]:
    """Unit -> hosts on which it restarts."""
    found: dict[str, set[str]] = {}
    for stage in plan.stages:
        for change in stage.changes:
            verb, _, unit = change.resource.key.partition(":")
            if verb == "restart":
                found.setdefault(unit, set()).add(change.host)
    return found


def named(plan: Plan, name: str) -> list[Stage]:
    return [stage for stage in plan.stages if stage.name == name]


def test_a_host_that_joins_restarts_no_member_of_a_group(three: Cloud) -> None:
    found = restarts(planned(three, four(three)))
    for unit in ("mariadb.service", "rabbitmq-server.service", "haproxy.service", "keepalived.service"):
        assert not found.get(unit, set()) - {FOURTH}, unit


@pytest.mark.parametrize("service", ["mariadb", "rabbitmq"])
def test_members_are_told_first_and_the_new_one_joins_after(three: Cloud, service: str) -> None:
    told, joins = named(planned(three, four(three)), service)
    assert {c.host for c in told.changes} == {"ctl1", "ctl2", "ctl3"}
    assert {check.host for check in told.gate} == {"ctl1", "ctl2", "ctl3"}
    assert not any(check.alone and check.script != check.alone for check in told.gate), "the new one is not there yet"
    assert joins.rolling == "joining"
    assert joins.waves == ((FOURTH,),)
    assert {check.host for check in joins.gate} == {"ctl1", "ctl2", "ctl3", FOURTH}


def test_clients_come_to_a_new_host_last(three: Cloud) -> None:
    plan = planned(three, four(three))
    names = [stage.name for stage in plan.stages]
    early, late = named(plan, "haproxy")
    assert {c.host for c in early.changes} == {FOURTH}
    assert {c.host for c in late.changes} == {"ctl1", "ctl2", "ctl3"}
    assert len(names) - 1 - names[::-1].index("haproxy") > names.index("keystone")


def test_on_a_first_start_nobody_joins(three: Cloud) -> None:
    wanted = desired(three, registry())
    plan = make(three, registry(), wanted, {name: {} for name in wanted})
    assert "joining" not in {stage.rolling for stage in plan.stages}
    assert len(named(plan, "mariadb")) == 1


def leaving(cloud: Cloud) -> Cloud:
    return with_hosts(
        cloud,
        *(replace(h, services=frozenset(), roles=(), leaving=True) if h.name == FOURTH else h for h in cloud.hosts),
    )


def test_a_host_that_leaves_hands_over_first_and_stops_last(three: Cloud) -> None:
    plan = planned(four(three), leaving(four(three)))
    found = restarts(plan)
    for unit in ("mariadb.service", "rabbitmq-server.service"):
        assert unit not in found
    last = plan.stages[-1]
    assert last.name == "remove"
    stopped = [c.resource.key for c in last.changes if c.host == FOURTH]
    assert stopped.index("unit:keystone.service") < stopped.index("unit:mariadb.service")
    assert stopped.index("unit:mariadb.service") < stopped.index("unit:fournines-observer.service")
    assert "left:rabbitmq" in stopped
    (rabbit,) = named(plan, "rabbitmq")
    assert f"task:RabbitMQ's queues have no copy on {FOURTH}" in {c.resource.key for c in rabbit.changes}


def test_meanwhile_it_is_let_in_as_before(three: Cloud) -> None:
    plan = planned(four(three), leaving(four(three)))
    (stage,) = named(plan, "firewall") or [None]
    rules = [c for c in stage.changes if c.host == "ctl1"] if stage else []
    assert not rules, "its group would take it for dead before it has stopped"


def test_what_is_known_of_one_that_has_left_is_deleted_and_then_forgotten(three: Cloud) -> None:
    entry = replace(entry_of(fourth(three)), state="gone")
    gone = replace(three, retired={FOURTH: Retired(entry)})
    plan = planned(leaving(four(three)), gone)
    assert f"task:RabbitMQ has no member {FOURTH}" in {c.resource.key for s in plan.stages for c in s.changes}
    done = planned(gone, replace(three, retired={FOURTH: Retired(entry, done=True)}))
    assert {c.resource.key for s in done.stages for c in s.changes} == {
        "file:/etc/fournines/hosts.json",
        "file:/var/lib/fournines/manifest",  # the task of the phase before is managed no longer
    }
