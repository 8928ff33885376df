"""Services that are to run on one host at a time: what `check` refuses."""

from __future__ import annotations

import pytest

from samples.sound import Check, brief

POWER = ("198.18.1.0/24}", "198.18.1.0/24, power: 198.18.2.0/24}")
CLUSTER = "pattern: {cluster: pacemaker, vip: pacemaker}\n"
KEYSTONE = "services: {keystone: {ha: passive}}\n"


def host(number: int) -> tuple[str, str]:
    bmc = f", bmc: {{address: 198.18.2.21{number}}}"
    return f"198.18.0.1{number}, roles: [controller]", f"198.18.0.1{number}, roles: [controller]{bmc}"


WHOLE = (POWER, host(1), host(2), host(3))


def test_members_of_a_cluster_that_carry_it_are_sound(check: Check) -> None:
    assert check(*WHOLE, after=CLUSTER + KEYSTONE) == []


def test_a_passive_service_is_something_that_a_cluster_manages(check: Check) -> None:
    assert check(*WHOLE, after="pattern: {cluster: pacemaker}\n" + KEYSTONE) == []
    [found] = check(*WHOLE, after="pattern: {cluster: pacemaker}\n")
    assert found.rule == "cluster" and "ha: passive" in found.change


def test_without_a_cluster_nobody_would_start_it(check: Check) -> None:
    [found] = check(after=KEYSTONE)
    assert brief([found]) == [("passive", "error", "14:27 services.keystone.ha")]
    assert "no cluster" in found.what and "cluster: pacemaker" in found.change


@pytest.mark.parametrize("name", ["mariadb", "haproxy", "nova_compute", "neutron_agents", "memcached"])
def test_what_has_no_passive_form(check: Check, name: str) -> None:
    [found] = check(*WHOLE, after=f"{CLUSTER}services: {{{name}: {{ha: passive}}}}\n")
    assert (found.rule, found.severity, found.path) == ("passive", "error", f"services.{name}.ha")
    assert "keystone" in found.change and name not in found.change


def test_volumes_on_their_hosts_own_disks_move_nowhere(check: Check) -> None:
    lvm = "DEFAULT: {enabled_backends: lvm}, lvm: {volume_driver: cinder.volume.drivers.lvm.LVMVolumeDriver}"
    options = f'options: {{"cinder-volume.conf": {{{lvm}}}}}'
    found = check(*WHOLE, after=f"{CLUSTER}services: {{cinder_volume: {{ha: passive, {options}}}}}\n")
    assert "nothing of cinder_volume can move" in next(f for f in found if f.rule == "passive").what


def test_a_host_that_carries_it_and_is_no_member(check: Check) -> None:
    apart = ("198.18.0.13, roles: [controller]", "198.18.0.13, roles: [api]")
    found = check(POWER, host(1), host(2), apart, after=f"{CLUSTER}{KEYSTONE}roles: {{api: [keystone]}}\n")
    [wrong] = [f for f in found if f.rule == "passive"]
    assert (wrong.severity, wrong.path) == ("error", "regions.phx.hosts.ctl3")
    assert "ctl3 carries keystone" in wrong.what


def test_no_host_that_carries_it(check: Check) -> None:
    found = check(*WHOLE, after=f"components: core\n{CLUSTER}services: {{heat: {{ha: passive}}}}\n")
    assert ("passive", "services.heat.ha") in {(f.rule, f.path) for f in found}


def test_another_word_is_refused_where_it_stands(check: Check) -> None:
    [found] = check(*WHOLE, after=f"{CLUSTER}services: {{keystone: {{ha: active}}}}\n")
    assert found.severity == "error" and found.path == "services.keystone.ha"
