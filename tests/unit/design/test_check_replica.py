"""A primary and replicas of the database: what they need to be safe, each found at its place."""

from __future__ import annotations

import pytest

from samples.sound import Check

POWER = ("198.18.1.0/24}", "198.18.1.0/24, power: 198.18.2.0/24}")
ADDRESS = ("public: 198.18.1.100}", "public: 198.18.1.100, database: 198.18.0.101}")
PATTERN = "pattern: {cluster: pacemaker, vip: pacemaker, database: replica}\n"


def host(number: int, roles: str = "controller", fenced: bool = True) -> tuple[str, str]:
    bmc = f", bmc: {{address: 198.18.2.21{number}}}" if fenced else ""
    return f"198.18.0.1{number}, roles: [controller]", f"198.18.0.1{number}, roles: [{roles}]{bmc}"


HOSTS = (host(1), host(2), host(3))
WHOLE = (POWER, ADDRESS, *HOSTS)


def test_three_controllers_with_a_copy_each_are_sound(check: Check) -> None:
    assert check(*WHOLE, after=PATTERN) == []


def test_two_and_a_witness_have_one_flaw_and_it_is_the_brokers(check: Check) -> None:
    found = check(POWER, ADDRESS, host(1), host(2), host(3, "witness", fenced=False), after=PATTERN)
    assert [f.rule for f in found] == ["quorum-size"]
    assert "rabbitmq" in found[0].what


def test_without_a_cluster(check: Check) -> None:
    found = check(*WHOLE, after="pattern: {database: replica}\n")
    [flaw] = [f for f in found if (f.rule, f.path) == ("cluster", "pattern.database")]
    assert "promote" in flaw.why and "database: galera" in flaw.change


def test_without_an_address_that_moves_with_the_primary(check: Check) -> None:
    found = check(POWER, *HOSTS, after=PATTERN)
    assert [(f.rule, f.severity) for f in found] == [("moving-address", "error")]


def test_without_fencing(check: Check) -> None:
    found = check(POWER, ADDRESS, host(1), host(2), after=PATTERN)
    assert [f.rule for f in found] == ["no-fencing"]


def test_a_copy_outside_of_the_cluster(check: Check) -> None:
    roles = "roles: {db: [mariadb_replica, mariadb_replica_accounts]}\n"
    found = check(POWER, ADDRESS, host(1), host(2), host(3, "db", fenced=False), after=PATTERN + roles)
    assert "ctl3 has a copy of the database and is no member of the cluster" in {
        f.what for f in found if f.rule == "outside-cluster"
    }


def test_a_lun_that_nothing_is_on(check: Check) -> None:
    lun = ("    hosts:\n", "    storage: {luns: {database: {hosts: [ctl1], device: /dev/mapper/a}}}\n    hosts:\n")
    assert {f.rule for f in check(*WHOLE, lun, after=PATTERN)} == {"lun"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("read_only", "'OFF'"),
        ("server_id", "7"),
        ("rpl_semi_sync_master_timeout", "10000"),
        ("rpl_semi_sync_master_wait_point", "AFTER_COMMIT"),
        ("gtid_domain_id", "1"),
        ("sync_binlog", "0"),
        ("binlog_format", "MIXED"),
        ("log_slave_updates", "'OFF'"),
        ("wsrep_on", "'ON'"),
        ("innodb_force_recovery", "3"),
    ],
)
def test_options_that_it_does_not_work_with(check: Check, option: str, value: str) -> None:
    options = f"services: {{mariadb_replica: {{options: {{my.cnf: {{mariadbd: {{{option}: {value}}}}}}}}}}}\n"
    found = check(*WHOLE, after=PATTERN + options)
    assert [(f.rule, f.severity) for f in found] == [("undone-pattern", "error")]


def test_a_flush_that_is_left_out_is_a_warning(check: Check) -> None:
    options = "services: {mariadb_replica: {options: {my.cnf: {mariadbd: {innodb_flush_log_at_trx_commit: 2}}}}}\n"
    assert [f.rule for f in check(*WHOLE, after=PATTERN + options)] == ["weakened-pattern"]


@pytest.mark.parametrize(("seconds", "fatal"), [("6", True), ("7.2", False), ("0", False)])
def test_a_primary_that_goes_on_alone_before_it_knows_that_it_is_cut_off(
    check: Check, seconds: str, fatal: bool
) -> None:
    found = check(*WHOLE, after=f"{PATTERN}timing: {{overrides: {{database_alone: {seconds}}}}}\n")
    assert [(f.rule, f.severity) for f in found] == ([("timers", "error")] if fatal else [])
