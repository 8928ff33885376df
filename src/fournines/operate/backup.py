"""What a backup is on disk, and which one a command means. Pure, but for reading and listing a directory.

DIR/CLOUD-20261128T153000Z/
  manifest.json     what it holds, signed with the backup key; nothing secret
  NAME.sealed       a part each, encrypted (`sealed`)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fournines.errors import BackupError
from fournines.operate import sealed

FORMAT = 1
MANIFEST = "manifest.json"
STATE = "state"
_NAME = re.compile(r"(?P<cloud>.+)-(?P<stamp>\d{8}T\d{6}Z)")
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Part:
    """size, sha256: of the encrypted file. source: the host that it came from, "" for this machine."""

    size: int
    sha256: str
    source: str = ""


@dataclass(frozen=True)
class Manifest:
    """key: fingerprint of the backup key. positions: region -> Galera's UUID:SEQNO at which its database stands. rows:
    region -> table -> rows, counted in the restored copy when the backup was verified; empty: it was not."""

    cloud: str
    release: str
    taken: str
    key: str
    parts: Mapping[str, Part]
    positions: Mapping[str, str] = field(default_factory=dict[str, str])
    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    format: int = FORMAT

    @property
    def verified(self) -> bool:
        return bool(self.rows)


@dataclass(frozen=True)
class Found:
    """One that lies in a directory. problem: why it cannot be used, "" if nothing is known against it."""

    path: Path
    manifest: Manifest | None
    problem: str = ""


def database_part(region: str) -> str:
    return f"database.{region}"


def directory_name(cloud: str, at: datetime) -> str:
    return f"{cloud}-{at.astimezone(UTC).strftime(_STAMP)}"


def dumps(manifest: Manifest, key: str) -> str:
    document = asdict(manifest)
    document["signature"] = sealed.signature(key, _canonical(document))
    return json.dumps(document, indent=2) + "\n"


def loads(text: str, where: str, *, key: str = "", cloud: str = "") -> Manifest:
    """Raises BackupError: damaged, of a newer format, of another key (`key`) or of another cloud (`cloud`)."""
    try:
        document: dict[str, Any] = json.loads(text)
        version = int(document["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError("this is no manifest of a backup, or a damaged one", where=where, why=str(error)) from error
    if version > FORMAT:
        raise BackupError(
            f"this backup has format {version}; this fournines knows {FORMAT} and older",
            where=where,
            next="use the version of fournines that took it, or a newer one",
        )
    signed = document.pop("signature", "")
    try:
        values: dict[str, Any] = {**document, "parts": {str(n): Part(**p) for n, p in document["parts"].items()}}
        manifest = Manifest(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError("the manifest of this backup is damaged", where=where, why=str(error)) from error
    if cloud and manifest.cloud != cloud:
        raise BackupError(
            f"this is a backup of cloud {manifest.cloud}, not of {cloud}",
            where=where,
            why="its accounts, addresses and keys are another cloud's",
            next=f"fournines backup list DIR: those of {cloud} begin with {cloud}-",
        )
    if key:
        _require_signed(manifest, key, signed, document, where)
    return manifest


def _require_signed(manifest: Manifest, key: str, signed: str, document: Mapping[str, Any], where: str) -> None:
    if manifest.key != sealed.fingerprint(key):
        raise BackupError(
            "this backup was encrypted with another key",
            where=where,
            why=f"it needs the key with fingerprint {manifest.key}; the one given has {sealed.fingerprint(key)}",
            next="--key FILE: the key file of the time when the backup was taken",
        )
    if signed != sealed.signature(key, _canonical(document)):
        raise BackupError(
            "the manifest of this backup was changed after it was taken",
            where=where,
            next="use another backup: fournines backup list DIR",
        )


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def read(path: Path, *, key: str = "", cloud: str = "") -> Manifest:
    """The manifest of the backup in directory `path`. Raises BackupError."""
    file = path / MANIFEST
    try:
        text = file.read_text()
    except OSError as error:
        raise BackupError(
            f"{path} is not a backup",
            where=str(file),
            why=error.strerror or str(error),
            next=f"fournines backup list {path.parent}",
        ) from error
    except UnicodeDecodeError as error:
        raise BackupError("the manifest of this backup is damaged", where=str(file), why=str(error)) from error
    return loads(text, str(file), key=key, cloud=cloud)


def found(directory: Path, cloud: str = "") -> list[Found]:
    """Backups in `directory`, oldest first; of one cloud or of all."""
    listed: list[Found] = []
    named = ((path, _NAME.fullmatch(path.name)) for path in directory.glob("*") if path.is_dir())
    paths = [path for path, name in named if name and (not cloud or name["cloud"] == cloud)]
    for path in sorted(paths, key=lambda p: p.name.rpartition("-")[2]):
        try:
            listed.append(Found(path, read(path)))
        except BackupError as error:
            listed.append(Found(path, None, error.what))
    return listed


def superfluous(backups: Sequence[Found], keep: int) -> list[Found]:
    """Those of one cloud to remove, so that the `keep` newest verified ones remain, and whatever is newer than the
    oldest of them."""
    good = [b for b in backups if b.manifest and b.manifest.verified]
    if keep < 1 or len(good) <= keep:
        return []
    return list(backups[: backups.index(good[-keep])])


def differences(then: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """How the rows that were counted now differ from those when the backup was taken."""
    return [
        f"{table}: {then.get(table, 'no such table')} rows then, {now.get(table, 'no such table')} now"
        for table in sorted({*then, *now})
        if then.get(table) != now.get(table)
    ]
