"""`fournines restore`: the databases of a cloud as they were."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fournines.cli.backup import say, stored
from fournines.cli.progress import progress
from fournines.cli.reach import reach_of, reach_options
from fournines.cloud.model import Cloud
from fournines.commands.apply import surveyed, write_access
from fournines.commands.clouds import load_cloud
from fournines.design import require_valid
from fournines.engine import Connected, SshOptions, apply, connect, hold, local_lock
from fournines.engine.transport import ManagedHost
from fournines.errors import BackupError, HostError, UsageError
from fournines.health.look import look
from fournines.operate import backup, copies
from fournines.operate.copies import Stored
from fournines.operate.restore import FORGET, Stops, stops

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
    chosen = stored(wish, path, key)
    copies.intact(path, chosen.manifest)
    gone = [name for name in wish.regions if backup.database_part(name) not in chosen.manifest.parts]
    if gone:
        raise BackupError("this backup has no database of a region", where=", ".join(gone), next="another backup")
    with local_lock(wish.state_dir):
        _show(wish, chosen, stops(wish), copy=not options["no_copy"])
        if options["dry_run"]:
            return
        if not yes:
            click.confirm("Restore?", abort=True, err=True)
        asyncio.run(_restore(wish, reach.ssh(), chosen, copy=not options["no_copy"]))
        write_access(wish)
    click.echo(f"restored: the databases are as of {chosen.manifest.taken}")


def _show(cloud: Cloud, chosen: Stored, stopping: Stops, *, copy: bool) -> None:
    click.echo(f"backup of {chosen.manifest.taken}; everything written to the databases since then will be lost")
    if not chosen.manifest.verified:
        click.echo("it was never verified; it is asked before anything is replaced")
    for host, units in stopping.units.items():
        click.echo(f"  stop      {host}  {' '.join(units)}")
    if copy:
        click.echo(f"  back up   what is there now, to {chosen.path.parent}")
    for region in cloud.regions:
        click.echo(f"  replace   the databases of services in {region}, through the node that takes the writes")
    click.echo("  apply     starts what was stopped, brings tables and accounts up to date")


async def _restore(cloud: Cloud, ssh: SshOptions, chosen: Stored, *, copy: bool) -> None:
    async with connect(cloud.hosts, ssh) as hosts:
        hosts.require_all()
        async with hold(hosts):
            seen = await look(cloud, hosts, {})
            writers = {r.region.name: (r.writers or (copies.source(r),))[0] for r in seen.regions}
            await _stop(hosts, stops(cloud))
            if copy:
                before = await copies.take(cloud, hosts, chosen.path.parent, chosen.key, say, verify=False)
                say(f"what was there is in {before.path}")
            for region, host in writers.items():
                say(f"{host}: restoring the databases of {region}")
                answer = await copies.asked(hosts[host], "load", *chosen.part(backup.database_part(region)))
                if answer.wrong:
                    raise BackupError(
                        "the copy in this backup is not sound",
                        where=str(chosen.path),
                        why="\n        ".join(answer.wrong[:10]),
                        next="another backup; services are stopped until then, or until fournines apply",
                    )
            for host in hosts.values():
                await _run(host, FORGET)
            await _apply(cloud, hosts)


async def _stop(hosts: Mapping[str, ManagedHost], stopping: Stops) -> None:
    for host in stopping.units:
        say(f"{host}: stopping what writes to the databases")
    await asyncio.gather(*(_run(hosts[name], stopping.script(name)) for name in stopping.units))


async def _run(host: ManagedHost, script: str) -> None:
    done = await host.run(script, timeout=180.0)
    if done.status:
        raise HostError(
            f"{host.host}: a step of the restore failed",
            where=host.host,
            why=done.stderr.strip(),
            next="the same command again; or fournines apply, which starts what was stopped",
        )


async def _apply(cloud: Cloud, hosts: Connected) -> None:
    plan = await surveyed(cloud, hosts)
    cloud.secrets.save()
    with progress() as report:
        await apply(plan, hosts, report)
