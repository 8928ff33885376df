from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines.cli import rotate
from fournines.cloud.model import Cloud
from fournines.commands import rotate as keys
from fournines.errors import HostError, UsageError
from fournines.operate.rotate import fernet_keys
from fournines.plan.model import Plan
from fournines.services import fernet, load

EXAMPLE = Path(__file__).parents[3] / "examples/three-controllers.yaml"


@pytest.fixture
def cloud_file(tmp_path: Path) -> Path:
    path = tmp_path / "cloud.yaml"
    shutil.copy(EXAMPLE, path)
    cloud = load(path)
    fernet.keys(cloud)
    cloud.secrets.save()
    return path


def _run(*words: str | Path) -> object:
    return CliRunner().invoke(rotate.command, [str(w) for w in words], catch_exceptions=False)


def test_nobody_is_asked_where_nobody_can_answer(cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="nobody is here"):
        _run(cloud_file, "fernet-keys")


def test_some_hosts_only_is_refused(cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="the same on every host"):
        _run(cloud_file, "fernet-keys", "--hosts", "ctl1", "--yes")


def test_the_new_keys_are_saved_before_the_first_host_changes(
    cloud_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fernet.keys(load(cloud_file))

    async def planned(cloud: Cloud, _ssh: object) -> Plan:
        fernet_keys(cloud, 1000.0, Plan(cloud.name, (), ""))
        return Plan(cloud.name, (), "")

    def cut_off(_hosts: object, _ssh: object) -> None:
        raise HostError("the power went")

    monkeypatch.setattr(keys, "planned", planned)
    monkeypatch.setattr(keys, "connect", cut_off)
    with pytest.raises(HostError):
        _run(cloud_file, "fernet-keys", "--yes")
    saved = fernet.keys(load(cloud_file))
    assert saved.files[saved.primary] == before.files[0]


def test_a_dry_run_saves_nothing(cloud_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fernet.keys(load(cloud_file))

    async def planned(cloud: Cloud, _ssh: object) -> Plan:
        fernet_keys(cloud, 1000.0, Plan(cloud.name, (), ""))
        return Plan(cloud.name, (), "")

    monkeypatch.setattr(keys, "planned", planned)
    _run(cloud_file, "fernet-keys", "--dry-run")
    assert fernet.keys(load(cloud_file)) == before
