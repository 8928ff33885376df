"""What a job of day two does: the command line's functions, on what was asked for, and nothing on a dry run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fournines.cloud.model import Cloud
from fournines.commands import operation
from fournines.commands import reboot as rebooting
from fournines.commands import rotate as rotating
from fournines.engine import Survey
from fournines.errors import UsageError
from fournines.operate.rotate import steps
from fournines.plan.model import Plan
from fournines.services import load
from fournines.web import tasks, tasks_operate
from fournines.web.kinds import KINDS, OfDrain, OfHost, OfReboot, OfRotate
from fournines.web.work import EVENTS, Work
from samples.dashboard import EXAMPLE


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
    assert {KINDS[name].role for name in ("apply", "drain", "undrain", "reboot", "rotate")} == {"admin"}
    assert KINDS["undrain"].arguments is OfHost
