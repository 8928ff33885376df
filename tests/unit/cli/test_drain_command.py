from __future__ import annotations

import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from fournines.cli import drain, prove, reboot, undrain
from fournines.errors import UsageError
from fournines.prove.faults.catalogue import CATALOGUE, DRAWN, each, every
from fournines.prove.faults.operation import typed
from fournines.services import load

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


@pytest.mark.parametrize(
    "typed", ["", "drain", "upgrade all", "drain ctl1 ctl2", "scale ctl1", "scale --add", "destroy ctl1"]
)
def test_an_operation_that_prove_does_not_know(typed: str, cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="no operation"):
        run(prove.command, cloud_file, "--operation", typed or " ")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("drain vip", "operation.drain@vip"),
        ("reboot  all", "operation.reboot@all"),
        ("upgrade", "operation.upgrade@all"),
        ("upgrade --to 2026.2", "operation.upgrade_release@all"),
        ("apply", "operation.apply@all"),
        ("scale --remove ctl3", "operation.leave@ctl3"),
        ("scale --add ctl3", "operation.join@ctl3"),
        ("replace ctl3", "operation.replace@ctl3"),
    ],
)
def test_operations_as_typed(words: str, fault: str) -> None:
    assert typed(words, "2026.2") == fault
    assert fault.partition("@")[0] in CATALOGUE


def test_a_release_is_proved_that_the_cloud_file_names() -> None:
    with pytest.raises(UsageError, match=r"wants release 2025\.1, not 2026\.2"):
        typed("upgrade --to 2026.2", "2025.1")


def test_what_changes_a_cloud_for_good_is_drawn_by_nobody(cloud_file: Path) -> None:
    cloud = load(cloud_file)
    names = ("upgrade", "upgrade_release", "apply", "leave", "join", "replace")
    named = {f"operation.{name}" for name in names}
    assert named == CATALOGUE.keys() - DRAWN.keys()
    assert not [text for text in (*each(cloud), *every(cloud)) if text.partition("@")[0] in named]


def test_an_operation_and_faults_do_not_go_together(cloud_file: Path) -> None:
    with pytest.raises(UsageError, match="both say what to inject"):
        run(prove.command, cloud_file, "--operation", "drain vip", "--faults", "each")
