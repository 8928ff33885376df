"""Backups as they are taken, verified and looked up: what the command line and the jobs of the API call."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fournines.cloud.model import Cloud
from fournines.engine import SshOptions, connect, hold
from fournines.health.look import look
from fournines.operate import backup, copies
from fournines.operate.copies import Stored

Say = Callable[[str], None]


@dataclass(frozen=True)
class Taken:
    """removed: older ones, beyond those to keep."""

    made: Stored
    removed: tuple[Path, ...]


def key_path(cloud: Cloud, given: Path | None = None) -> Path:
    return given or cloud.source.parent / f"{cloud.name}.backup-key"


def key_for(cloud: Cloud, given: Path | None, say: Say) -> str:
    """The backup key, made at the first backup. Raises BackupError."""
    file = key_path(cloud, given)
    is_new = not file.exists()
    secret = copies.key_of(file, make=True)
    if is_new:
        say(f"new backup key: {file}. Keep a copy apart from the backups: nothing opens them without it")
    return secret


async def take(cloud: Cloud, ssh: SshOptions, directory: Path, key: str, say: Say, *, keep: int | None) -> Taken:
    """Verified. Raises FourninesError: nothing is left behind."""
    async with connect(cloud.hosts, ssh) as hosts:
        hosts.require_all()
        async with hold(hosts):
            made = await copies.take(cloud, hosts, directory, key, say)
    removed = backup.superfluous(backup.found(directory, cloud.name), keep) if keep else []
    for old in removed:
        shutil.rmtree(old.path)
    return Taken(made, tuple(old.path for old in removed))


def stored(cloud: Cloud, path: Path, key: Path | None = None) -> Stored:
    """Raises BackupError: not one of this cloud, of this key and of a format that is known."""
    secret = copies.key_of(key_path(cloud, key), make=False)
    return Stored(path, backup.read(path, key=secret, cloud=cloud.name), secret)


async def verify(cloud: Cloud, ssh: SshOptions, chosen: Stored, say: Say) -> tuple[int, int]:
    """Tables and rows that it has, as when it was taken. Raises FourninesError."""
    async with connect(cloud.hosts, ssh) as hosts:
        hosts.require_all()
        seen = await look(cloud, hosts, {})
        regions = {region.region.name: copies.source(region) for region in seen.regions}
        rows = await copies.verify(chosen, hosts, regions, say)
    counts = [count for tables in rows.values() for count in tables.values()]
    return len(counts), sum(counts)


def listed(directory: Path, cloud: str = "") -> list[dict[str, Any]]:
    """Oldest first. One that cannot be read has a `problem`."""
    return [
        {"path": str(f.path), "problem": f.problem, **(document(f.manifest) if f.manifest else {})}
        for f in backup.found(directory, cloud)
    ]


def document(manifest: backup.Manifest) -> dict[str, Any]:
    return {
        "cloud": manifest.cloud,
        "taken": manifest.taken,
        "verified": manifest.verified,
        "bytes": sum(p.size for p in manifest.parts.values()),
        "rows": sum(sum(tables.values()) for tables in manifest.rows.values()),
        "positions": manifest.positions,
        "key": manifest.key,
    }
