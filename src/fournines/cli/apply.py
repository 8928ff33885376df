"""`fournines apply`: bring the hosts to what the cloud file says."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.progress import progress
from fournines.cli.reach import Reach, reach_of, reach_options
from fournines.cli.show import show
from fournines.commands.apply import Wish, carry_out, look, of_saved, write_access
from fournines.commands.clouds import load_cloud
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError
from fournines.operate.rotate import state as rotation_state
from fournines.plan import render, saved

HELP = """Bring the hosts of a cloud file to what it says; or carry out a plan that was saved, exactly as it is.

Stages follow one another as services need one another. Each ends when its checks hold. Interrupting is safe at any
point: run the same command again and it continues. Nothing is changed unless every host answers (or --hosts).

\b
Exit code: 0 done or nothing to do, 1 failed.

\b
Examples:
  fournines apply cloud.yaml
  fournines apply cloud.yaml --yes --json
  fournines apply change.plan
  fournines apply cloud.yaml --hosts ctl1
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD|PLAN")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")
@reach_options
def command(cloud: Path, yes: bool, dry_run: bool, as_json: bool, **options: Any) -> None:
    reach = reach_of(options)
    wish = _read(cloud, reach)
    if begun := rotation_state(wish.cloud):
        click.echo(f"{begun}: this finishes the phase; next: fournines rotate {cloud} {' '.join(begun.what)}", err=True)
    click.echo(f"asking {len(wish.hosts)} host{'s' * (len(wish.hosts) != 1)}", err=True)
    if not (yes or dry_run) and (as_json or not sys.stdin.isatty()):
        raise UsageError("apply asks before it changes anything, and nobody is here to answer", next="add --yes")
    ssh = reach.ssh()
    with local_lock(wish.cloud.state_dir):
        plan = wish.plan or asyncio.run(look(wish, ssh))
        if not as_json:
            show(plan)
        if not (dry_run or plan.empty):
            if not yes and not click.confirm("Apply?", err=True):
                click.echo("Nothing was changed.", err=True)
                sys.exit(1)
            with progress() as report:
                plan = asyncio.run(carry_out(wish, plan, ssh, report, confirmed=not yes))
        if not dry_run and (access := write_access(wish.cloud)):
            click.echo(f"credentials: {access}", err=True)
    if as_json:
        click.echo(json.dumps({"applied": not dry_run, **render.document(plan)}, indent=2))


def _read(path: Path, reach: Reach) -> Wish:
    """A cloud file, or a plan that says which one it is for."""
    text = path.read_text(errors="replace") if path.is_file() else ""
    plan = saved.load(text, str(path)) if saved.is_saved(text) else None
    cloud = load_cloud(Path(plan.source) if plan else path)
    if plan is None:
        require_valid(cloud)
        return Wish(cloud, None, reach.hosts(cloud))
    if reach.names:
        raise UsageError("a saved plan is for all of its hosts", next="plan again with --hosts")
    return of_saved(cloud, plan, str(path))
