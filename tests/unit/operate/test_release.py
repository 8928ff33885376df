"""To another release: what is refused, what goes first and last; the whole way, cut at every point and continued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fournines.cloud import versions
from fournines.cloud.maintenance import Maintenance
from fournines.cloud.model import Cloud
from fournines.cloud.releases import releases
from fournines.cloud.versions import Upgrade, Versions
from fournines.commands import upgrade as commands
from fournines.commands.upgrade_shown import lines
from fournines.engine.survey import require_release
from fournines.errors import HostError, PlanError, UsageError
from fournines.operate import release, upgrade
from fournines.operate.upgrade import Asked
from fournines.services import registry
from fournines.services.keystone import Keystone
from fournines.services.resource import File
from fournines.services.schema import Schema
from unit.operate import test_upgrade
from unit.operate.test_upgrade import CutError, World, how, lock_of, of, run

cloud = test_upgrade.cloud
world = test_upgrade.world

WHEN = test_upgrade.WHEN
OLD = {"keystone": "2:27.0.0-3", "libssl": "3.5-1", "rabbitmq-server": "4.0.5-6", "erlang-base": "1:27.3-1"}
NEW = {"keystone": "2:30.0.0-3", "libssl": "3.6-1", "rabbitmq-server": "4.3.6-1", "erlang-base": "1:29.1-1"}
TO = Asked(to="2026.2")


@pytest.fixture
def wanting(cloud: Cloud) -> Cloud:
    return replace(cloud, release="2026.2")


@pytest.fixture
def there(world: World, wanting: Cloud) -> World:
    world.cloud = wanting
    world.installed = {h.name: dict(OLD) for h in wanting.hosts}
    world.candidates = dict(NEW)
    return world


def changing(cloud: Cloud, *renewed: str, target: Mapping[str, str] = NEW) -> Cloud:
    state = Upgrade(target, "alice@desk since 15:00", release="2026.2", suite="forky", renewed=renewed)
    return replace(cloud, release="2026.2", versions=Versions({}, "2026-11-28T15:00:00Z", state))


# What is refused


def test_the_cloud_file_names_the_release_that_is_asked_for(cloud: Cloud, wanting: Cloud) -> None:
    release.require_named(wanting, "2026.2")
    with pytest.raises(UsageError, match=r"the cloud file wants release 2025\.1, not 2026\.2") as error:
        release.require_named(cloud, "2026.2")
    assert 'release: "2026.2"' in error.value.next
    with pytest.raises(UsageError, match=r"there is no release 2020\.1"):
        release.require_named(cloud, "2020.1")


def test_a_step_that_nobody_has_tried_and_one_beside_another(wanting: Cloud) -> None:
    release.require_step(wanting, "2026.2")
    region = wanting.regions["phx"]
    host = replace(region.hosts[0], services=region.hosts[0].services | {"glance"})
    wider = replace(wanting, regions={"phx": replace(region, hosts=(host, *region.hosts[1:]))})
    with pytest.raises(PlanError, match=r"cannot go to 2026\.2") as error:
        release.require_step(wider, "2026.2")
    assert "has not been tried with glance" in error.value.why
    other = replace(wanting, versions=Versions(upgrade=Upgrade({"a": "1"}, "alice@desk since 15:00")))
    with pytest.raises(PlanError, match="an upgrade of 1 packages has not ended"):
        release.require_step(other, "2026.2")
    with pytest.raises(UsageError, match=r"has 2026\.2 already"):
        release.require_step(replace(wanting, versions=Versions(release="2026.2")), "2026.2")


def test_sources_of_another_release_are_named() -> None:
    looks = {"ctl1": of(OLD, NEW), "ctl2": of(OLD, {**NEW, "keystone": "2:29.0.1-1"}), "ctl3": of(OLD, {})}
    wrong = list(release.strangers(looks, releases()["2026.2"]))
    assert wrong == [
        "ctl2: keystone 2:29.0.1-1, where 2026.2 is 30",
        "ctl3: keystone 2:27.0.0-3, where 2026.2 is 30",
    ]
    with pytest.raises(HostError, match=r"do not have 2026\.2") as error:
        release.require_sources(releases()["2026.2"], ("forky", "sid"), wrong)
    assert error.value.where == "forky or sid"


def test_what_services_say_against_it() -> None:
    release.require_ready(())
    with pytest.raises(HostError, match="not ready") as error:
        release.require_ready(["ctl1: keystone-status upgrade check: trust policies"])
    assert error.value.where == "ctl1"


def test_a_plan_for_another_release_than_the_hosts_have_is_no_plan(cloud: Cloud, wanting: Cloud) -> None:
    require_release(cloud, Versions())
    require_release(wanting, changing(cloud).versions)
    with pytest.raises(PlanError, match=r"the cloud has release 2025\.1, and its file wants 2026\.2") as error:
        require_release(wanting, Versions())
    assert "--to 2026.2" in error.value.next
    with pytest.raises(PlanError, match=r"has release 2026\.2, and its file wants 2025\.1"):
        require_release(cloud, Versions(release="2026.2"))
    with pytest.raises(PlanError, match=r"has release 2026\.2"):
        require_release(replace(wanting, release="2025.2"), Versions(release="2026.2"))


def test_once_a_host_has_changed_nothing_is_forgotten(wanting: Cloud) -> None:
    assert upgrade.abandoned(changing(wanting), WHEN).versions.upgrade is None
    with pytest.raises(PlanError, match="cannot be forgotten") as error:
        upgrade.abandoned(changing(wanting, "ctl3"), WHEN)
    assert error.value.where == "ctl3"
    drained = {"ctl1": Maintenance(True, upgrade.REASON, "2026-11-28T15:00:00Z")}
    with pytest.raises(PlanError, match="on their way"):
        upgrade.abandoned(replace(changing(wanting), maintenance=drained), WHEN)


# What goes first, and what last


def test_what_cannot_run_beside_its_older_self_goes_last(wanting: Cloud) -> None:
    target = releases()["2026.2"]
    assert sorted(release.first_part(NEW, target)) == ["keystone", "libssl"]
    assert sorted(release.last_part(NEW, target)) == ["erlang-base", "rabbitmq-server"]
    [last] = release.last(wanting, target)
    assert [h.name for h in last.hosts] == ["ctl1", "ctl2", "ctl3"]


def keystone(cloud: Cloud, host: str) -> tuple[list[str], str]:
    """The command lines of its tables there, and its configuration."""
    made = list(Keystone().desired(cloud, cloud.host_by_name[host]))
    [config] = [r.content for r in made if isinstance(r, File) and r.path == "/etc/keystone/keystone.conf"]
    return [r.script for r in made if isinstance(r, Schema)], config


def test_while_two_releases_serve_tables_only_grow_and_by_the_new_code(cloud: Cloud) -> None:
    assert keystone(cloud, "ctl1")[0] == ["runuser -u keystone -- keystone-manage db_sync"]
    mixed = changing(cloud, "ctl3")
    assert [keystone(mixed, name)[0] for name in ("ctl1", "ctl2")] == [[], []]
    [script] = keystone(mixed, "ctl3")[0]
    assert script.endswith("keystone-manage db_sync --expand")
    assert "keystone-status upgrade check" in script
    done = changing(cloud, "ctl3", "ctl1", "ctl2")
    assert keystone(done, "ctl1")[0] == ["runuser -u keystone -- keystone-manage db_sync"]
    assert keystone(done, "ctl3")[0] == []


def test_each_host_has_the_names_of_options_that_its_release_knows(cloud: Cloud) -> None:
    mixed = changing(cloud, "ctl3")
    assert "\nmemcache_socket_timeout = " in keystone(mixed, "ctl1")[1]
    assert "\nsocket_timeout = " in keystone(mixed, "ctl3")[1]
    assert "memcache_socket_timeout" not in keystone(mixed, "ctl3")[1]


# The whole way


async def test_the_whole_way(there: World, wanting: Cloud) -> None:
    found = await run(there, wanting, TO)
    assert found.release == releases()["2026.2"]
    events = there.events[6:]
    assert events[:4] == [
        "apply ctl3, ctl3 drained",
        "install ctl3 keystone",
        "install ctl3 libssl",
        "apply ctl3, ctl3 drained",
    ]
    bus = [event for event in events if "rabbitmq-server" in event or "aside" in event]
    first = events.index(bus[0])
    assert not [event for event in events[first:] if "keystone" in event], "all hosts are new by then"
    assert sorted(event for event in bus if "mnesia" in event) == [
        f"aside {name} /var/lib/rabbitmq/mnesia" for name in ("ctl1", "ctl2", "ctl3")
    ]
    for name in ("ctl1", "ctl2", "ctl3"):
        stopped = events.index(f"stop {name} rabbitmq-server.service")
        assert first <= stopped < events.index(f"install {name} rabbitmq-server"), "it has its data open"
    lock = lock_of(wanting)
    assert (lock.release, lock.upgrade) == ("2026.2", None)
    assert lock.locked["rabbitmq-server"] == "4.3.6-1"
    assert all(has == NEW for name, has in there.installed.items() if name.startswith("ctl"))
    with pytest.raises(UsageError, match=r"has 2026\.2 already"):
        await run(there, wanting, TO)


async def test_cut_anywhere_it_is_continued(there: World, wanting: Cloud) -> None:
    await run(there, wanting, TO)
    total = len(there.events)
    for cut in range(total):
        versions.beside(wanting.source, wanting.name).unlink(missing_ok=True)
        there.cloud, there.events, there.cut = wanting, [], cut
        there.installed = {h.name: dict(OLD) for h in wanting.hosts}
        there.candidates = dict(NEW)
        with pytest.raises(CutError):
            await run(there, wanting, TO)
        there.cut = None
        begun = lock_of(wanting).upgrade
        if begun:
            there.candidates["libssl"] = "3.6-2"
            there.also["libssl"] = ["3.6-1"]
        if lock_of(wanting).release == "2025.1":
            await run(there, wanting, Asked() if begun else TO)
        assert {has["libssl"] for has in there.installed.values()} == {"3.6-1"}, f"cut after {cut}"
        assert not there.cloud.drained
        assert not there.pending
        assert lock_of(wanting).release == "2026.2"
        assert lock_of(wanting).upgrade is None


async def test_held_after_the_canary_it_goes_on_with_the_same(there: World, wanting: Cloud) -> None:
    await run(there, wanting, replace(TO, canary="rack2"))
    state = lock_of(wanting).upgrade
    assert state
    assert (state.renewed, state.suite) == (("ctl2", "cmp2"), "forky")
    with pytest.raises(PlanError, match="cannot be forgotten"):
        await commands.abandon(wanting, how())
    versions.beside(wanting.source, wanting.name).unlink()
    await run(there, wanting, Asked(onward=True))
    assert lock_of(wanting).release == "2026.2"


def test_the_services_that_are_asked_are_in_the_registry(wanting: Cloud) -> None:
    asked = [check.name for check in Keystone().upgrade_checks(wanting, wanting.host_by_name["ctl1"])]
    assert asked == ["keystone-status upgrade check"]
    assert "keystone" in registry()


async def test_what_is_left_when_all_hosts_are_new_is_said(there: World, wanting: Cloud) -> None:
    await run(there, wanting, TO)
    last = next(n for n, event in enumerate(there.events) if event.startswith("stop "))
    end = len(there.events)
    for cut, left, said in ((last, ["rabbitmq"], "the last part"), (end - 1, [], "the end")):
        versions.beside(wanting.source, wanting.name).unlink(missing_ok=True)
        there.cloud, there.events, there.cut = wanting, [], cut
        there.installed = {h.name: dict(OLD) for h in wanting.hosts}
        with pytest.raises(CutError):
            await run(there, wanting, TO)
        there.cut = None
        found = await commands.planned(wanting, TO, how())
        assert [of.service for of in found.lasts_left] == left
        assert list(lines(found))[-1] == f"every host has 2026.2: what is left is {said}"


async def test_a_lock_that_is_older_than_the_hosts_is_brought_up_to_date(there: World, wanting: Cloud) -> None:
    await run(there, wanting, TO)
    versions.beside(wanting.source, wanting.name).unlink()
    with pytest.raises(UsageError, match=r"has 2026\.2 already"):
        await run(there, wanting, TO)
    assert lock_of(wanting).release == "2026.2"


def test_what_is_said_names_the_point_of_no_return(wanting: Cloud, tmp_path: Path) -> None:
    said = "\n".join(release.sentences(changing(wanting, "ctl3"), False, release.last(wanting, releases()["2026.2"])))
    assert "on its way from 2025.1 to 2026.2, by Debian forky: 1 of 6 hosts have it" in said
    assert "point of no return" in said
    assert "ctl[1-3] at once: rabbitmq" in said
