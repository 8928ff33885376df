"""What a fault is called, what it strikes by default, and which hosts a target means."""

from __future__ import annotations

from pathlib import Path

import pytest

from fournines.cloud.model import Cloud
from fournines.errors import ProveError
from fournines.prove.faults.catalogue import drawn
from fournines.prove.faults.injection import strikable
from fournines.prove.faults.target import Standing, aim, candidates, moving_subjects, subjects
from fournines.prove.faults.text import parse, seconds
from fournines.prove.model import Fault
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return load(EXAMPLE)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("host.power_off@vip", Fault("host.power_off", "", "vip", 20.0)),
        ("host.power_off@ctl2/45s", Fault("host.power_off", "", "ctl2", 45.0, "45s")),
        ("host.reset@rack1", Fault("host.reset", "", "rack1", 0.0)),
        ("service.freeze@keystone", Fault("service.freeze", "keystone", "one", 20.0)),
        ("service.freeze@haproxy", Fault("service.freeze", "haproxy", "vip", 20.0)),
        ("service.kill@mariadb", Fault("service.kill", "mariadb", "writer", 0.0)),
        ("service.kill@mariadb+all", Fault("service.kill", "mariadb", "all", 0.0)),
        ("service.freeze@mariadb:one/2m", Fault("service.freeze", "mariadb", "one", 120.0, "2m")),
        ("network.isolate@writer/500ms", Fault("network.isolate", "", "writer", 0.5, "500ms")),
        ("service.crash_loop@guard+all", Fault("service.crash_loop", "guard", "all", 20.0)),
        ("service.freeze@observer", Fault("service.freeze", "observer", "vip", 20.0)),
        ("network.partition@half", Fault("network.partition", "", "half", 20.0)),
        (
            "service.freeze@keystone/5s and network.isolate@vip",
            Fault(
                "and",
                "",
                "service.freeze@keystone+one/5s and network.isolate@vip",
                20.0,
                parts=(
                    Fault("service.freeze", "keystone", "one", 5.0, "5s"),
                    Fault("network.isolate", "", "vip", 20.0),
                ),
            ),
        ),
    ],
)
def test_a_fault_as_it_is_written(cloud: Cloud, text: str, fault: Fault) -> None:
    assert parse(text, cloud) == (fault,)


def test_a_fault_reads_back_as_itself(cloud: Cloud) -> None:
    pairs = "host.power_off@vip/5s then service.kill@mariadb,host.reset@one and host.reset@vip"
    for fault in (*parse("all", cloud), *parse(pairs, cloud)):
        assert parse(str(fault), cloud) == (fault,)


def test_faults_keep_their_order_and_come_once(cloud: Cloud) -> None:
    faults = parse(" host.reset@one, service.kill@keystone,host.reset@one ", cloud)
    assert [str(f) for f in faults] == ["host.reset@one", "service.kill@keystone+one"]


def test_the_same_fault_of_two_durations_is_two(cloud: Cloud) -> None:
    assert len(parse("host.power_off@vip/5s,host.power_off@vip/60s", cloud)) == 2


def test_a_common_duration_yields_to_the_suffix(cloud: Cloud) -> None:
    durations = [
        f.duration for f in parse("host.power_off@vip,host.power_off@one/5s,host.reset@vip", cloud, duration=7)
    ]
    assert durations == [7.0, 5.0, 0.0]


def test_a_pair_lasts_as_long_as_its_parts(cloud: Cloud) -> None:
    together, after = parse(
        "host.power_off@vip/5s and host.freeze@one,host.power_off@vip/5s then host.freeze@one", cloud
    )
    assert (together.duration, after.duration) == (20.0, 25.0)


