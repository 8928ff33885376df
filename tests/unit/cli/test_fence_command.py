"""`fournines fence`: who may switch whom, and what is said when nobody can."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fournines.cli import fence
from fournines.commands.fence import others
from fournines.errors import UsageError
from fournines.services import load

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def cloud_file(tmp_path: Path) -> Path:
    path = tmp_path / "cloud.yaml"
    shutil.copy(EXAMPLES / "pacemaker-vip.yaml", path)
    return path


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(fence.command, [str(w) for w in words], catch_exceptions=False)


def test_the_others_of_its_cluster_switch_a_host(cloud_file: Path) -> None:
    cloud = load(cloud_file)
    assert [h.name for h in others(cloud, cloud.host_by_name["ctl2"])] == ["ctl1", "ctl3"]


def test_off_is_asked_for_where_nobody_can_answer(cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="nobody is here"):
        _run(cloud_file, "ctl2", "off")


def test_a_host_without_a_controller_cannot_be_switched() -> None:
    with pytest.raises(UsageError, match="has no power controller"):
        _run(EXAMPLES / "three-controllers.yaml", "ctl1", "status")


def test_a_host_that_is_not_there(cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="no host ctl9"):
        _run(cloud_file, "ctl9", "status")


def test_what_the_first_member_that_can_says(cloud_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def said(*_: object) -> str:
        return "off"

    monkeypatch.setattr(fence, "switch", said)
    assert _run(cloud_file, "ctl2", "status").stdout == "ctl2 is off\n"
    assert _run(cloud_file, "ctl2", "on", "--json").stdout == '{"host": "ctl2", "power": "on"}\n'
