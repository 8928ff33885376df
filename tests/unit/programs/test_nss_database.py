"""A certificate database: whole or as before, and made again only for other certificates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fournines.programs import nss_database

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"


@pytest.fixture
def wanted(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "member.pem").write_text(CERTIFICATE + "key\n")
    (tmp_path / "members.pem").write_text(CERTIFICATE + CERTIFICATE.replace("MII", "MIJ"))
    return {
        "directory": str(tmp_path / "nssdb"),
        "group": "root",
        "nickname": "Cluster Cert",
        "pem": str(tmp_path / "member.pem"),
        "authorities": str(tmp_path / "members.pem"),
    }


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Commands, which make what they would."""
    commands: list[tuple[str, ...]] = []

    def run(*command: str, text: str = "") -> None:
        commands.append((*command, text) if text else command)
        if "-out" in command:
            Path(command[-1]).write_text("bundle")
        if "-N" in command:
            (Path(command[3].removeprefix("sql:")) / "cert9.db").write_text("")

    monkeypatch.setattr(nss_database, "run", run)
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    return commands


def test_it_is_made_of_both_files_and_known_again(wanted: dict[str, Any], ran: list[tuple[str, ...]]) -> None:
    assert nss_database.state(wanted) == "absent"
    nss_database.make(wanted)
    assert nss_database.state(wanted) == "ok"
    directory = Path(wanted["directory"])
    assert sorted(p.name for p in directory.iterdir()) == ["cert9.db", nss_database.DIGEST]
    assert {oct(p.stat().st_mode)[-3:] for p in directory.iterdir()} == {"640"}
    assert sum("-A" in command for command in ran) == 2, "both authorities, in the middle of their rotation"
    assert any(wanted["nickname"] in command for command in ran)


def test_another_certificate_makes_it_anew(wanted: dict[str, Any], ran: list[tuple[str, ...]]) -> None:
    nss_database.make(wanted)
    Path(wanted["pem"]).write_text("another")
    assert nss_database.state(wanted) == "made from other certificates"
    nss_database.make(wanted)
    assert nss_database.state(wanted) == "ok"
    assert [p.name for p in Path(wanted["directory"]).parent.iterdir() if p.name.startswith(".")] == []


def test_one_that_cannot_be_made_leaves_the_old_one(wanted: dict[str, Any], ran: list[tuple[str, ...]]) -> None:
    nss_database.make(wanted)
    Path(wanted["pem"]).unlink()
    with pytest.raises(FileNotFoundError):
        nss_database.make(wanted)
    assert (Path(wanted["directory"]) / "cert9.db").exists()


def test_the_commands(
    wanted: dict[str, Any],
    ran: list[tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "qnetd.json").write_text(json.dumps(wanted))
    monkeypatch.setattr(nss_database, "SETTINGS", tmp_path)
    nss_database.main(["make", "qnetd"])
    nss_database.main(["state", "qnetd"])
    assert capsys.readouterr().out == "ok\n"
    with pytest.raises(SystemExit, match="nss-database"):
        nss_database.main([])


def test_a_command_that_fails_says_so() -> None:
    with pytest.raises(SystemExit, match="sh ends with 3: no"):
        nss_database.run("sh", "-c", "echo no >&2; exit 3")
