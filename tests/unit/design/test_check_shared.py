"""One database on a disk that several hosts see: what it needs to be safe, each found at its place."""

from __future__ import annotations

import pytest

from samples.sound import Check, brief

POWER = ("198.18.1.0/24}", "198.18.1.0/24, power: 198.18.2.0/24}")
ADDRESS = ("public: 198.18.1.100}", "public: 198.18.1.100, database: 198.18.0.101}")
PATTERN = "pattern: {cluster: pacemaker, vip: pacemaker, database: shared}\n"
DEVICE = "/dev/disk/by-id/wwn-0x1"


def lun(hosts: str = "ctl1, ctl2, ctl3", device: str = DEVICE, more: str = "") -> tuple[str, str]:
    luns = f"database: {{hosts: [{hosts}], device: {device}}}{more}"
    return "    hosts:\n", f"    storage: {{luns: {{{luns}}}}}\n    hosts:\n"


def host(number: int, roles: str = "controller", fenced: bool = True) -> tuple[str, str]:
    bmc = f", bmc: {{address: 198.18.2.21{number}}}" if fenced else ""
    return f"198.18.0.1{number}, roles: [controller]", f"198.18.0.1{number}, roles: [{roles}]{bmc}"


HOSTS = (host(1), host(2), host(3))
PAIR = (host(1), host(2), host(3, "witness", fenced=False))
WHOLE = (POWER, ADDRESS, lun(), *HOSTS)


def test_three_controllers_that_see_the_disk_are_sound(check: Check) -> None:
    assert check(*WHOLE, after=PATTERN) == []


def test_two_controllers_and_a_witness_have_one_flaw_and_it_is_not_the_clusters(check: Check) -> None:
    found = check(POWER, ADDRESS, lun("ctl1, ctl2"), *PAIR, after=PATTERN)
    assert [f.rule for f in found] == ["quorum-size"], "RabbitMQ is on two hosts"
    assert "rabbitmq" in found[0].what and "corosync" not in found[0].what


def test_without_a_witness_two_members_are_as_good_as_one(check: Check) -> None:
    found = check(POWER, ADDRESS, lun("ctl1, ctl2"), host(1), host(2), host(3, "compute", fenced=False), after=PATTERN)
    assert any(f.rule == "quorum-size" and "corosync" in f.what for f in found)


def test_without_a_cluster(check: Check) -> None:
    found = check(*WHOLE, after="pattern: {database: shared}\n")
    assert ("cluster", "error", "pattern.database") in {(f.rule, f.severity, f.path) for f in found}


def test_without_fencing(check: Check) -> None:
    found = check(POWER, ADDRESS, lun(), host(1), host(2), after=PATTERN)
    assert brief(found) == [("no-fencing", "error", "14:7 regions.phx.hosts.ctl3")]
    off = "services: {pacemaker: {options: {cib: {properties: {stonith-enabled: false}}}}}\n"
    found = check(*WHOLE, after=PATTERN + off)
    assert [(f.rule, f.severity) for f in found] == [("undone-pattern", "error")]


def test_a_host_that_does_not_see_the_disk(check: Check) -> None:
    [found] = check(POWER, ADDRESS, lun("ctl1, ctl2"), *HOSTS, after=PATTERN)
    assert (found.rule, found.severity, found.path) == ("lun", "error", "regions.phx.storage.luns.database.hosts")
    assert found.what == "ctl3 carries mariadb_shared and does not see LUN database"


def test_a_host_that_sees_it_and_is_none_of_the_clusters(check: Check) -> None:
    found = check(POWER, ADDRESS, lun(), *PAIR, after=PATTERN)
    assert "ctl3 sees LUN database and does not carry mariadb_shared" in {f.what for f in found if f.rule == "lun"}


def test_a_host_that_carries_it_outside_the_cluster(check: Check) -> None:
    roles = "roles: {db: [mariadb_shared, mariadb_accounts]}\n"
    found = check(POWER, ADDRESS, lun("ctl3"), host(1), host(2), host(3, "db", fenced=False), after=PATTERN + roles)
    said = {f.what for f in found if f.rule == "lun"}
    assert "ctl3 carries mariadb_shared and is no member of the cluster" in said
    assert "mariadb_shared is on ctl3 alone" in said


def test_no_disk_at_all(check: Check) -> None:
    found = check(POWER, ADDRESS, *HOSTS, after=PATTERN)
    assert [(f.rule, f.severity) for f in found] == [("lun", "error")]
    assert "hosts: [ctl1, ctl2, ctl3]" in found[0].change


def test_a_disk_for_nothing(check: Check) -> None:
    found = check(POWER, ADDRESS, lun(more=", bus: {hosts: [ctl1], device: /dev/mapper/bus}"), *HOSTS, after=PATTERN)
    assert [(f.rule, f.path) for f in found] == [("lun", "regions.phx.storage.luns.bus")]
    found = check(lun())
    assert [(f.rule, f.path) for f in found] == [("lun", "regions.phx.storage.luns.database")]


def test_two_names_for_one_disk(check: Check) -> None:
    more = f", bus: {{hosts: [ctl1, ctl2], device: {DEVICE}}}"
    found = check(POWER, ADDRESS, lun(more=more), *HOSTS, after=PATTERN)
    assert f"bus and database are one disk of ctl1: {DEVICE}" in {f.what for f in found}


def test_a_disk_under_a_name_that_a_boot_changes(check: Check) -> None:
    found = check(POWER, ADDRESS, lun(device="/dev/sdb"), *HOSTS, after=PATTERN)
    assert [(f.rule, f.severity) for f in found] == [("lun-device", "warning")]


