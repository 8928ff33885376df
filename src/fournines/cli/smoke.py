"""`fournines smoke`: every service of a cloud used once, as its users do."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click

from fournines.commands.clouds import load_cloud, region_of
from fournines.engine import local_lock
from fournines.errors import SmokeError

HELP = """Use every service of CLOUD once, as a user does: through the public VIP, one thing after the other.

Signs in, uploads an image and reads it back, creates a network, a router and a port, boots a server to ACTIVE, creates
a volume and attaches it, creates a stack, sends a measure and reads it back, opens the server's console, signs in to
the dashboard. What the cloud does not carry is skipped, and said. Everything is named fournines-smoke and removed at
the end; what a run that was cut left behind is removed first.

\b
Exit code: 0 all that the cloud carries works, 1 something does not.

\b
Examples:
  fournines smoke cloud.yaml
  fournines smoke cloud.yaml --only image,volume
  fournines smoke cloud.yaml --json | jq -r '.steps[] | select(.outcome == "failed").said'
"""
_SIGNS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.option("--region", help="Which one, where there are several.")
@click.option("--only", default="", metavar="A,B", help="Only these steps, and what they build on.")
@click.option("--timeout", default=180.0, show_default=True, help="Seconds that anything may take to become ready.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(cloud: Path, region: str | None, only: str, timeout: float, as_json: bool) -> None:
    from fournines.smoke.connect import site
    from fournines.smoke.model import Result, Step
    from fournines.smoke.run import run
    from fournines.smoke.steps import STEPS, chosen
    from fournines.smoke.sweep import sweep

    made = load_cloud(cloud)
    if "keystone.admin" not in made.secrets.names():
        raise SmokeError("this cloud was never applied", where=made.name, next=f"fournines apply {cloud}")
    steps = chosen([name for name in only.split(",") if name]) if only else STEPS

    def say(what: Result | Step) -> None:
        if isinstance(what, Result) and not as_json:
            click.echo(f"{what.name:<13} {_SIGNS[what.outcome]:<8} {what.seconds:6.1f} s  {what.said}")

    with local_lock(made.state_dir):
        results = run(site(made, region_of(made, region), timeout=timeout), steps, sweep, say)
    failed = [r.name for r in results if r.outcome == "failed"]
    skipped = [r.name for r in results if r.outcome == "skipped"]
    if as_json:
        document = {"cloud": made.name, "passed": not failed, "steps": [dataclasses.asdict(r) for r in results]}
        click.echo(json.dumps(document, indent=2))
    else:
        passed = len(results) - len(failed) - len(skipped)
        click.echo(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped", err=True)
    sys.exit(1 if failed else 0)
