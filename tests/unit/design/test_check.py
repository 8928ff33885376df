"""Every rule finds what it is for, where it is, and nothing in a sound cloud."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fournines import design
from fournines.cloud.roles import EVERY_HOST, SHIPPED
from fournines.design import RULES, Finding, check_file, findings, require_valid
from fournines.design import options as option_rule
from fournines.errors import CloudFileError
from fournines.services import load, registry

EXAMPLES = Path(__file__).parents[3] / "examples"
CLOUD_FILES = sorted(p for p in EXAMPLES.glob("*.yaml") if not p.name.endswith(".secrets.yaml"))
SOUND = """\
cloud: acme
regions:
  phx:
    vips: {internal: 198.18.0.100, public: 198.18.1.100}
    networks: {management: 198.18.0.0/24, public: 198.18.1.0/24}
    zones:
      rack1: {power: pdu-a, switch: tor-1}
      rack2: {power: pdu-b, switch: tor-2}
      rack3: {power: pdu-c, switch: tor-3}
    hosts:
      ctl1: {zone: rack1, address: 198.18.0.11, roles: [controller]}
      ctl2: {zone: rack2, address: 198.18.0.12, roles: [controller]}
      ctl3: {zone: rack3, address: 198.18.0.13, roles: [controller]}
"""
SECOND = """\
  tus:
    vips: {internal: 198.18.4.100, public: 198.18.5.100}
    networks: {management: 198.18.4.0/24, public: 198.18.5.0/24}
    zones: {r1: {power: a, switch: s1}, r2: {power: b, switch: s2}, r3: {power: c, switch: s3}}
    hosts:
      tus1: {zone: r1, address: 198.18.4.11, roles: [controller]}
      tus2: {zone: r2, address: 198.18.4.12, roles: [controller]}
      tus3: {zone: r3, address: 198.18.4.13, roles: [controller]}
"""

Check = Callable[..., list[Finding]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Findings of the sound cloud with replacements, `after` appended."""

    def check(*changes: tuple[str, str], after: str = "") -> list[Finding]:
        text = SOUND
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "cloud.yaml"
        path.write_text(text + after)
        return list(check_file(path)[1])

    return check


def brief(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(f.rule, f.severity, f"{f.line}:{f.column} {f.path}") for f in found]


def test_a_sound_cloud_has_nothing_to_report(check: Check) -> None:
    assert check() == []
    assert check(after=SECOND) == []


@pytest.mark.parametrize("path", CLOUD_FILES, ids=lambda p: p.name)
def test_examples_are_sound(path: Path) -> None:
    assert check_file(path)[1] == ()


def test_every_service_has_a_role_that_hosts_can_have() -> None:
    for service in registry().values():
        assert service.roles
        assert set(service.roles) <= {*SHIPPED, EVERY_HOST}, service.name


def test_rules_have_distinct_names() -> None:
    assert len({r.id for r in RULES}) == len(RULES)


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
    assert any("the VIP's vote: 3 of 5" in f.what for f in found)


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


# Options, timers, accept


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "keystone": {"keystone.conf": {"DEFAULT": ["debug"], "token": ["expiration", "provider"]}},
        "rabbitmq": {"rabbitmq.conf": {"": ["channel_max", "listeners.tcp.*"]}},
        "haproxy": {"haproxy.cfg": {"global": ["maxconn"], "listen *": ["balance"]}},
    }
    monkeypatch.setattr(option_rule, "known", files.get)


