"""A shared disk's file system: made once, on a disk that holds nothing, and known again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fournines.programs import lun

OURS, OTHER = "6f9619ff-8b86-5d11-b42d-00cf4fc964ff", "00000000-0000-4000-8000-000000000001"
MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one of 32 MiB, known as LUN `database`, that is filled with one file."""
    path = tmp_path / "disk"
    with path.open("wb") as made:
        made.truncate(32 * MIB)
    content = tmp_path / "content"
    content.write_text("all of it\n")
    settings = {"device": str(path), "uuid": OURS, "fill": ["cp", str(content), "DIRECTORY"]}
    (tmp_path / "database.json").write_text(json.dumps(settings))
    monkeypatch.setattr(lun, "SETTINGS", tmp_path)
    monkeypatch.setattr(Path, "is_block_device", Path.is_file)
    return path


def write(disk: Path, at: int, data: bytes) -> None:
    with disk.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


def test_an_empty_disk_gets_its_file_system_with_its_content_and_is_known(disk: Path) -> None:
    assert lun.state(str(disk), OURS) == "empty"
    lun.prepare("database")
    assert lun.state(str(disk), OURS) == "ok"
    assert b"all of it\n" in disk.read_bytes()
    before = disk.read_bytes()
    lun.prepare("database")
    assert disk.read_bytes() == before


def test_before_a_mount_the_disk_is_read_anew_and_must_be_the_clouds_own(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def ioctl(_disk: object, request: int, _argument: int) -> None:
        asked.append(request)

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    with pytest.raises(SystemExit, match="empty"):
        lun.ready("database")
    lun.prepare("database")
    lun.main(["ready", "database"])
    assert asked == [lun.BLKFLSBUF, lun.BLKFLSBUF]
    disk.unlink()
    with pytest.raises(SystemExit, match="cannot be read anew: No such file"):
        lun.ready("database")


@pytest.mark.parametrize(
    ("at", "data", "said"),
    [
        (0, b"data of somebody's", "data of an unknown kind"),
        (32 * MIB - 512, b"GPT's copy", "data of an unknown kind"),
        (65536 + 64, b"_BHRfS_M", "btrfs"),
    ],
    ids=["beginning", "end", "signature"],
)
def test_over_data_nothing_is_made(disk: Path, at: int, data: bytes, said: str) -> None:
    write(disk, at, data)
    before = disk.read_bytes()
    if said == "btrfs" and "btrfs" not in lun.state(str(disk), OURS):
        said = "data of an unknown kind"  # blkid wants more of it than its name
    with pytest.raises(SystemExit) as refused:
        lun.prepare("database")
    assert said in str(refused.value) and "Nothing was written to it" in str(refused.value)
    assert disk.read_bytes() == before


def test_another_clouds_file_system_is_not_ours(disk: Path) -> None:
    lun.run(["mke2fs", "-q", "-F", "-t", "ext4", "-U", OTHER, str(disk)])
    assert lun.state(str(disk), OURS) == f"{disk} holds another ext4 file system, {OTHER}"
    with pytest.raises(SystemExit, match=f"tune2fs -U {OURS}"):
        lun.prepare("database")


def test_a_disk_that_is_not_there(disk: Path) -> None:
    disk.unlink()
    assert lun.state(str(disk), OURS) == f"{disk} is not there"
    disk.mkdir()
    assert lun.state(str(disk), OURS) == f"{disk} is no disk"


def test_what_cannot_be_filled_says_so_and_leaves_the_disk_empty(disk: Path, tmp_path: Path) -> None:
    settings = json.loads((tmp_path / "database.json").read_text()) | {"fill": ["false"]}
    (tmp_path / "database.json").write_text(json.dumps(settings))
    with pytest.raises(SystemExit, match="false ends with 1"):
        lun.prepare("database")
    assert lun.state(str(disk), OURS) == "empty"


def test_the_commands(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lun.main(["prepare", "database"])
    lun.main(["state", "database"])
    assert capsys.readouterr().out == "ok\n"
    with pytest.raises(SystemExit, match="lun state NAME"):
        lun.main(["mount"])
