"""A database of which the cluster promotes one copy: where clients find it, what the cluster is told, who comes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography import x509

from fournines.cloud.model import Cloud
from fournines.programs.cluster.difference import differences
from fournines.programs.replica import settings
from fournines.services import load, pacemaker, registry, tls
from fournines.services.cib import Beside, Clone, Location, Order, Primitive
from fournines.services.database_access import address, database_url
from fournines.services.mariadb_replica import SECRET, SETTINGS, MariadbReplica
from fournines.services.openings import openings, sources
from fournines.services.resource import File, Task, Unit
from fournines.timing import timers

EXAMPLE = Path(__file__).parents[3] / "examples" / "mariadb-replica.yaml"


@pytest.fixture
def pair() -> Cloud:
    return load(EXAMPLE)


def test_clients_come_to_the_address_that_moves_with_the_primary(pair: Cloud) -> None:
    region = pair.regions["phx"]
    assert str(address(pair, region)) == "198.18.66.101"
    assert "@198.18.66.101:3306/keystone?" in database_url(pair, region, "keystone")


def test_replicas_and_clients_check_the_certificate_of_each_copy(pair: Cloud) -> None:
    for host in pair.hosts_of("mariadb_replica", "phx"):
        pem = x509.load_pem_x509_certificate(tls.database_pem(pair, host).encode())
        names = pem.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert {pair.regions["phx"].vips.moving["database"], host.address} <= {
            *names.get_values_for_type(x509.IPAddress)
        }


def test_a_copy_on_each_host_one_promoted_the_address_beside_that_one(pair: Cloud) -> None:
    copies, moving, beside, order = MariadbReplica().managed(pair, pair.regions["phx"])
    assert isinstance(copies, Clone) and isinstance(moving, Primitive)
    assert copies.of.agent == "ocf:fournines:mariadb-replica"
    assert {
        "promotable": "true",
        "promoted-max": "1",
        "clone-max": "2",
        "notify": "true",
    }.items() <= copies.meta.items()
    looks = [o for o in copies.of.operations if o.name == "monitor"]
    assert {o.role for o in looks} == {"Promoted", "Unpromoted"}
    assert len({o.interval for o in looks}) == 2, "Pacemaker tells them apart by their intervals"
    assert beside == Beside("database-address", "database-clone", promoted=True)
    assert order == Order("database-clone", "database-address", promoted=True)


def test_only_hosts_with_a_copy_run_it() -> None:
    example = EXAMPLE.read_text()
    text = example.replace("roles: [witness]}", "roles: [endpoint], bmc: {address: 198.18.68.213}}")
    found = _loaded(text)
    *_, location = MariadbReplica().managed(found, found.regions["phx"])
    assert location == Location("database-clone", "wit1", "-INFINITY")


def _loaded(text: str) -> Cloud:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder, "pair.yaml")
        path.write_text(text)
        return load(path)


def test_the_same_configuration_is_no_change(pair: Cloud) -> None:
    from xml.etree import ElementTree

    text = pacemaker.rendered(pair, "phx")
    assert not [*differences(ElementTree.fromstring(text), ElementTree.fromstring(text))]
    assert 'role="Promoted"' in text and 'with-rsc-role="Promoted"' in text and 'first-action="promote"' in text


def test_members_alone_replicate_and_send_copies_clients_come_to_the_address(pair: Cloud) -> None:
    ways = [o for o in openings(pair, "phx") if o.service == "mariadb_replica"]
    assert {(o.to, o.port.number, o.port.source) for o in ways} == {
        ("its address", 3306, "database clients"),
        ("hosts", 3306, "its own members"),
        ("hosts", 4444, "its own members"),
    }
    members = sources(pair, "phx", "mariadb_replica", "its own members")
    assert [h.name for h in members] == ["ctl1", "ctl2"]


def test_the_agent_reads_what_is_written_for_it(pair: Cloud, tmp_path: Path) -> None:
    host = pair.host_by_name["ctl2"]
    [file] = [r for r in MariadbReplica().desired(pair, host) if isinstance(r, File) and r.path == SETTINGS]
    assert file.secret and file.mode == 0o600
    (tmp_path / "replica.json").write_text(file.content)
    read = settings.load(tmp_path / "replica.json")
    assert (read.host, [*read.hosts]) == ("ctl2", ["ctl1", "ctl2"])
    assert read.password == pair.secrets.get(SECRET) and read.password not in repr(read)
    assert read.alone == timers(pair).database_alone == 8.0
    assert read.name_of("198.18.66.11") == "ctl1" and read.name_of("198.18.66.99") == ""
    assert json.loads(file.content)["copy"]["port"] == 4444


def test_nobody_but_the_cluster_starts_it_and_it_starts_read_only(pair: Cloud) -> None:
    host = pair.host_by_name["ctl1"]
    resources = [*MariadbReplica().desired(pair, host)]
    [unit] = [r for r in resources if isinstance(r, Unit)]
    assert unit.state == "clustered"
    [config] = [r for r in resources if isinstance(r, File) and r.path.endswith("99-fournines.cnf")]
    for line in ("read_only = ON", "skip_slave_start = ON", "rpl_semi_sync_slave_enabled = OFF"):
        assert line in config.content


def test_two_copies_have_different_ids(pair: Cloud) -> None:
    ids = set[str]()
    for host in pair.hosts_of("mariadb_replica", "phx"):
        resources = MariadbReplica().desired(pair, host)
        [config] = [r for r in resources if isinstance(r, File) and r.path.endswith("99-fournines.cnf")]
        ids |= {line for line in config.content.splitlines() if line.startswith("server_id")}
    assert len(ids) == 2


def test_the_replicas_password_is_rotated_with_the_others(pair: Cloud) -> None:
    before = pair.secrets.get(SECRET)
    rotation = MariadbReplica().rotations()["database"]
    rotation.change(pair, "accept", 0.0)
    accounts, _ = registry()["mariadb_replica_accounts"].desired(pair, pair.host_by_name["ctl1"])
    assert isinstance(accounts, Task) and " or mysql_native_password using" in accounts.stdin
    rotation.change(pair, "use", 0.0)
    assert pair.secrets.get(SECRET) != before


def test_the_accounts_are_made_after_the_cluster_and_before_keystone() -> None:
    order = [*registry()]
    names = ("mariadb_replica", "pacemaker", "mariadb_replica_accounts", "keystone")
    assert [order.index(n) for n in names] == sorted(order.index(n) for n in names)


def test_failover_is_noticed_fenced_and_promoted(pair: Cloud) -> None:
    assert 5.0 < MariadbReplica().failover(pair) < 10.0