@pytest.mark.parametrize(
    ("options", "path", "what", "change"),
    [
        ("keystone: {options: {keystone.conf: {token: {expiration: 1}}}}", "", "", ""),
        ("rabbitmq: {options: {rabbitmq.conf: {channel_max: 1, listeners.tcp.default: 5}}}", "", "", ""),
        ("haproxy: {options: {haproxy.cfg: {listen keystone: {balance: source}}}}", "", "", ""),
        ("keystone: {options: {keystone.conf: {token: {expiraton: 1}}}}",
         '."keystone.conf".token.expiraton', "unknown option expiraton in [token]", "did you mean expiration?"),
        ("keystone: {options: {keystone.conf: {tokn: {expiration: 1}}}}",
         '."keystone.conf".tokn', "keystone.conf has no section tokn", "did you mean token?"),
        ("keystone: {options: {keystone.conf: {expiration: 1}}}",
         '."keystone.conf".expiration', "expiration is in no section of keystone.conf",
         "put it into one of keystone.conf's sections: DEFAULT, token"),
        ("keystone: {options: {keyston.conf: {token: {expiration: 1}}}}",
         '."keyston.conf"', "keystone has no file keyston.conf", "did you mean keystone.conf?"),
        ("rabbitmq: {options: {rabbitmq.conf: {chanel_max: 1}}}",
         '."rabbitmq.conf".chanel_max', "unknown option chanel_max in rabbitmq.conf", "did you mean channel_max?"),
        ("haproxy: {options: {haproxy.cfg: {listen keystone: {balnce: source}}}}",
         '."haproxy.cfg"."listen keystone".balnce', "unknown option balnce", "did you mean balance?"),
        ("memcached: {options: {memcached.conf: {-m: 1}}}",
         "", "fournines does not know the options of memcached", "remove them"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("catalogue")
def test_options_are_those_that_the_service_knows(
    check: Check, options: str, path: str, what: str, change: str
) -> None:
    found = check(after=f"services: {{{options}}}\n")
    if not what:
        assert found == []
        return
    assert [(f.rule, f.severity) for f in found] == [("unknown-option", "error")]
    assert found[0].path == f"services.{options.partition(':')[0]}.options{path}"
    assert what in found[0].what
    assert found[0].change == change


def test_the_catalogue_of_each_service_has_its_shape() -> None:
    for service in registry():
        for sections in (option_rule.known(service) or {}).values():
            assert sections
            assert all(isinstance(o, str) for options in sections.values() for o in options)


def test_timers_that_contradict_one_another(check: Check) -> None:
    found = check(after="timing: {overrides: {evs_suspect: 1, check_fall: 1}}\n")
    assert brief(found) == [
        ("timers", "error", "14:35 timing.overrides.evs_suspect"),
        ("timers", "warning", "14:50 timing.overrides.check_fall"),
    ]


def test_a_peer_s_contradictions_are_warnings_until_one_changes_them(check: Check) -> None:
    found = check(after="timing: {profile: kolla-22.2}\n")
    assert found and {f.severity for f in found} == {"warning"}
    assert {f.path for f in found} == {"timing.profile"}
    found = check(after="timing: {profile: kolla-22.2, overrides: {rpc_response_timeout: 90}}\n")
    assert [f.path for f in found if f.severity == "error"] == ["timing.overrides.rpc_response_timeout"]


def test_an_accepted_error_is_a_warning_with_its_reason(check: Check) -> None:
    two = ("      ctl3: {zone: rack3, address: 198.18.0.13, roles: [controller]}\n", "")
    found = check(two, after="accept: {quorum-size: third host is on its way}\n")
    assert [(f.rule, f.severity, f.accepted) for f in found] == [("quorum-size", "warning", "third host is on its way")]


def test_only_rules_that_bend_can_be_accepted(check: Check) -> None:
    found = check(after="accept: {quorum-sise: x, vip-taken: y}\n")
    assert [(f.what, f.change) for f in found] == [
        ("there is no rule quorum-sise", "did you mean quorum-size?"),
        ("vip-taken cannot be accepted", found[1].change),
    ]
    assert {f.severity for f in found} == {"error"}


# check and the refusal


def test_a_wrong_file_is_reported_with_its_options_and_timers_but_not_its_design(check: Check) -> None:
    found = check(
        ("zone: rack2", "zone: rack9"),
        ("internal: 198.18.0.100", "internal: 198.18.9.100"),
        after="timing: {overrides: {evs_suspect: 1, nonsense: 2}}\nservices: {base: {options: {x.conf: {y: 1}}}}\n",
    )
    assert [f.rule for f in found] == ["file", "timers", "file", "unknown-option"]
    assert [f.line for f in found] == sorted(f.line for f in found)


def test_errors_come_before_warnings(check: Check) -> None:
    found = check(("pdu-c", "pdu-b"), after="timing: {overrides: {evs_suspect: 1}}\n")
    assert [f.severity for f in found] == ["error", "warning"]


def test_no_cloud_no_design(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text("a: [\n")
    cloud, found = check_file(path)
    assert cloud is None
    assert [f.rule for f in found] == ["file"]


def test_plan_and_apply_refuse_what_check_calls_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(SOUND.replace("pdu-c", "pdu-b"))
    require_valid(load(path))
    path.write_text(SOUND.replace("198.18.0.100", "198.18.9.100") + "timing: {overrides: {nonsense: 1}}\n")
    with pytest.raises(CloudFileError) as refused:
        require_valid(load(path))
    assert [p.path for p in refused.value.problems] == ["timing.overrides.nonsense", "regions.phx.vips.internal"]
    assert "2 errors" in str(refused.value)
    assert f"fournines check {path}" in str(refused.value)


def test_ten_thousand_hosts_are_judged_in_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    text = SOUND.replace("198.18.0.0/24", "198.18.0.0/16").replace("198.18.1.0/24", "198.19.0.0/16")
    text = text.replace("public: 198.18.1.100", "public: 198.19.0.100")
    path.write_text(text + "      cmp[00001-10000]: {zone: rack1, address: 198.18.1.1+, roles: [compute]}\n")
    before = time.process_time()
    assert findings(load(path)) == ()
    assert time.process_time() - before < 5  # quadratic would be minutes


def test_the_package_shows_what_others_need() -> None:
    assert set(design.__all__) == {"RULES", "Finding", "Rule", "check_file", "findings", "require_valid"}
