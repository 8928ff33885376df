"""`fournines undrain`: a host carries load again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fournines.cli.operation import asked_of, operate, operation_options
from fournines.cli.reach import named
from fournines.cloud.model import Cloud
from fournines.commands.clouds import load_cloud
from fournines.commands.operation import now
from fournines.health.cluster import Cluster
from fournines.operate import drain

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
    named(made, host)
    when = now()

    def change(before: Cloud, seen: Cluster) -> Cloud:
        return drain.undrained(before, before.host_by_name[host], when)

    operate(made, asked_of("undrain", options, (host,)), change)
