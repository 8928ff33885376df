"""`fournines backup`: taken, verified, listed, and taken apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from fournines.cli.reach import reach_of, reach_options
from fournines.commands import backup as backups
from fournines.commands.backup import document, key_for, listed, stored
from fournines.commands.clouds import load_cloud
from fournines.errors import BackupError, UsageError
from fournines.operate import backup, copies
from fournines.operate.copies import Stored

HELP = """Back up a cloud: its database as it is, while writes go on, its secrets, its bus's definitions, Swift's rings.

Copied from a Galera node that does not take the writes and that nobody waits for meanwhile; encrypted on this machine
(AES-256-GCM) with a key that is made at the first backup: keep a copy of it apart from the backups. Each backup is
verified before it counts: restored into a scratch instance on that node, and asked.

\b
Exit code: 0 done, 1 failed (nothing is left behind).

\b
Examples:
  fournines backup cloud.yaml --to /srv/backup
  fournines backup cloud.yaml --to /srv/backup --keep 14
  fournines backup list /srv/backup
  fournines backup verify cloud.yaml /srv/backup/acme-20261128T020000Z
  fournines backup extract cloud.yaml /srv/backup/acme-20261128T020000Z --to rescued
"""


class _Group(click.Group):
    """`fournines backup CLOUD …` is `fournines backup take CLOUD …`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["take", *args])


def _help(text: str, example: str) -> str:
    return f"{text}\n\n\b\nExamples:\n  {example}\n"


@click.group(cls=_Group, help=HELP)
def command() -> None:
    pass


_KEY = click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE", help="The backup key; else CLOUD.backup-key by the file."
)


@command.command(
    help=_help("Take a backup, and verify it.", "fournines backup take cloud.yaml --to /srv/backup --keep 14")
)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.option("--to", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where backups are kept.")
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Remove older ones beyond N verified ones.")
@_KEY
@click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")
@reach_options
def take(cloud: Path, to: Path, keep: int | None, key: Path | None, as_json: bool, **options: Any) -> None:
    wish, reach = load_cloud(cloud), reach_of(options)
    if reach.names:
        raise UsageError("a backup is of the whole cloud", next="leave --hosts out")
    secret = key_for(wish, key, say)
    taken = asyncio.run(backups.take(wish, reach.ssh(), to, secret, say, keep=keep))
    manifest = taken.made.manifest
    if as_json:
        removed = [str(path) for path in taken.removed]
        click.echo(json.dumps({"path": str(taken.made.path), "removed": removed, **document(manifest)}, indent=2))
        return
    click.echo(f"{taken.made.path}: {_summary(manifest)}")
    for old in taken.removed:
        click.echo(f"removed {old}")


def say(text: str) -> None:
    click.echo(text, err=True)


@command.command(
    "list", help=_help("List the backups in a directory, oldest first.", "fournines backup list /srv/backup")
)
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_(directory: Path, as_json: bool) -> None:
    if not directory.is_dir():
        raise BackupError(f"{directory} is no directory", next="fournines backup CLOUD --to DIR")
    if as_json:
        click.echo(json.dumps(listed(directory), indent=2))
        return
    every = backup.found(directory)
    for entry in every:
        click.echo(f"{entry.path.name}  {_summary(entry.manifest) if entry.manifest else entry.problem}")
    if not every:
        click.echo(f"no backups in {directory}", err=True)


def _summary(manifest: backup.Manifest) -> str:
    size = sum(p.size for p in manifest.parts.values()) / 1e6
    tables = [count for region in manifest.rows.values() for count in region.values()]
    asked = f"verified: {len(tables)} tables, {sum(tables):,} rows" if manifest.verified else "not verified"
    return f"taken {manifest.taken}, {size:,.1f} MB, {asked}"


@command.command(
    help=_help(
        "Restore a backup into a scratch instance beside the database, and compare.",
        "fournines backup verify cloud.yaml /srv/backup/acme-20261128T020000Z",
    )
)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("path", type=click.Path(path_type=Path), metavar="BACKUP")
@_KEY
@reach_options
def verify(cloud: Path, path: Path, key: Path | None, **options: Any) -> None:
    wish, reach = load_cloud(cloud), reach_of(options)
    chosen = stored(wish, path, key)
    tables, rows = asyncio.run(backups.verify(wish, reach.ssh(), chosen, say))
    click.echo(f"{path}: good, {tables} tables, {rows:,} rows, as when it was taken")


@command.command(
    help=_help(
        "Write what is beside the database in a backup: cloud file, secrets, definitions, rings.",
        "fournines backup extract cloud.yaml /srv/backup/acme-20261128T020000Z --to rescued",
    )
)
@click.argument("cloud", metavar="CLOUD|NAME")
@click.argument("path", type=click.Path(path_type=Path), metavar="BACKUP")
@click.option("--to", type=click.Path(path_type=Path), required=True, metavar="DIR", help="A directory to write into.")
@_KEY
def extract(cloud: str, path: Path, to: Path, key: Path | None) -> None:
    """CLOUD may be lost: then its name and --key are enough."""
    if Path(cloud).is_file():
        chosen = stored(load_cloud(Path(cloud)), path, key)
    else:
        if key is None:
            raise UsageError(f"there is no cloud file {cloud}", next="with the cloud's name, give --key FILE as well")
        secret = copies.key_of(key, make=False)
        chosen = Stored(path, backup.read(path, key=secret, cloud=cloud), secret)
    _list(copies.extract(chosen, to), to)


def _list(names: Iterable[str], to: Path) -> None:
    for name in names:
        click.echo(to / name)
