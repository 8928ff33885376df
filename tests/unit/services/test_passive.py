"""Services that run on one host at a time: what the cluster is told, what is on the hosts, who leaves them alone."""

from __future__ import annotations

import json
import stat
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fournines.cloud.model import Cloud
from fournines.design.derive import require
from fournines.design.switches import SwitchGroups
from fournines.services import agent, load, passive, registry
from fournines.services.alerts import alerts
from fournines.services.capabilities import MayBePassive, failover
from fournines.services.cib import Eligible, Location, Primitive
from fournines.services.resource import File, Resource, Task, Unit
from fournines.timing import timers

EXAMPLE = Path(__file__).parents[3] / "examples" / "pacemaker-vip.yaml"


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """Three members, everything of OpenStack, of which some is passive."""
    services = "{keystone: {ha: passive}, nova: {ha: passive}, ceilometer: {ha: passive}, cinder_volume: {ha: passive}}"
    path = tmp_path / "cloud.yaml"
    path.write_text(EXAMPLE.read_text().replace("components: core", "components: full") + f"services: {services}\n")
    secrets = tmp_path / "acme.secrets.yaml"
    secrets.write_text("".join(f"bmc.ctl{number}: secret\n" for number in (1, 2, 3)))
    secrets.chmod(0o600)
    return load(path)


def desired(cloud: Cloud, service: str, host: str = "ctl1") -> list[Resource]:
    return list(registry()[service].desired(cloud, cloud.host_by_name[host]))


def text_of(found: list[Resource], path: str) -> str:
    return next(r.content for r in found if isinstance(r, File) and r.path == path)


def test_each_unit_is_a_resource_whose_monitor_asks_what_the_load_balancers_ask(cloud: Cloud) -> None:
    made = {p.name: p for p in passive.managed(cloud, cloud.regions["phx"]) if isinstance(p, Primitive)}
    assert set(made) == {
        "keystone",
        *("nova-api", "nova-api-metadata", "nova-conductor", "nova-scheduler", "nova-novncproxy"),
        *("cinder-volume", "ceilometer-agent-central"),
    }
    keystone, t = made["keystone"], timers(cloud)
    assert keystone.agent == "ocf:fournines:service"
    assert keystone.parameters["check"] == "/healthcheck" and keystone.parameters["port"] == "5000"
    assert {o.name: (o.interval, o.timeout) for o in keystone.operations} == {
        "start": (0, t.service_start),
        "stop": (0, t.service_stop),
        "monitor": (t.service_monitor, t.service_start),
    }
    assert float(keystone.parameters["patience"]) < t.cluster_timeout
    assert made["nova-conductor"].parameters == {"unit": "nova-conductor.service"}, "it has no question to be asked"


def test_a_resource_runs_only_where_its_host_has_said_that_it_can(cloud: Cloud) -> None:
    rules = [r for r in passive.managed(cloud, cloud.regions["phx"]) if isinstance(r, Eligible | Location)]
    assert Eligible("keystone", "fournines-keystone") in rules
    assert not [r for r in rules if isinstance(r, Location)], "all members carry all of it"
    found = desired(cloud, "keystone")
    [unit] = [r for r in found if isinstance(r, Unit)]
    [says] = [r for r in found if isinstance(r, Task) and "the cluster may run" in r.name]
    assert unit.state == "clustered" and "--name fournines-keystone" in says.script
    assert found.index(says) > found.index(unit)
    tables = next(i for i, r in enumerate(found) if r.key.startswith("schema:"))
    assert tables < found.index(says) < next(i for i, r in enumerate(found) if r.key == "task:keystone registration")


def test_what_the_cluster_starts_systemd_kills_before_the_host_is_fenced_for_it(cloud: Cloud) -> None:
    for service, unit in (("keystone", "keystone"), ("nova", "nova-conductor"), ("cinder_volume", "cinder-volume")):
        text = text_of(desired(cloud, service), f"/etc/systemd/system/{unit}.service")
        [line] = [line for line in text.splitlines() if line.startswith("TimeoutStopSec=")]
        assert float(line.partition("=")[2]) < timers(cloud).service_stop


def test_of_a_service_that_shares_its_work_only_what_may_run_once_moves(cloud: Cloud) -> None:
    states = {r.name: r.state for r in desired(cloud, "ceilometer") if isinstance(r, Unit)}
    assert states == {
        "ceilometer-agent-central.service": "clustered",
        "ceilometer-agent-notification.service": "running",
    }


