"""The lock of versions in a plan: what is installed, restarted, and left as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fournines.cloud import versions
from fournines.cloud.model import Cloud, Host
from fournines.cloud.versions import Upgrade, Versions
from fournines.engine import survey
from fournines.engine.fake import FakeHost
from fournines.errors import CloudFileError, PlanError
from fournines.plan import render, saved
from fournines.plan.desired import desired
from fournines.plan.make import NOTHING, make
from fournines.plan.model import Plan
from fournines.plan.preview import carried_out
from fournines.services.resource import Fact, File, Package, Resource, Run, Unit
from samples import toy

OLD, NEW = "2026-11-28T15:00:00Z", "2026-11-28T16:00:00Z"
LOCK = Versions({"cache": "1.1-1", "shared": "2.0-1"}, OLD)


@dataclass
class Daemon(toy.Toy):
    """Has a package of its own and one that others have too."""

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield Package(self.name)
        yield Package("shared")
        yield Unit(f"{self.name}.service")
        yield Unit(f"{self.name}.timer")
        yield Unit(f"{self.name}-own.service", "masked")


SERVICES = toy.registry(Daemon("cache"), Daemon("bus"))


@pytest.fixture
def cloud() -> Cloud:
    return replace(toy.cloud({name: list(SERVICES) for name in ("h1", "h2", "h3")}), versions=LOCK)


def plan(cloud: Cloud, **installed: dict[str, str]) -> Plan:
    """installed: host -> package -> version; of others what the lock has."""
    wanted = desired(cloud, SERVICES)
    observed = carried_out(wanted)
    for host, packages in installed.items():
        observed[host] |= {Fact("package", name): version for name, version in packages.items()}
    return make(cloud, SERVICES, wanted, observed)


def package(cloud: Cloud, service: str, name: str) -> Package:
    (found,) = [r for r in desired(cloud, SERVICES)["h1"][service] if isinstance(r, Package) and r.name == name]
    return found


def test_packages_have_the_locks_version_and_restart_the_daemons_that_use_them(cloud: Cloud) -> None:
    both = ("restart:cache.service", "restart:bus.service")
    assert package(cloud, "cache", "shared") == Package("shared", both, "2.0-1")
    assert package(cloud, "cache", "cache") == Package("cache", ("restart:cache.service",), "1.1-1")
    assert package(cloud, "bus", "bus") == Package("bus"), "the lock says nothing of it"
    assert package(replace(cloud, versions=versions.NONE), "cache", "cache") == Package("cache")


def test_hosts_that_are_as_the_lock_says_have_nothing_to_do(cloud: Cloud) -> None:
    assert plan(cloud).empty
    assert plan(cloud).notes == ()


def test_a_host_that_is_behind_gets_the_locks_version_and_restarts(cloud: Cloud) -> None:
    found = plan(cloud, h2={"cache": "1.0-1"})
    said = [(c.host, c.resource.key, c.diff) for stage in found.stages for c in stage.changes]
    assert said == [
        ("h2", "package:cache", "1.0-1 → 1.1-1"),
        ("h2", "restart:cache.service", "restart cache.service"),
    ]
    (step,) = found.stages[0].changes[0].resource.steps()
    assert isinstance(step, Run)
    assert "cache=1.1-1" in step.script
    assert versions.PREFERENCES in step.script


def test_a_new_host_gets_the_locks_version(cloud: Cloud) -> None:
    wanted = desired(cloud, SERVICES)
    assert {NOTHING["package"]} == {"absent"}
    (change,) = [
        c
        for stage in make(cloud, SERVICES, wanted, {"h3": {}}).stages
        for c in stage.changes
        if c.resource.key == "package:cache"
    ]
    assert (change.kind, change.diff) == ("add", "absent → 1.1-1")


def test_a_host_that_is_beyond_the_lock_is_named_and_left_as_it_is(cloud: Cloud) -> None:
    found = plan(cloud, h1={"cache": "1.2-1"}, h2={"cache": "1.2-1"}, h3={"shared": "2.0-1+b1"})
    assert found.empty
    assert [note.partition(":")[0] for note in found.notes] == [
        "cache 1.2-1 on h1 h2 is newer than 1.1-1, which this cloud has",
        "shared 2.0-1+b1 on h3 is newer than 2.0-1, which this cloud has",
    ]
    shown = [line for _, line in render.lines(found)]
    assert shown[0] == found.notes[0]
    assert render.document(found)["notes"] == found.notes
    assert saved.load(saved.dump(found)).empty


def test_in_an_upgrade_what_it_brings_is_nothing_to_speak_of(cloud: Cloud) -> None:
    running = replace(cloud, versions=replace(LOCK, upgrade=Upgrade({"cache": "1.2-1"}, "me")))
    assert plan(running, h1={"cache": "1.2-1"}).notes == ()
    assert len(plan(running, h1={"cache": "1.3-1"}).notes) == 1


@dataclass
class Base(toy.Toy):
    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield File(versions.PATH, versions.dumps(cloud.versions))
        yield from super().desired(cloud, host)


async def test_the_newest_lock_counts_whether_a_host_has_it_or_the_operator() -> None:
    services = toy.registry(Base("base"))
    cloud = toy.cloud({name: ["base"] for name in ("h1", "h2")})
    hosts = toy.world(cloud)
    await toy.bring_up(replace(cloud, versions=LOCK), services, hosts)
    assert (await survey(cloud, services, hosts)).cloud.versions == LOCK
    later = replace(LOCK, since=NEW, locked={"cache": "1.2-1"})
    found = await survey(replace(cloud, versions=later), services, hosts)
    assert found.cloud.versions == later
    assert found.plan.hosts == ("h1", "h2")


async def test_a_damaged_copy_on_a_host_is_named() -> None:
    services = toy.registry(Base("base"))
    cloud = toy.cloud({"h1": ["base"]})
    hosts = toy.world(cloud)
    host = hosts["h1"]
    assert isinstance(host, FakeHost)
    host.files[versions.PATH] = b"{", 0o644
    with pytest.raises(PlanError, match="lock of package versions is damaged") as error:
        await survey(cloud, services, hosts)
    assert error.value.where == f"h1:{versions.PATH}"


def test_the_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    lock = replace(LOCK, upgrade=Upgrade({"cache": "1:1.2~rc1-1+b1"}, "me since now", "rack1", reboot=True))
    assert versions.parse(versions.dumps(lock)) == lock
    (tmp_path / "toy.versions.json").write_text(versions.dumps(lock))
    assert versions.load(versions.beside(tmp_path / "cloud.yaml", "toy")) == lock
    assert versions.load(tmp_path / "none.json") == versions.NONE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"locked": {}}',
        '{"locked": {"a b": "1"}, "since": "", "upgrade": null}',
        '{"locked": {"a": "1;reboot"}, "since": "", "upgrade": null}',
        '{"locked": [], "since": "", "upgrade": null}',
        '{"locked": {}, "since": "", "upgrade": {"target": {}}}',
    ],
)
def test_a_file_that_is_no_lock_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.versions.json"
    path.write_text(text)
    with pytest.raises(CloudFileError, match="lock of package versions"):
        versions.load(path)


def test_preferences_prefer_the_locks_versions_and_downgrade_nothing() -> None:
    assert versions.preferences(LOCK) == (
        "Package: cache\nPin: version 1.1-1\nPin-Priority: 990\n\n"
        "Package: shared\nPin: version 2.0-1\nPin-Priority: 990\n"
    )
