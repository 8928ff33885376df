"""`fournines design capacity` and `design observe`: how far a cloud carries, and how far it is."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.design_common import CLOUD, JSON, print_json
from fournines.cli.reach import reach_of, reach_options
from fournines.commands.clouds import load_cloud
from fournines.commands.design import observed
from fournines.services import load


@click.command(
    help="""How far each region of CLOUD carries: connections, ports, messages, memory, addresses.

Every limit is a formula with its source, computed from the files that `apply` would write, for the hypervisors that
there are and for --hosts of them, with the number at which it is met and what comes then.

\b
Examples:
  fournines design capacity cloud.yaml --hosts 1000
  fournines design capacity cloud.yaml --hosts 1000 --cores 64 --memory 256
  fournines design capacity --json cloud.yaml | jq '.regions[].limits[] | select(.reached != null) | {name, reached}'
"""
)
@CLOUD
@click.option("--hosts", type=int, help="Hypervisors in each region.  [default: those of the file]")
@click.option("--cores", default=32, show_default=True, help="Of a controller: services are sized by it.")
@click.option("--memory", default=128.0, show_default=True, help="Of a controller, GiB.")
@JSON
def capacity(cloud: Path, hosts: int | None, cores: int, memory: float, as_json: bool) -> None:
    from fournines.cli.design_show import show_capacity
    from fournines.design.capacity import capacity as compute
    from fournines.services.rendered import Size

    made = load(cloud)
    found = compute(made, hosts, Size(cores, memory))
    if as_json:
        regions = [
            {**dataclasses.asdict(c), "limits": [{**dataclasses.asdict(x), "met": x.met} for x in c.limits]}
            for c in found
        ]
        print_json({"cloud": made.name, "regions": regions})
    else:
        show_capacity(found)


@click.command(
    help="""Hold the formulas of `design capacity` against what the running CLOUD takes.

Asks every host once, over SSH, and changes nothing: connections to the database and the bus, sessions of the load
balancer, memory. A formula holds while no more is seen than it predicts.

\b
Exit code: 0 every formula holds, 1 one does not.

\b
Examples:
  fournines design observe cloud.yaml
  fournines design observe --json cloud.yaml | jq '.rows[] | select(.holds | not)'
"""
)
@CLOUD
@JSON
@reach_options
def observe(cloud: Path, as_json: bool, **options: Any) -> None:
    from fournines.cli.design_show import show_observed

    made, reach = load_cloud(cloud), reach_of(options)
    found = observed(made, reach.ssh(), [h.name for h in reach.hosts(made)])
    if as_json:
        print_json({"cloud": made.name, "rows": [{**dataclasses.asdict(c), "holds": c.holds} for c in found]})
    else:
        show_observed(found)
    sys.exit(0 if all(c.holds for c in found) else 1)
