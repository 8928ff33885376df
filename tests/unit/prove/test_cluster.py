"""Full redundancy and the audit, from what the agents say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fournines.health.cluster import RegionState, Unknown
from fournines.health.snapshot import Backend, Galera, HostState, Probe, Queue, Rabbitmq, Vip
from fournines.prove.cluster import assess, standing, wrong
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"
REGION = load(EXAMPLE).regions["phx"]
HOSTS = ("ctl1", "ctl2", "ctl3")
HELD = (str(REGION.vips.internal), str(REGION.vips.public))
QUEUE = Queue("probe", "q", "quorum", "rabbit@ctl1", HOSTS, HOSTS)


def host(name: str) -> HostState:
    """A healthy one: ctl1 holds the VIPs, ctl2 writes."""
    return HostState(
        host=name,
        age=0.5,
        vip=Vip(HELD if name == "ctl1" else (), may_hold=True, why="", balancer=True),
        backends=tuple(Backend("keystone", h, "UP", "") for h in HOSTS),
        galera=Galera(0.1, True, "Synced", "uuid", 100, HOSTS, 0, name == "ctl2", "ctl2", "", "", ()),
        rabbitmq=Rabbitmq(True, "", tuple(f"rabbit@{h}" for h in HOSTS), (), (), (QUEUE,)),
        memcached=Probe(True, ""),
        keystone=Probe(True, ""),
        units={"mariadb.service": "active"},
    )


def region(**changes: HostState | None) -> RegionState:
    """`changes`: host -> its state, None when its agent does not answer."""
    states = {name: changes.get(name, host(name)) for name in HOSTS}
    silent = tuple(Unknown(name, "does not answer", "", "") for name, state in states.items() if state is None)
    return RegionState(REGION, {n: s for n, s in states.items() if s is not None}, silent)


def failed(state: RegionState) -> set[str]:
    return {f.name for f in assess(state) if not f.ok}


def test_a_whole_region_has_nothing_wrong() -> None:
    assert list(wrong(region())) == []
    assert failed(region()) == set()
    assert (standing(region()).vip, standing(region()).writer) == ("ctl1", "ctl2")


def test_an_agent_that_has_not_looked_yet_proves_nothing() -> None:
    booting = replace(host("ctl3"), rabbitmq=None, keystone=None)
    assert [w for w in wrong(region(ctl3=booting)) if "nothing is known" in w] == [
        "ctl3: nothing is known of its rabbitmq yet",
        "ctl3: nothing is known of its keystone yet",
    ]


def test_a_silent_host_is_not_redundant() -> None:
    assert any("ctl3" in w for w in wrong(region(ctl3=None)))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (replace(host("ctl3"), vip=Vip(HELD, True, "", True)), "one host holds the VIPs"),
        (replace(host("ctl1"), vip=Vip((), True, "", True)), "one host holds the VIPs"),
        (replace(host("ctl3"), galera=replace(host("ctl2").galera, acting=True)), "one node takes writes"),
        (replace(host("ctl3"), galera=replace(host("ctl3").galera, seqno=7)), "every Galera node"),
        (replace(host("ctl3"), galera=replace(host("ctl3").galera, cluster="other")), "every Galera node"),
        (replace(host("ctl3"), galera=replace(host("ctl3").galera, primary=False)), "every Galera node"),
        (
            replace(host("ctl3"), rabbitmq=Rabbitmq(True, "", HOSTS[:2], ("rabbit@ctl3",), (), (QUEUE,))),
            "every RabbitMQ",
        ),
        (
            replace(host("ctl1"), rabbitmq=Rabbitmq(True, "", HOSTS, (), (), (replace(QUEUE, online=HOSTS[:2]),))),
            "every RabbitMQ",
        ),
        (replace(host("ctl3"), units={"mariadb.service": "failed (signal)"}), "every unit is active"),
        (replace(host("ctl3"), keystone=Probe(False, "refused")), "status finds nothing wrong"),
    ],
)
def test_the_audit_finds(changed: HostState, name: str) -> None:
    assert any(finding.startswith(name) for finding in failed(region(**{changed.host: changed})))


@pytest.mark.parametrize(("behind", "ok"), [(0, True), (1, True), (2, False)])
def test_nodes_that_go_on_committing_are_at_one_position_if_each_got_to_what_was_seen_before(
    behind: int, ok: bool
) -> None:
    galera = host("ctl3").galera
    assert galera
    state = region(ctl3=replace(host("ctl3"), galera=replace(galera, seqno=galera.seqno - behind)))
    (found,) = (f for f in assess(state, reached=galera.seqno - 1) if f.name.startswith("every Galera node"))
    assert found.ok is ok
    (at_first,) = (f for f in assess(state) if f.name.startswith("every Galera node"))
    assert at_first.ok is (behind == 0)
