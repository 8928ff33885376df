"""Rules of who runs where and at which address: each finds what it is for, and says where that is."""

from __future__ import annotations

import pytest

from samples.sound import SECOND, Check, brief

# Quorums and copies


def test_one_host_of_everything(check: Check) -> None:
    found = check(
        ("      ctl2: {zone: rack2, address: 198.18.0.12, roles: [controller]}\n", ""),
        ("      ctl3: {zone: rack3, address: 198.18.0.13, roles: [controller]}\n", ""),
    )
    assert brief(found) == [("single-copy", "error", "11:7 regions.phx.hosts.ctl1")]
    assert "mariadb" in found[0].what and "keystone" in found[0].what
    assert "two more hosts" in found[0].change


def test_a_single_copy_beside_others(check: Check) -> None:
    found = check(
        ("ctl1: {zone: rack1, address: 198.18.0.11, roles: [controller]}",
         "ctl1: {zone: rack1, address: 198.18.0.11, roles: [controller, cache]}"),
        after="roles: {cache: [memcached]}\n",
    )  # fmt: skip
    assert brief(found) == [("single-copy", "error", "11:7 regions.phx.hosts.ctl1")]
    assert found[0].what == "memcached: on ctl1 alone"
    assert "another host" in found[0].change


def test_a_quorum_of_two(check: Check) -> None:
    found = check(("      ctl3: {zone: rack3, address: 198.18.0.13, roles: [controller]}\n", ""))
    assert brief(found) == [("quorum-size", "error", "12:7 regions.phx.hosts.ctl2")]
    assert found[0].what == "mariadb, rabbitmq, valkey and the VIP's vote: 2 members"


def test_an_even_quorum(check: Check) -> None:
    found = check(
        ("rack3: {power: pdu-c, switch: tor-3}",
         "rack3: {power: pdu-c, switch: tor-3}\n      rack4: {power: pdu-d, switch: tor-4}"),
        after="      ctl4: {zone: rack4, address: 198.18.0.14, roles: [controller]}\n",
    )  # fmt: skip
    assert [(f.rule, f.severity) for f in found] == [("quorum-size", "warning")]
    assert "survive the loss of 1, no more than 3 do" in found[0].why
    assert found[0].change == "5 members, or 3"


def test_a_quorum_in_one_zone_though_there_are_others(check: Check) -> None:
    found = check(("ctl2: {zone: rack2", "ctl2: {zone: rack1"), ("ctl3: {zone: rack3", "ctl3: {zone: rack1"))
    assert brief(found) == [("shared-zone", "error", "13:20 regions.phx.hosts.ctl3.zone")]
    assert "keystone" in found[0].what and "3 of 3 (ctl1, ctl2 and ctl3) are in zone rack1" in found[0].what


def test_a_majority_in_one_zone_is_a_quorum_lost(check: Check) -> None:
    found = check(("ctl2: {zone: rack2", "ctl2: {zone: rack1"))
    assert brief(found) == [("shared-zone", "error", "12:20 regions.phx.hosts.ctl2.zone")]
    assert "keystone" not in found[0].what
    assert "1 of 3 are no majority" in found[0].why


def test_one_zone_is_a_warning_where_there_is_no_other(check: Check) -> None:
    one = ("      rack2: {power: pdu-b, switch: tor-2}\n      rack3: {power: pdu-c, switch: tor-3}\n", "")
    found = check(one, ("zone: rack2", "zone: rack1"), ("zone: rack3", "zone: rack1"))
    assert [(f.rule, f.severity) for f in found] == [("shared-zone", "warning")]
    assert "region phx has 1" in found[0].change


@pytest.mark.parametrize(("kind", "own"), [("power", "pdu"), ("switch", "tor")])
def test_a_majority_on_one_power_feed_or_switch(check: Check, kind: str, own: str) -> None:
    old, new = (f"{own}-c", f"{own}-b") if kind == "power" else (f"{own}-3", f"{own}-2")
    found = check((old, new))
    assert [(f.rule, f.severity) for f in found] == [(f"shared-{kind}", "warning")]
    assert found[0].path == f"regions.phx.zones.rack3.{kind}"
    assert f"2 of 3 (ctl2 and ctl3) are {'on power feed' if kind == 'power' else 'behind switch'}" in found[0].what


def test_a_majority_on_one_power_feed_that_could_be_avoided(check: Check) -> None:
    found = check(
        ("pdu-c", "pdu-b"),
        ("switch: tor-3}", "switch: tor-3}\n      rack4: {power: pdu-d, switch: tor-4}"),
    )
    assert [(f.rule, f.severity) for f in found] == [("shared-power", "error")]


def test_what_is_not_stated_is_not_checked(check: Check) -> None:
    assert check(("power: pdu-a, ", ""), ("power: pdu-b, ", ""), ("power: pdu-c, ", "")) == []
    assert check((": {power: pdu-a, switch: tor-1}", ":"), (": {power: pdu-b, switch: tor-2}", ":")) == []


