"""What a Pacemaker cluster needs to be safe: each thing that is missing is found, at its place."""

from __future__ import annotations

import pytest

from samples.sound import Check, brief

POWER = ("198.18.1.0/24}", "198.18.1.0/24, power: 198.18.2.0/24}")
CLUSTER = "pattern: {cluster: pacemaker, vip: pacemaker}\n"


def bmc(number: int, more: str = "") -> tuple[str, str]:
    host = f"address: 198.18.0.1{number}, roles: [controller]"
    return host, f"{host}, bmc: {{address: 198.18.2.21{number}{more}}}"


WHOLE = (POWER, bmc(1), bmc(2), bmc(3))


def test_a_cluster_with_fencing_is_sound(check: Check) -> None:
    assert check(*WHOLE, after=CLUSTER) == []


def test_a_member_without_a_power_controller(check: Check) -> None:
    found = check(POWER, bmc(1), bmc(3), after=CLUSTER)
    assert brief(found) == [("no-fencing", "error", "12:7 regions.phx.hosts.ctl2")]
    assert "ctl2 is a member of the cluster" in found[0].what
    accepted = check(POWER, bmc(1), bmc(3), after=CLUSTER + "accept: {no-fencing: I am careful}\n")
    assert {f.rule for f in accepted} == {"no-fencing", "unknown-rule"}


def test_vips_of_a_cluster_that_is_not_there(check: Check) -> None:
    found = check(after="pattern: {vip: pacemaker}\n")
    assert [(f.rule, f.severity, f.path) for f in found if f.rule == "cluster"] == [("cluster", "error", "pattern.vip")]


def test_a_cluster_that_manages_nothing(check: Check) -> None:
    found = check(*WHOLE, after="pattern: {cluster: pacemaker}\n")
    assert [(f.rule, f.severity, f.path) for f in found] == [("cluster", "warning", "pattern.cluster")]


@pytest.mark.parametrize("address", ["198.18.0.13", "198.18.2.13", "198.18.1.100"], ids=["own", "own2", "vip"])
def test_fencing_against_itself(check: Check, address: str) -> None:
    found = check(*WHOLE, ("198.18.2.213", address), after=CLUSTER)
    assert ("bmc-confused", "error") in {(f.rule, f.severity) for f in found}
    assert any(address in f.what for f in found)


def test_two_hosts_with_one_controller(check: Check) -> None:
    found = check(*WHOLE, ("198.18.2.213", "198.18.2.212"), after=CLUSTER)
    assert [f.rule for f in found] == ["bmc-confused"]
    assert "ctl3 and ctl2" in found[0].what
    apart = check(
        POWER,
        bmc(1),
        bmc(2, ", system: /redfish/v1/Systems/2"),
        (bmc(3)[0], bmc(3, ", system: /redfish/v1/Systems/3")[1].replace("2.213", "2.212")),
        after=CLUSTER,
    )
    assert apart == []


def test_a_controller_on_the_network_whose_loss_it_has_to_end(check: Check) -> None:
    found = check(*WHOLE, ("198.18.2.213", "198.18.0.213"), after=CLUSTER)
    assert brief(found) == [("bmc-network", "error", "13:85 regions.phx.hosts.ctl3.bmc.address")]


def test_a_controller_whose_certificate_is_not_checked(check: Check) -> None:
    found = check(POWER, bmc(1), bmc(2), bmc(3, ", verify: false"), after=CLUSTER)
    assert [(f.rule, f.severity) for f in found] == [("bmc-unverified", "warning")]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("roles: {edge: [keepalived]}\n", "roles.edge[0]"),
        ("components: [core, keepalived]\n", "components[1]"),
    ],
)
def test_keepalived_and_pacemaker_on_one_vip(check: Check, text: str, path: str) -> None:
    found = check(*WHOLE, after=CLUSTER + text)
    assert (path, "error") in {(f.path, f.severity) for f in found}
    [said] = [f for f in found if f.path == path]
    assert said.what == "keepalived belongs to pattern.vip: keepalived, and this cloud's is pacemaker"


def test_pacemaker_where_the_pattern_has_none(check: Check) -> None:
    found = check(after="roles: {edge: [pacemaker]}\n")
    [said] = [f for f in found if f.path == "roles.edge[0]"]
    assert "this cloud's is none" in said.what


@pytest.mark.parametrize(
    ("option", "fatal"),
    [("stonith-enabled: false", True), ("no-quorum-policy: ignore", True), ("batch-limit: 3", False)],
)
def test_properties_that_take_safety_away(check: Check, option: str, fatal: bool) -> None:
    found = check(
        *WHOLE, after=CLUSTER + f"services: {{pacemaker: {{options: {{cib: {{properties: {{{option}}}}}}}}}}}\n"
    )
    assert bool(found) == fatal
    assert all(f.severity == "error" for f in found)


def test_a_timer_by_option_counts_like_one_by_timing(check: Check) -> None:
    options = "services: {corosync: {options: {corosync.conf: {totem: {consensus: 900}}}}}\n"
    found = check(*WHOLE, after=CLUSTER + options)
    assert [f.rule for f in found] == ["timers"]
    assert "corosync does not start" in found[0].why
