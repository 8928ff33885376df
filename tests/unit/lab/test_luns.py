"""Shared disks of a lab: one file, each host's own way to it, and who still holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fournines.errors import LabError
from fournines.lab import luns, state
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "active-passive-two-nodes.yaml"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> state.Lab:
    for module in (state, luns):
        monkeypatch.setattr(module, "LABS", tmp_path / "labs")
    monkeypatch.setattr(luns, "_BLOCKS", tmp_path / "block")
    made = state.design(load(EXAMPLE), "image")
    for host in made.hosts:
        made.host_directory(host.name).mkdir(parents=True)
    return made


def attach(tmp_path: Path, name: str, file: str) -> Path:
    """A loop device as the kernel shows it."""
    block = tmp_path / "block" / name
    (block / "loop").mkdir(parents=True)
    (block / "loop/backing_file").write_text(f"{file}\n")
    (block / "dev").write_text("7:5\n")
    return block


def test_only_hosts_of_the_file_see_it(lab: state.Lab) -> None:
    assert [bool(host.luns) for host in lab.hosts] == [True, True, False]
    assert luns.of_host(lab, lab.host("wit1")) == []


def test_two_hosts_reach_one_file_each_by_a_name_of_its_own(lab: state.Lab) -> None:
    words = [luns.of_host(lab, lab.host(name)) for name in ("ctl1", "ctl2")]
    disks = lab.host("ctl1").luns
    assert [own[1::2] for own in words] == [[disk.device for disk in disks]] * 2 and len(disks) == 2
    for first, second in zip(*(map(Path, own[::2]) for own in words), strict=True):
        assert first != second and first.samefile(second)
        assert first.stat().st_size == luns.SIZE and first.stat().st_blocks == 0
        first.unlink()
        assert luns.of_host(lab, lab.host("ctl1")) == words[0], "a host with an empty disk sees it again"
        assert first.samefile(second)
    one, other = (Path(file) for file in words[0][::2])
    assert not one.samefile(other)


def test_a_host_is_not_off_while_its_disk_is_held(lab: state.Lab, tmp_path: Path) -> None:
    assert not luns.attached("duo", "ctl1")
    attach(tmp_path, "loop3", luns.of_host(lab, lab.host("ctl1"))[0])
    (tmp_path / "block/loop4").mkdir()
    assert luns.attached("duo", "ctl1") and not luns.attached("duo", "ctl2")


def test_who_does_not_let_go_is_named(lab: state.Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = attach(tmp_path, "loop3", f"{luns.of_host(lab, lab.host('ctl1'))[0]} (deleted)")
    asked: list[str] = []

    def run(argv: list[str]) -> str:
        asked.append(" ".join(argv))
        raise LabError("losetup failed")

    monkeypatch.setattr(luns, "run", run)
    monkeypatch.setattr(luns, "RELEASED", 0.0)
    with pytest.raises(LabError, match="does not let go"):
        luns.release("duo")
    assert asked == ["losetup --detach /dev/loop3"]
    (block / "loop/backing_file").unlink()
    luns.release("duo", "ctl1")


def test_power_is_lost_on_what_is_mounted_from_it(
    lab: state.Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut: list[str] = []
    mounts = "31 1 0:28 / / rw - overlay overlay rw\n62 31 7:5 / /var/lib/mysql rw - ext4 /dev/mapper/database rw\n"
    read = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, **_: mounts if str(path) == "/proc/42/mountinfo" else read(path)
    )
    monkeypatch.setattr(luns, "_shut_down", lambda mount: shut.append(str(mount)))
    luns.lose_power("duo", "ctl1", 42)
    assert shut == [], "it sees no disk"
    attach(tmp_path, "loop3", luns.of_host(lab, lab.host("ctl1"))[0])
    luns.lose_power("duo", "ctl1", 42)
    assert shut == ["/proc/42/root/var/lib/mysql"]
