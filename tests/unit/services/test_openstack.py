"""What all OpenStack services share: schemas, units, accounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from fournines.cloud.model import Cloud
from fournines.services import openstack, registry, units
from fournines.services.resource import File
from fournines.services.schema import Schema
from samples import cases


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return cases.Case(Path("none"), {"cloud": {"components": ["placement"]}}).cloud(tmp_path)


def test_a_schema_reads_its_own_state_from_what_the_host_says_of_all() -> None:
    made = Schema("nova", "sync")
    assert made.diff("cinder=no-tables nova=ok nova_api=other-version") is None
    assert made.diff("nova=no-tables") == "no-tables → ok"
    assert made.diff("nova_api=ok") == "absent → ok"
    assert made.diff("absent") == "absent → ok"
    assert made.fact == Schema("cinder", "sync").fact, "one look at a host's databases, however many they are"


def test_the_bus_is_all_nodes_and_the_service_s_own_vhost(cloud: Cloud) -> None:
    region = cloud.regions["phx"]
    nodes = [f"nova:nova.messaging@198.18.0.1{n}:5671" for n in (1, 2, 3)]
    assert openstack.transport_url(cloud, region, "nova") == f"rabbit://{','.join(nodes)}/nova"


def test_nothing_is_notified_where_nobody_listens(cloud: Cloud) -> None:
    assert openstack.notifications(cloud, cloud.regions["phx"], "glance") == {
        "oslo_messaging_notifications": {"driver": "noop"}
    }


def test_tokens_are_cached_on_the_host_itself_only(cloud: Cloud) -> None:
    section = openstack.authtoken(cloud, cloud.hosts[1], "nova")["keystone_authtoken"]
    assert section["memcached_servers"] == "127.0.0.1:11211"


def test_merged_sections_keep_what_the_later_does_not_say() -> None:
    assert openstack.merged({"a": {"x": 1, "y": 1}}, {"a": {"y": 2}, "b": {}}) == {"a": {"x": 1, "y": 2}, "b": {}}


def test_a_daemon_s_processes_follow_the_host_unless_the_operator_says(tmp_path: Path) -> None:
    made = units.Daemon(
        unit="nova-conductor.service",
        service="placement",
        description="",
        user="nova",
        command="/usr/bin/nova-conductor",
        config="placement.conf",
        workers=(("conductor", "workers"), ("api", "workers")),
    )
    options = {"services": {"placement": {"options": {"placement.conf": {"api": {"workers": 3}}}}}}
    cloud = cases.Case(Path("none"), {"cloud": options}).cloud(tmp_path)
    [unit] = [r for r in units.daemon(cloud, made) if isinstance(r, File) and r.path.endswith(".service")]
    assert "OS_CONDUCTOR__WORKERS" in unit.content
    assert "OS_API__WORKERS" not in unit.content


def test_a_gate_asks_the_host_s_own_api_and_the_first_asks_the_vips(cloud: Cloud) -> None:
    first, second = (next(iter(registry()["placement"].checks(cloud, host))).script for host in cloud.hosts[:2])
    assert "198.18.0.11:8778" in first
    assert "https://198.18.0.100:8778" in first
    assert "https://198.18.1.100:8778" in first
    assert "100" not in second
