"""What a job of day two does: the command line's functions, on what was asked for, and nothing on a dry run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fournines.cloud.model import Cloud
from fournines.cloud.record import Entry
from fournines.cloud.versions import Upgrade, Versions
from fournines.commands import backup as backups
from fournines.commands import operation
from fournines.commands import reboot as rebooting
from fournines.commands import rotate as rotating
from fournines.commands import scale as scaling
from fournines.commands import upgrade as upgrading
from fournines.commands import versions as packages
from fournines.engine import Survey
from fournines.engine.packages import Kernel, Packages, State
from fournines.errors import BackupError, LabError, UsageError
from fournines.operate.backup import Manifest
from fournines.operate.copies import Stored
from fournines.operate.rotate import steps
from fournines.operate.upgrade import Asked, Move
from fournines.plan.model import Plan
from fournines.services import load
from fournines.web import tasks, tasks_data, tasks_operate, tasks_recover, tasks_scale
from fournines.web.arguments import (
    OfBackup,
    OfDrain,
    OfFence,
    OfHost,
    OfLeaving,
    OfNewHost,
    OfReboot,
    OfRecover,
    OfRelease,
    OfReplaced,
    OfRestored,
    OfRotate,
    OfUpgrade,
    OfVersions,
    OfWipe,
)
from fournines.web.kinds import KINDS, Kind
from fournines.web.tasks_all import TASKS
from fournines.web.work import EVENTS, Work
from samples.dashboard import EXAMPLE
from samples.rescue import ALONE, Site


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    shutil.copy(EXAMPLE, tmp_path / "cloud.yaml")
    return load(tmp_path / "cloud.yaml")


@pytest.fixture
def work(tmp_path: Path) -> Work:
    (tmp_path / "job").mkdir()
    return Work(tmp_path / "job")


def plan_of(cloud: Cloud) -> Plan:
    return Plan(cloud.name, (), "")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What reached hosts."""
    found: list[Any] = []

    async def look(cloud: Cloud, _ssh: object, change: object, needed: tuple[str, ...], _say: object) -> Survey:
        assert callable(change)
        found.append(("look", needed))
        return Survey(plan_of(cloud), {}, cloud)

    async def carry_out(*_: object, **__: object) -> None:
        found.append("carried out")

    async def planned(cloud: Cloud, hosts: Any, _how: object) -> rebooting.Reboots:
        return rebooting.Reboots(tuple(hosts), (), plan_of(cloud))

    async def reboot_all(_cloud: Cloud, reboots: rebooting.Reboots, _how: object) -> None:
        found.append([host.name for host in reboots.queue])

    async def phases(cloud: Cloud, names: tuple[str, ...], _ssh: object, _until: str) -> list[rotating.Planned]:
        return [rotating.Planned(step, plan_of(cloud)) for step in steps(cloud, names, 1000.0, "me")]

    async def phase(planned: rotating.Planned, _ssh: object, _report: object, *, confirmed: bool) -> None:
        assert not confirmed
        found.append(planned.step.phase)

    monkeypatch.setattr(operation, "look", look)
    monkeypatch.setattr(operation, "carry_out", carry_out)
    monkeypatch.setattr(rebooting, "planned", planned)
    monkeypatch.setattr(rebooting, "reboot_all", reboot_all)
    monkeypatch.setattr(rotating, "planned", phases)
    monkeypatch.setattr(rotating, "carry_out", phase)
    return found


def test_a_drain_asks_for_the_host_that_it_concerns(cloud: Cloud, work: Work, done: list[Any]) -> None:
    result = tasks_operate.drain(cloud, OfDrain(host="ctl2", reason="disks"), work)
    assert done == [("look", ("ctl2",))]  # there was nothing to change
    assert result["done"] is True
    assert "asking 3 hosts" in (work.directory / EVENTS).read_text()


@pytest.mark.parametrize("act", [tasks_operate.drain, tasks_operate.undrain])
def test_no_such_host(cloud: Cloud, work: Work, done: list[Any], act: Any) -> None:
    with pytest.raises(UsageError, match="has no host ctl9"):
        act(cloud, OfDrain(host="ctl9"), work)
    assert done == []


