"""Secrets on disk: never readable by others, never half written, never overwritten unseen."""

from __future__ import annotations

import copy
import os
import pickle
import stat
from pathlib import Path

import pytest

from fournines.cloud.secrets import Secret, Secrets
from fournines.errors import CloudFileError, LockedError

PEM = "-----BEGIN KEY-----\nabc+/=\n-----END KEY-----\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acme.secrets.yaml"


def test_a_secret_is_made_once_and_kept(path: Path) -> None:
    secrets = Secrets.load(path)
    made = secrets.get("keystone.admin")
    assert len(made) == 32
    assert secrets.get("keystone.admin") == made
    assert secrets.unsaved
    secrets.save()
    assert not secrets.unsaved
    assert Secrets.load(path).get("keystone.admin", lambda: "another") == made


def test_every_text_survives(path: Path) -> None:
    values = {
        "pem": PEM,
        "odd": "'x': #y \"z\" \\ $@:/%?&*!|>{}[]",
        "no": "no",
        "number": "123",
        "null": "~",
    }
    secrets = Secrets.load(path)
    for name, value in values.items():
        secrets.set(name, value)
    secrets.save()
    again = Secrets.load(path)
    assert {n: again.get(n) for n in again.names()} == values
    assert "\n  abc+/=\n" in path.read_text()


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    secrets = Secrets.load(path)
    secrets.get("a")
    secrets.save()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_uid == path.parent.stat().st_uid


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_lax_mode_is_refused(path: Path, mode: int) -> None:
    path.write_text("a: secret-value\n")
    path.chmod(mode)
    with pytest.raises(CloudFileError) as refused:
        Secrets.load(path)
    assert f"mode {mode:04o}" in str(refused.value)
    assert f"chmod 600 {path}" in str(refused.value)
    assert "secret-value" not in str(refused.value)


@pytest.mark.parametrize("text", ["[a]", "a: 1", "a: {b: c}", "a: [", "x", "1: a", "\x00"])
def test_a_damaged_file_is_refused_without_showing_it(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(CloudFileError, match="is damaged"):
        Secrets.load(path)


@pytest.mark.parametrize(
    ("value", "next"),
    [
        ("12345678", "put its value in quotes"),
        ("1e9", "put its value in quotes"),
        ("true", "put its value in quotes"),
        ("2025-01-01", "put its value in quotes"),
        ("", "a new one is made"),
        ("[a]", "a new one is made"),
        ('"a\\nb"', "printable ASCII"),
        ('"a\\tb"', "printable ASCII"),
        ('" a"', "without blanks at its ends"),
        ("pass-wörd", "printable ASCII"),
        ('""', "printable ASCII"),
    ],
)
def test_a_value_that_cannot_be_written_everywhere_is_refused_by_its_name(path: Path, value: str, next: str) -> None:
    path.write_text(f"fine: x\nkeystone.admin: {value}\n")
    path.chmod(0o600)
    with pytest.raises(CloudFileError, match=r"keystone\.admin") as refused:
        Secrets.load(path)
    assert next in refused.value.next
    assert not value or value not in str(refused.value)


def test_an_empty_file_has_no_secrets(path: Path) -> None:
    path.touch(0o600)
    assert Secrets.load(path).names() == ()


def test_a_directory_in_its_place(path: Path) -> None:
    path.mkdir(0o700)
    with pytest.raises(CloudFileError, match="cannot be read"):
        Secrets.load(path)


def test_another_run_s_secrets_are_not_overwritten(path: Path) -> None:
    one, other = Secrets.load(path), Secrets.load(path)
    one.get("a")
    other.get("b")
    one.save()
    with pytest.raises(LockedError, match="another run"):
        other.save()
    assert Secrets.load(path).names() == ("a",)
    one.get("c")
    one.save()
    assert Secrets.load(path).names() == ("a", "c")


def test_a_crash_while_writing_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = Secrets.load(path)
    secrets.get("a")
    secrets.save()
    before = path.read_bytes()
    secrets.get("b")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CloudFileError, match="cannot be written") as refused:
        secrets.save()
    assert "No space left" in str(refused.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    assert secrets.unsaved


def test_what_a_killed_run_left_is_no_obstacle(path: Path) -> None:
    path.with_name(f".new.{path.name}").write_text("half")
    secrets = Secrets.load(path)
    secrets.get("a")
    secrets.save()
    assert list(path.parent.iterdir()) == [path]


def test_nothing_new_writes_nothing(path: Path) -> None:
    Secrets.load(path).save()
    assert not path.exists()
    Secrets({"a": "b"}).save()


def test_names_are_shown_values_never() -> None:
    assert repr(Secrets({"a": "value"})) == "Secrets(a)"


def test_a_secret_survives_a_copy() -> None:
    """openstacksdk copies its configuration, and the prober's processes get theirs pickled."""
    secret = Secret("p@ss", "keystone.admin", "cloud.secrets.yaml")
    for copied in (copy.deepcopy({"password": secret})["password"], pickle.loads(pickle.dumps(secret))):
        assert (copied, copied.name, copied.file) == ("p@ss", "keystone.admin", "cloud.secrets.yaml")


def test_a_credential_of_systemd_may_be_readable_by_what_looks_like_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "acme.secrets.yaml"
    path.write_text("a: b\n")
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Secrets.load(path).get("a") == "b"
    path.chmod(0o444)
    with pytest.raises(CloudFileError, match="open to other users"):
        Secrets.load(path)
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "other"))
    with pytest.raises(CloudFileError, match="open to other users"):
        Secrets.load(path)
