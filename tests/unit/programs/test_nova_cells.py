"""Nova's cells: only those that are missing or different are touched, and the operator's own never."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from fournines.programs import nova_cells as program
from samples.asked import Database

TRANSPORT = "{scheme}://{username}:{password}@{hostname}:{port}/{path}"
COLUMNS = "name, uuid, transport_url, database_connection"
DATABASE = "{scheme}://{username}:{password}@{hostname}:{port}/%s?{query}"
CELL0 = ("cell0", "00000000-0000-0000-0000-000000000000", "none:///", DATABASE % "nova_cell0")
CELL1 = ("cell1", "c1", TRANSPORT, DATABASE % "{path}")
OPERATORS = ("edge", "c2", "rabbit://edge", "mysql://edge")


@pytest.fixture(autouse=True)
def nova(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database) -> list[list[str]]:
    """What its tool is called with; it makes both cells as they must be."""
    config = tmp_path / "nova.conf"
    config.write_text("[database]\nconnection = other\n[api_database]\nconnection = api\n")
    monkeypatch.setattr(program, "CONFIG", config)
    commands: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[Any]:
        assert check, "one that fails ends it"
        commands.append(command)
        database.table("cell_mappings", COLUMNS, CELL0, CELL1)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def said(capsys: pytest.CaptureFixture[str], action: str) -> str:
    program.main([action, TRANSPORT])
    return capsys.readouterr().out.strip()


def test_as_they_must_be(nova: list[list[str]], database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    database.table("cell_mappings", COLUMNS, CELL0, CELL1, OPERATORS)
    assert said(capsys, "check") == said(capsys, "apply") == "ok"
    assert nova == []
    assert set(database.urls) == {"api"}


def test_both_are_made(nova: list[list[str]], database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    database.table("cell_mappings", COLUMNS)
    assert said(capsys, "check") == "cell0, cell1"
    assert said(capsys, "apply") == "ok"
    head = ["nova-manage", "cell_v2"]
    assert nova == [
        [*head, "map_cell0", "--database_connection", CELL0[3]],
        [*head, "create_cell", "--name", "cell1", "--transport-url", TRANSPORT, "--database_connection", CELL1[3]],
    ]


@pytest.mark.parametrize(
    ("rows", "name", "uuid"),
    [
        ([CELL0, ("cell1", "c1", "rabbit://older", CELL1[3])], "cell1", "c1"),
        ([CELL0, ("cell1", "c1", TRANSPORT, "mysql://older")], "cell1", "c1"),
        ([(*CELL0[:3], "mysql://older"), CELL1], "cell0", CELL0[1]),
    ],
    ids=["transport", "database", "cell0"],
)
def test_a_different_one_is_changed(
    nova: list[list[str]],
    database: Database,
    capsys: pytest.CaptureFixture[str],
    rows: list[tuple[str, ...]],
    name: str,
    uuid: str,
) -> None:
    database.table("cell_mappings", COLUMNS, *rows)
    assert said(capsys, "check") == name
    assert said(capsys, "apply") == "ok"
    ((*_, action, option, which, _, transport, _, _),) = nova
    assert (action, option, which) == ("update_cell", "--cell_uuid", uuid)
    assert transport == (TRANSPORT if name == "cell1" else "none:///")


def test_anything_else_is_answered_with_how_it_is_called() -> None:
    with pytest.raises(SystemExit, match="nova-cells check TRANSPORT"):
        program.main(["check"])
