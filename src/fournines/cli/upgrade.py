"""`fournines upgrade`: packages, zone after zone, of the same release or of another one."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.operation import asked_of, operation_options, warn
from fournines.cli.progress import progress
from fournines.commands import upgrade as upgrading
from fournines.commands.clouds import load_cloud
from fournines.commands.reboot import How
from fournines.commands.upgrade_shown import lines, question
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError
from fournines.operate.upgrade import REASON, Asked

HELP = """Upgrade the packages of CLOUD's hosts within their release: all that apt would install in a newer version, or
with --security those that are security updates. With --to RELEASE: to another release of OpenStack, which the cloud
file must name, by the Debian that has it.

First every host asks its package sources, and downloads; none is drained for that. Then zone after zone, and host after
host: drained, installed, what has changed restarted under the usual checks, undrained once the cloud is fully redundant
again. The zones of the VIPs' holders and of the writer come last. Hosts that only carry what cannot move (computes) are
not drained; those of a zone go at once, and a server keeps running.

With --canary ZONE it ends after that zone and is held there; --continue goes on. What was interrupted, by Ctrl-C or by
a dead host, is continued by the same command, with the same versions. At its end CLOUD.versions.json, beside the cloud
file, has the version of each package: a host that is added later gets these, and `fournines plan` says who differs.

\b
Exit code: 0 done or held, 1 failed or refused.

\b
Examples:
  fournines upgrade cloud.yaml --dry-run
  fournines upgrade cloud.yaml --canary rack1 --yes
  fournines upgrade cloud.yaml --continue --yes
  fournines upgrade cloud.yaml --security --reboot
  fournines upgrade cloud.yaml --to 2026.2 --dry-run
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.option("--to", default="", metavar="RELEASE", help="Another release of OpenStack, and its Debian.")
@click.option("--canary", default="", metavar="ZONE", help="This zone first, and nothing after it until --continue.")
@click.option("--continue", "onward", is_flag=True, help="Go on after the canary.")
@click.option("--security", is_flag=True, help="Only packages of which a newer version is a security update.")
@click.option("--reboot", is_flag=True, help="Boot hosts of the control plane where a newer kernel is installed.")
@click.option("--abandon", is_flag=True, help="Forget the upgrade that has begun: hosts keep what they have.")
@operation_options
def command(cloud: Path, **options: Any) -> None:
    made = load_cloud(cloud)
    asked = asked_of("upgrade", options)
    asked.require_answer()
    wish = Asked(**{name: options[name] for name in ("canary", "onward", "security", "reboot", "abandon", "to")})
    if wish.to and wish.security:
        raise UsageError("another release is no security update", next="leave --security out")
    how = How(REASON, asked.reach.ssh(), warn, progress)
    require_valid(made)
    with local_lock(made.state_dir):
        if wish.abandon:
            click.echo(f"forgotten: {asyncio.run(upgrading.abandon(made, how))} began it", err=True)
            return
        found = asyncio.run(upgrading.planned(made, wish, how))
        if not asked.as_json:
            for line in lines(found):
                click.echo(line)
        doing = not (asked.dry_run or found.empty)
        if doing and not asked.yes and not click.confirm(question(found), err=True):
            click.echo("Nothing was changed.", err=True)
            sys.exit(1)
        if doing:
            asyncio.run(upgrading.upgrade_all(found, how))
    if asked.as_json:
        click.echo(json.dumps({"done": doing, **upgrading.document(found)}, indent=2))
    elif doing and (zone := upgrading.held(found)):
        to = f" --to {found.release.name}" if found.release else ""
        click.echo(f"Held after zone {zone}. Next: fournines upgrade {made.source}{to} --continue")
