"""Upgrades: what is chosen, in which order, what is refused; and the whole way, cut at every point and continued."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from fournines.cloud import versions
from fournines.cloud.maintenance import Maintenance
from fournines.cloud.model import Cloud, Host
from fournines.cloud.versions import Upgrade, Versions
from fournines.commands import upgrade as commands
from fournines.commands.reboot import How
from fournines.commands.upgrade import Upgrading
from fournines.engine import Connected, SshOptions, Survey
from fournines.engine.events import silent
from fournines.engine.fake import FakeHost
from fournines.engine.packages import Kernel, Packages, Prepared, State, Wanted
from fournines.errors import HostError, PlanError, UsageError
from fournines.health import look as health
from fournines.health.cluster import Cluster
from fournines.operate import upgrade
from fournines.operate.upgrade import Asked, Move
from fournines.plan.model import Plan
from samples import cases
from unit.operate.test_drain import cluster, seen, states

WHEN = 1_795_878_000.0  # 2026-11-28 15:00 UTC
OLD = {"memcached": "1.0-1", "keystone": "1.0-1", "libssl": "3.0-1"}
NEW = {"memcached": "1.1-1", "libssl": "3.0-2"}


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    made = cases.Case(Path("none"), {"cloud": None}).cloud(tmp_path)
    region = made.regions["phx"]
    computes = [
        replace(region.hosts[n], name=f"cmp{n + 1}", services=frozenset({"base", "agent"}), roles=("compute",))
        for n in range(3)
    ]
    return replace(made, regions={"phx": replace(region, hosts=(*region.hosts, *computes))})


def healthy(cloud: Cloud) -> Cluster:
    return cluster(cloud, seen(cloud))


def of(
    installed: Mapping[str, str],
    candidates: Mapping[str, str] = NEW,
    also: Mapping[str, Sequence[str]] | None = None,
    **more: Any,
) -> Packages:
    """also: what the sources have beside the candidates and what is installed."""
    packages = {
        name: State(
            version,
            candidates.get(name, version),
            tuple(dict.fromkeys((candidates.get(name, version), *((also or {}).get(name, ())), version))),
            frozenset({"3.0-2"} if name == "libssl" else ()),
        )
        for name, version in installed.items()
    }
    return Packages(packages, dict(installed), **more)


# What is chosen


def test_everything_newer_or_what_is_for_security() -> None:
    looks = {"ctl1": of(OLD), "ctl2": of({**OLD, "memcached": "1.1-1"})}
    assert upgrade.target(looks, security=False) == NEW
    assert upgrade.target(looks, security=True) == {"libssl": "3.0-2"}


def test_an_older_candidate_and_a_held_package_are_no_upgrade() -> None:
    assert not upgrade.upgradable(State("2-1", "1-1"))
    assert not upgrade.upgradable(State("", "1-1"))
    assert not upgrade.upgradable(State("1-1", "2-1", held=True))
    assert upgrade.upgradable(State("1-1", "2-1"))


def test_a_security_update_that_a_later_version_contains_is_one() -> None:
    assert upgrade.is_security(State("1-1", "1-3", ("1-3", "1-2"), frozenset({"1-2"})))
    assert not upgrade.is_security(State("1-2", "1-3", ("1-3", "1-2"), frozenset({"1-2"})))
    assert not upgrade.is_security(State("1-1", "1-2", ("1-3", "1-2"), frozenset({"1-3"})))


def test_of_hosts_whose_sources_differ_the_newest_is_the_target_and_who_lacks_it_is_named() -> None:
    looks = {"ctl1": of(OLD), "ctl2": of(OLD, {"memcached": "1.2-1"}), "ctl3": of(OLD)}
    target = upgrade.target(looks, security=False)
    assert target["memcached"] == "1.2-1"
    with pytest.raises(HostError, match="not every host") as error:
        upgrade.require_sound(looks, target)
    assert "ctl1 ctl3: its package sources have no memcached 1.2-1; they have 1.1-1, 1.0-1" in error.value.why
    assert "ctl2: its package sources have no libssl 3.0-2" in error.value.why


def test_a_host_with_an_interrupted_or_locked_dpkg_keeps_all_from_being_drained() -> None:
    looks = {"ctl1": of(OLD), "ctl2": of(OLD, problems=("dpkg is locked by process 7 (apt)",))}
    with pytest.raises(HostError) as error:
        upgrade.require_sound(looks, NEW)
    assert error.value.where == "ctl2"
    assert error.value.why == "ctl2: dpkg is locked by process 7 (apt)"


def test_what_a_host_is_to_have(cloud: Cloud) -> None:
    wanted = upgrade.wanted_on(cloud, cloud.host_by_name["ctl1"], of(OLD), {**NEW, "absent": "1"})
    assert wanted.versions == NEW
    assert wanted.units["memcached.service"] == ["memcached"]
    assert "mariadb.service" in wanted.units
    assert "uwsgi-plugin-python3" in wanted.units["keystone.service"]
    assert "python3-pymysql" in wanted.units["fournines-observer.service"]
    assert {unit.rpartition(".")[2] for unit in wanted.units} == {"service"}
    assert set(wanted.units) <= set(wanted.managed)


def test_a_switch_that_carries_packets_is_not_restarted(tmp_path: Path) -> None:
    full = cases.Case(Path("none"), {"cloud": {"components": "full"}}).cloud(tmp_path)
    host = next(h for h in full.hosts if "neutron_l2" in h.services)
    units = upgrade.wanted_on(full, host, of(OLD), NEW).units
    assert "neutron-openvswitch-agent.service" in units
    apis = ("keystone.service", "nova-api.service", "placement-api.service")
    assert all("uwsgi-plugin-python3" in units[unit] for unit in apis if unit in units), "each declares it"
    assert not {"openvswitch-switch.service", "fournines-ovs.service"} & units.keys()


# The order


def names(moves: Iterable[Move]) -> list[tuple[str, ...]]:
    return [tuple(h.name for h in move.hosts) for move in moves]


def test_zone_after_zone_and_those_of_the_holder_and_the_writer_last(cloud: Cloud) -> None:
    moves = upgrade.moves(cloud, healthy(cloud), "")  # ctl1 holds the VIPs, ctl2 takes the writes
    assert names(moves) == [("ctl3",), ("cmp3",), ("ctl1",), ("cmp1",), ("ctl2",), ("cmp2",)]
    assert [move.drained for move in moves] == [True, False] * 3


def test_the_canary_is_first_and_after_an_interruption_the_zone_that_has_begun(cloud: Cloud) -> None:
    assert names(upgrade.moves(cloud, healthy(cloud), "rack2"))[0] == ("ctl2",)
    begun = replace(cloud, maintenance={"ctl1": Maintenance(True, upgrade.REASON, "2026-11-28T15:00:00Z")})
    assert names(upgrade.moves(begun, healthy(cloud), ""))[0] == ("ctl1",)
    assert names(upgrade.moves(begun, healthy(cloud), "rack2"))[0] == ("ctl2",)


# The lock


def test_the_lock_is_what_the_hosts_have_come_to(cloud: Cloud) -> None:
    running = replace(cloud, versions=Versions({"gone": "1"}, "2026-11-28T16:00:00Z", Upgrade(NEW, "me")))
    looks = {"ctl1": of({**OLD, **NEW}), "ctl2": of({**OLD, "memcached": "1.0-1"})}
    made = upgrade.ended(running, looks, ["keystone"], WHEN).versions
    assert made.locked == {"gone": "1", "keystone": "1.0-1", **NEW}
    assert made.upgrade is None
    assert made.since == "2026-11-28T16:00:01Z", "it is newer than the one before, whatever the clocks say"


def test_of_a_held_package_the_lock_has_the_version_that_is_held(cloud: Cloud) -> None:
    held = of({"memcached": "1.0-1"})
    held = replace(held, packages={"memcached": replace(held.packages["memcached"], held=True)})
    made = upgrade.ended(cloud, {"ctl1": held, "ctl2": of({"memcached": "1.1-1"})}, ["memcached"], WHEN)
    assert made.versions.locked == {"memcached": "1.0-1"}
    assert upgrade.left(held, NEW) == {}


# What is refused


def test_what_was_asked_for_must_fit_what_has_begun(cloud: Cloud) -> None:
    with pytest.raises(UsageError, match="no zone rack9"):
        upgrade.require_asked(cloud, Asked(canary="rack9"))
    for asked in (Asked(onward=True), Asked(abandon=True)):
        with pytest.raises(UsageError, match="no upgrade has begun"):
            upgrade.require_asked(cloud, asked)
    running = upgrade.begun(cloud, NEW, Asked(canary="rack1"), "alice@desk since 15:00", WHEN)
    for asked in (Asked(), Asked(canary="rack1"), Asked(onward=True), Asked(abandon=True)):
        upgrade.require_asked(running, asked)
    for asked in (Asked(canary="rack2"), Asked(reboot=True)):
        with pytest.raises(PlanError, match="another upgrade has not ended") as error:
            upgrade.require_asked(running, asked)
        assert "alice@desk since 15:00 began it, with the canary rack1" in error.value.why


def test_it_begins_on_a_cloud_that_is_whole_and_as_its_file_says(cloud: Cloud) -> None:
    upgrade.require_whole(cloud, (), ())
    with pytest.raises(PlanError, match="fully redundant") as error:
        upgrade.require_whole(cloud, ["ctl3: mariadb.service is failed"], ())
    assert "mariadb.service is failed" in error.value.why
    with pytest.raises(PlanError, match="as its file says") as error:
        upgrade.require_whole(cloud, (), ["ctl1", "ctl2", "ctl3"])
    assert error.value.where == "ctl[1-3]"


def test_it_is_refused_where_the_rest_could_not_serve(cloud: Cloud) -> None:
    away = {name: state for name, state in states(cloud).items() if name != "ctl3"}
    moves = upgrade.moves(cloud, healthy(cloud), "")
    with pytest.raises(PlanError, match="without ctl1 the cloud could not serve") as error:
        upgrade.require_possible(
            cloud, [m for m in moves if m.hosts[0].name == "ctl1"], cluster(cloud, seen(cloud, away))
        )
    assert "mariadb would have 1 of 3 members" in error.value.why


def test_a_host_that_is_drained_for_something_else_is_left_alone(cloud: Cloud) -> None:
    other = replace(cloud, maintenance={"ctl2": Maintenance(True, "new disks", "2026-11-28T15:00:00Z")})
    with pytest.raises(PlanError, match="ctl2 is drained already") as error:
        upgrade.require_possible(other, upgrade.moves(other, healthy(cloud), ""), healthy(cloud))
    assert "new disks" in error.value.why


# The whole way


class CutError(Exception):
    pass


@dataclass
class World:
    """Hosts that have packages, maintenance and a lock. events: what happened, in order; it is cut after `cut` of
    them."""

    cloud: Cloud
    installed: dict[str, dict[str, str]]
    candidates: dict[str, str] = field(default_factory=lambda: dict(NEW))
    also: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    pending: set[str] = field(default_factory=set[str])
    kernels: dict[str, Kernel] = field(default_factory=dict[str, Kernel])
    events: list[str] = field(default_factory=list[str])
    silent: set[str] = field(default_factory=set[str])
    cut: int | None = None

    def does(self, event: str) -> None:
        if self.cut is not None and len(self.events) >= self.cut:
            raise CutError(event)
        self.events.append(event)

    # What the commands call

    @asynccontextmanager
    async def connect(self, hosts: Iterable[Host], *_: object) -> AsyncGenerator[Connected]:
        asked = list(hosts)
        found = Connected({h.name: FakeHost(h.name) for h in asked if h.name not in self.silent})
        found.failures = {h.name: HostError(f"{h.name} is off", where=h.name) for h in asked if h.name in self.silent}
        yield found

    async def survey(self, cloud: Cloud, *_: object) -> Survey:
        return Survey(Plan(cloud.name, (), ""), {}, self.known(cloud))

    def known(self, cloud: Cloud) -> Cloud:
        lock = versions.newest([cloud.versions, self.cloud.versions])
        return replace(cloud, maintenance=self.cloud.maintenance, versions=lock)

    async def healthy(self, cloud: Cloud, *_: object) -> Cluster:
        found = states(cloud)
        for name in cloud.drained:
            assert len(cloud.drained) == 1, f"{name} and others are drained at once"
        return cluster(cloud, seen(cloud, found))

    async def carry_out(
        self, cloud: Cloud, _: object, change: Callable[..., Cloud], needed: Sequence[str], **__: object
    ) -> None:
        known = self.known(cloud)
        after = change(known, await self.healthy(known))
        drained = " ".join(sorted(after.drained))
        self.does(f"apply {' '.join(needed)}{f', {drained} drained' if drained else ''}")
        self.cloud = replace(self.cloud, maintenance=after.maintenance, versions=after.versions)
        self.pending.clear()

    async def look(
        self, host: FakeHost, declared: Iterable[str], *, refresh: bool = False, suite: str = ""
    ) -> Packages:
        kernel = self.kernels.get(host.host, Kernel())
        return of(self.installed[host.host], self.candidates, self.also, kernel=kernel)

    async def prepare(self, host: FakeHost, wanted: Wanted) -> Prepared:
        here = self.installed[host.host]
        return Prepared(tuple((n, here[n], v) for n, v in wanted.versions.items()), ("memcached.service",))

    async def download(self, host: FakeHost, wanted: Wanted) -> None:
        assert not self.cloud.drained, "no host is drained while packages are downloaded"
        self.does(f"download {host.host}")

    async def install(self, host: FakeHost, wanted: Wanted) -> tuple[str, ...]:
        self.pending.add(host.host)
        for unit in wanted.stops:
            self.does(f"stop {host.host} {unit}")
        for name, version in wanted.versions.items():
            self.does(f"install {host.host} {name}")
            self.installed[host.host][name] = version
        for path in wanted.aside:
            self.does(f"aside {host.host} {path}")
        return ()

    async def until_whole(self, cloud: Cloud, host: Host, *_: object) -> None:
        assert not self.pending, f"{self.pending} have not restarted"

    async def begin_reboot(self, host: FakeHost) -> None:
        self.does(f"reboot {host.host}")
        self.kernels[host.host] = Kernel("6.2", "6.2")

    async def boot_of(self, host: FakeHost) -> str:
        return "a boot"

    async def next_boot(self, *_: object) -> None:
        pass


@pytest.fixture
def world(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(cloud, {h.name: dict(OLD) for h in cloud.hosts})
    for name in ("connect", "survey", "carry_out", "until_whole", "begin_reboot", "boot_of", "next_boot"):
        monkeypatch.setattr(commands, name, getattr(made, name))
    monkeypatch.setattr(commands, "hold", lambda _: nullcontext_async())
    monkeypatch.setattr(health, "look", made.healthy)
    for name in ("look", "prepare", "download", "install"):
        monkeypatch.setattr(commands.packages, name, getattr(made, name))
    return made


@asynccontextmanager
async def nullcontext_async() -> AsyncGenerator[None]:
    yield


def how() -> How:
    return How(upgrade.REASON, SshOptions(), lambda _: None, lambda: nullcontext(silent))


async def run(world: World, cloud: Cloud, asked: Asked = Asked()) -> Upgrading:  # noqa: B008
    """As the command does: the lock beside the cloud file is read first."""
    lock = versions.load(versions.beside(cloud.source, cloud.name))
    found = await commands.planned(replace(cloud, versions=lock), asked, how())
    if not found.empty:
        await commands.upgrade_all(found, how())
    return found


def lock_of(cloud: Cloud) -> Versions:
    return versions.load(versions.beside(cloud.source, cloud.name))


async def test_the_whole_way(world: World, cloud: Cloud) -> None:
    await run(world, cloud)
    hosts = [h.name for h in cloud.hosts]
    assert sorted(world.events[:6]) == [f"download {name}" for name in sorted(hosts)]
    assert world.events[6:14] == [
        "apply ctl3, ctl3 drained",
        "install ctl3 libssl",
        "install ctl3 memcached",
        "apply ctl3, ctl3 drained",
        "apply ctl3",
        "install cmp3 libssl",
        "install cmp3 memcached",
        "apply cmp3",
    ]
    assert world.events[-1] == "apply ctl1 ctl2 ctl3"
    assert world.cloud.versions == lock_of(cloud)
    assert {**NEW, "keystone": "1.0-1"}.items() >= {
        name: lock_of(cloud).locked[name] for name in ("keystone", "memcached", "libssl")
    }.items()
    assert lock_of(cloud).upgrade is None
    before = list(world.events)
    assert (await run(world, cloud)).empty
    assert world.events == before, "a second time there is nothing to do"


async def test_cut_anywhere_it_is_continued_with_the_same_versions(world: World, cloud: Cloud) -> None:
    start = {host: dict(packages) for host, packages in world.installed.items()}
    await run(world, cloud)
    total = len(world.events)
    for cut in range(total):
        versions.beside(cloud.source, cloud.name).unlink(missing_ok=True)
        world.cloud, world.events, world.cut = cloud, [], cut
        world.candidates = dict(NEW)
        world.installed = {host: dict(packages) for host, packages in start.items()}
        with pytest.raises(CutError):
            await run(world, cloud)
        world.cut = None
        if lock_of(cloud).upgrade:
            world.candidates["memcached"] = "1.2-1"
            world.also["memcached"] = ["1.1-1"]
        await run(world, cloud)
        assert {host["memcached"] for host in world.installed.values()} == {"1.1-1"}, f"cut after {cut}"
        assert not world.cloud.drained
        assert not world.pending
        assert lock_of(cloud) == world.cloud.versions
        assert lock_of(cloud).upgrade is None


async def test_it_is_held_after_the_canary_and_goes_on_when_told(world: World, cloud: Cloud) -> None:
    found = await run(world, cloud, Asked(canary="rack2"))
    assert commands.held(found) == "rack2"
    assert [name for name, has in world.installed.items() if has["memcached"] == "1.1-1"] == ["ctl2", "cmp2"]
    before = list(world.events)
    again = await run(world, cloud)
    assert (again.moves, commands.held(again)) == ((), "rack2"), "the same command leaves it held"
    assert not [event for event in world.events[len(before) :] if event.startswith("install")]
    # Another operator, whose machine has no lock beside the cloud file, knows it from the hosts.
    versions.beside(cloud.source, cloud.name).unlink()
    await run(world, cloud, Asked(onward=True))
    assert {has["memcached"] for has in world.installed.values()} == {"1.1-1"}
    assert lock_of(cloud).upgrade is None


async def test_a_source_that_no_longer_has_what_was_begun(world: World, cloud: Cloud) -> None:
    await run(world, cloud, Asked(canary="rack2"))
    world.candidates["memcached"] = "1.2-1"
    with pytest.raises(HostError, match="not every host") as error:
        await run(world, cloud, Asked(onward=True))
    assert "ctl1 ctl3 cmp1 cmp3: its package sources have no memcached 1.1-1" in error.value.why
    assert "--abandon" in error.value.next
    await commands.abandon(cloud, how())
    await run(world, cloud)
    assert {has["memcached"] for has in world.installed.values()} == {"1.2-1"}


async def test_what_has_begun_is_forgotten_on_request(world: World, cloud: Cloud) -> None:
    await run(world, cloud, Asked(canary="rack2"))
    assert "since" in await commands.abandon(replace(cloud, versions=lock_of(cloud)), how())
    assert lock_of(cloud).upgrade is None
    assert world.cloud.versions == lock_of(cloud)


async def test_hosts_of_the_control_plane_boot_into_a_new_kernel(world: World, cloud: Cloud) -> None:
    world.kernels = {name: Kernel("6.1", "6.2", reboot=True) for name in ("ctl1", "cmp1")}
    await run(world, cloud, Asked(reboot=True))
    assert [event for event in world.events if event.startswith("reboot")] == ["reboot ctl1"]
    at = world.events.index("reboot ctl1")
    assert world.events[at - 1 : at + 2] == ["install ctl1 memcached", "reboot ctl1", "apply ctl1, ctl1 drained"]


async def test_a_compute_that_is_off_is_left_out_and_a_controller_is_not(world: World, cloud: Cloud) -> None:
    world.silent = {"cmp2"}
    await run(world, cloud)
    assert world.installed["cmp2"]["memcached"] == "1.0-1"
    assert world.installed["cmp3"]["memcached"] == "1.1-1"
    assert lock_of(cloud).locked["memcached"] == "1.1-1", "apply brings it there when it is back"
    world.silent = {"ctl2"}
    with pytest.raises(HostError, match="ctl2 is off"):
        await run(world, cloud)


async def test_nothing_newer_still_writes_the_lock(world: World, cloud: Cloud) -> None:
    world.candidates = {}
    found = await run(world, cloud)
    assert not found.moves
    assert lock_of(cloud).locked["memcached"] == "1.0-1"
    assert world.events == ["apply ctl1 ctl2 ctl3"]
