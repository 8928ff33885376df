"""What daemons say of themselves, without the agents: each of these is seen, and silence is not health."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fournines.engine.transport import Completed
from fournines.errors import HostError
from fournines.prove import daemons
from fournines.prove.reach import Reach
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"
REGION = load(EXAMPLE).regions["phx"]
HOSTS = ("ctl1", "ctl2", "ctl3")
Change = Callable[[dict[str, Any]], None]


def said(host: str) -> dict[str, Any]:
    """Of a healthy one: ctl1 holds the VIPs, ctl2 writes."""
    keystone = [["keystone", h, "UP"] for h in HOSTS]
    database = [["mariadb", h, "UP" if h == "ctl2" else "DOWN"] for h in HOSTS]
    return {
        "galera": {
            "wsrep_cluster_status": "Primary",
            "wsrep_local_state_comment": "Synced",
            "wsrep_ready": "ON",
            "wsrep_cluster_size": "3",
            "wsrep_cluster_state_uuid": "uuid",
        },
        "rabbitmq": {"running": [f"rabbit@{h}" for h in HOSTS], "alarms": [], "parted": False},
        "haproxy": {"servers": [*keystone, *database], "stale": 0.0},
        "units": [],
        "vips": [str(REGION.vips.public)] if host == "ctl1" else [],
    }


def wrong(*, clustered: bool = False, moving: tuple[str, ...] = (), **changes: Change) -> dict[str, bool | None]:
    """Of those findings that do not hold: name -> False, or None where it cannot be told. `changes`: host -> what is
    different there."""
    world = {host: said(host) for host in HOSTS}
    for host, change in changes.items():
        change(world[host])
    return {f.name: f.ok for f in daemons.findings(world, REGION, clustered=clustered, moving=moving) if not f.ok}


def test_healthy_daemons_are_fine() -> None:
    assert wrong() == {}


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda s: s["vips"].append("198.18.1.100"), "the kernels say"),
        (lambda s: s["galera"].update(wsrep_cluster_status="non-Primary"), "databases say"),
        (lambda s: s["galera"].update(wsrep_local_state_comment="Joined"), "databases say"),
        (lambda s: s["galera"].update(wsrep_cluster_size="2"), "databases say"),
        (lambda s: s["galera"].update(wsrep_cluster_state_uuid="another"), "databases say"),
        (lambda s: s["rabbitmq"]["running"].pop(), "brokers say"),
        (lambda s: s["rabbitmq"].update(parted=True), "brokers say"),
        (lambda s: s["rabbitmq"]["alarms"].append("rabbit@ctl3"), "brokers say"),
        (lambda s: s["haproxy"]["servers"][0].__setitem__(2, "DOWN"), "load balancers say"),
        (lambda s: s["haproxy"]["servers"][4].__setitem__(2, "DOWN"), "load balancers say"),
        (lambda s: s["haproxy"].update(stale=30.0), "load balancers run"),
        (lambda s: s["units"].append("keystone.service"), "systemd says"),
    ],
)
def test_what_a_daemon_says_against_it_is_seen(change: Change, finding: str) -> None:
    (found,) = wrong(ctl3=change).items()
    assert found[0].startswith(finding)
    assert found[1] is False


def test_a_vip_that_nobody_has_is_seen() -> None:
    assert list(wrong(ctl1=lambda s: s["vips"].clear())) == ["the kernels say that one host has the VIPs"]


def test_a_part_that_could_not_be_told_is_unknown() -> None:
    found = wrong(ctl2=lambda s: s.update(galera={"error": "no socket"}))
    assert found == {"databases say that they are Primary and Synced, in one cluster": None}


def test_a_daemon_that_does_not_run_is_wrong_unless_a_cluster_wants_it_so() -> None:
    name = "load balancers say that every backend has its servers"
    away: Change = lambda s: s.update(haproxy={"inactive": "haproxy.service"})  # noqa: E731
    assert wrong(ctl2=away)[name] is False
    assert wrong(clustered=True, ctl2=away) == {}
    assert wrong(clustered=True, ctl1=away, ctl2=away, ctl3=away)[name] is False


def test_of_a_service_that_moves_one_copy_is_enough() -> None:
    def out(*hosts: str) -> Change:
        return lambda s: s["haproxy"]["servers"].__setitem__(
            slice(0, 3), [["keystone", h, "DOWN" if h in hosts else "UP"] for h in HOSTS]
        )

    assert wrong(moving=("keystone",), ctl1=out("ctl2", "ctl3")) == {}
    assert list(wrong(ctl1=out("ctl2", "ctl3"))) == ["load balancers say that every backend has its servers"]
    assert list(wrong(moving=("keystone",), ctl1=out(*HOSTS))) == [
        "load balancers say that every backend has its servers"
    ]


def test_an_arbitrator_is_a_member_too() -> None:
    two = load(EXAMPLE.with_name("two-controllers-witness.yaml"))
    region = next(iter(two.regions.values()))
    world = {h.name: said(h.name) for h in region.hosts if "mariadb" in h.services}
    name = "databases say that they are Primary and Synced, in one cluster"
    assert len(world) == 2
    assert {f.name: f.ok for f in daemons.findings(world, region)}[name] is True


async def test_each_host_is_asked_over_its_transport() -> None:
    class Shell:
        def __init__(self, host: str) -> None:
            self.host = host

        async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
            assert script.startswith("python3 - ") and "def galera" in stdin
            if self.host == "ctl2":
                return Completed(1, "", "Traceback\nSyntaxError: no such thing")
            if self.host == "ctl3":
                raise HostError("does not answer", where=self.host)
            return Completed(0, json.dumps(said(self.host)), "")

        async def close(self) -> None: ...

    async def connect(host: str) -> Any:
        return Shell(host)

    answers = await daemons.ask(Reach(connect), REGION)
    assert answers["ctl1"] == said("ctl1")
    assert "no such thing" in answers["ctl2"]["galera"]["error"]
    assert "does not answer" in answers["ctl3"]["units"]["error"]
    assert {f.ok for f in daemons.findings(answers, REGION)} == {None}
