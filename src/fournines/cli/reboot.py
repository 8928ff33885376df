"""`fournines reboot`: one host after another, drained before and fully redundant after."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.operation import asked_of, operation_options, warn
from fournines.cli.progress import progress
from fournines.cli.show import show
from fournines.commands import reboot as rebooting
from fournines.commands.clouds import load_cloud
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.operate import reboot

HELP = """Reboot a host, the hosts of a zone, or all: each is drained, rebooted, waited for until the cloud is fully
redundant again, and undrained, before the next one.

The VIPs' holder and the database writer come last. What is still to do is kept on the hosts: after an interruption the
same command continues. Servers of a compute stop with it.

\b
Exit code: 0 done, 1 failed or refused.

\b
Examples:
  fournines reboot cloud.yaml ctl2
  fournines reboot cloud.yaml rack1 --yes
  fournines reboot cloud.yaml all --reason "kernel update" --dry-run
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("target", metavar="HOST|ZONE|all")
@click.option("--reason", default="reboot", metavar="TEXT", help="Why; `fournines status` shows it meanwhile.")
@operation_options
def command(cloud: Path, target: str, reason: str, **options: Any) -> None:
    made = load_cloud(cloud)
    hosts = reboot.targets(made, target)
    asked = asked_of("reboot", options, tuple(h.name for h in hosts))
    asked.require_answer()
    require_valid(made)
    how = rebooting.How(reason, asked.reach.ssh(), warn, progress)
    with local_lock(made.state_dir):
        found = asyncio.run(rebooting.planned(made, hosts, how))
        names = ", ".join(h.name for h in found.queue)
        click.echo(f"each drained, rebooted, and undrained, one after another: {names}")
        if not found.plan.empty:
            click.echo(f"to drain {found.queue[0].name}:")
            show(found.plan)
        if asked.dry_run:
            return
        if not asked.yes and not click.confirm(f"Reboot {names}?", err=True):
            click.echo("Nothing was changed.", err=True)
            sys.exit(1)
        asyncio.run(rebooting.reboot_all(made, found, how))
