"""`fournines logs`: what all hosts' journals say of a stretch of time, in one order."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.reach import reach_of, reach_options
from fournines.commands.clouds import load_cloud
from fournines.commands.logs import PRIORITIES, checked, document, gather, remarks, window
from fournines.errors import FourninesError
from fournines.logs.collect import MOST, Logs, Query
from fournines.logs.entries import Entry, printable
from fournines.logs.times import clock

HELP = """What the journals of CLOUD's hosts say of a stretch of time, all of them in one order of time.

Reads them over SSH from all hosts at once; nothing else of the cloud has to work. Where a host's clock is off, its
lines are moved to where they belong, and that is said, as is a host that does not answer, whose journal does not reach
back that far, or that has more lines than --lines.

A moment is 10m or 2h (ago), 03:12 (the last one), 2026-11-28T03:12, or now; without a time zone, this machine's.

\b
Exit code: 0 every host answered, 1 one did not.

\b
Examples:
  fournines logs cloud.yaml --since 10m
  fournines logs cloud.yaml --since 03:10 --until 03:15 --priority warning
  fournines logs cloud.yaml --since 1h --unit keystone --unit haproxy --hosts ctl1,ctl2
  fournines logs cloud.yaml --since 03:00 --until 03:30 --out incident-0312
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.option("--since", default="10m", show_default=True, metavar="MOMENT", help="Where it begins.")
@click.option("--until", default="now", show_default=True, metavar="MOMENT", help="Where it ends.")
@click.option("--unit", "units", multiple=True, metavar="UNIT", help="Only this unit; may be repeated.")
@click.option("--grep", default="", metavar="REGEX", help="Only messages that match (PCRE).")
@click.option("--priority", default="", type=click.Choice(["", *PRIORITIES]), help="Of the journal, or worse.")
@click.option("--lines", default=MOST, show_default=True, type=click.IntRange(1), help="Of a host, the last ones.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="A file a host, and all of them together."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@reach_options
def command(
    cloud: Path,
    *,
    since: str,
    until: str,
    units: tuple[str, ...],
    grep: str,
    priority: str,
    lines: int,
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    query = Query(*window(since, until), units, checked(grep), priority, lines)
    made, reach = load_cloud(cloud), reach_of(options)
    found = asyncio.run(gather(made, [h.name for h in reach.hosts(made)], reach.ssh(), query))
    if as_json:
        click.echo(json.dumps(document(found, query), indent=2))
    elif out:
        write(out, found, query)
        click.echo(f"{len(found.entries)} lines of {len(found.journals)} hosts are in {out}", err=True)
    else:
        for line in lines_of(found.entries):
            click.echo(line)
    for remark in remarks(found, query):
        click.echo(remark, err=True)
    sys.exit(1 if found.failures else 0)


def lines_of(entries: tuple[Entry, ...]) -> list[str]:
    """Of text, for people; with dates where the entries are of several days."""
    if not entries:
        return []
    dates = clock(entries[0].time, date=True)[:10] != clock(entries[-1].time, date=True)[:10]
    hosts, units = max(len(e.host) for e in entries), min(28, max(len(e.unit) for e in entries))
    return [
        f"{clock(e.time, date=dates)}  {e.host:<{hosts}}  {e.unit:<{units}}  {e.level:<8}  {printable(e.message)}"
        for e in entries
    ]


def write(directory: Path, found: Logs, query: Query) -> None:
    """`HOST.log`, `all.log` and `logs.json`, for nobody else to read. Raises FourninesError."""
    from fournines.commands.private import write_private

    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as error:
        raise FourninesError(f"{directory} cannot be written", why=error.strerror or str(error)) from None
    for journal in found.journals:
        write_private(directory / f"{journal.host}.log", _text(journal.entries))
    write_private(directory / "all.log", _text(found.entries))
    write_private(directory / "logs.json", json.dumps(document(found, query)) + "\n")


def _text(entries: tuple[Entry, ...]) -> str:
    return "".join(f"{line}\n" for line in lines_of(entries))
