"""One database that moves: where clients find it, who makes its accounts, what the cluster is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from fournines.cloud.model import Cloud
from fournines.services import corosync, load, luns, pacemaker, quorum_device, registry, tls
from fournines.services.cib import Group, Location
from fournines.services.database_access import address, database_url
from fournines.services.mariadb_shared import MariadbShared
from fournines.services.openings import openings, reached
from fournines.services.resource import Task, Unit

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def duo() -> Cloud:
    return load(EXAMPLES / "active-passive-two-nodes.yaml")


@pytest.fixture
def trio() -> Cloud:
    return load(EXAMPLES / "mariadb-shared.yaml")


def test_clients_come_to_the_address_that_moves_with_it(duo: Cloud) -> None:
    region = duo.regions["phx"]
    assert str(address(duo, region)) == "198.18.36.101"
    assert "@198.18.36.101:3306/keystone?" in database_url(duo, region, "keystone")
    galera = load(EXAMPLES / "three-controllers.yaml")
    assert address(galera, galera.regions["phx"]) == galera.regions["phx"].vips.internal


def test_each_host_has_a_certificate_for_it(duo: Cloud) -> None:
    for host in duo.hosts_of("mariadb_shared", "phx"):
        pem = x509.load_pem_x509_certificate(tls.database_pem(duo, host).encode())
        names = pem.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert duo.regions["phx"].vips.moving["database"] in names.get_values_for_type(x509.IPAddress)


def test_only_its_clients_reach_it_and_only_there(duo: Cloud) -> None:
    [way] = [o for o in openings(duo, "phx") if o.to == "its address" and o.service == "mariadb_shared"]
    assert (way.service, way.port.number, way.port.source) == ("mariadb_shared", 3306, "database clients")
    at = {h.name: reached(duo, h, way) for h in duo.hosts}
    assert {name: str(a) for name, a in at.items() if a} == dict.fromkeys(("ctl1", "ctl2"), "198.18.36.101")


def test_disk_then_mount_then_address_then_database_where_the_disk_is_seen(trio: Cloud) -> None:
    group, *rest = MariadbShared().managed(trio, trio.regions["phx"])
    assert isinstance(group, Group)
    assert [p.agent for p in group.members] == [
        "ocf:fournines:lun",
        "ocf:heartbeat:Filesystem",
        "ocf:heartbeat:IPaddr2",
        "ocf:fournines:mariadb",
    ]
    assert rest == [Location("database", "ctl3", "-INFINITY")]


def test_the_file_system_is_made_on_one_host_and_seen_by_all(duo: Cloud) -> None:
    service = registry()["mariadb_shared"]
    made = {
        host.name: [r.name for r in service.desired(duo, host) if isinstance(r, Task)]
        for host in duo.hosts_of("mariadb_shared", "phx")
    }
    assert made == {"ctl1": ["the file system on LUN database"], "ctl2": []}
    for host in duo.hosts_of("mariadb_shared", "phx"):
        assert "LUN database is seen" in [check.name for check in service.checks(duo, host)]
    lun = duo.regions["phx"].luns["database"]
    other = load(EXAMPLES / "mariadb-shared.yaml")
    assert luns.identity(duo, "phx", lun) != luns.identity(other, "phx", lun), "no cloud takes another's for its own"


def test_nobody_but_the_cluster_starts_it(duo: Cloud) -> None:
    host = duo.host_by_name["ctl1"]
    [unit] = [r for r in registry()["mariadb_shared"].desired(duo, host) if isinstance(r, Unit)]
    assert unit.state == "clustered"
    assert unit.diff("active disabled") is None and unit.diff("inactive disabled") is None
    assert unit.diff("inactive enabled") == "inactive enabled → clustered"
    assert unit.diff("inactive masked") is not None
    assert "start" not in unit.steps()[0].script  # pyright: ignore[reportAttributeAccessIssue]


def test_the_accounts_are_made_after_the_cluster_and_before_keystone() -> None:
    order = list(registry())
    names = ("qnetd", "corosync", "mariadb_shared", "haproxy", "pacemaker", "mariadb_accounts", "keystone")
    assert [n for n in order if n in names] == sorted(names, key=order.index)
    assert order.index("mariadb_shared") < order.index("pacemaker") < order.index("mariadb_accounts")
    assert order.index("mariadb_accounts") < order.index("keystone")
    assert order.index("qnetd") < order.index("corosync")


def test_a_witness_makes_two_members_three_votes(duo: Cloud, trio: Cloud) -> None:
    assert not corosync.pair(duo, "phx") and not corosync.pair(trio, "phx")
    assert quorum_device.section(trio, "phx") is None
    assert corosync.noticed(trio) == pytest.approx(1.8)
    assert corosync.noticed(duo) == pytest.approx(3.6), "the witness has to miss the member as well"


def test_members_and_witness_know_one_another_by_what_each_asks_for(duo: Cloud) -> None:
    witness = duo.host_by_name["wit1"]
    own = x509.load_pem_x509_certificate(tls.member_pem(duo, witness, "corosync").encode())
    cluster = quorum_device.cluster_name(duo, "phx")
    named = tls.named_pem(duo, duo.host_by_name["ctl1"], "corosync", cluster)
    member = x509.load_pem_x509_certificate(named.encode())
    kind = x509.SubjectAlternativeName
    assert own.extensions.get_extension_for_class(kind).value.get_values_for_type(x509.DNSName) == ["wit1"]
    assert member.extensions.get_extension_for_class(kind).value.get_values_for_type(x509.DNSName) == ["duo-phx"]
    assert own.issuer == member.issuer


def test_fencing_waits_for_nobody_where_a_witness_decides(duo: Cloud) -> None:
    text = pacemaker.rendered(duo, "phx")
    assert "pcmk_delay_base" not in text
    assert 'name="priority-fencing-delay" value="0s"' in text
