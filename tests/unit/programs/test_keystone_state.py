"""What Keystone's tables hold of the first region: judged by the tables themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from fournines.programs import keystone_state as program
from samples.asked import Database

URL = "mysql+pymysql://keystone:secret@198.18.0.100/keystone"
WORDS = ["bootstrap", "phx", "https://in:5000/v3", "https://out:5000/v3", "mark"]
ENDPOINTS = [
    ("internal", "https://in:5000/v3", "phx", "s1", 1),
    ("public", "https://out:5000/v3", "phx", "s1", 1),
]


@pytest.fixture(autouse=True)
def keystone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database) -> Path:
    """A Keystone that is as it must be. Its mark."""
    config, mark = tmp_path / "keystone.conf", tmp_path / "mark"
    config.write_text(f"[database]\nconnection = {URL}\n")
    mark.write_text("mark\n")
    monkeypatch.setattr(program, "CONFIG", config)
    monkeypatch.setattr(program, "APPLIED", mark)
    database.table("service", "id, type", ("s1", "identity"), ("s2", "compute"))
    database.table("endpoint", "interface, url, region_id, service_id, enabled", *ENDPOINTS)
    database.table("local_user", "user_id, name", ("u1", "admin"), ("u2", "nova"))
    database.table("role", "id, name", ("r1", "admin"), ("r2", "service"))
    database.table("assignment", "actor_id, role_id", ("u1", "r1"), ("u2", "r2"))
    return mark


def said(capsys: pytest.CaptureFixture[str]) -> str:
    program.main(WORDS)
    return capsys.readouterr().out.strip()


def test_as_it_must_be(capsys: pytest.CaptureFixture[str], database: Database) -> None:
    assert said(capsys) == "ok"
    assert set(database.urls) == {URL}


@pytest.mark.parametrize(
    "endpoints",
    [
        ENDPOINTS[:1],
        [ENDPOINTS[0], ("public", "https://other:5000/v3", "phx", "s1", 1)],
        [ENDPOINTS[0], (*ENDPOINTS[1][:4], 0)],
        [ENDPOINTS[0], (*ENDPOINTS[1][:3], "s2", 1)],
        [ENDPOINTS[0], ("public", "https://out:5000/v3", "ams", "s1", 1)],
    ],
    ids=["missing", "other url", "disabled", "of another service", "of another region"],
)
def test_endpoints(endpoints: list[tuple[object, ...]], database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    database.table("endpoint", "interface, url, region_id, service_id, enabled", *endpoints)
    assert said(capsys) == "endpoints missing or different"


def test_an_administrator_without_his_role(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    database.table("assignment", "actor_id, role_id", ("u1", "r2"), ("u2", "r1"))
    assert said(capsys) == "no administrator"


def test_the_password_that_was_last_set(keystone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keystone.write_text("an older mark\n")
    assert said(capsys) == "another password of the administrator"
    keystone.unlink()
    assert said(capsys) == "another password of the administrator"


def test_anything_else_is_answered_with_how_it_is_called() -> None:
    with pytest.raises(SystemExit, match="keystone-state bootstrap REGION"):
        program.main(["bootstrap", "phx"])
