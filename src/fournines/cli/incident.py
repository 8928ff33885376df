"""`fournines incident`: what happened, and what was known of it."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import click

HELP = """List the outages that `fournines watch` has seen, or say what happened in one.

With an ID of the list, or a moment (03:12, 2h ago as 2h, 2026-11-28T03:12), the time line of that incident: what its
clients noticed, what the agents said, and what the hosts' journals have of errors and warnings; with --all every line
of them. Reads what is on this machine's disk alone: the cloud need not answer.

\b
Exit code: 0 there is one, 1 there is none at that moment.

\b
Examples:
  fournines incident cloud.yaml
  fournines incident cloud.yaml 03:12
  fournines incident cloud.yaml 20261128T031204Z --all
  fournines incident cloud.yaml 03:12 --json | jq '.lines[] | select(.what == "agents")'
"""
_ID = re.compile(r"\d{8}T\d{6}Z(-\d+)?")


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("which", required=False, metavar="[ID|TIME]")
@click.option("--region", default=None, metavar="REGION", help="Which one, of several.")
@click.option("--all", "every", is_flag=True, help="Every line of the journals, not only errors and warnings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document: all that is known.")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="As of `watch`.")
def command(
    cloud: Path, which: str | None, *, region: str | None, every: bool, as_json: bool, state: Path | None
) -> None:
    from fournines.cli.incident_show import at_that_moment, timeline
    from fournines.cli.watch_show import incident_line
    from fournines.commands.clouds import load_cloud, region_of
    from fournines.commands.watched import directory, short
    from fournines.logs.times import moment
    from fournines.watch.incidents import Incidents

    made = load_cloud(cloud)
    folder = directory(made, region_of(made, region), state)
    incidents = Incidents(folder)
    if which is None:
        found = [short(i) for i in incidents.all()]
        if as_json:
            click.echo(json.dumps({"incidents": found}, indent=2))
        else:
            for line in map(incident_line, found):
                click.echo(line)
            click.echo(f"{len(found)} incidents", err=True)
        return
    at = 0.0 if _ID.fullmatch(which) else moment(which, time.time())
    incident = incidents.require(which) if _ID.fullmatch(which) else incidents.at(at)
    if incident is None:
        click.echo(at_that_moment(folder, incidents.all(), at), err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps({**short(incident), "lines": incident.lines}, indent=2))
        return
    for line in timeline(incident, every=every):
        click.echo(line)
