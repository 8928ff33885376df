"""`fournines fence`: a host's power, switched by its own controller, through the cluster that it is a member of."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.reach import reach_of, reach_options
from fournines.cloud.model import Cloud, Host
from fournines.commands.clouds import load_cloud
from fournines.errors import HostError, UsageError

HELP = """Switch the power of a host, or ask for it: by its controller (`bmc`), as the cluster fences.

Another member of the host's cluster does it, so that the controllers' network need not be reachable from here, and so
that the cluster knows: `off` is a fencing like any other, and what ran on the host starts elsewhere. A host that is off
stays so until `on`.

\b
Exit code: 0 done, or answered; 1 failed.

\b
Examples:
  fournines fence cloud.yaml ctl2 status
  fournines fence cloud.yaml ctl2 off --yes
  fournines fence cloud.yaml ctl2 on
"""
#: Seconds for which a member may be busy with it; `stonith_admin` gives up before.
_PATIENCE = 120.0


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("host")
@click.argument("action", type=click.Choice(["on", "off", "status"]))
@click.option("--yes", is_flag=True, help="Do not ask before `off`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@reach_options
def command(cloud: Path, host: str, action: str, yes: bool, as_json: bool, **options: Any) -> None:
    made, reach = load_cloud(cloud), reach_of({**options, "hosts": host})
    [target] = reach.hosts(made)
    members = others(made, target)
    if action == "off" and not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError("fence asks before it switches a host off, and nobody is here to answer", next="add --yes")
        click.confirm(f"Switch {host} off?", abort=True, err=True)
    said = asyncio.run(_ask(members, target, action, reach.ssh()))
    power = said if action == "status" else action
    click.echo(json.dumps({"host": host, "power": power}) if as_json else f"{host} is {power}")


def others(cloud: Cloud, target: Host) -> tuple[Host, ...]:
    """The members of its cluster that may switch `target`. Raises UsageError: it has no controller, or no cluster."""
    if target.bmc is None:
        raise UsageError(
            f"{target.name} has no power controller",
            where=str(cloud.source),
            next=f"give it one in the cloud file, `bmc: {{address: ADDRESS}}`, and its password as `bmc.{target.name}` "
            "in the secrets file",
        )
    members = cloud.hosts_of("pacemaker", target.region)
    if target not in members:
        raise UsageError(
            f"{target.name} is no member of a cluster",
            why="members of Pacemaker's cluster switch one another's power",
            next="pattern: {cluster: pacemaker}, for hosts of the role endpoint",
        )
    return tuple(h for h in members if h != target)


async def _ask(members: tuple[Host, ...], target: Host, action: str, ssh: Any) -> str:
    """What the first member says that can. Raises HostError: none could."""
    from fournines.engine import connect
    from fournines.services.pacemaker import COMMAND

    script = f"{COMMAND} power {action} {shlex.quote(target.name)}"
    reasons: list[str] = []
    async with connect(members, ssh) as hosts:
        for name, member in hosts.items():
            done = await member.run(script, timeout=_PATIENCE)
            if done.status == 0:
                return done.stdout.strip()
            reasons.append(f"{name}: {(done.stderr or done.stdout).strip()}")
        reasons += [f"{name}: {error.what}" for name, error in hosts.failures.items()]
    raise HostError(
        f"{target.name} could not be {'asked' if action == 'status' else f'switched {action}'}",
        where=", ".join(h.name for h in members),
        why="\n        ".join(reasons),
        next=f"see that a member of the cluster reaches {target.bmc and target.bmc.url}: fournines status",
    )
