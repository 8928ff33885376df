"""One broker that moves: where clients find it, who makes its accounts, what the cluster is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from fournines.cloud.model import Cloud
from fournines.design.document import ports
from fournines.design.document.parts import Table
from fournines.services import broker, load, openstack, registry, tls
from fournines.services.cib import Group, Location
from fournines.services.openings import openings, reached
from fournines.services.rabbitmq_shared import NODE, RabbitmqShared
from fournines.services.resource import File, Task, Unit

EXAMPLES = Path(__file__).parents[3] / "examples"
ADDRESS = "198.18.36.102"


@pytest.fixture
def duo() -> Cloud:
    return load(EXAMPLES / "active-passive-two-nodes.yaml")


def test_clients_come_to_the_address_that_moves_with_it(duo: Cloud) -> None:
    region = duo.regions["phx"]
    assert [str(a) for a in broker.addresses(duo, region)] == [ADDRESS]
    assert openstack.transport_url(duo, region, "probe").endswith(f"@{ADDRESS}:5671/probe")
    three = load(EXAMPLES / "three-controllers.yaml")
    nodes = three.hosts_of("rabbitmq", "phx")
    assert broker.addresses(three, three.regions["phx"]) == tuple(h.address for h in nodes) and len(nodes) == 3


def test_each_host_has_a_certificate_for_it(duo: Cloud) -> None:
    for host in duo.hosts_of("rabbitmq_shared", "phx"):
        pem = x509.load_pem_x509_certificate(tls.broker_pem(duo, host).encode())
        names = pem.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert ADDRESS in map(str, names.get_values_for_type(x509.IPAddress))


def test_the_hosts_reach_it_at_its_address_and_its_api_from_nowhere(duo: Cloud) -> None:
    ways = [o for o in openings(duo, "phx") if o.service == "rabbitmq_shared"]
    assert {(o.to, o.port.number) for o in ways} == {("its address", 5671), ("its address", 5672)}
    for way in ways:
        at = {h.name: reached(duo, h, way) for h in duo.hosts}
        assert {name: str(a) for name, a in at.items() if a} == dict.fromkeys(("ctl1", "ctl2"), ADDRESS)


def test_disk_then_mount_then_address_then_broker_where_the_disk_is_seen(duo: Cloud) -> None:
    group, *rest = RabbitmqShared().managed(duo, duo.regions["phx"])
    assert isinstance(group, Group) and group.name == "messaging"
    agents = [p.agent for p in group.members]
    assert agents == [
        "ocf:fournines:lun",
        "ocf:heartbeat:Filesystem",
        "ocf:heartbeat:IPaddr2",
        "ocf:fournines:rabbitmq",
    ]
    assert not [one for one in rest if isinstance(one, Location)], "both members see it"


def test_each_host_has_the_same_node_with_the_same_cookie(duo: Cloud) -> None:
    files = [
        {r.path: r.content for r in registry()["rabbitmq_shared"].desired(duo, h) if isinstance(r, File)}
        for h in duo.hosts_of("rabbitmq_shared", "phx")
    ]
    alike = ("/etc/rabbitmq/rabbitmq.conf", "/etc/rabbitmq/rabbitmq-env.conf", "/var/lib/rabbitmq/.erlang.cookie")
    for path in alike:
        assert files[0][path] == files[1][path], path
    assert files[0]["/etc/rabbitmq/rabbitmq-env.conf"] == f"NODENAME={NODE}\n"
    assert "cluster" not in files[0]["/etc/rabbitmq/rabbitmq.conf"].replace("cluster_name", "")


def test_nobody_but_the_cluster_starts_it(duo: Cloud) -> None:
    host = duo.host_by_name["ctl1"]
    [unit] = [r for r in registry()["rabbitmq_shared"].desired(duo, host) if isinstance(r, Unit)]
    assert unit.state == "clustered"


def test_the_accounts_are_made_where_it_runs_and_remembered_elsewhere(duo: Cloud) -> None:
    for host in duo.hosts_of("rabbitmq_accounts", "phx"):
        [task] = [r for r in registry()["rabbitmq_accounts"].desired(duo, host) if isinstance(r, Task)]
        assert task.check.startswith("if mountpoint -q /var/lib/rabbitmq/mnesia; then")
        assert "/var/lib/fournines/messaging-accounts" in task.check
    order = list(registry())
    assert order.index("rabbitmq_shared") < order.index("pacemaker") < order.index("rabbitmq_accounts")
    assert order.index("rabbitmq_accounts") < order.index("neutron")


def test_the_document_has_the_addresses_that_move(duo: Cloud) -> None:
    [table] = [part for part in ports.parts(duo) if isinstance(part, Table)]
    found = {row[1] for row in table.rows if row[1].startswith("its address")}
    assert found == {"its address, 198.18.36.101", f"its address, {ADDRESS}"}
