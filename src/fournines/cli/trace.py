"""`fournines trace`: one request of a user, through every service that had a part in it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from fournines.cli.reach import reach_of, reach_options
from fournines.commands.clouds import load_cloud
from fournines.commands.logs import document, remarks, window
from fournines.commands.logs import trace as following
from fournines.logs.collect import Logs, Query
from fournines.logs.entries import printable
from fournines.logs.times import clock

HELP = """What every service of CLOUD did for one request, on all hosts, in one order of time.

REQUEST is the id that an API answers with (header x-openstack-request-id; the clients show it with --debug, and in
their errors). Services that call one another send it along: the ids of the calls made for it, and of the request that
it was made for, are found in the same lines and followed too.

\b
Exit code: 0 found, 1 not found, or a host did not answer.

\b
Examples:
  fournines trace cloud.yaml req-4f1c0b5e-3a0f-4a7e-8f5e-0a1d2c3b4e5f
  fournines trace cloud.yaml req-4f1c0b5e-3a0f-4a7e-8f5e-0a1d2c3b4e5f --since 7d --json
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("request")
@click.option("--since", default="24h", show_default=True, metavar="MOMENT", help="As of `fournines logs`.")
@click.option("--until", default="now", show_default=True, metavar="MOMENT", help="Where it ends.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@reach_options
def command(cloud: Path, request: str, since: str, until: str, as_json: bool, **options: Any) -> None:
    query = Query(*window(since, until))
    made, reach = load_cloud(cloud), reach_of(options)
    found, ids = asyncio.run(following(made, [h.name for h in reach.hosts(made)], reach.ssh(), request, query))
    if as_json:
        click.echo(json.dumps({"request": request, "requests": sorted(ids), **document(found, query)}, indent=2))
    else:
        for line in show(request, ids, found):
            click.echo(line)
    for remark in remarks(found, query):
        click.echo(remark, err=True)
    sys.exit(0 if found.entries and not found.failures else 1)


def show(request: str, ids: frozenset[str], found: Logs) -> list[str]:
    """Who had a part in it, then the lines, each with the seconds since the first."""
    entries = found.entries
    if not entries:
        return [f"no line of {len(found.journals)} hosts has {request}", "  next: look further back: --since 7d"]
    first = entries[0].time
    parts = Counter((e.unit, e.host) for e in entries)
    severe = sum(e.severe for e in entries)
    lines = [
        f"{request}: {len(entries)} lines, {severe} of them errors, in {entries[-1].time - first:.3f} s"
        f" from {clock(first, date=True)}",
        *(f"  with {other}" for other in sorted(ids - {request})),
        *(f"  {unit} on {host}: {count}" for (unit, host), count in parts.items()),
        "",
    ]
    hosts, units = max(len(e.host) for e in entries), max(len(e.unit) for e in entries)
    return lines + [
        f"{e.time - first:+9.3f}  {e.host:<{hosts}}  {e.unit:<{units}}  {e.level:<8}  {printable(e.message)}"
        for e in entries
    ]
