"""`fournines drain`: a host's load goes to the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fournines.cli.operation import asked_of, operate, operation_options
from fournines.cli.reach import named
from fournines.commands.clouds import load_cloud
from fournines.commands.drain import to_drain
from fournines.commands.operation import now

HELP = """Move the load of HOST to the other hosts, and keep it away until `fournines undrain`.

The VIPs and the database writer move; load balancers send its backends nothing new and let them finish; RabbitMQ is in
maintenance mode. The host stays a member of every cluster. It is kept on the hosts: a boot and `apply` leave it so.
Agents of Neutron, Nova and Cinder, and the servers of a compute, stay as they are.

What else the cloud file asks for, and is not on the hosts yet, is part of the plan.

Refused when what is left could not serve: no majority, nobody else with a service, or another host drained already.

\b
Exit code: 0 done, 1 failed or refused. Interrupting is safe: run it again, or `fournines apply`, and it continues.

\b
Examples:
  fournines drain cloud.yaml ctl2 --reason "new disks"
  fournines drain cloud.yaml ctl2 --reason "new disks" --dry-run
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("host", metavar="HOST")
@click.option("--reason", default="", metavar="TEXT", help="Why; `fournines status` shows it.")
@operation_options
def command(cloud: Path, host: str, reason: str, **options: Any) -> None:
    made = load_cloud(cloud)
    operate(made, asked_of("drain", options, (host,)), to_drain(named(made, host), reason, now()))