def test_two_load_balancers_in_one_rack(check: Check) -> None:
    found = check(
        after="      lb1: {zone: rack1, address: 198.18.0.21, roles: [endpoint]}\n"
        "      lb2: {zone: rack1, address: 198.18.0.22, roles: [endpoint]}\n"
    )
    assert [(f.rule, f.severity) for f in found] == [("shared-zone", "error"), ("shared-zone", "error")]
    assert found[0].what.startswith("haproxy and keepalived: 2 of 2") or found[1].what.startswith("haproxy and")
    assert any("the VIP's vote: 2 of 3" in f.what for f in found)


# Placement


def test_a_role_that_nobody_has(check: Check) -> None:
    found = check(after="roles: {edge: [haproxy]}\n")
    assert brief(found) == [("unused-role", "warning", "14:9 roles.edge")]


def test_a_service_that_nobody_carries(check: Check) -> None:
    found = check(("roles: [controller]", "roles: [endpoint, database, messaging]"), after="components: core\n")
    assert brief(found) == [("missing-service", "error", "10:5 regions.phx.hosts")]
    assert "memcached and keystone" in found[0].what


def test_a_region_of_computes(check: Check) -> None:
    found = check(("roles: [controller]", "roles: [compute]"))
    assert [f.rule for f in found] == ["missing-service"]


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ("components: [glance]\n", "its own files"),
        ("components: [glance]\npattern: {images: swift}\n", "components do not have"),
        ("components: [glance]\npattern: {images: nfs}\n", "does not say where"),
        ("components: [glance]\npattern: {images: ceph}\n", "monitors"),
        ("components: [glance, swift]\n", ""),
        ("components: core\npattern: {images: file}\n", ""),
    ],
)
def test_images_are_where_every_glance_finds_them(check: Check, after: str, says: str) -> None:
    found = check(after=after)
    assert [f.rule for f in found] == ["image-store"] * bool(says)
    assert all(says in f.what for f in found)


# Addresses


def test_a_vip_outside_its_network(check: Check) -> None:
    found = check(
        ("internal: 198.18.0.100", "internal: 198.18.9.100"), ("public: 198.18.1.100", "public: 198.18.1.255")
    )
    assert brief(found) == [
        ("vip-outside", "error", "4:22 regions.phx.vips.internal"),
        ("vip-outside", "error", "4:44 regions.phx.vips.public"),
    ]
    assert "no host address of network public" in found[1].what


def test_a_vip_that_something_else_has(check: Check) -> None:
    found = check(("internal: 198.18.0.100", "internal: 198.18.0.12"))
    assert brief(found) == [("vip-taken", "error", "4:22 regions.phx.vips.internal")]
    assert "host ctl2" in found[0].what
    found = check(after=SECOND.replace("198.18.4.0/24", "198.18.0.0/24").replace("198.18.4.1", "198.18.0.1"))
    assert "vip-taken" in [f.rule for f in found]
    assert any("the internal VIP of region phx" in f.what for f in found)


def test_two_hosts_with_one_address(check: Check) -> None:
    found = check(after="      cmp[01-20]: {zone: rack1, address: 198.18.0.9+, roles: [compute]}\n")
    assert {f.rule for f in found} == {"duplicate-address"}
    assert [f.what for f in found] == [f"cmp0{n + 2} and ctl{n} both have 198.18.0.1{n}" for n in (1, 2, 3)]
    assert found[0].path == 'regions.phx.hosts."cmp[01-20]".address'


def test_regions_may_use_the_same_private_addresses_but_for_management(check: Check) -> None:
    twin = SECOND.replace("public: 198.18.5.0/24", "public: 198.18.1.0/24").replace("198.18.5.100", "198.18.1.101")
    assert [f.rule for f in check(after=twin)] == []


def test_networks_that_overlap(check: Check) -> None:
    found = check(("public: 198.18.1.0/24", "public: 198.18.0.0/22"), ("public: 198.18.1.100", "public: 198.18.2.100"))
    assert ("network-overlap", "error", "5:51 regions.phx.networks.public") in brief(found)


def test_regions_that_share_a_vrid_on_one_network(check: Check) -> None:
    vrid = ("public: 198.18.1.100}", "public: 198.18.1.100, vrid: 9}")
    second = SECOND.replace("public: 198.18.5.100}", "public: 198.18.5.100, vrid: 9}")
    assert check(vrid, after=second) == []
    near = second.replace("198.18.4.0/24", "198.18.0.0/24").replace("198.18.4.1", "198.18.0.2")
    assert [(f.rule, f.path) for f in check(vrid, after=near)] == [("vrid-clash", "regions.tus.vips.vrid")]


def test_a_load_balancer_off_the_public_network(check: Check) -> None:
    found = check(("ctl2: {zone: rack2,", "ctl2: {zone: rack2, addresses: {public: null},"))
    assert brief(found) == [("vip-unreachable", "error", "12:7 regions.phx.hosts.ctl2")]
