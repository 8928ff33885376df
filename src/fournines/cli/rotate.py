"""`fournines rotate`: new keys, without a token or a request lost."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.progress import progress
from fournines.cli.reach import reach_of, reach_options
from fournines.cli.show import show
from fournines.commands import rotate
from fournines.commands.clouds import load_cloud
from fournines.engine import local_lock
from fournines.errors import UsageError
from fournines.plan import render

HELP = """Rotate the keys of a cloud: a plan like any other.

fernet-keys: the key that was staged at the last rotation, and is on every host since, becomes the one that encrypts
tokens; a new one is staged. Tokens stay valid: a key is dropped only when none that it encrypted can still be used.

\b
Exit code: 0 done, 1 failed. A run that was interrupted is finished by `fournines apply`.

\b
Examples:
  fournines rotate cloud.yaml fernet-keys --dry-run
  fournines rotate cloud.yaml fernet-keys --yes
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("what", type=click.Choice(["fernet-keys"]))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")
@reach_options
def command(cloud: Path, what: str, yes: bool, dry_run: bool, as_json: bool, **options: Any) -> None:
    reach = reach_of(options)
    if reach.names:
        raise UsageError("keys are the same on every host of a cloud", next="leave --hosts out")
    if not (yes or dry_run) and (as_json or not sys.stdin.isatty()):
        raise UsageError("rotate asks before it changes anything, and nobody is here to answer", next="add --yes")
    wish = load_cloud(cloud)
    with local_lock(wish.state_dir):
        ssh = reach.ssh()
        plan = asyncio.run(rotate.planned(wish, ssh))
        if not as_json:
            show(plan)
        if not dry_run:
            if not yes:
                click.confirm("Rotate?", abort=True, err=True)
            with progress() as report:
                asyncio.run(rotate.carry_out(wish, plan, ssh, report))
    if as_json:
        click.echo(json.dumps({"rotated": not dry_run, **render.document(plan)}, indent=2))
