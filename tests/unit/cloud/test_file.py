"""The cloud file: what it means, and what is said about what it gets wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from fournines import cloud as reading
from fournines import services
from fournines.cloud.model import Cloud
from fournines.errors import CloudFileError, FourninesError
from samples.catalogue import CORE, MORE

EXAMPLES = Path(__file__).parents[3] / "examples"
CLOUD_FILES = sorted(p for p in EXAMPLES.glob("*.yaml") if not p.name.endswith(".secrets.yaml"))
SMALL = """\
cloud: acme
regions:
  phx:
    vips: {internal: 198.18.0.100, public: 198.18.1.100}
    networks:
      management: 198.18.0.0/24
      public: {cidr: 198.18.1.0/25, interface: bond1}
    zones: {rack1: {power: pdu-a, switch: tor-1}, rack2: }
    hosts:
      ctl1: {zone: rack1, address: 198.18.0.11, roles: [controller]}
      cmp[1-3]: {zone: rack2, address: 198.18.0.21+, roles: [compute]}
"""

Write = Callable[[str], Path]


def load(path: Path) -> Cloud:
    return reading.load(path, CORE)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "cloud.yaml"
        path.write_text(text)
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(CloudFileError) as refused:
        load(path)
    return [f"{p.line}:{p.column} {p.path}: {p.message}; {p.next}" for p in refused.value.problems]


def small(cloud: Cloud):
    return {h.name: h for h in cloud.hosts}


def test_a_small_cloud(write: Write) -> None:
    cloud = load(write(SMALL))
    region = cloud.regions["phx"]
    assert (cloud.name, cloud.release, cloud.timing.profile) == ("acme", "2025.1", "lan")
    assert region.vips.internal == IPv4Address("198.18.0.100")
    assert region.networks["management"].interface == "management"
    assert region.networks["public"].interface == "bond1"
    assert region.networks["public"].cidr == IPv4Network("198.18.1.0/25")
    assert region.zones["rack2"].power == ""
    assert [h.name for h in region.hosts] == ["ctl1", "cmp1", "cmp2", "cmp3"]
    assert cloud.host_by_name["cmp3"].address == IPv4Address("198.18.0.23")
    assert cloud.host_by_name["cmp3"].entry == ("regions", "phx", "hosts", "cmp[1-3]")
    assert cloud.region_of(cloud.hosts[0]) is region
    assert cloud.state_dir == cloud.source.parent / ".fournines" / "acme"
    assert cloud.secrets.names() == ()


def test_every_host_carries_base_and_agent_and_what_its_roles_say(write: Write) -> None:
    hosts = small(load(write(SMALL)))
    assert hosts["cmp1"].services == {"base", "agent"}
    assert hosts["ctl1"].services == {
        "base", "agent", "haproxy", "keepalived", "mariadb", "rabbitmq", "memcached", "keystone",
    }  # fmt: skip


def test_a_controller_carries_what_its_region_does_not_place_elsewhere(write: Write) -> None:
    text = SMALL.replace("roles: [compute]", "roles: [database, edge]") + "roles: {edge: [haproxy, keepalived]}\n"
    cloud = load(write(text))
    hosts = small(cloud)
    assert hosts["cmp1"].services == {"base", "agent", "haproxy", "keepalived", "mariadb"}
    assert hosts["ctl1"].services == {"base", "agent", "rabbitmq", "memcached", "keystone"}
    assert [h.name for h in cloud.hosts_of("mariadb", "phx")] == ["cmp1", "cmp2", "cmp3"]
    assert cloud.hosts_of("mariadb", "elsewhere") == ()


def test_a_role_used_in_one_region_leaves_the_controllers_of_another_whole() -> None:
    cloud = load(EXAMPLES / "dedicated-tiers.yaml")
    assert [h.name for h in cloud.hosts_of("mariadb", "north")] == ["db1", "db2", "db3"]
    assert [h.name for h in cloud.hosts_of("keystone", "north")] == ["api1", "api2", "api3"]
    assert len(cloud.hosts_of("mariadb", "south")) == 3


def test_other_networks_give_the_same_offset(write: Write) -> None:
    hosts = small(load(write(SMALL.replace("public: {", "tiny: 198.18.2.0/27\n      public: {"))))
    assert hosts["cmp2"].addresses == {
        "management": IPv4Address("198.18.0.22"),
        "public": IPv4Address("198.18.1.22"),
        "tiny": IPv4Address("198.18.2.22"),
    }


@pytest.mark.parametrize(
    ("cidr", "says"),
    [
        ("198.18.2.0/29", ["ctl1 has no address on network tiny: offset 11", "cmp1 and 2 more hosts have"]),
        ("198.18.2.0/28", ["cmp1 and 2 more hosts have no address on network tiny: offset 21"]),
        ("198.18.2.0/255.255.255.232", []),
        ("198.18.2.16/28", ["cmp1 and 2 more hosts have no address on network tiny: offset 21"]),
    ],
)
def test_a_network_in_which_a_host_s_offset_does_not_fit_names_both(write: Write, cidr: str, says: list[str]) -> None:
    found = problems(write(SMALL.replace("public: {", f"tiny: {cidr}\n      public: {{")))
    if not says:
        assert "CIDR" in found[0] or "network" in found[0]
        return
    assert len(found) == len(says)
    for line, expected in zip(found, says, strict=True):
        assert expected in line
        assert "addresses: {tiny: ADDRESS}, or {tiny: null}" in line


def test_a_range_that_ends_outside_names_its_first_host_outside(write: Write) -> None:
    text = SMALL.replace("public: {", "tiny: 198.18.2.0/27\n      public: {").replace("cmp[1-3]", "cmp[01-20]")
    [said] = problems(write(text))
    assert 'regions.phx.hosts."cmp[01-20]": cmp11 and 9 more hosts have no address on network tiny: offset 31' in said


def test_the_network_that_leads_out_takes_a_device_and_no_address(write: Write) -> None:
    text = SMALL.replace("public: {", "external: {cidr: 203.0.113.0/29, interface: eno3}\n      public: {")
    text = text.replace("roles: [compute]", "roles: [compute], addresses: {external: null}")
    hosts = small(load(write(text)))
    assert hosts["ctl1"].devices == {"management": "management", "external": "eno3", "public": "bond1"}
    assert "external" not in hosts["ctl1"].addresses
    assert "external" not in hosts["cmp1"].devices


def test_a_host_has_devices_of_its_own(write: Write) -> None:
    text = SMALL.replace("roles: [controller]", "roles: [controller], interfaces: {management: eno1, public: eno2}")
    hosts = small(load(write(text)))
    assert hosts["ctl1"].devices == {"management": "eno1", "public": "eno2"}
    assert hosts["cmp1"].devices == {"management": "management", "public": "bond1"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("interfaces: {manegement: eno1}", "unknown network manegement; did you mean management?"),
        ("interfaces: {management: a-name-of-16-letters}", "an interface's name: at most 15"),
        ("interfaces: {management: bond1}", "bond1 is the device of public and of management"),
        ("interfaces: {public: eno1}, addresses: {public: null}", "it is not attached to public"),
    ],
)
def test_devices_that_cannot_be(write: Write, more: str, says: str) -> None:
    [said] = problems(write(SMALL.replace("roles: [controller]", f"roles: [controller], {more}")))
    assert says in said


def test_addresses_of_one_s_own(write: Write) -> None:
    text = SMALL.replace("roles: [compute]", "roles: [compute], addresses: {public: 198.18.1.50+}")
    text = text.replace("roles: [controller]", "roles: [controller], addresses: {public: null}")
    hosts = small(load(write(text)))
    assert hosts["cmp3"].addresses["public"] == IPv4Address("198.18.1.52")
    assert "public" not in hosts["ctl1"].addresses


def test_a_host_s_ssh_goes_before_the_cloud_s(write: Write) -> None:
    text = SMALL.replace("roles: [controller]", "roles: [controller], ssh: {port: 2222, key: /k}")
    cloud = load(write(text + "ssh: {user: op, key: ~/.ssh/id, known_hosts: hosts}\n"))
    ctl1, cmp1 = cloud.hosts[0].ssh, cloud.hosts[1].ssh
    assert (ctl1.user, ctl1.port, ctl1.key) == ("op", 2222, Path("/k"))
    assert (cmp1.port, cmp1.key) == (22, Path.home() / ".ssh" / "id")
    assert cmp1.known_hosts == cloud.source.parent / "hosts"


def test_a_home_that_nobody_has_is_left_as_it_is(write: Write) -> None:
    cloud = load(write(SMALL + "ssh: {key: ~nobody-has-this-name/k}\n"))
    assert cloud.hosts[0].ssh.key == cloud.source.parent / "~nobody-has-this-name" / "k"


def test_options_of_files_with_and_without_sections(write: Write) -> None:
    cloud = load(
        write(
            SMALL + "services:\n  keystone: {options: {keystone.conf: {token: {expiration: 7200}}}}\n"
            "  rabbitmq: {options: {rabbitmq.conf: {channel_max: 10, old: null, tags: [a, b]}}}\n  memcached:\n"
        )
    )
    assert cloud.options("keystone", "keystone.conf") == {"token": {"expiration": 7200}}
    assert cloud.options("rabbitmq", "rabbitmq.conf") == {"": {"channel_max": 10, "old": None, "tags": ["a", "b"]}}
    assert cloud.options("keystone", "another.conf") == {}
    assert cloud.options("mariadb", "my.cnf") == {}
    assert cloud.options("memcached", "memcached.conf") == {}


def test_the_vrid_is_stable_in_range_and_can_be_given(write: Write) -> None:
    cloud = load(write(SMALL))
    assert cloud.regions["phx"].vips.vrid == load(write(SMALL)).regions["phx"].vips.vrid
    assert load(write(SMALL.replace("cloud: acme", "cloud: acne"))).regions["phx"].vips.vrid in range(1, 256)
    given = SMALL.replace("public: 198.18.1.100}", "public: 198.18.1.100, vrid: 7}")
    assert load(write(given)).regions["phx"].vips.vrid == 7


def test_secrets_lie_beside_the_file(write: Write) -> None:
    path = write(SMALL)
    secrets = path.with_name("acme.secrets.yaml")
    secrets.write_text("keystone.admin: x\n")
    with pytest.raises(FourninesError, match="open to other users"):
        load(path)
    secrets.chmod(0o600)
    assert load(path).secrets.get("keystone.admin") == "x"
    inspected = reading.inspect(path, CORE)[0]
    assert inspected is not None
    assert inspected.secrets.names() == ()


def test_durations_are_text_or_seconds(write: Write) -> None:
    for text, seconds in {"500ms": 0.5, "2s": 2.0, "3": 3.0, "1.5": 1.5, "0.1m": 6.0}.items():
        assert load(write(SMALL + f"timing: {{detect: {text}}}\n")).timing.detect == seconds


def test_ranges_that_are_too_many_together_are_refused_before_they_are_made(write: Write) -> None:
    entries = "".join(
        f"      h{n}-[1-99999]: {{zone: rack1, address: 10.0.0.1+, roles: [compute]}}\n" for n in range(9)
    )
    text = SMALL.replace("198.18.0.0/24", "10.0.0.0/8").replace("198.18.", "10.1.") + entries
    found = problems(write(text.replace("public: {cidr: 10.1.1.0/25", "public: {cidr: 10.0.0.0/8")))
    assert sum("at most 100,000 fit one" in p for p in found) >= 8


def test_ten_thousand_hosts_resolve_in_linear_time(write: Write) -> None:
    text = SMALL.replace("198.18.0.0/24", "198.18.0.0/16").replace("198.18.1.0/25", "198.19.0.0/16")
    cloud = load(write(text.replace("cmp[1-3]", "cmp[00001-10000]")))
    assert len(cloud.hosts) == 10_001
    assert cloud.host_by_name["cmp10000"].address == IPv4Address("198.18.0.21") + 9_999


# What it gets wrong


@pytest.mark.parametrize(
    "case", YAML(typ="safe", pure=True).load(Path(__file__).with_name("wrong.yaml")), ids=lambda c: c["with"]
)
def test_what_is_wrong_is_said_once(write: Write, case: dict[str, Any]) -> None:
    assert case["replace"] in SMALL
    found = problems(write(SMALL.replace(case["replace"], case["with"], 1)))
    assert len(found) == len(case["says"])
    for line, says in zip(found, case["says"], strict=True):
        assert says in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a mapping that begins with `cloud: NAME`, found nothing"),
        ("- a", "found a list"),
        ("just text", "found 'just text'"),
        ("cloud: acme\n", "regions: regions is missing"),
        ("cloud: acme\nregions: {}\n", "regions: a cloud needs at least one region"),
        ("cloud: [", "this is not YAML"),
    ],
)
def test_files_that_hold_no_cloud(write: Write, text: str, says: str) -> None:
    found = problems(write(text))
    assert len(found) == 1
    assert says in found[0]


def test_components_select_services(write: Write) -> None:
    def controller(components: str) -> frozenset[str]:
        return reading.load(write(SMALL + components), MORE).hosts[0].services

    assert controller("") == controller("components: full\n") == frozenset(MORE)
    assert controller("components: core\n") == frozenset(CORE)
    assert controller("components: [core, images]\n") == {*CORE, "images"}


def test_components_that_are_not_known_are_named_with_their_place(write: Write) -> None:
    assert problems(write(SMALL + "components: coer\n")) == [
        "12:13 components: unknown component coer; did you mean core?"
    ]
    found = problems(write(SMALL + "components: [core, hapoxy]\n"))
    assert found == ["12:20 components[1]: unknown component hapoxy; did you mean haproxy?"]


def test_a_region_without_hosts(write: Write) -> None:
    text = SMALL[: SMALL.index("    hosts:")]
    assert "hosts is missing" in problems(write(text))[0]
    assert "a region needs at least one host" in problems(write(text + "    hosts: {}\n"))[0]


def test_all_problems_at_once_in_file_order(write: Write) -> None:
    text = (
        SMALL.replace("cloud: acme", "cloud: acme\npatern: {}\nrelease: 1")
        .replace("198.18.0.0/24", "nonsense")
        .replace("zone: rack2", "zone: rack9")
        .replace("ctl1: {zone: rack1", "ctl1: {zone: 5")
        .replace("[compute]", "[compte]")
    )
    path = write(text + "services: {nova: {}}\n")
    found = problems(path)
    assert [f.split(" ")[1] for f in found] == [
        "patern:",
        "release:",
        "regions.phx.networks.management:",
        "regions.phx.hosts.ctl1.zone:",
        'regions.phx.hosts."cmp[1-3]".zone:',
        'regions.phx.hosts."cmp[1-3]".roles[0]:',
        "services.nova:",
    ]
    with pytest.raises(CloudFileError, match="7 problems"):
        load(path)


def test_what_was_refused_is_not_reported_again_by_what_refers_to_it(write: Write) -> None:
    text = SMALL.replace("rack1: {power: pdu-a, switch: tor-1}", "rack1: [1]") + "roles: {edge: 1}\n"
    text = text.replace("roles: [compute]", "roles: [edge]")
    assert [p.split(" ")[1] for p in problems(write(text))] == ["regions.phx.zones.rack1:", "roles.edge:"]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, says in (
        (tmp_path / "none.yaml", "does not exist"),
        (tmp_path, "cannot be read"),
        (Path("a\0b"), "cannot be read"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ):
        with pytest.raises(CloudFileError, match=says) as refused:
            load(path)
        assert refused.value.problems == ()
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"cloud: \xff\xfe")
    with pytest.raises(CloudFileError, match="not UTF-8 text"):
        load(binary)


@pytest.mark.parametrize("path", CLOUD_FILES, ids=lambda p: p.name)
def test_examples_load(path: Path) -> None:
    assert services.load(path).hosts


# Whatever it is given

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


def steps(data: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inside = list(data.items()) if isinstance(data, dict) else list(enumerate(data)) if isinstance(data, list) else []
    return [path, *(s for key, value in inside for s in steps(value, (*path, key)))]


def tree(name: str) -> dict[str, object]:
    return YAML(typ="safe", pure=True).load(EXAMPLES / name)


TREES = [tree(p.name) for p in CLOUD_FILES]


def refused_or_loaded(path: Path) -> None:
    try:
        load(path)
    except CloudFileError as error:
        assert error.problems
        assert all(p.line >= 1 and p.column >= 1 and p.message for p in error.problems)


@pytest.mark.parametrize(
    ("bmc", "said"), [("{}", "address is missing"), ("{adress: 198.18.0.99}", "unknown key"), ("off", "expected")]
)
def test_a_mapping_that_may_be_left_out_is_refused_in_its_own_words(write: Write, bmc: str, said: str) -> None:
    text = (EXAMPLES / "three-controllers.yaml").read_text()
    found = problems(write(text.replace("roles: [controller]}", f"roles: [controller], bmc: {bmc}}}", 1)))
    assert any(said in problem for problem in found), found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_file_loads_or_is_refused_with_places(tmp_path: Path, data: st.DataObject) -> None:
    """Any value of an example replaced, removed or renamed: never anything but a CloudFileError."""
    root = json.loads(json.dumps(data.draw(st.sampled_from(TREES))))
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from([s for s in steps(root) if s]))
        inside = root
        for step in way:
            inside = inside[step]
        action = data.draw(st.sampled_from(["replace", "remove", "rename"]))
        if action == "replace":
            inside[last] = data.draw(junk)
        else:
            value = inside.pop(last)
            if action == "rename" and isinstance(inside, dict):
                inside[data.draw(st.text(max_size=8))] = value
    path = tmp_path / "cloud.yaml"
    path.write_text(json.dumps(root), encoding="utf-8")
    refused_or_loaded(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(SMALL)), more=st.text(max_size=6), rest=st.integers(0, len(SMALL)))
def test_damaged_text_loads_or_is_refused_with_places(tmp_path: Path, cut: int, more: str, rest: int) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(SMALL[:cut] + more + SMALL[rest:], encoding="utf-8", errors="replace")
    refused_or_loaded(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="{}[]:,-&*!<>|'\"%@#?~\n\t ab01.", max_size=40))
def test_any_text_loads_or_is_refused_with_places(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(text, encoding="utf-8")
    refused_or_loaded(path)


def test_a_lun_with_a_wrong_host_is_refused(write: Write) -> None:
    text = (EXAMPLES / "mariadb-shared.yaml").read_text()
    found = problems(write(text.replace("hosts: [ctl1, ctl2]", "hosts: [null, ctl2]", 1)))
    assert len(found) == 1 and "hosts[0]: expected text, found nothing" in found[0], found
