"""`fournines rotate`: other passwords, keys and certificates, with no request lost."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from fournines.cli.progress import progress
from fournines.cli.reach import reach_of, reach_options
from fournines.cli.show import show
from fournines.cloud.model import Cloud
from fournines.commands import rotate as rotating
from fournines.commands.clouds import load_cloud
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError
from fournines.operate import rotate
from fournines.plan import render
from fournines.services.rotation import PHASES

HELP = """Change what is secret in a cloud for something new: one or several of what it has, or `all`.

In up to three phases, each a plan like any other: whoever checks it takes the new one too (accept), whoever shows it
shows the new one (use), the old one is no longer valid (drop). All three are shown before the first begins. A rotation
that was interrupted is continued by the same command, from the same or another machine that has the cloud's secrets.

Without WHAT, or with --list: what can be rotated. `all` leaves out what costs something.

\b
Exit code: 0 done, 1 failed. `fournines apply` finishes the phase that was interrupted, and says so.

\b
Examples:
  fournines rotate cloud.yaml --list
  fournines rotate cloud.yaml database messaging --dry-run
  fournines rotate cloud.yaml all --yes
  fournines rotate cloud.yaml certificates
  fournines rotate cloud.yaml ca --until accept
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("what", nargs=-1, metavar="[WHAT]...")
@click.option("--list", "list_only", is_flag=True, help="Show what can be rotated, and stop.")
@click.option("--until", type=click.Choice(PHASES), help="Stop after this phase; the same command goes on.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show the plans and stop.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")
@reach_options
def command(cloud: Path, what: tuple[str, ...], list_only: bool, as_json: bool, **options: Any) -> None:
    reach, yes, dry_run = reach_of(options), options["yes"], options["dry_run"]
    if reach.names:
        raise UsageError("secrets are those of a whole cloud", next="leave --hosts out")
    wish = load_cloud(cloud)
    if list_only or not what:
        _list(wish, as_json=as_json)
        return
    names = rotate.chosen(wish, what)
    require_valid(wish)
    if not (yes or dry_run) and (as_json or not sys.stdin.isatty()):
        raise UsageError("rotate asks before it changes anything, and nobody is here to answer", next="add --yes")
    with local_lock(wish.state_dir):
        ssh = reach.ssh()
        phases = asyncio.run(rotating.planned(wish, names, ssh, options["until"] or PHASES[-1]))
        if not as_json:
            _show(wish, names, phases)
        if not dry_run:
            if not yes:
                click.confirm("Rotate?", abort=True, err=True)
            for phase in phases:
                click.echo(f"phase {phase.step.phase}", err=True)
                with progress() as report:
                    asyncio.run(rotating.carry_out(phase, ssh, report, confirmed=not yes))
    if as_json:
        plans = [{"phase": p.step.phase, **render.document(p.plan)} for p in phases]
        click.echo(json.dumps({"rotated": not dry_run, "what": names, "phases": plans}, indent=2))


def _list(cloud: Cloud, *, as_json: bool) -> None:
    known = rotate.rotations(cloud)
    begun = rotate.state(cloud)
    if as_json:
        entries = [{"name": name, "what": r.does, "cost": r.cost} for name, r in known.items()]
        state = {"what": begun.what, "phase": begun.phase, "begun": begun.begun} if begun else None
        click.echo(json.dumps({"rotations": entries, "begun": state}, indent=2))
        return
    width = max(map(len, known))
    for name, rotation in known.items():
        click.echo(f"{name:<{width}}  {rotation.does}{f' ({rotation.cost})' if rotation.cost else ''}")
    if begun:
        click.echo(f"\n{begun}; it continues with: fournines rotate {cloud.source} {' '.join(begun.what)}")


def _show(cloud: Cloud, names: Sequence[str], phases: Sequence[rotating.Planned]) -> None:
    known = rotate.rotations(cloud)
    for name in names:
        if known[name].cost:
            click.echo(f"{name}: {known[name].cost}", err=True)
    for phase in phases:
        if not phase.plan.empty:
            click.echo(f"phase {phase.step.phase}:")
            show(phase.plan)
    if all(phase.plan.empty for phase in phases):
        click.echo("Nothing to change.")
