"""A host that leaves: which phases are left, what is refused, and that an interruption anywhere is continued."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from fournines.cloud import record
from fournines.cloud.model import Cloud, Host
from fournines.cloud.record import Entry
from fournines.commands import scale as scaling
from fournines.engine import SshOptions, survey
from fournines.engine.connect import Connected
from fournines.engine.events import Report, silent
from fournines.engine.fake import FakeHost
from fournines.errors import HostError, PlanError, UsageError
from fournines.health import look as health
from fournines.health.cluster import Cluster, RegionState
from fournines.operate import scale
from fournines.services.base import entry_of
from fournines.services.resource import File, Resource, Step
from fournines.services.service import HaPattern
from samples import cases, toy

NOW = 1_795_878_000.0


@pytest.fixture
def three(tmp_path: Path) -> Cloud:
    return cases.Case(Path("none"), {"cloud": {"components": "core"}}).cloud(tmp_path)


def known(cloud: Cloud, **states: Any) -> dict[str, Entry]:
    return {h.name: replace(entry_of(h), state=states.get(h.name, "serves")) for h in cloud.hosts}


def test_without_a_name_it_is_the_host_that_the_file_no_longer_has(three: Cloud) -> None:
    rest = scale.without(three, "ctl3")
    entry = scale.leaver(rest, known(three))
    assert entry.name == "ctl3"
    assert scale.with_leaver(rest, entry).host_by_name["ctl3"].services == three.host_by_name["ctl3"].services
    with pytest.raises(UsageError, match="the file has all"):
        scale.leaver(three, known(three))
    with pytest.raises(UsageError, match="no host ctl9"):
        scale.leaver(three, known(three), "ctl9")


def test_one_host_leaves_at_a_time(three: Cloud) -> None:
    with pytest.raises(PlanError, match="another host is on its way out") as caught:
        scale.leaver(three, known(three, ctl3="leaves"), "ctl2")
    assert caught.value.next.startswith("fournines scale")


@pytest.mark.parametrize(
    ("state", "lost", "phases"),
    [
        ("serves", False, ["drain", "leave", "forget", "done"]),
        ("serves", True, ["leave", "forget", "done"]),
        ("leaves", False, ["leave", "forget", "done"]),
        ("gone", False, ["forget", "done"]),
    ],
)
def test_the_phases_that_are_left(three: Cloud, state: record.State, lost: bool, phases: list[str]) -> None:
    entry = replace(entry_of(three.host_by_name["ctl3"]), state=state)
    assert [step.phase for step in scale.steps(three, entry, NOW, lost=lost)] == phases


def test_what_each_phase_wants(three: Cloud) -> None:
    drain, leave, forget, done = scale.steps(three, entry_of(three.host_by_name["ctl3"]), NOW, lost=False)
    assert drain.cloud.drained == {"ctl3"}
    host = leave.cloud.host_by_name["ctl3"]
    assert host.leaving
    assert not host.services
    assert "ctl3" not in forget.cloud.host_by_name
    assert not forget.cloud.retired["ctl3"].done
    assert done.cloud.retired["ctl3"].done


def nothing(*_: object, **__: object) -> tuple[str, ...]:
    return ()


def untouched(host: FakeHost, step: Step) -> None:
    pass


def refused(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, **more: Any) -> str:
    monkeypatch.setattr(scale.drain, "lacking", nothing)
    region = next(iter(cloud.regions.values()))
    with pytest.raises(PlanError) as caught:
        scale.require_possible(
            cloud, cloud.hosts[-1], RegionState(region, {}, ()), **{"accept_even": False, "lost": False, **more}
        )
    return f"{caught.value.what}: {caught.value.why}"


def test_going_to_two_wants_consent(three: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(three, monkeypatch)
    assert "mariadb would have 2 members: they survive the loss of 0" in said
    assert "rabbitmq would have 2 members" in said
    region = next(iter(three.regions.values()))
    scale.require_possible(three, three.hosts[-1], RegionState(region, {}, ()), accept_even=True, lost=False)


def test_the_last_of_a_service_stays(three: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = scale.without(scale.without(three, "ctl1"), "ctl2")
    said = refused(alone, monkeypatch, accept_even=True)
    assert "keystone has no other host" in said


def test_a_host_on_its_way_out_stops_every_other_plan(three: Cloud) -> None:
    from fournines.engine.survey import require_accounted

    require_accounted(three, known(three))
    with pytest.raises(PlanError, match="no longer has ctl3") as caught:
        require_accounted(scale.without(three, "ctl3"), known(three))
    assert "fournines scale" in caught.value.next
    with pytest.raises(PlanError, match="on its way out"):
        require_accounted(three, known(three, ctl3="gone"))


# Carried out, on fakes


class CutError(Exception):
    pass


@dataclass
class Base(toy.Toy):
    """As the real one does: every host keeps the list of hosts."""

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        left = [r.entry for r in cloud.retired.values() if not r.done and r.entry.name not in cloud.host_by_name]
        yield File(record.PATH, record.dumps([*map(entry_of, cloud.hosts), *left]))
        yield from super().desired(cloud, host)


@dataclass
class Group(toy.Toy):
    """Every member lists all, and does not restart for it."""

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield from super().desired(cloud, host)
        yield File("/etc/db/members", " ".join(h.name for h in cloud.hosts_of("db", host.region)))


SERVICES = toy.registry(Base("base"), Group("db", needs=("base",), pattern=HaPattern.QUORUM))
FOUR = {name: ["base", "db"] for name in ("h1", "h2", "h3", "h4")}


class Site:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = toy.cloud(FOUR)
        self.file = self.cloud
        self.hosts = toy.world(self.cloud)
        for module in (scaling, scale):
            monkeypatch.setattr(module, "registry", lambda: SERVICES)
        monkeypatch.setattr(scaling, "connect", self._connect)
        monkeypatch.setattr(health, "look", self._look)
        monkeypatch.setattr(scale, "require_possible", nothing)

    @asynccontextmanager
    async def _connect(self, hosts: Iterable[Host], options: object = None) -> AsyncGenerator[Connected]:
        found = Connected()
        for host in hosts:
            if self.fake(host.name).unreachable:
                found.failures[host.name] = HostError(f"{host.name} does not answer", where=host.name)
            else:
                found[host.name] = self.hosts[host.name]
        yield found

    async def _look(self, cloud: Cloud, *_: object) -> Cluster:
        return Cluster(cloud, tuple(RegionState(region, {}, ()) for region in cloud.regions.values()), ())

    def fake(self, name: str) -> FakeHost:
        return cast(FakeHost, self.hosts[name])

    def _ending(self) -> None:
        self.file = scale.without(self.cloud, "h4")

    async def remove(self, *, lost: bool = False, confirmed: bool = False) -> list[str]:
        """As the command does, on the file as it is by then."""
        said: list[str] = []
        leaving = await scaling.planned(self.file, scaling.Asked("h4", lost), SshOptions())
        await scaling.carry_out(
            leaving, SshOptions(), reporting=quiet, say=said.append, ending=self._ending, confirmed=confirmed, lost=lost
        )
        return said

    async def require_left(self) -> None:
        rest = scale.without(self.cloud, "h4")
        there = Connected({name: host for name, host in self.hosts.items() if name != "h4"})
        assert (await survey(rest, SERVICES, there)).plan.empty
        for name in there:
            assert self.fake(name).files["/etc/db/members"][0] == b"h1 h2 h3"


@contextmanager
def quiet() -> Generator[Report]:
    yield silent


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(monkeypatch)
    await toy.bring_up(made.cloud, SERVICES, made.hosts)
    return made


async def test_it_is_drained_stopped_and_forgotten(site: Site) -> None:
    assert await site.remove(confirmed=True) == ["h4: drain", "h4: leave", "h4: forget", "h4: done"]
    await site.require_left()
    assert site.fake("h4").units["db.service"][0] == "inactive"
    assert [f for f in site.fake("h4").files if f.startswith("/etc/")] == []
    assert "try-restart db.service" not in site.fake("h1").log


async def test_one_that_is_lost_is_taken_out_by_the_others(site: Site) -> None:
    site.fake("h4").unreachable = True
    with pytest.raises(HostError) as caught:
        await site.remove()
    assert "--lost" in caught.value.next
    assert await site.remove(lost=True) == ["h4: leave", "h4: forget", "h4: done"]
    await site.require_left()


@pytest.mark.parametrize("edited", [False, True])
async def test_cut_after_any_step_the_same_command_continues(edited: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """edited: the operator has taken the host out of the file meanwhile."""
    cut = 0
    while await _interrupted(site := Site(monkeypatch), cut):
        if edited:
            site.file = scale.without(site.cloud, "h4")
        try:
            await site.remove()
        except UsageError:  # no list has it any more: what is left is `apply`'s
            await toy.bring_up(site.file, SERVICES, Connected({n: h for n, h in site.hosts.items() if n != "h4"}))
        await site.require_left()
        assert site.fake("h4").units["db.service"][0] == "inactive"
        cut += 1
    assert cut > 10


async def _interrupted(site: Site, cut: int) -> bool:
    """Whether the command was cut, after `cut` steps."""
    await toy.bring_up(site.cloud, SERVICES, site.hosts)
    left = [cut]

    def count(host: FakeHost, step: Step) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise CutError

    for name in site.hosts:
        site.fake(name).before_step = count
    with contextlib.suppress(CutError):
        await site.remove()
    for name in site.hosts:
        site.fake(name).before_step = untouched
    return left[0] < 0
