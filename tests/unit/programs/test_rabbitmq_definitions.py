"""The bus's vhosts, accounts and permissions: of a server that stands for the management API."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fournines.programs import rabbitmq_definitions as program
from samples.asked import Api

USER = {"name": "nova", "password_hash": "hash", "tags": []}
PERMISSION = {"user": "nova", "vhost": "nova", "configure": ".*", "write": ".*", "read": ".*"}
DEFINITIONS: dict[str, Any] = {"vhosts": [{"name": "nova"}], "users": [USER], "permissions": [PERMISSION]}
GET, POST = "GET /api/definitions", "POST /api/definitions"


@pytest.fixture
def digest(tmp_path: Path, api: Api, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of the settings, of a broker that has all of it and more."""
    wanted = {
        "url": f"{api.url}/api/definitions",
        "cafile": None,
        "user": "fournines",
        "password": "secret",
        "generations": [r"nova(\.\d+)?"],
        "definitions": DEFINITIONS,
    }
    path = tmp_path / "rabbitmq.json"
    path.write_text(json.dumps(wanted))
    monkeypatch.setattr(program, "SETTINGS", path)
    own = {"name": "fournines", "password_hash": "x", "tags": ["administrator"]}
    api.answers[GET] = (200, {**DEFINITIONS, "users": [{**USER, "limits": {}}, own]})
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def controlled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What RabbitMQ's own tool is told, of a broker without that administrator."""
    told: list[tuple[str, ...]] = []

    def run(command: list[str], *, input: str | None, check: bool, **_: Any) -> subprocess.CompletedProcess[str]:
        told.append((*command[2:], *([input] if input else [])))
        failed = command[2] == "change_password"
        assert not (failed and check)
        return subprocess.CompletedProcess(command, int(failed))

    monkeypatch.setattr(subprocess, "run", run)
    return told


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    program.main(list(words))
    return capsys.readouterr().out.strip()


def test_all_is_there(api: Api, digest: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "check", digest) == "ok"
    assert api.asked[0].headers["authorization"] == "Basic Zm91cm5pbmVzOnNlY3JldA=="


def test_another_document_is_not_compared(api: Api, digest: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "check", "0" * 64) == "another document"
    assert api.asked == []


@pytest.mark.parametrize(
    ("present", "different"),
    [
        ({"vhosts": []}, "vhosts nova"),
        ({"users": [{**USER, "password_hash": "older"}]}, "users nova"),
        ({"permissions": [{**PERMISSION, "read": ""}]}, "permissions nova"),
        ({"users": [USER, {**USER, "name": "cmp9", "tags": ["host"]}]}, "cmp9 is of no host"),
        ({"users": [USER, {**USER, "name": "nova.7"}]}, "nova.7 is of no host, or of an earlier rotation"),
    ],
)
def test_differences(present: dict[str, Any], different: str) -> None:
    wanted = {"definitions": DEFINITIONS, "generations": [r"nova(\.\d+)?"]}
    (one,) = program.differences(wanted, {**DEFINITIONS, **present})
    assert one.startswith(different)


def test_operators_accounts_are_left_alone() -> None:
    wanted = {"definitions": DEFINITIONS, "generations": [r"nova(\.\d+)?"]}
    users = [USER, {**USER, "name": "nova-monitor"}, {**USER, "name": "guest", "tags": ["management"]}]
    assert list(program.differences(wanted, {**DEFINITIONS, "users": users})) == []


def test_a_wrong_password_of_the_administrator_is_said(
    api: Api, digest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers[GET] = (401, None)
    assert said(capsys, "check", digest) == "the password of fournines"


def test_it_is_posted_and_who_is_gone_is_deleted(api: Api, digest: str, capsys: pytest.CaptureFixture[str]) -> None:
    old = {**DEFINITIONS, "users": [USER, {**USER, "name": "nova.7"}]}
    api.answers |= {POST: (204, None), GET: [(200, old), (200, DEFINITIONS)], "DELETE /api/users/nova.7": (204, None)}
    assert said(capsys, "apply") == "ok"
    assert api.changes() == [(POST, DEFINITIONS), ("DELETE /api/users/nova.7", None)]


def test_an_administrator_who_is_refused_is_made(
    api: Api, digest: str, controlled: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers[POST] = [(401, None), (204, None)]
    assert said(capsys, "apply") == "ok"
    assert controlled == [
        ("change_password", "fournines", "secret\n"),
        ("add_user", "fournines", "secret\n"),
        ("set_user_tags", "fournines", "administrator"),
    ], "a password goes by stdin: every user of the host can read command lines"


def test_any_other_refusal_ends_it(api: Api, digest: str) -> None:
    api.answers[POST] = (400, {"reason": "bad"})
    with pytest.raises(OSError, match="400"):
        program.main(["apply"])


def test_anything_else_is_answered_with_how_it_is_called(digest: str) -> None:
    with pytest.raises(SystemExit, match="rabbitmq-definitions check SHA256"):
        program.main(["check"])
