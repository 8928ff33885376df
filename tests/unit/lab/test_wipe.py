"""A host as a new machine: what is deleted, in which order, and that an interrupted wipe is finished."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines import lab
from fournines.cli import lab as command
from fournines.errors import LabError
from fournines.lab import lifecycle, machine, seed, state
from fournines.lab import new_machine as module
from fournines.lab.state import Lab, LabHost
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab that `up` has made and booted: ctl1 to ctl3, each with a file of its own on its disk."""
    for target in (state, module, lifecycle):
        monkeypatch.setattr(target, "LABS", tmp_path)
    made = state.design(load(EXAMPLE), "0123")
    state.save(made)
    seed.keys(made)
    for host in made.hosts:
        seed.seed(made, host)
        (made.host_directory(host.name) / "upper" / "var").mkdir()
        (made.host_directory(host.name) / "upper" / "var" / "data").write_text(host.name)
    seed.known_hosts(made)
    monkeypatch.setattr(machine, "require_root", lambda: None)
    return tmp_path / "acme"


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    def power(cloud: str, host: str, action: str) -> None:
        assert (state.load(cloud).host_directory(host)).is_dir()
        found.append(f"{host} {action}")

    def await_hosts(made: Lab, hosts: list[LabHost], say: object) -> None:
        found.append(f"{hosts[0].name} awaited")

    monkeypatch.setattr(module, "power", power)
    monkeypatch.setattr(module, "await_hosts", await_hosts)
    return found


def test_the_disk_is_empty_and_the_key_a_new_one(labs: Path, pressed: list[str]) -> None:
    key, known = labs / "hosts" / "ctl2" / "host_key.pub", labs / "ssh" / "known_hosts"
    before = key.read_text()
    lab.wipe("acme", "ctl2", lambda _: None)
    assert pressed == ["ctl2 off", "ctl2 on", "ctl2 awaited"]
    assert not (labs / "hosts" / "ctl2" / "upper" / "var").exists()
    assert (labs / "hosts" / "ctl2" / "upper" / "etc" / "hostname").read_text() == "ctl2\n"
    assert key.read_text() != before
    assert key.read_text().split()[1] in known.read_text()
    assert before.split()[1] not in known.read_text()
    assert (labs / "hosts" / "ctl1" / "upper" / "var" / "data").read_text() == "ctl1"


def test_a_half_deleted_disk_is_never_booted(labs: Path, pressed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`up` makes a disk anew that has no host key beside it: that goes first."""

    def killed(directory: Path, **_: object) -> None:
        assert not (directory / "host_key.pub").exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            lab.wipe("acme", "ctl2", lambda _: None)
    lab.wipe("acme", "ctl2", lambda _: None)
    assert not (labs / "hosts" / "ctl2" / "upper" / "var").exists()
    assert pressed[-2:] == ["ctl2 on", "ctl2 awaited"]


def test_a_host_that_is_not_there(labs: Path, pressed: list[str]) -> None:
    with pytest.raises(LabError, match="no host ctl9"):
        lab.wipe("acme", "ctl9", lambda _: None)
    refused = CliRunner().invoke(command.command, ["wipe", "acme/ctl9"])
    assert isinstance(refused.exception, LabError)
    assert pressed == []
