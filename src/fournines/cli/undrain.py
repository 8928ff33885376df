"""`fournines undrain`: a host carries load again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fournines.cli.operation import asked_of, operate, operation_options
from fournines.cli.reach import named
from fournines.commands.clouds import load_cloud
from fournines.commands.drain import to_undrain
from fournines.commands.operation import now

HELP = """Let HOST carry load again, after `fournines drain`.

Brokers and databases first, the load balancers' backends last. The VIPs and the writer stay where they are.

\b
Exit code: 0 done, 1 failed. Interrupting is safe: run it again, or `fournines apply`, and it continues.

\b
Examples:
  fournines undrain cloud.yaml ctl2
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("host", metavar="HOST")
@operation_options
def command(cloud: Path, host: str, **options: Any) -> None:
    made = load_cloud(cloud)
    operate(made, asked_of("undrain", options, (host,)), to_undrain(named(made, host), now()))
