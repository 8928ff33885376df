from __future__ import annotations

import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from fournines.cli import drain, prove, reboot, undrain
from fournines.errors import UsageError

EXAMPLE = Path(__file__).parents[3] / "examples/three-controllers.yaml"


@pytest.fixture
def cloud_file(tmp_path: Path) -> Path:
    shutil.copy(EXAMPLE, tmp_path / "cloud.yaml")
    return tmp_path / "cloud.yaml"


def run(command: click.Command, *words: str | Path) -> None:
    CliRunner().invoke(command, [str(w) for w in words], catch_exceptions=False)


COMMANDS = [(drain.command, "ctl1"), (undrain.command, "ctl1"), (reboot.command, "all")]


@pytest.mark.parametrize(("command", "target"), COMMANDS)
def test_nobody_is_asked_where_nobody_can_answer(command: click.Command, target: str, cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="nobody is here"):
        run(command, cloud_file, target)


@pytest.mark.parametrize(("command", "target"), COMMANDS)
def test_some_hosts_only_is_refused(command: click.Command, target: str, cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="the whole cloud"):
        run(command, cloud_file, target, "--hosts", "ctl1", "--yes")


@pytest.mark.parametrize(("command", "target"), COMMANDS)
def test_a_host_that_is_not_there_is_named(command: click.Command, target: str, cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="has no host"):
        run(command, cloud_file, "clt1", "--yes")


@pytest.mark.parametrize("typed", ["", "drain", "upgrade all", "drain ctl1 ctl2"])
def test_an_operation_that_prove_does_not_know(typed: str, cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="no operation"):
        run(prove.command, cloud_file, "--operation", typed or " ")


def test_an_operation_and_faults_do_not_go_together(cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="both say what to inject"):
        run(prove.command, cloud_file, "--operation", "drain vip", "--faults", "each")
