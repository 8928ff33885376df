"""`fournines plan`: what apply would change."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.reach import Reach, reach_of, reach_options
from fournines.cli.show import show
from fournines.cloud.model import Cloud
from fournines.commands import plan as plans
from fournines.commands.clouds import load_cloud
from fournines.commands.private import write_private
from fournines.design import require_valid
from fournines.plan import render
from fournines.plan.model import Plan

HELP = """Show what apply would change on the hosts of CLOUD, and change nothing.

\b
Exit code: 0 planned, 1 a host did not answer or the plan cannot be made;
with --exit-code 0 nothing to change, 2 changes pending.

\b
Examples:
  fournines plan cloud.yaml
  fournines plan cloud.yaml -o change.plan && fournines apply change.plan
  fournines plan cloud.yaml --hosts ctl1,ctl2 --json | jq .summary
  fournines plan cloud.yaml --offline
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Save the plan, secrets included (mode 0600).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, without the content of files.")
@click.option("--exit-code", is_flag=True, help="Exit 2 when there is something to change.")
@click.option("--offline", is_flag=True, help="Ask no host: what it takes to make each from nothing.")
@reach_options
def command(cloud: Path, output: Path | None, as_json: bool, exit_code: bool, offline: bool, **options: Any) -> None:
    made = load_cloud(cloud)
    require_valid(made)
    reach = reach_of(options)
    plan, complete = (plans.offline(made, reach.hosts(made)), True) if offline else asyncio.run(_look(made, reach))
    if output:
        from fournines.plan.saved import dump

        made.secrets.save()  # the plan holds them: the next run must not make others
        write_private(output, dump(plan))
        click.echo(f"saved to {output}; next: fournines apply {output}", err=True)
    if as_json:
        click.echo(json.dumps(render.document(plan), indent=2))
    else:
        show(plan)
    if not complete:
        sys.exit(1)
    if exit_code and not plan.empty:
        sys.exit(2)


async def _look(cloud: Cloud, reach: Reach) -> tuple[Plan, bool]:
    """The plan for the hosts that answer, and whether all did."""
    from fournines.cli.progress import progress

    chosen = reach.hosts(cloud)
    click.echo(f"asking {len(chosen)} host{'s' * (len(chosen) != 1)}", err=True)
    with progress() as report:
        found = await plans.look(cloud, chosen, reach.ssh(), report)
    for error in found.failures.values():
        click.echo(f"error: {error}", err=True)
    if found.failures:
        click.echo(f"this plan leaves out {', '.join(found.failures)}", err=True)
    return found.plan, not found.failures
