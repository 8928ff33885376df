from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fournines.cli import rotate
from fournines.cloud.model import Cloud
from fournines.commands import rotate as keys
from fournines.errors import HostError, UsageError
from fournines.operate.rotate import state, steps
from fournines.plan.model import Plan
from fournines.services import fernet, load

EXAMPLE = Path(__file__).parents[3] / "examples/three-controllers.yaml"


@pytest.fixture
def cloud_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cloud.yaml"
    shutil.copy(EXAMPLE, path)
    cloud = load(path)
    fernet.keys(cloud)
    cloud.secrets.get("keystone.database")
    cloud.secrets.save()

    async def planned(cloud: Cloud, names: tuple[str, ...], _ssh: object, _until: str) -> list[keys.Planned]:
        empty = Plan(cloud.name, (), "")
        return [keys.Planned(step, empty) for step in steps(cloud, names, 1000.0, "me")]

    monkeypatch.setattr(keys, "planned", planned)
    return path


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(rotate.command, [str(w) for w in words], catch_exceptions=False)


def test_nobody_is_asked_where_nobody_can_answer(cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="nobody is here"):
        _run(cloud_file, "fernet-keys")


def test_some_hosts_only_is_refused(cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="whole cloud"):
        _run(cloud_file, "fernet-keys", "--hosts", "ctl1", "--yes")


def test_what_can_be_rotated_is_listed(cloud_file: Path) -> None:
    assert "fernet-keys" in _run(cloud_file).stdout
    listed = json.loads(_run(cloud_file, "--list", "--json").stdout)
    costs = {r["name"]: r["cost"] for r in listed["rotations"]}
    assert not costs["database"]
    assert costs["admin"]
    assert listed["begun"] is None


def test_each_phase_is_saved_before_its_first_host_changes(cloud_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off in the second phase; the same command does the second and third."""
    old = load(cloud_file).secrets.get("keystone.database")
    done: list[str] = []
    cut = ["use"]

    async def changed(cloud: Cloud, seen: Plan | None, _ssh: object, _report: object) -> None:
        assert seen is None
        begun = state(cloud)
        assert begun
        if begun.phase in cut:
            cut.clear()
            raise HostError("the power went")
        done.append(begun.phase)

    monkeypatch.setattr(keys, "change_hosts", changed)
    with pytest.raises(HostError):
        _run(cloud_file, "database", "--yes")
    between = load(cloud_file)
    new = between.secrets.get("keystone.database")
    assert (begun := state(between)) and begun.phase == "use"
    assert between.secrets.other("keystone.database") == old != new
    assert "continues with" in _run(cloud_file).stdout
    _run(cloud_file, "database", "--yes")
    after = load(cloud_file)
    assert done == ["accept", "use", "drop"]
    assert state(after) is None
    assert after.secrets.get("keystone.database") == new
    assert after.secrets.other("keystone.database") is None


def test_a_dry_run_saves_nothing(cloud_file: Path) -> None:
    before = load(cloud_file).secrets.names()
    assert "Nothing to change" in _run(cloud_file, "database", "--dry-run").stdout
    assert load(cloud_file).secrets.names() == before
