"""Tables against migrations: heads as Alembic has them, and what each state is said for."""

from __future__ import annotations

import json
from pathlib import Path

import pymysql
import pytest

from fournines.programs import schema_state as program

FIRST = 'revision = "aaa"\ndown_revision = None\n'
SECOND = "revision: str = 'bbb'\ndown_revision: str = 'aaa'\n"
#: Merges two, and depends on one of another branch.
MERGE = 'revision = "ddd"\ndown_revision = (\n    "bbb",\n    "ccc",\n)\ndepends_on = "xxx"\n'


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package's migrations, at `bbb`."""
    folder = tmp_path / "packages/nova/versions"
    folder.mkdir(parents=True)
    (folder / "1.py").write_text(FIRST)
    (folder / "2.py").write_text(SECOND)
    (folder / "__init__.py").write_text("")
    monkeypatch.setattr(program, "PACKAGES", tmp_path / "packages")
    monkeypatch.setattr(program, "SETTINGS", tmp_path / "schema")
    (tmp_path / "nova.conf").write_text("[database]\nconnection = mysql://nova\n")
    (tmp_path / "schema").mkdir()
    return folder


def describe(tmp_path: Path, name: str = "nova", **more: str) -> None:
    where = {"config": str(tmp_path / "nova.conf"), "section": "database", "option": "connection"}
    (tmp_path / f"schema/{name}.json").write_text(json.dumps({**where, "versions": "nova/versions", **more}))


def stores(monkeypatch: pytest.MonkeyPatch, *revisions: str) -> None:
    def stored(url: str) -> set[str]:
        assert url == "mysql://nova"
        return set(revisions)

    monkeypatch.setattr(program, "stored", stored)


def test_heads_are_what_nothing_follows_or_depends_on(versions: Path) -> None:
    assert program.heads(versions) == {"bbb"}
    (versions / "3.py").write_text('revision = "ccc"\ndown_revision = "aaa"\n')
    (versions / "x.py").write_text('revision = "xxx"\ndown_revision = None\n')
    assert program.heads(versions) == {"bbb", "ccc", "xxx"}
    (versions / "4.py").write_text(MERGE)
    assert program.heads(versions) == {"ddd"}


def test_heads_of_one_branch(versions: Path) -> None:
    for branch, revision in (("expand", "eee"), ("contract", "fff")):
        (versions / f"2025.1/{branch}").mkdir(parents=True)
        (versions / f"2025.1/{branch}/1.py").write_text(f'revision = "{revision}"\ndown_revision = "bbb"\n')
    assert program.heads(versions) == {"eee", "fff"}
    assert program.heads(versions, "expand") == {"eee"}


@pytest.mark.parametrize(
    ("stored", "state"),
    [((), "no-tables"), (("bbb",), "ok"), (("aaa",), "other-version"), (("bbb", "zzz"), "other-version")],
)
def test_states(
    versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: tuple[str, ...], state: str
) -> None:
    describe(tmp_path)
    stores(monkeypatch, *stored)
    assert program.state(json.loads((tmp_path / "schema/nova.json").read_text())) == state


def test_of_one_branch_the_tables_may_have_more(
    versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (versions / "expand").mkdir()
    (versions / "expand/1.py").write_text('revision = "eee"\ndown_revision = None\n')
    describe(tmp_path, branch="expand")
    stores(monkeypatch, "eee", "zzz")
    program.main()
    stores(monkeypatch, "zzz")
    program.main()
    assert capsys.readouterr().out == "nova=ok\nnova=other-version\n"


def test_a_package_without_migrations_is_not_well(
    versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    describe(tmp_path, versions="nova/elsewhere")
    stores(monkeypatch, "bbb")
    program.main()
    assert capsys.readouterr().out == "nova=other-version\n"


@pytest.mark.parametrize("error", [OSError("away"), pymysql.OperationalError(2003, "away")])
def test_a_database_that_does_not_answer(
    versions: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    def stored(_url: str) -> set[str]:
        raise error

    monkeypatch.setattr(program, "stored", stored)
    describe(tmp_path, "b")
    describe(tmp_path, "a", config="/nonexistent")
    program.main()
    assert capsys.readouterr().out == "a=no-configuration b=no-database\n"
