"""`fournines watch`: the client's view of a cloud, all the time."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

HELP = """Use CLOUD as its clients do, all the time, and keep what it was worth.

Run it outside the cloud, on a machine that reaches the VIPs, the brokers and, by SSH, the hosts. It probes a region's
functions with `prove`'s probes, over fresh and over kept connections, and judges each second as `prove` does: one in
which fewer than 99 % of the requests were answered well within 1 s is bad. A second in which a probe could not be made
is unknown, never good. Every outage becomes an incident, with what the agents said at that moment and, once it is over,
the journals of all hosts around it: `fournines incident CLOUD`.

By default 5 tokens are validated and 5 rows read a second, 2 rows written (always the same one), 2 messages published
and consumed, and once a second projects and servers are listed and a token is issued for a token. That takes about 12 %
of one core, of all hosts together, by what single requests cost; authenticate_password, which is not among them, 3 %
more. Nothing is left behind but one table and one queue.

It also carries out the handlers of the cloud file (`handlers:`), and those that every cloud has: a compute agent that
is down is restarted, then reported; a host that flaps is drained; a full /var/log is reported. One action at a time in
a zone, no more than a handler's limit, and no more where one did not help, until --resume HANDLER. All of it is in
actions.jsonl of the folder. Where two watches run, give one of them --dry-run.

Kept are minutes of 8 days, days of 400, and at most 500 incidents in at most 128 MiB. Stop it with Ctrl-C or SIGTERM.

\b
Exit code of --once: 0 all is well, 1 something is out now, 2 unknown: no watch runs.

\b
Examples:
  fournines watch cloud.yaml
  fournines watch cloud.yaml --functions validate,read_row
  fournines watch cloud.yaml --dry-run
  fournines watch cloud.yaml --once
  fournines watch cloud.yaml --once --json
  fournines export watch-unit cloud.yaml > /etc/systemd/system/fournines-watch.service
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.option("--once", is_flag=True, help="Show what was measured, and stop. Probes nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --once: one JSON document.")
@click.option("--region", default=None, metavar="REGION", help="Which one, of several.")
@click.option("--functions", default="", metavar="A,B", help="Only these.")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where to keep it all.")
@click.option("--ssh-key", type=click.Path(path_type=Path), metavar="FILE", help="In place of the cloud file's.")
@click.option("--dry-run", is_flag=True, help="Handlers only say what they would do.")
@click.option("--alerts", default="", metavar="ADDRESS:PORT", help="Listen for Alertmanager's, for handlers.")
@click.option("--resume", default="", metavar="HANDLER", help="Let it act again where it was stopped, and stop.")
@click.option("--known-hosts", type=click.Path(path_type=Path), metavar="FILE", help="In place of the cloud file's.")
def command(
    cloud: Path,
    *,
    once: bool,
    as_json: bool,
    region: str | None,
    functions: str,
    state: Path | None,
    ssh_key: Path | None,
    known_hosts: Path | None,
    dry_run: bool,
    alerts: str,
    resume: str,
) -> None:
    from fournines.commands.watch import Wish, watch
    from fournines.errors import UsageError

    if once:
        _figures(cloud, state, as_json=as_json)
    if resume:
        _resume(cloud, region, state, resume)
        return
    if as_json:
        raise UsageError("--json is for --once", next="fournines watch CLOUD --once --json")
    names = tuple(name for name in functions.split(",") if name)
    watch(Wish(cloud, region, names, state, ssh_key, known_hosts, dry_run, _alerts(alerts)), _say)


def _say(text: str) -> None:
    click.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}")
    sys.stdout.flush()


def _alerts(text: str) -> tuple[str, int] | None:
    import ipaddress

    from fournines.cli.listen import where
    from fournines.errors import UsageError

    if not text:
        return None
    address, port = where("--alerts", text, "127.0.0.1:8441")
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        raise UsageError(f"--alerts {text}: {address} is no IPv4 address", next="--alerts 127.0.0.1:8441") from None
    return address, port


def _resume(path: Path, region: str | None, state: Path | None, handler: str) -> None:
    from fournines.cloud.names import suggest
    from fournines.commands.clouds import load_cloud, region_of
    from fournines.commands.watched import directory
    from fournines.errors import FourninesError, UsageError
    from fournines.watch.act import ask_to_resume

    made = load_cloud(path)
    if handler not in made.handlers:
        raise UsageError(f"{made.name} has no handler {handler}", next=suggest(handler, made.handlers))
    folder = directory(made, region_of(made, region), state)
    try:
        ask_to_resume(folder, handler)
    except OSError as error:
        raise FourninesError(f"{folder} cannot be written", why=error.strerror or str(error)) from error
    click.echo(f"{handler} is resumed by the watch that runs within a second, or by the next one", err=True)


def _figures(path: Path, state: Path | None, *, as_json: bool) -> None:
    from fournines.cli.watch_show import lines
    from fournines.commands.clouds import load_cloud
    from fournines.commands.design import finite
    from fournines.commands.watched import figures_document, summaries

    found = summaries(load_cloud(path), state)
    if as_json:
        click.echo(json.dumps(finite(figures_document(found)), indent=2))
    else:
        for line in lines(found) or [f"{path} was never watched. Begin: fournines watch {path}"]:
            click.echo(line)
    if any(s.out for s in found):
        sys.exit(1)
    sys.exit(0 if found and all(s.runs for s in found) else 2)
