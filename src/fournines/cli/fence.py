"""`fournines fence`: a host's power, switched by its own controller, through the cluster that it is a member of."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.reach import reach_of, reach_options
from fournines.commands.clouds import load_cloud
from fournines.commands.fence import others, switch
from fournines.errors import UsageError

HELP = """Switch the power of a host, or ask for it: by its controller (`bmc`), as the cluster fences.

Another member of the host's cluster does it, so that the controllers' network need not be reachable from here, and so
that the cluster knows: `off` is a fencing like any other, and what ran on the host starts elsewhere. A host that is off
stays so until `on`.

\b
Exit code: 0 done, or answered; 1 failed.

\b
Examples:
  fournines fence cloud.yaml ctl2 status
  fournines fence cloud.yaml ctl2 off --yes
  fournines fence cloud.yaml ctl2 on
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("host")
@click.argument("action", type=click.Choice(["on", "off", "status"]))
@click.option("--yes", is_flag=True, help="Do not ask before `off`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@reach_options
def command(cloud: Path, host: str, action: str, yes: bool, as_json: bool, **options: Any) -> None:
    made, reach = load_cloud(cloud), reach_of({**options, "hosts": host})
    [target] = reach.hosts(made)
    members = others(made, target)
    if action == "off" and not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError("fence asks before it switches a host off, and nobody is here to answer", next="add --yes")
        click.confirm(f"Switch {host} off?", abort=True, err=True)
    said = asyncio.run(switch(members, target, action, reach.ssh()))
    power = said if action == "status" else action
    click.echo(json.dumps({"host": host, "power": power}) if as_json else f"{host} is {power}")