def test_what_the_cluster_runs_once_needs_no_lease(cloud: Cloud) -> None:
    found = desired(cloud, "cinder_volume")
    assert "/lease" not in text_of(found, "/etc/systemd/system/cinder-volume.service")
    assert "backend_host" in text_of(found, "/etc/cinder/cinder-volume.conf"), "its volumes belong to no host"
    checks = [c.name for c in registry()["cinder_volume"].checks(cloud, cloud.host_by_name["ctl1"])]
    assert checks == ["cinder-volume stays up"]


def test_the_agent_is_on_every_member_before_the_cluster_is_told(cloud: Cloud) -> None:
    keys = [r.key for r in desired(cloud, "pacemaker")]
    assert keys.index("file:/usr/lib/ocf/resource.d/fournines/service") < keys.index("cib:pacemaker")
    [check] = registry()["pacemaker"].checks(cloud, cloud.host_by_name["ctl1"])
    assert "fournines-keystone" in check.script, "it begins to run in its own stage, which asks for it"


def test_a_host_on_which_it_does_not_run_is_asked_nothing(cloud: Cloud) -> None:
    for host in cloud.hosts_of("nova", "phx"):
        for check in registry()["nova"].checks(cloud, host):
            skipped = check.script.startswith("systemctl -q is-active nova-")
            assert skipped or (host.name == "ctl1" and str(cloud.regions["phx"].vips.internal) in check.script)
    asked = [c.name for c in registry()["keystone"].checks(cloud, cloud.host_by_name["ctl1"])]
    assert asked == [
        "a password buys a token through the internal VIP",
        "a password buys a token through the public VIP",
    ]
    assert list(registry()["keystone"].checks(cloud, cloud.host_by_name["ctl2"])) == []


def observer(cloud: Cloud) -> dict[str, Any]:
    text = text_of(list(agent.Agent().desired(cloud, cloud.host_by_name["ctl1"])), agent.OBSERVER_FILE)
    return json.loads(text)


def test_the_observer_takes_no_offence_at_a_unit_that_is_stopped(cloud: Cloud) -> None:
    said = observer(cloud)
    assert not set(said["units"]) & passive.movable(cloud).keys() and "glance-api.service" in said["units"]
    assert said["keystone"]["moves"] is True
    assert "moves" not in observer(load(EXAMPLE))["keystone"]


def test_no_alert_waits_for_a_backend_on_every_host(cloud: Cloud) -> None:
    found = {a.name: a for a in alerts(cloud, cloud.regions["phx"])}
    assert "nova-api|" in found["BackendDown"].expr and "keystone" in found["BackendDown"].expr
    assert "glance-api" not in found["BackendDown"].expr
    assert "nova-scheduler" in found["OpenstackAgentDown"].expr
    assert "fournines_pacemaker_active" in found["ClusterResourceStopped"].expr


def test_design_counts_a_failover(cloud: Cloud) -> None:
    takes = failover(registry()["keystone"], cloud)
    assert takes is not None and takes > 2
    assert failover(registry()["keystone"], load(EXAMPLE)) is None, "all copies work"
    [condition] = require(cloud, "authenticate")
    assert next(r.pattern for r in condition.requirements if r.name == "keystone") == "active/passive"
    assert "keystone" in {g.requirement.name for g in SwitchGroups(cloud).of(condition)}


def test_every_unit_that_may_move_is_one_of_its_service(cloud: Cloud) -> None:
    for service in registry().values():
        if isinstance(service, MayBePassive):
            units = [one.unit for one in service.movable(cloud)]
            assert units and set(units) <= set(service.units_in(cloud)), service.name


OCF = """OCF_SUCCESS=0 OCF_ERR_GENERIC=1 OCF_ERR_UNIMPLEMENTED=3 OCF_ERR_INSTALLED=5 OCF_NOT_RUNNING=7
ocf_exit_reason() { echo "$1" >&2; }
"""
#: By what is in the folder `world`: `active` and `status` (of HTTP); what is asked for is written to `done`.
SYSTEMCTL = """#!/bin/sh
case "$*" in
    "show -P ActiveState"*) cat "$WORLD/active" ;;
    "show -P NRestarts"*) echo x >> "$WORLD/restarts"; wc -l < "$WORLD/restarts" ;;
    show*) ;;
    start*) echo "$*" >> "$WORLD/done"; echo active > "$WORLD/active" ;;
    stop*) echo "$*" >> "$WORLD/done"; echo inactive > "$WORLD/active" ;;
    cat*) [ -e "$WORLD/there" ] ;;
    *) echo "$*" >> "$WORLD/done" ;;
esac
"""
CURL = """#!/bin/sh
cat "$WORLD/status"
echo "$*" > "$WORLD/asked"
"""