def test_an_upgrade_does_what_it_shows(cloud: Cloud, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    move = Move("rack1", (cloud.hosts[0],), drained=True)

    async def planned(cloud: Cloud, wish: Asked, _how: object) -> upgrading.Upgrading:
        asked.append(wish)
        return upgrading.Upgrading(cloud, True, (move,), (), {}, (), {}, frozenset())

    async def upgrade_all(found: upgrading.Upgrading, _how: object) -> None:
        asked.append(found.moves)

    monkeypatch.setattr(upgrading, "planned", planned)
    monkeypatch.setattr(upgrading, "upgrade_all", upgrade_all)
    wish = Asked(canary="rack1", security=True)
    shown = tasks_operate.upgrade(cloud, OfUpgrade(canary="rack1", security=True, dry_run=True), work)
    assert (shown["done"], asked) == (False, [wish])
    result = tasks_operate.upgrade(cloud, OfUpgrade(canary="rack1", security=True), work)
    assert asked == [wish, wish, (move,)]
    assert json.loads(json.dumps(result))["moves"] == [{"zone": "rack1", "hosts": ["ctl1"], "drained": True}]


def test_a_change_of_release_takes_the_clouds_name_and_shows_what_the_command_line_does(
    cloud: Cloud, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    move = Move("rack1", (cloud.hosts[0],), drained=True)

    async def planned(cloud: Cloud, wish: Asked, _how: object) -> upgrading.Upgrading:
        asked.append(wish)
        return upgrading.Upgrading(cloud, True, (move,), (), {}, (), {}, frozenset())

    async def upgrade_all(found: upgrading.Upgrading, _how: object) -> None:
        asked.append(found.moves)

    monkeypatch.setattr(upgrading, "planned", planned)
    monkeypatch.setattr(upgrading, "upgrade_all", upgrade_all)
    body = OfRelease(to="2026.2", canary="rack1")
    with pytest.raises(UsageError, match=r"no host that has gone to 2026\.2 goes back") as refused:
        tasks_operate.upgrade_release(cloud, body, work)
    assert "acme" in refused.value.next and asked == []
    shown = tasks_operate.upgrade_release(cloud, body.model_copy(update={"dry_run": True}), work)
    wish = Asked(canary="rack1", to="2026.2")
    assert (shown["done"], asked) == (False, [wish])
    assert shown["steps"] == ["in this order: ctl1 (zone rack1, drained)"]
    assert tasks_operate.upgrade_release(cloud, body.model_copy(update={"confirm": "acme"}), work)["done"]
    assert asked == [wish, wish, (move,)]


def test_an_upgrade_of_packages_does_not_go_on_with_a_change_of_release(
    cloud: Cloud, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def planned(cloud: Cloud, _wish: Asked, _how: object) -> upgrading.Upgrading:
        lock = Versions(upgrade=Upgrade({}, "ada", release="2026.2", suite="forky"))
        return upgrading.Upgrading(replace(cloud, versions=lock), False, (), (), {}, (), {}, frozenset())

    monkeypatch.setattr(upgrading, "planned", planned)
    with pytest.raises(UsageError, match=r"on its way to 2026\.2"):
        tasks_operate.upgrade(cloud, OfUpgrade(), work)


def test_reboots_go_in_the_order_that_was_found(cloud: Cloud, work: Work, done: list[Any]) -> None:
    shown = tasks_operate.reboot(cloud, OfReboot(target="all", dry_run=True), work)
    assert done == [] and shown["done"] is False
    assert tasks_operate.reboot(cloud, OfReboot(target="rack1"), work)["order"] == ["ctl1"]
    assert done == [["ctl1"]]


def test_a_rotation_does_each_phase_of_what_was_asked_for(cloud: Cloud, work: Work, done: list[Any]) -> None:
    shown = tasks.rotate(cloud, OfRotate(what="database", dry_run=True), work)
    assert done == [] and shown["rotated"] is False
    result = tasks.rotate(cloud, OfRotate(what="database messaging"), work)
    assert done == ["accept", "use", "drop"]
    assert list(result["what"]) == ["database", "messaging"]
    assert json.dumps(result)
    with pytest.raises(UsageError, match="nothing is called databse"):
        tasks.rotate(cloud, OfRotate(what="databse"), work)


def test_what_changes_hosts_is_for_administrators() -> None:
    """A drain carries out whatever else the cloud file asks for: who may not apply may not drain."""
    assert {name for name, kind in KINDS.items() if kind.role != "admin"} == {"plan", "smoke", "versions", "observe"}
    assert KINDS["undrain"].arguments is OfHost


def test_every_kind_of_job_is_done_by_something() -> None:
    assert set(TASKS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_is_typed_to_confirm_is_an_argument_or_the_clouds_name(kind: Kind) -> None:
    assert kind.typed in ("", "cloud", *kind.arguments.model_fields)
    assert not kind.again or kind.group  # the page has a form for whatever is begun again


# Which hosts there are


NEW = OfNewHost(host="ctl4", zone="rack1", address="198.18.0.14", roles=["controller"])


def test_a_host_is_written_into_the_file_and_asked_for_again_it_is_brought_up(
    cloud: Cloud, work: Work, done: list[Any]
) -> None:
    before = cloud.source.read_text()
    tasks_scale.add(cloud, NEW.model_copy(update={"dry_run": True}), work)
    assert cloud.source.read_text() == before
    assert tasks_scale.add(cloud, NEW, work)["done"] is True
    assert "ctl4: {zone: rack1, address: 198.18.0.14, roles: [controller]}" in cloud.source.read_text()
    assert "they survive the loss of 1" in (work.directory / EVENTS).read_text()
    again = load(cloud.source)
    tasks_scale.add(again, NEW, work)
    assert done == [("look", ("ctl4",))] * 3
    with pytest.raises(UsageError, match="has ctl4 already"):
        tasks_scale.add(again, NEW.model_copy(update={"zone": "rack2"}), work)


@pytest.mark.parametrize(
    "wrong",
    [{"host": "ctl4, x: y"}, {"zone": "rack1}"}, {"roles": ["controller]"]}, {"address": "198.18.0.14, a"}],
)
def test_nothing_but_names_goes_into_the_file(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OfNewHost.model_validate(NEW.model_dump() | wrong)


@pytest.fixture
def leaving(cloud: Cloud, done: list[Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    async def planned(known: Cloud, asked: scaling.Asked, _ssh: object) -> scaling.Leaving:
        done.append(asked)
        entry = Entry(asked.name, "phx", "rack3", "198.18.0.13", ())
        return scaling.Leaving(entry, ())

    async def carry_out(_leaving: object, _ssh: object, *, ending: Any, lost: bool, **_: object) -> None:
        done.append(("carried out", lost))
        ending()

    monkeypatch.setattr(scaling, "planned", planned)
    monkeypatch.setattr(scaling, "carry_out", carry_out)
    return done


def test_a_host_that_leaves_goes_from_the_file_at_the_end(cloud: Cloud, work: Work, leaving: list[Any]) -> None:
    tasks_scale.remove(cloud, OfLeaving(host="ctl3", dry_run=True), work)
    assert "ctl3:" in cloud.source.read_text()
    result = tasks_scale.remove(cloud, OfLeaving(host="ctl3", lost=True), work)
    assert (result["done"], result["host"]) == (True, "ctl3")
    assert "ctl3:" not in cloud.source.read_text()
    assert leaving == [
        scaling.Asked("ctl3"),
        scaling.Asked("ctl3", lost=True),
        ("carried out", True),
    ]


def test_a_host_that_is_replaced_stays_in_the_file_and_is_brought_up(
    cloud: Cloud, work: Work, leaving: list[Any]
) -> None:
    before = cloud.source.read_text()
    tasks_scale.replace(cloud, OfReplaced(host="ctl3"), work)
    assert cloud.source.read_text() == before
    assert leaving == [
        scaling.Asked("ctl3", lost=True, replaces=True),
        ("carried out", True),
        ("look", ("ctl3",)),
    ]


def test_power_is_switched_by_the_other_members(cloud: Cloud, work: Work) -> None:
    with pytest.raises(UsageError, match="ctl1 has no power controller"):
        tasks_operate.fence(cloud, OfFence(host="ctl1", action="off"), work)


def test_an_upgrade_that_began_is_forgotten(cloud: Cloud, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    async def abandon(_cloud: Cloud, _how: object) -> str:
        return "me"

    monkeypatch.setattr(upgrading, "abandon", abandon)
    assert tasks_operate.upgrade(cloud, OfUpgrade(abandon=True), work)["abandoned"] == "me"


@pytest.mark.parametrize("host", ["ctl1", "ctl9"])
def test_a_machine_is_exchanged_in_a_lab_alone(cloud: Cloud, work: Work, host: str) -> None:
    with pytest.raises((LabError, UsageError), match=r"not a lab's|has no host ctl9"):
        tasks.wipe(cloud, OfWipe(host=host), work)


def test_versions_are_a_row_for_hosts_that_agree(cloud: Cloud, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = State("1.0-1", "1.0-2", ("1.0-2", "1.0-1"), frozenset({"1.0-2"})), State("1.0-2", "1.0-2")
    kernel = Kernel("6.12.1", "6.12.2", reboot=True)
    looks = {
        name: Packages({"haproxy": state, "vim": new}, {}, kernel=kernel, codename="trixie")
        for name, state in (("ctl1", old), ("ctl2", new), ("ctl3", new))
    }

    async def seen(cloud: Cloud, _ssh: object, _say: object, *, refresh: bool) -> packages.Seen:
        assert refresh
        return packages.Seen(cloud, {name: ["haproxy"] for name in looks}, looks)

    monkeypatch.setattr(packages, "seen", seen)
    result = tasks.versions(cloud, OfVersions(refresh=True), work)
    rows = [(r["package"], r["installed"], r["candidate"], r["remark"], r["hosts"]) for r in result["packages"]]
    assert ("haproxy", "1.0-1", "1.0-2", "security", ("ctl1",)) in rows
    assert ("haproxy", "1.0-2", "=", "", ("ctl2", "ctl3")) in rows
    assert len(rows) == 2
    assert result["on"]["ctl1"]["reboot"] == "6.12.1 → 6.12.2"


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    """ctl2 and ctl3 are lost, ctl1 has no majority."""
    made = Site(monkeypatch, tmp_path, "ctl2", "ctl3")
    made.hosts["ctl1"].said = json.loads(json.dumps(ALONE))
    return made


def test_a_recovery_looks_and_says_which_decision_is_missing(lost: Site, work: Work) -> None:
    before = lost.cloud.source.read_text()
    for asked in (OfRecover(dry_run=True), OfRecover(confirm="acme")):
        result = tasks_recover.recover(lost.cloud, asked, work)
        assert (result["done"], result["decided"]) == (False, False)
        assert "--gone ctl2,ctl3" in result["findings"][0]["choose"]
    assert lost.hosts["ctl1"].acts == []
    assert lost.cloud.source.read_text() == before


def test_a_recovery_takes_the_clouds_name_and_does_what_was_decided(lost: Site, work: Work) -> None:
    gone = OfRecover(gone=["ctl2", "ctl3"])
    with pytest.raises(UsageError, match="is lost"):
        tasks_recover.recover(lost.cloud, gone, work)
    assert lost.switched == []
    result = tasks_recover.recover(lost.cloud, gone.model_copy(update={"confirm": "acme"}), work)
    assert json.dumps(result)
    assert (result["done"], result["decided"], lost.switched) == (True, True, ["ctl2", "ctl3"])
    assert "ctl2:" not in lost.cloud.source.read_text()


# Data


def test_a_restore_takes_the_clouds_name(cloud: Cloud, work: Work) -> None:
    asked = OfRestored(backup="acme-20261128T020000Z")
    with pytest.raises(UsageError, match="will be lost") as refused:
        tasks_data.restore(cloud, asked, work)
    assert "acme" in refused.value.next
    with pytest.raises(BackupError):  # there is none
        tasks_data.restore(cloud, asked.model_copy(update={"confirm": "acme"}), work)


@pytest.mark.parametrize("name", ["../acme-20261128T020000Z", "acme", "/srv/acme-20261128T020000Z", ""])
def test_a_backup_is_one_of_the_servers_directory(name: str) -> None:
    with pytest.raises(ValidationError):
        OfRestored(backup=name)


def test_a_backup_is_kept_where_the_server_was_told(
    cloud: Cloud, tmp_path: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def take(_cloud: Cloud, _ssh: object, directory: Path, key: str, _say: object, *, keep: int | None) -> Any:
        asked.append((directory, bool(key), keep))
        manifest = Manifest("acme", "flamingo", "2026-11-28T02:00:00+00:00", "k", {})
        return backups.Taken(Stored(directory / "acme-20261128T020000Z", manifest, key), ())

    monkeypatch.setattr(backups, "take", take)
    there = Work(work.directory, tmp_path / "kept")
    assert tasks_data.backup(cloud, OfBackup(keep=3), there)["backup"] == "acme-20261128T020000Z"
    assert asked == [(tmp_path / "kept", True, 3)]
    assert "new backup key" in (work.directory / EVENTS).read_text()
