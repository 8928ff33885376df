"""`fournines scale`: a host more, or less."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from fournines.cli.operation import Asked, asked_of, operate, operation_options, warn
from fournines.cli.progress import progress
from fournines.cli.show import show
from fournines.cloud.model import Cloud
from fournines.commands import growth
from fournines.commands import scale as scaling
from fournines.commands.clouds import load_cloud
from fournines.commands.private import rewrite
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError

HELP = """Add a host to a cloud, or take one out.

--add writes the host into the file, and brings it up: base, database and broker join, then services, the load balancers
last. No member of a group restarts for it.

--remove takes a host out, in phases that are shown before the first begins: it is drained; the others no longer count
on it, their queues get copies elsewhere, and it stops, its database and broker last; what the others know of it is
deleted; its entry goes from the file. Without --add and --remove: the host that the file no longer has.

Refused: the last host of a service, what would leave no majority, a second one while one is on its way. Groups that
become even, or smaller than three, want --accept-even. --lost takes out a host that will never answer again.

\b
Exit code: 0 done, 1 failed or refused. Interrupting is safe: the same command continues, from any machine.

\b
Examples:
  fournines scale cloud.yaml --add ctl4:rack1:198.18.0.14:controller
  fournines scale cloud.yaml --remove ctl4 --dry-run
  fournines scale cloud.yaml --remove ctl4 --lost
  fournines scale cloud.yaml
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.option("--add", metavar="NAME:ZONE:ADDRESS:ROLE[,ROLE]", help="A host to write into the file and bring up.")
@click.option("--remove", metavar="HOST", help="A host to take out.")
@click.option("--region", metavar="REGION", help="Of the host to add, where the cloud has several.")
@click.option("--lost", is_flag=True, help="The host will never answer again: the others take it out.")
@click.option("--accept-even", is_flag=True, help="Groups may become even, or smaller than three.")
@operation_options
def command(cloud: Path, add: str | None, remove: str | None, lost: bool, accept_even: bool, **options: Any) -> None:
    if add and remove:
        raise UsageError("--add and --remove at once", next="one host, then the other")
    if add:
        _add(cloud, add, options["region"], asked_of("scale", options))
        return
    made = load_cloud(cloud)
    take_out(made, asked_of("scale", options), scaling.Asked(remove or "", lost, accept_even))


def take_out(made: Cloud, asked: Asked, what: scaling.Asked) -> bool:
    """Whether it was done. The host's entry goes from the file, unless another machine takes its place."""
    asked.require_answer()
    require_valid(made)
    ssh = asked.reach.ssh()
    with local_lock(made.state_dir):
        leaving = asyncio.run(scaling.planned(made, what, ssh))
        name = leaving.entry.name
        if name in made.host_by_name and not what.replaces:
            growth.without_host(made, name)  # refused now rather than at the end
        for phase in leaving.phases:
            click.echo(f"phase {phase.step.phase}:")
            show(phase.plan)
        if asked.dry_run:
            return False
        if not asked.yes and not click.confirm(f"Take {name} out?", err=True):
            click.echo("Nothing was changed.", err=True)
            sys.exit(1)

        def ending() -> None:
            if name in made.host_by_name and not what.replaces:
                rewrite(made.source, growth.without_host(made, name))

        doing = scaling.carry_out(
            leaving, ssh, reporting=progress, say=warn, ending=ending, confirmed=not asked.yes, lost=what.lost
        )
        asyncio.run(doing)
    return True


def _add(path: Path, add: str, region: str | None, asked: Asked) -> None:
    asked.require_answer()
    new = growth.new_host(add)
    made = growth.with_host(load_cloud(path), new, region)
    for line in made.remarks:
        warn(line)
    if not asked.dry_run:
        made.write()
    try:
        operate(made.cloud, replace(asked, needed=(new.name,)), lambda cloud, _: cloud)
    except SystemExit:  # the answer was no
        made.undo()
        raise
