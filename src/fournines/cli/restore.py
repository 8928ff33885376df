"""`fournines restore`: the databases of a cloud as they were."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.backup import say
from fournines.cli.progress import progress
from fournines.cli.reach import reach_of, reach_options
from fournines.commands import restore as restoring
from fournines.commands.apply import write_access
from fournines.commands.clouds import load_cloud
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError

HELP = """Restore the databases of a cloud from a backup. What they hold now is backed up first, beside it.

Services that write to a database are stopped; the backup is restored into a scratch instance, asked, and then takes the
place of the services' databases; services start again as `apply` starts them, with their tables brought up to date and
their accounts as the cloud file says. The cloud's secrets, its bus and its images stay as they are.

A cloud that is lost: fournines backup extract, then apply what it wrote to empty hosts, then this.

\b
Exit code: 0 done, 1 failed. After an interruption: the same command again, or apply, which starts what was stopped.

\b
Examples:
  fournines restore cloud.yaml /srv/backup/acme-20261128T020000Z --dry-run
  fournines restore cloud.yaml /srv/backup/acme-20261128T020000Z
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("path", type=click.Path(path_type=Path), metavar="BACKUP")
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="The backup key.")
@click.option("--no-copy", is_flag=True, help="Do not back up what is there now: it is lost.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be done and stop.")
@reach_options
def command(cloud: Path, path: Path, key: Path | None, **options: Any) -> None:
    wish, reach, yes = load_cloud(cloud), reach_of(options), options["yes"]
    require_valid(wish)
    if reach.names:
        raise UsageError("a restore is of the whole cloud", next="leave --hosts out")
    if not (yes or options["dry_run"]) and not sys.stdin.isatty():
        raise UsageError("restore asks before it changes anything, and nobody is here to answer", next="add --yes")
    chosen = restoring.chosen(wish, path, key)
    copy = not options["no_copy"]
    with local_lock(wish.state_dir):
        for line in restoring.foreseen(wish, chosen, copy=copy):
            click.echo(line)
        if options["dry_run"]:
            return
        if not yes:
            click.confirm("Restore?", abort=True, err=True)
        doing = restoring.restore(wish, reach.ssh(), chosen, copy=copy, say=say, reporting=progress)
        asyncio.run(doing)
        write_access(wish)
    click.echo(f"restored: the databases are as of {chosen.manifest.taken}")