class Host:
    """A host with this agent, a systemd and an API that are files."""

    def __init__(self, at: Path) -> None:
        self.at, self.agent = at, at / "service"
        (at / "lib" / "heartbeat").mkdir(parents=True)
        (at / "lib" / "heartbeat" / "ocf-shellfuncs").write_text(OCF)
        scripts = files("fournines.services.scripts")
        common = at / "clustered-unit.sh"
        common.write_text(scripts.joinpath("clustered_unit.sh").read_text())
        text = scripts.joinpath("service.sh").read_text()
        self.agent.write_text(text.replace("/usr/lib/fournines/clustered-unit.sh", str(common)))
        (at / "bin").mkdir()
        for name, said in (("systemctl", SYSTEMCTL), ("curl", CURL)):
            (at / "bin" / name).write_text(said)
            (at / "bin" / name).chmod(stat.S_IRWXU)

    def set(self, **world: str) -> None:
        for name, value in world.items():
            (self.at / name).write_text(value)

    def run(self, action: str, **parameters: str) -> tuple[int, str]:
        given = {f"OCF_RESKEY_{name}": value for name, value in parameters.items()}
        path = f"{self.at / 'bin'}:/usr/bin:/bin"
        environment = {"OCF_ROOT": str(self.at), "WORLD": str(self.at), "PATH": path, **given}
        done = subprocess.run(
            ["/bin/sh", str(self.agent), action], env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr.strip()

    @property
    def done(self) -> list[str]:
        path = self.at / "done"
        return path.read_text().splitlines() if path.exists() else []


API = {"unit": "keystone.service", "port": "5000", "check": "/healthcheck", "cafile": "/ca.crt"}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("active", "status", "code", "said"),
    [
        ("inactive", "000", 7, ""),
        ("failed", "000", 7, ""),
        ("active", "200", 0, ""),
        ("active", "404", 1, "with 404"),
        ("active", "503", 1, "with 503"),
        ("active", "000", 1, "has not answered https://"),
    ],
)
def test_an_api_is_well_if_it_answers(host: Host, active: str, status: str, code: int, said: str) -> None:
    host.set(active=active, status=status)
    found, why = host.run("monitor", **API)
    assert found == code and said in why and bool(said) == bool(why)


def test_a_daemon_is_well_if_it_runs(host: Host) -> None:
    host.set(active="active", status="000")
    assert host.run("monitor", unit="nova-conductor.service") == (0, "")


def test_what_ends_again_and_again_is_not_waited_for(host: Host) -> None:
    host.set(active="activating", status="000")
    assert host.run("monitor", **API) == (7, "")


def test_it_starts_where_it_is_and_nowhere_else(host: Host) -> None:
    host.set(active="inactive", status="200")
    code, why = host.run("start", **API)
    assert code == 5 and "keystone.service is not on this host" in why and host.done == []
    host.set(there="")
    assert host.run("start", **API) == (0, "")
    assert "start keystone.service" in host.done


def test_what_answers_is_drained_and_what_does_not_is_killed(host: Host) -> None:
    host.set(active="active", status="200")
    assert host.run("stop", **API) == (0, "")
    assert host.done == ["stop keystone.service"]
    host.set(active="active", status="000", done="")
    assert host.run("stop", **API) == (0, "")
    assert host.done == ["kill --kill-whom=all -s KILL keystone.service", "stop keystone.service"]


def test_the_agent_describes_itself(host: Host) -> None:
    path = {"OCF_ROOT": str(host.at), "WORLD": str(host.at), "PATH": f"{host.at / 'bin'}:/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", str(host.agent), "meta-data"], env=path, capture_output=True, check=True)
    found = ElementTree.fromstring(done.stdout.decode())
    assert {p.get("name") for p in found.iter("parameter")} == {"unit", "port", "check", "cafile", "patience"}