def test_all_is_every_fault_of_every_service_in_every_target(cloud: Cloud) -> None:
    names = {str(f) for f in parse("all", cloud)}
    carried = {owner for owner, _ in subjects(cloud).values()}
    assert {"keystone", "haproxy", "mariadb", "rabbitmq", "memcached", "keepalived", "agent"} == carried
    for kind in drawn(cloud):
        for target in ("vip", "writer", "one"):
            expected = (
                [f"{kind.name}@{s}+{target}" for s in carried & set(kind.services or carried)]
                if kind.subject == "service"
                else [f"{kind.name}@{target}"]
            )
            assert set(expected) <= names
    assert "service.kill@mariadb+all" in names
    assert {str(f) for f in parse("each", cloud)} <= names


def test_each_is_every_fault_at_least_once(cloud: Cloud) -> None:
    chosen = {f.name for f in parse("each", cloud)}
    assert chosen == {kind.name for kind in drawn(cloud)}


def test_servers_are_only_asked_for_where_there_is_a_compute_service(cloud: Cloud) -> None:
    full = load(EXAMPLE.with_name("full-cloud.yaml"))
    assert "compute.boot_storm@one" in {str(f) for f in parse("each", full)}
    assert not any(f.name.startswith("compute.") for f in parse("each", cloud))


def test_of_a_full_cloud_every_service_and_unit_can_be_struck() -> None:
    full = load(EXAMPLE.with_name("full-cloud.yaml"))
    known = subjects(full)
    assert known["nova"] == ("nova", "nova-api.service")
    assert known["nova-conductor"] == ("nova", "nova-conductor.service")
    assert known["neutron-l3-agent"] == ("neutron_agents", "neutron-l3-agent.service")
    assert not any(unit.endswith(".timer") for _, unit in known.values())
    (fault,) = parse("service.crash_loop@nova-conductor", full)
    assert {h.name for h in candidates(fault, full, next(iter(full.regions)))} == {"ctl1", "ctl2", "ctl3"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no fault"),
        ("host.power_off", "not readable"),
        ("host.poweroff@vip", "did you mean host.power_off?"),
        ("host.power_off@ctl9", "did you mean ctl"),
        ("service.kill@keyston", "did you mean keystone?"),
        ("service.kill@mariadb+writter", "did you mean writer?"),
        ("service.kill@keystone/5s", "heals by itself"),
        ("network.isolate@vip/0s", "no time"),
        ("agent.skew@one", "did you mean agent.skew_"),
        ("service.kill@nova", "no service 'nova'"),
        ("disk.full@keystone", "does not know keystone"),
        ("host.reset@vip and host.reset@one then host.reset@vip", "cannot be mixed"),
        ("host.reset@vip or host.reset@one", "not readable"),
        ("host.power_off@vip/soon", "duration"),
    ],
)
def test_what_is_wrong_is_said(cloud: Cloud, text: str, said: str) -> None:
    with pytest.raises(ProveError) as caught:
        parse(text, cloud)
    assert said in str(caught.value)


def test_durations() -> None:
    assert [seconds(t) for t in ("30", "30s", "500ms", "2m", "1.5s")] == [30, 30, 0.5, 120, 1.5]


@pytest.mark.parametrize(
    ("target", "standing", "struck"),
    [
        ("vip", Standing(vip="ctl2"), ("ctl2",)),
        ("vip", Standing(), ()),
        ("writer", Standing(writer="ctl3"), ("ctl3",)),
        ("leader", Standing(leader="ctl1"), ("ctl1",)),
        ("router", Standing(), ()),
        ("one", Standing(vip="ctl1", writer="ctl2"), ("ctl3",)),
        ("one", Standing(vip="ctl1", writer="ctl1"), ("ctl2",)),
        ("all", Standing(), ("ctl1", "ctl2", "ctl3")),
        ("minority", Standing(), ("ctl1",)),
        ("majority", Standing(), ("ctl1", "ctl2")),
        ("half", Standing(), ("ctl1",)),
        ("ctl2", Standing(), ("ctl2",)),
        ("rack3", Standing(), ("ctl3",)),
    ],
)
def test_a_target_means_hosts(cloud: Cloud, target: str, standing: Standing, struck: tuple[str, ...]) -> None:
    fault = Fault("host.power_off", "", target, 1.0)
    assert aim(fault, candidates(fault, cloud, "phx"), standing) == struck


