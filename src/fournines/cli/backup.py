"""`fournines backup`: taken, verified, listed, and taken apart."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from fournines.cli.reach import reach_of, reach_options
from fournines.cloud.model import Cloud
from fournines.commands.clouds import load_cloud
from fournines.engine import SshOptions, connect, hold
from fournines.errors import BackupError, UsageError
from fournines.health.look import look
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


def key_path(cloud: Cloud, given: Path | None) -> Path:
    return given or cloud.source.parent / f"{cloud.name}.backup-key"


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
    file = key_path(wish, key)
    is_new = not file.exists()
    secret = copies.key_of(file, make=True)
    if is_new:
        click.echo(
            f"new backup key: {file}. Keep a copy apart from the backups: nothing opens them without it", err=True
        )
    made = asyncio.run(_take(wish, reach.ssh(), to, secret))
    removed = backup.superfluous(backup.found(to, wish.name), keep) if keep else []
    for old in removed:
        shutil.rmtree(old.path)
    if as_json:
        document = {"path": str(made.path), "removed": [str(r.path) for r in removed], **_document(made.manifest)}
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"{made.path}: {_summary(made.manifest)}")
    for old in removed:
        click.echo(f"removed {old.path}")


async def _take(cloud: Cloud, ssh: SshOptions, directory: Path, key: str) -> Stored:
    async with connect(cloud.hosts, ssh) as hosts:
        hosts.require_all()
        async with hold(hosts):
            return await copies.take(cloud, hosts, directory, key, say)


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
    listed = backup.found(directory)
    if as_json:
        entries = [
            {"path": str(f.path), "problem": f.problem, **(_document(f.manifest) if f.manifest else {})} for f in listed
        ]
        click.echo(json.dumps(entries, indent=2))
        return
    for entry in listed:
        click.echo(f"{entry.path.name}  {_summary(entry.manifest) if entry.manifest else entry.problem}")
    if not listed:
        click.echo(f"no backups in {directory}", err=True)


def _document(manifest: backup.Manifest) -> dict[str, Any]:
    return {
        "cloud": manifest.cloud,
        "taken": manifest.taken,
        "verified": manifest.verified,
        "bytes": sum(p.size for p in manifest.parts.values()),
        "rows": sum(sum(tables.values()) for tables in manifest.rows.values()),
        "positions": manifest.positions,
        "key": manifest.key,
    }


def _summary(manifest: backup.Manifest) -> str:
    size = sum(p.size for p in manifest.parts.values()) / 1e6
    tables = [count for region in manifest.rows.values() for count in region.values()]
    asked = f"verified: {len(tables)} tables, {sum(tables):,} rows" if manifest.verified else "not verified"
    return f"taken {manifest.taken}, {size:,.1f} MB, {asked}"


def stored(cloud: Cloud, path: Path, key: Path | None) -> Stored:
    """Raises BackupError: not one of this cloud, of this key and of a format that is known."""
    secret = copies.key_of(key_path(cloud, key), make=False)
    return Stored(path, backup.read(path, key=secret, cloud=cloud.name), secret)


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
    rows = asyncio.run(_verify(wish, reach.ssh(), chosen))
    counts = [count for tables in rows.values() for count in tables.values()]
    click.echo(f"{path}: good, {len(counts)} tables, {sum(counts):,} rows, as when it was taken")


async def _verify(cloud: Cloud, ssh: SshOptions, chosen: Stored) -> dict[str, Any]:
    async with connect(cloud.hosts, ssh) as hosts:
        hosts.require_all()
        seen = await look(cloud, hosts, {})
        regions = {region.region.name: copies.source(region) for region in seen.regions}
        return await copies.verify(chosen, hosts, regions, say)


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
