"""`fournines recover`: what only a person may decide, looked at, said, and done once it is decided."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.operation import Asked, asked_of, operation_options, warn
from fournines.cli.progress import progress
from fournines.cli.show import show
from fournines.cloud.model import Cloud
from fournines.commands import recover as recovering
from fournines.commands.clouds import load_cloud
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError
from fournines.operate.recover import evidence
from fournines.operate.recover.finding import Finding
from fournines.plan import render

HELP = """Look at a cloud that does not come back by itself, say what each way out would lose, and go it once told to.

Every host that answers is looked at, and nothing changed. What is found is shown with its evidence, with what the way
out loses, and with what is kept and where: nothing is replaced of which no copy stays on the host.

--gone names hosts that are lost for good, where no majority is left. Refused while one of them answers anybody; each is
switched off first, by the lab or by its power controller (`bmc`). Where neither can, --switched-off is your word that
they are off: hosts that come back with their old disks could be a second cloud. Those that are left then go on alone,
the database first, and the lost ones leave the cloud and its file, of which a copy is kept.

--history names the host whose database is right, where hosts hold different ones; the others' are moved aside.

Where the file of secrets is lost, it is rebuilt from what the hosts have, and what they do not have is named.

\b
Exit code: 0 done, or nothing found; 1 failed, refused, or a decision is missing. Interrupting is safe: the same command
continues.

\b
Examples:
  fournines recover cloud.yaml
  fournines recover cloud.yaml --gone ctl2,ctl3
  fournines recover cloud.yaml --gone ctl2,ctl3 --switched-off --yes
  fournines recover cloud.yaml --history ctl1
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.option("--gone", multiple=True, metavar="HOST[,HOST]", help="Lost for good, and off.")
@click.option("--switched-off", is_flag=True, help="What nothing here can switch off is off: you say so.")
@click.option("--history", default="", metavar="HOST", help="Whose database is right.")
@operation_options
def command(cloud: Path, gone: tuple[str, ...], switched_off: bool, history: str, **options: Any) -> None:
    made = load_cloud(cloud)
    asked = asked_of("recover", options)
    names = tuple(dict.fromkeys(name for word in gone for name in word.split(",") if name))
    what = evidence.Asked(recovering.stamp(), names, history)
    if asked.reach.names:
        raise UsageError("recover concerns the whole cloud", next="leave --hosts out")
    if not asked.dry_run and (names or history):
        asked.require_answer()
    require_valid(made)
    ssh = asked.reach.ssh()
    with local_lock(made.state_dir):
        way = asyncio.run(recovering.planned(made, what, ssh))
        if asked.as_json:
            click.echo(json.dumps(recovering.document(way), indent=2))
        else:
            _show(way)
        if way.looked.undecided:
            sys.exit(1)
        if way.empty:
            sys.exit(1 if way.looked.findings else 0)
        if asked.dry_run or (asked.as_json and not asked.yes):
            return
        recovering.require_off(way, switched_off=switched_off)
        asked.require_answer()
        question = "Write the secrets that the hosts have?" if way.looked.rebuilt else "Recover?"
        if not asked.yes and not click.confirm(question, err=True):
            warn("Nothing was changed.")
            sys.exit(1)
        if way.looked.rebuilt:
            path = recovering.write_secrets(way.looked)
            warn(f"{len(way.looked.rebuilt.found)} secrets are in {path}; next: the same command looks for the rest")
            return
        _carry_out(made, way, asked, ssh, switched_off=switched_off)


def _carry_out(made: Cloud, way: recovering.Way, asked: Asked, ssh: Any, *, switched_off: bool) -> None:
    doing = recovering.carry_out(
        way,
        ssh,
        reporting=progress,
        say=warn,
        ending=lambda: recovering.leave_file(made, way, warn),
        confirmed=not asked.yes,
        switched_off=switched_off,
    )
    asyncio.run(doing)
    for finding in way.looked.findings:
        for line in finding.keeps:
            warn(f"kept: {line}")
    for entry in way.looked.leavers:
        roles = ",".join(entry.roles)
        warn(
            f"{entry.name} is out of the cloud; a machine in its place: fournines scale {made.source} "
            f"--add {entry.name}:{entry.zone}:{entry.address}:{roles}"
        )
    warn(f"next: fournines status {made.source}")


# What is shown


def _show(way: recovering.Way) -> None:
    if not way.looked.findings and way.empty:
        click.echo("Nothing has to be recovered. fournines status says what else is wrong, if anything.")
        return
    for finding in way.looked.findings:
        _show_finding(finding)
    for switch in way.switches:
        click.echo(f"  off     {switch}")
    if not way.looked.plan.empty:
        click.echo("first:")
        show(way.looked.plan)
    for phase in way.phases:
        click.echo(f"then, phase {phase.step.phase}: {render.summary(phase.plan)}")


def _show_finding(finding: Finding) -> None:
    where = ", ".join(finding.where)
    click.echo(click.style(f"{finding.what} ({finding.region}{': ' * bool(finding.region)}{where})", bold=True))
    for word, lines in (("seen", finding.evidence), ("loses", finding.loses), ("keeps", finding.keeps)):
        for line in lines:
            click.echo(f"  {word:<7} {line}")
    for word, line in (("choose", finding.choose), ("next", finding.next)):
        if line:
            click.echo(f"  {word:<7} {line}")