@pytest.mark.parametrize(
    ("target", "standing", "struck"),
    [
        ("dc", Standing(dc="ctl2"), ("ctl2",)),
        ("active", Standing(active="ctl3"), ("ctl3",)),
        ("passive", Standing(active="ctl1", dc="ctl2"), ("ctl3",)),
        ("passive", Standing(active="ctl1", dc="ctl2", writer="ctl3"), ("ctl2",)),
        ("passive", Standing(), ()),
    ],
)
def test_a_target_of_a_cluster_is_one_of_its_members(
    cloud: Cloud, target: str, standing: Standing, struck: tuple[str, ...]
) -> None:
    fault = Fault("host.power_off", "", target, 1.0)
    assert candidates(fault, cloud, "phx") == (), "without a cluster there is nobody to strike"
    members = load(EXAMPLE.parent / "pacemaker-vip.yaml")
    assert aim(fault, candidates(fault, members, "phx"), standing) == struck


@pytest.mark.parametrize(
    ("target", "struck"),
    [
        ("one", ("ctl3",)),
        ("active", ("ctl3",)),
        ("passive", ("ctl1",)),
        ("vip", ("ctl1",)),
        ("all", ("ctl1", "ctl2", "ctl3")),
    ],
)
def test_of_a_passive_service_the_host_that_runs_it_is_struck(
    tmp_path: Path, target: str, struck: tuple[str, ...]
) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text((EXAMPLE.parent / "pacemaker-vip.yaml").read_text() + "services: {keystone: {ha: passive}}\n")
    cloud = load(path)
    assert moving_subjects(cloud) == {"keystone": "fournines-keystone"}
    fault = Fault("service.kill", "keystone", target, 0.0)
    now = Standing(vip="ctl1", writer="ctl2", active="ctl2", runs={"keystone": "ctl3"})
    assert aim(fault, candidates(fault, cloud, "phx"), now) == struck
    memcached = Fault("service.kill", "memcached", "one", 0.0)
    assert aim(memcached, candidates(memcached, cloud, "phx"), now) == ("ctl3",), "neither VIP nor writer, as ever"


def test_a_router_is_aimed_at_among_the_hosts_with_agents_of_the_network() -> None:
    full = load(EXAMPLE.with_name("full-cloud.yaml"))
    fault = Fault("host.power_off", "", "router", 20.0)
    hosts = candidates(fault, full, next(iter(full.regions)))
    assert hosts == full.hosts_of("neutron_agents", next(iter(full.regions)))
    assert aim(fault, hosts, Standing(router=hosts[0].name)) == (hosts[0].name,)
    assert parse("host.power_off@router", full)[0].target == "router"


def test_a_fault_of_one_service_s_hosts_strikes_only_those(cloud: Cloud) -> None:
    (fault,) = parse("database.connections@writer", cloud)
    assert {h.name for h in strikable(fault, cloud, "phx")} == {"ctl1", "ctl2", "ctl3"}


def test_one_is_not_a_host_that_was_just_struck(cloud: Cloud) -> None:
    fault = Fault("service.kill", "keystone", "one", 0.0)
    hosts, now = candidates(fault, cloud, "phx"), Standing(vip="ctl1", writer="ctl2")
    assert aim(fault, hosts, now, ("ctl3",)) == ("ctl2",)
    assert aim(fault, hosts, now, ("ctl1", "ctl2", "ctl3")) == ("ctl3",)


def test_where_every_host_is_something_one_is_any_but_the_vip_holder(cloud: Cloud) -> None:
    fault = Fault("service.kill", "keystone", "one", 0.0)
    two = candidates(fault, cloud, "phx")[:2]
    assert aim(fault, two, Standing(vip="ctl1", writer="ctl2")) == ("ctl2",)


def test_standing_says_what_a_host_was() -> None:
    assert Standing(vip="a", writer="a", leader="b").roles(["a"]) == ("vip", "writer")