def test_a_disk_of_a_host_that_is_not_there(check: Check) -> None:
    found = check(POWER, ADDRESS, lun("ctl1, ctl2, ctl4"), *HOSTS, after=PATTERN)
    assert [(f.path, f.what) for f in found] == [("regions.phx.storage.luns.database.hosts[2]", "unknown host ctl4")]


def test_a_host_that_is_wrong_itself_is_blamed_once(check: Check) -> None:
    found = check(POWER, ADDRESS, lun(), host(1), host(2), ("198.18.0.13", "198.18.9.13"), after=PATTERN)
    assert [f.path for f in found] == ["regions.phx.hosts.ctl3.address"]


@pytest.mark.parametrize(
    ("database", "rule"), [("198.18.0.12", "vip-taken"), ("198.18.0.100", "vip-taken"), ("198.18.7.1", "vip-outside")]
)
def test_an_address_that_is_not_its_own(check: Check, database: str, rule: str) -> None:
    found = check(POWER, (ADDRESS[0], ADDRESS[1].replace("198.18.0.101", database)), lun(), *HOSTS, after=PATTERN)
    assert rule in {f.rule for f in found}


def test_no_address(check: Check) -> None:
    found = check(POWER, lun(), *HOSTS, after=PATTERN)
    assert [(f.rule, f.severity, f.path) for f in found] == [("moving-address", "error", "regions.phx.vips")]
    found = check(ADDRESS)
    assert [(f.rule, f.severity, f.path) for f in found] == [("moving-address", "warning", "regions.phx.vips.database")]


def test_a_cluster_of_one(check: Check) -> None:
    others = (host(2, "compute", fenced=False), host(3, "compute", fenced=False))
    found = check(POWER, ADDRESS, lun("ctl1"), host(1), *others, after=PATTERN + "accept: {cluster-of-one: no}\n")
    assert {"cluster-of-one", "lun", "unknown-rule"} <= {f.rule for f in found}
    assert "ctl1 is the only member of the cluster of phx" in {f.what for f in found}


def test_two_nodes_where_there_are_three(check: Check) -> None:
    options = "services: {corosync: {options: {corosync.conf: {quorum: {two_node: 1}}}}}\n"
    found = check(*WHOLE, after=PATTERN + options)
    assert [(f.rule, f.severity) for f in found] == [("undone-pattern", "error")]


def test_witnesses_that_do_not_help(check: Check) -> None:
    hosts = (host(1), host(2, "witness", fenced=False), host(3, "witness", fenced=False))
    found = check(POWER, ADDRESS, lun("ctl1"), *hosts, after=PATTERN)
    assert "ctl3 is a second witness of the cluster of phx" in {f.what for f in found if f.rule == "witness"}
    found = check(POWER, ADDRESS, lun(), host(1), host(2), host(3, "controller, witness"), after=PATTERN)
    assert "ctl3 is a member of the cluster and its witness" in {f.what for f in found if f.rule == "witness"}


def test_options_of_galera_are_no_options_of_this(check: Check) -> None:
    options = "services: {mariadb_shared: {options: {my.cnf: {mariadbd: {datadir: /srv, wsrep_on: 'ON'}}}}}\n"
    found = check(*WHOLE, after=PATTERN + options)
    assert {(f.rule, f.severity) for f in found} == {("undone-pattern", "error")} and len(found) == 2


def test_galeras_arbitrator_is_of_galera_alone(check: Check) -> None:
    found = check(*WHOLE, after=PATTERN + "components: [core, arbitrator]\n")
    assert "arbitrator belongs to pattern.database: galera, and this cloud's is shared" in {f.what for f in found}


BUS = "pattern: {cluster: pacemaker, vip: pacemaker, messaging: shared}\n"
BUS_ADDRESS = ("public: 198.18.1.100}", "public: 198.18.1.100, messaging: 198.18.0.102}")


def bus_lun(hosts: str = "ctl1, ctl2, ctl3") -> tuple[str, str]:
    place, luns = lun(hosts)
    return place, luns.replace("database:", "messaging:")


def test_one_broker_is_held_to_the_same(check: Check) -> None:
    assert check(POWER, BUS_ADDRESS, bus_lun(), *HOSTS, after=BUS) == []
    [found] = check(POWER, bus_lun(), *HOSTS, after=BUS)
    assert (found.rule, found.path, found.change[:17]) == ("moving-address", "regions.phx.vips", "vips: {messaging:")
    [found] = check(POWER, BUS_ADDRESS, *HOSTS, after=BUS)
    assert (found.rule, found.severity) == ("lun", "error") and "messaging: {hosts" in found.change
    [found] = check(POWER, BUS_ADDRESS, bus_lun("ctl1, ctl2"), *HOSTS, after=BUS)
    assert found.what == "ctl3 carries rabbitmq_shared and does not see LUN messaging"
    found = check(POWER, BUS_ADDRESS, bus_lun(), *HOSTS, after="pattern: {messaging: shared}\n")
    assert ("cluster", "pattern.messaging") in {(f.rule, f.path) for f in found}
    [found] = check(BUS_ADDRESS)
    assert (found.rule, found.severity, found.path) == ("moving-address", "warning", "regions.phx.vips.messaging")


def test_options_of_a_cluster_of_brokers_are_no_options_of_one(check: Check) -> None:
    options = "cluster_partition_handling: pause_minority, listeners.ssl.1: '0.0.0.0:5671'"
    after = f"services: {{rabbitmq_shared: {{options: {{rabbitmq.conf: {{'': {{{options}}}}}}}}}}}\n"
    found = check(POWER, BUS_ADDRESS, bus_lun(), *HOSTS, after=BUS + after)
    assert {(f.rule, f.severity) for f in found} == {("undone-pattern", "error")} and len(found) == 2
