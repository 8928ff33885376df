"""`scale --add` as typed: what is refused, and what the cloud file is then."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fournines.cli import scale as command
from fournines.cloud.model import Cloud
from fournines.errors import CloudFileError, UsageError

ADDED = "ctl4:rack1:198.18.0.14:controller"
EXAMPLE = Path(__file__).parents[3] / "examples/three-controllers.yaml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(EXAMPLE, tmp_path / "cloud.yaml"))


def scale(*words: str | Path) -> Result:
    return CliRunner().invoke(command.command, [str(word) for word in words])


def test_a_host_is_written_into_the_file_and_brought_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Cloud] = []
    monkeypatch.setattr(command, "operate", lambda cloud, *_: seen.append(cloud))
    before = file.read_text()
    done = scale(file, "--add", ADDED, "--yes")
    assert done.exit_code == 0, done.output
    assert "mariadb has 4 members then: they survive the loss of 1" in done.output
    (cloud,) = seen
    assert cloud.source == file
    assert str(cloud.host_by_name["ctl4"].address) == "198.18.0.14"
    assert file.read_text() == before + "      ctl4: {zone: rack1, address: 198.18.0.14, roles: [controller]}\n"
    assert [path.name for path in file.parent.iterdir() if "with-ctl4" in path.name] == []


def test_a_dry_run_and_a_no_leave_the_file_as_it_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_text()
    monkeypatch.setattr(command, "operate", lambda *_: sys.exit(1))
    assert scale(file, "--add", ADDED, "--yes").exit_code == 1
    assert file.read_text() == before
    monkeypatch.setattr(command, "operate", lambda *_: None)
    assert scale(file, "--add", ADDED, "--dry-run").exit_code == 0
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (("--add", "ctl4:rack1:198.18.0.14", "--yes"), UsageError, "is no host"),
        (("--add", "ctl3:rack1:198.18.0.14:controller", "--yes"), UsageError, "has ctl3 already"),
        (("--add", "ctl4:rack9:198.18.0.14:controller", "--yes"), CloudFileError, "cannot be used"),
        (("--add", "ctl4:rack1:198.18.9.14:controller", "--yes"), CloudFileError, "cannot be used"),
        (("--add", ADDED, "--remove", "ctl1", "--yes"), UsageError, "at once"),
        (("--remove", "ctl1"), UsageError, "nobody is here to answer"),
    ],
)
def test_what_is_refused_leaves_the_file_as_it_is(
    file: Path, words: tuple[str, ...], kind: type[Exception], said: str
) -> None:
    before = file.read_text()
    done = scale(file, *words)
    assert isinstance(done.exception, kind)
    assert said in str(done.exception)
    assert file.read_text() == before
