"""`fournines replace`: another machine, or an empty disk, in the place of a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fournines.cli.operation import asked_of, operate, operation_options
from fournines.cli.reach import named
from fournines.cli.scale import take_out
from fournines.commands import scale as scaling
from fournines.commands.clouds import load_cloud

HELP = """Put another machine, or the same one with an empty disk, in the place of HOST, under its name and address.

The others take out what HOST was: members of clusters, copies of queues, records. Then it joins like a new one. Refused
while HOST works, and where the others could not serve without it.

The new machine has another SSH host key: remove the old one from known_hosts first, or --accept-new-host-keys refuses
it as changed. Where HOST does not answer yet, the first half is done; `fournines apply` does the second.

\b
Exit code: 0 done, 1 failed or refused. Interrupting is safe: the same command continues.

\b
Examples:
  fournines replace cloud.yaml ctl2 --dry-run
  fournines replace cloud.yaml ctl2
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("host", metavar="HOST")
@operation_options
def command(cloud: Path, host: str, **options: Any) -> None:
    made = load_cloud(cloud)
    name = named(made, host).name
    if take_out(made, asked_of("replace", options), scaling.Asked(name, lost=True, replaces=True)):
        operate(load_cloud(cloud), asked_of("replace", options, (name,)), lambda known, _: known)
