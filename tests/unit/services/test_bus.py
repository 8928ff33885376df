"""What a compute may read, declare and send to on the bus. RabbitMQ's patterns are PCRE; Python reads these alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fournines.cloud.model import Cloud
from fournines.services import bus, openstack
from samples import cases


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    regions = {"phx": {"hosts": {"cmp[1-10]": {"zone": "rack1", "address": "198.18.0.31+", "roles": ["compute"]}}}}
    return cases.Case(Path("none"), {"cloud": {"components": "full", "regions": regions}}).cloud(tmp_path)


def own(cloud: Cloud, vhost: str) -> bus.BusAccount:
    return bus.account(cloud, vhost, cloud.host_by_name["cmp1"])


NOVA = (
    "nova",
    "compute",
    "compute.cmp1",
    "compute_fanout",
    "reply_cmp1:nova-compute:1",
    "amq.default",
    "scheduler_fanout",
)
NEUTRON = (
    "neutron",
    "q-agent-notifier-port-update_fanout",
    "neutron-vo-Port-1.9_fanout",
    "reply_cmp1:neutron-openvswitch-agent:1",
)
OTHERS = ("conductor", "conductor.ctl1", "scheduler", "compute.cmp10", "compute.cmp2", "reply_cmp10:nova-compute:1",
          "reply_ctl1:nova-conductor:1")  # fmt: skip


@pytest.mark.parametrize(("vhost", "mine"), [("nova", NOVA), ("neutron", NEUTRON)])
def test_a_compute_works_on_its_own_queues(cloud: Cloud, vhost: str, mine: tuple[str, ...]) -> None:
    account = own(cloud, vhost)
    for name in mine:
        assert re.search(account.configure, name), name
        assert re.search(account.write, name), name
        assert re.search(account.read, name) or name == "scheduler_fanout", name


@pytest.mark.parametrize(
    ("vhost", "theirs"),
    [
        ("nova", OTHERS),
        ("neutron", ("q-plugin", "q-plugin.ctl1", "q-reports-plugin", "l3_agent.ctl1", "reply_ctl1:x:1")),
    ],
)
def test_a_compute_has_nothing_of_others(cloud: Cloud, vhost: str, theirs: tuple[str, ...]) -> None:
    account = own(cloud, vhost)
    for name in theirs:
        assert not re.search(account.read, name), name
        assert not re.search(account.configure, name), name


def test_a_compute_notifies_and_reads_no_notification(cloud: Cloud) -> None:
    account = own(cloud, bus.NOTIFICATIONS)
    assert re.search(account.configure, "notifications.info")
    assert re.search(account.read, "nova"), "to bind a queue to an exchange"
    assert not re.search(account.read, "notifications.info")


def test_each_compute_has_a_password_of_its_own(cloud: Cloud) -> None:
    region = cloud.regions["phx"]
    urls = {openstack.transport_url(cloud, region, "nova", cloud.host_by_name[f"cmp{n}"]) for n in (1, 2)}
    assert len(urls) == 2
    assert all("nova.messaging.cmp" in url for url in urls)
    controllers = {openstack.transport_url(cloud, region, "nova", cloud.host_by_name[f"ctl{n}"]) for n in (1, 2)}
    assert controllers == {openstack.transport_url(cloud, region, "nova")}


def test_every_account_has_its_own_vhost_only(cloud: Cloud) -> None:
    made = list(bus.accounts(cloud, "phx"))
    assert len({a.name for a in made}) == len(made)
    assert {a.vhost for a in made if a.of_host} == set(bus.OF_COMPUTES)
    assert sum(a.of_host for a in made) == 30
