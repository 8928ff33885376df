"""Stages, waves, triggers, removals: what a plan says before anything happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from fournines.cloud.model import Cloud, Host
from fournines.engine.connect import Connected
from fournines.engine.fake import FakeHost
from fournines.errors import PlanError
from fournines.plan.actions import MANIFEST, PENDING, Recheck, Removal, Trigger, steps_of
from fournines.plan.desired import desired, facts, ordered
from fournines.plan.make import digest, make
from fournines.plan.model import Observed, Plan, Stage
from fournines.services.resource import Fact, Put, Resource
from fournines.services.service import HaPattern, Service
from samples.toy import Toy, bring_up, cloud, registry, world


async def observed(made: Cloud, services: Mapping[str, Service], hosts: Connected) -> Observed:
    asked = facts(desired(made, services))
    return {name: await hosts[name].probe(asked[name]) for name in asked}


async def planned(made: Cloud, services: Mapping[str, Service], hosts: Connected) -> Plan:
    return make(made, services, desired(made, services), await observed(made, services, hosts))


def keys(stage: Stage, host: str) -> list[str]:
    return [c.resource.key for c in stage.changes if c.host == host]


def named(plan: Plan, name: str) -> Stage:
    (found,) = [s for s in plan.stages if s.name == name]
    return found


THREE = {"h1": ["db", "api", "lb"], "h2": ["db", "api", "lb"], "h3": ["db", "api", "lb"]}
SERVICES = registry(
    Toy("lb", needs=("db",), fronts=True, verb="reload"),
    Toy("api", needs=("lb",)),
    Toy("db", pattern=HaPattern.QUORUM),
)


# Order


def test_services_follow_their_needs() -> None:
    assert [s.name for s in ordered(SERVICES)] == ["db", "lb", "api"]


def test_a_circle_of_needs_is_refused_and_named() -> None:
    with pytest.raises(PlanError, match="circle") as caught:
        ordered(registry(Toy("a", needs=("b",)), Toy("b", needs=("a",))))
    assert "a" in caught.value.why
    assert "→" in caught.value.why


def test_an_unknown_need_is_refused() -> None:
    with pytest.raises(PlanError, match="a needs nobody"):
        ordered(registry(Toy("a", needs=("nobody",))))


def test_two_services_that_want_different_things_of_one_resource_are_refused() -> None:
    class Other(Toy):
        def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
            return Toy("api", "another").desired(cloud, host)

    with pytest.raises(PlanError, match="api and other want different things of file:/etc/api/main"):
        desired(cloud({"h1": ["api", "other"]}), registry(Toy("api"), Other("other")))


def test_equal_resources_of_two_services_are_one() -> None:
    class Other(Toy):
        def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
            return Toy("api").desired(cloud, host)

    wanted = desired(cloud({"h1": ["api", "other"]}), registry(Toy("api"), Other("other")))
    assert len(wanted["h1"]["api"]) == 3
    assert wanted["h1"]["other"] == ()


def test_only_the_hosts_that_are_asked_for_and_that_answered_are_planned() -> None:
    made = cloud(THREE)
    assert set(desired(made, SERVICES, {"h2"})) == {"h2"}
    plan = make(made, SERVICES, desired(made, SERVICES, {"h1", "h2"}), {"h2": {}, "h3": {}})
    assert plan.hosts == ("h2",)


# First start


def test_from_nothing_everything_is_added_together_after_the_manifest() -> None:
    made = cloud(THREE)
    plan = make(made, SERVICES, desired(made, SERVICES), {h: {} for h in THREE})
    assert [s.name for s in plan.stages] == ["remember", "db", "lb", "api"]
    assert {s.rolling for s in plan.stages} == {"together"}
    assert named(plan, "db").waves == (("h1", "h2", "h3"),)
    assert plan.world == "" and not plan.facts


def test_the_unit_starts_after_the_trigger_so_that_the_trigger_finds_it_down() -> None:
    made = cloud({"h1": ["api"]})
    plan = make(made, SERVICES, desired(made, SERVICES), {"h1": {}})
    assert keys(named(plan, "api"), "h1") == [
        "directory:/etc/api",
        "file:/etc/api/main",
        "restart:api.service",
        "unit:api.service",
    ]


def test_a_file_after_the_unit_restarts_it_at_the_end() -> None:
    made = cloud({"h1": ["api"]})
    services = registry(Toy("api", extra=True))
    plan = make(made, services, desired(made, services), {"h1": {}})
    assert keys(named(plan, "api"), "h1")[-3:] == ["unit:api.service", "file:/etc/api/late", "restart:api.service"]


async def test_a_plan_after_apply_is_empty() -> None:
    made = cloud(THREE)
    hosts = world(made)
    await bring_up(made, SERVICES, hosts)
    plan = await planned(made, SERVICES, hosts)
    assert plan.empty
    assert plan.stages == ()


# Change of what runs


async def changed(services: Mapping[str, Service], placement: Mapping[str, list[str]] = THREE, **zones: str) -> Plan:
    made = cloud(placement, zones)
    hosts = world(made)
    await bring_up(made, SERVICES, hosts)
    return await planned(made, services, hosts)


async def test_a_running_service_rolls_a_zone_at_a_time() -> None:
    plan = await changed({**SERVICES, "api": Toy("api", "two", needs=("lb",))})
    (stage,) = plan.stages
    assert stage.rolling == "by-zone"
    assert stage.waves == (("h1",), ("h2",), ("h3",))
    assert {c.host for c in stage.gate} == {"h1", "h2", "h3"}
    assert keys(stage, "h2") == ["file:/etc/api/main", "restart:api.service"]


async def test_a_zone_that_holds_a_majority_is_split_so_that_quorum_stays() -> None:
    services = {**SERVICES, "db": Toy("db", "two", pattern=HaPattern.QUORUM)}
    plan = await changed(services, h1="z", h2="z", h3="z")
    assert plan.stages[0].waves == (("h1",), ("h2",), ("h3",))


async def test_five_in_one_zone_move_two_at_once() -> None:
    five = {f"h{n}": ["db"] for n in range(1, 6)}
    services = registry(Toy("db", "two", pattern=HaPattern.QUORUM))
    plan = await changed(services, five, **dict.fromkeys(five, "z"))
    assert [len(wave) for wave in plan.stages[0].waves] == [2, 2, 1]


async def test_a_file_that_restarts_another_service_rolls_as_carefully_as_that_one() -> None:
    certificate = Toy("tls", restarts="db", rolling="together")
    services = {"tls": certificate, **SERVICES, "db": Toy("db", pattern=HaPattern.QUORUM, rolling="one-by-one")}
    placed = {host: ["tls", *names] for host, names in THREE.items()}
    made = cloud(placed)
    hosts = world(made)
    await bring_up(made, services, hosts)
    plan = await planned(made, {**services, "tls": Toy("tls", "two", restarts="db", rolling="together")}, hosts)
    (stage,) = plan.stages
    assert stage.rolling == "one-by-one"
    assert {(c.name, c.host, c.unit) for c in stage.gate} >= {("up", host, "db.service") for host in THREE}


async def test_a_restart_makes_the_reload_of_the_same_unit_needless() -> None:
    services = {**SERVICES, "lb": Toy("lb", "two", needs=("db",), fronts=True, verb="reload", extra=True)}
    plan = await changed(services)
    triggers = [key for key in keys(plan.stages[1], "h1") if key.endswith(":lb.service")]
    assert triggers == ["restart:lb.service"]


# Fronts


async def test_a_running_front_is_changed_after_the_backends_that_it_gains() -> None:
    made = cloud({**THREE, "h4": ["api"]})
    services = {**SERVICES, "lb": Toy("lb", "with h4", needs=("db",), fronts=True, verb="reload")}
    hosts = world(made)
    await bring_up(cloud(THREE), SERVICES, hosts_of(hosts, *THREE))
    plan = await planned(made, services, hosts)
    assert [s.name for s in plan.stages] == ["remember", "api", "lb"]
    assert named(plan, "api").changes[0].host == "h4"


async def test_a_front_that_is_new_on_a_host_comes_before_what_needs_it_there() -> None:
    made = cloud({**THREE, "h4": ["lb", "api"]})
    services = {**SERVICES, "lb": Toy("lb", "with h4", needs=("db",), fronts=True, verb="reload")}
    hosts = world(made)
    await bring_up(cloud(THREE), SERVICES, hosts_of(hosts, *THREE))
    plan = await planned(made, services, hosts)
    assert [(s.name, {c.host for c in s.changes}) for s in plan.stages] == [
        ("remember", {"h4"}),
        ("lb", {"h4"}),
        ("api", {"h4"}),
        ("lb", {"h1", "h2", "h3"}),
    ]


async def test_a_front_opens_the_way_first_for_a_service_that_is_new_in_the_region() -> None:
    before = {host: ["db", "lb"] for host in THREE}
    made = cloud(THREE)
    hosts = world(made)
    await bring_up(cloud(before), SERVICES, hosts)
    services = {**SERVICES, "lb": Toy("lb", "with api", needs=("db",), fronts=True, verb="reload")}
    plan = await planned(made, services, hosts)
    assert [s.name for s in plan.stages] == ["remember", "lb", "api"]


def hosts_of(hosts: Connected, *names: str) -> Connected:
    return Connected({name: hosts[name] for name in names})


# What is no longer wanted


async def test_what_is_no_longer_wanted_is_removed_unit_first_and_then_forgotten() -> None:
    made = cloud({"h1": ["db", "api"]})
    hosts = world(made)
    await bring_up(made, SERVICES, hosts)
    plan = await planned(cloud({"h1": ["db"]}), SERVICES, hosts)
    (stage,) = plan.stages
    assert stage.name == "remove"
    assert keys(stage, "h1") == ["unit:api.service", "file:/etc/api/main", "directory:/etc/api", f"file:{MANIFEST}"]
    assert [c.kind for c in stage.changes] == ["remove", "remove", "remove", "update"]


async def test_removing_a_member_asks_for_the_health_of_those_that_stay() -> None:
    made = cloud(THREE)
    hosts = world(made)
    await bring_up(made, SERVICES, hosts)
    plan = await planned(cloud({**THREE, "h3": ["lb"]}), SERVICES, hosts)
    assert {(c.host, c.unit) for c in plan.stages[-1].gate} == {
        ("h1", "db.service"),
        ("h2", "db.service"),
        ("h1", "api.service"),
        ("h2", "api.service"),
    }


def test_packages_tasks_and_data_stay() -> None:
    assert Removal("package:mariadb-server").steps() == ()
    assert Removal("task:database keystone").steps() == ()
    (step,) = Removal("directory:/var/lib/mysql").steps()
    assert "rmdir" in getattr(step, "script", "")


async def test_a_damaged_manifest_is_told() -> None:
    made = cloud({"h1": ["db"]})
    hosts = world(made)
    await bring_up(made, SERVICES, hosts)
    host = hosts["h1"]
    assert isinstance(host, FakeHost)
    host.files[MANIFEST] = b"{half", 0o600
    with pytest.raises(PlanError, match="damaged") as caught:
        await planned(made, SERVICES, hosts)
    assert caught.value.where == f"h1:{MANIFEST}"


# What an interruption left


async def left(*markers: str) -> Plan:
    made = cloud({"h1": ["db", "api"]})
    hosts = world(made)
    await bring_up(made, SERVICES, hosts)
    host = hosts["h1"]
    assert isinstance(host, FakeHost)
    host.files |= {f"{PENDING}/{name}": (b"", 0o600) for name in markers}
    return await planned(made, SERVICES, hosts)


async def test_a_pending_restart_is_planned_where_its_unit_belongs() -> None:
    (stage,) = (await left("api.service.restart")).stages
    assert stage.name == "api"
    assert [c.resource for c in stage.changes] == [Trigger("restart", "api.service")]


async def test_a_gate_that_never_held_is_waited_for() -> None:
    (stage,) = (await left("db.gate")).stages
    assert [c.resource for c in stage.changes] == [Recheck("db")]
    assert stage.gate


async def test_markers_of_what_is_gone_are_removed() -> None:
    (stage,) = (await left("old.service.reload", "old.gate")).stages
    assert stage.name == "remove"
    assert keys(stage, "h1") == [f"file:{PENDING}/old.gate", f"file:{PENDING}/old.service.reload"]


def test_markers_come_before_the_change_and_go_with_the_trigger() -> None:
    made = cloud({"h1": ["api"]})
    plan = make(made, SERVICES, desired(made, SERVICES), {"h1": {}})
    change = next(c for c in named(plan, "api").changes if c.resource.key == "file:/etc/api/main")
    assert [step.path for step in steps_of(change) if isinstance(step, Put)] == [
        f"{PENDING}/api.service.restart",
        "/etc/api/main",
    ]
    (step,) = Trigger("restart", "api.service").steps()
    script = getattr(step, "script", "")
    assert script.index("try-restart") < script.index(f"rm -f {PENDING}/api.service.restart")


# The world


async def test_the_world_differs_when_a_reply_does_and_not_when_a_unit_comes_up() -> None:
    asked = {"h1": (Fact("unit", "a.service"), Fact("path", "/a"))}
    up = {"h1": {asked["h1"][0]: "active enabled", asked["h1"][1]: "absent"}}
    coming = {"h1": {**up["h1"], asked["h1"][0]: "activating enabled"}}
    going = {"h1": {**up["h1"], asked["h1"][0]: "deactivating enabled"}}
    made = {"h1": {**up["h1"], asked["h1"][1]: "dir 755 root root"}}
    assert digest(up, asked) == digest(coming, asked)
    assert len({digest(w, asked) for w in (up, going, made)}) == 3
