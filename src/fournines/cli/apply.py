"""`fournines apply`: bring the hosts to what the cloud file says."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from fournines.cli.progress import progress
from fournines.cli.reach import Reach, load_cloud, reach_of, reach_options
from fournines.cli.show import show, write_private
from fournines.cloud.model import Cloud, Host
from fournines.design import require_valid
from fournines.engine import (
    Connected,
    SshOptions,
    apply,
    connect,
    hold,
    local_lock,
    require_confirmed,
    require_same_world,
    survey,
)
from fournines.engine.together import merged
from fournines.errors import PlanError, UsageError
from fournines.operate.rotate import state as rotation_state
from fournines.plan import render, saved
from fournines.plan.model import Plan

HELP = """Bring the hosts of a cloud file to what it says; or carry out a plan that was saved, exactly as it is.

Stages follow one another as services need one another. Each ends when its checks hold. Interrupting is safe at any
point: run the same command again and it continues. Nothing is changed unless every host answers (or --hosts).

\b
Exit code: 0 done or nothing to do, 1 failed.

\b
Examples:
  fournines apply cloud.yaml
  fournines apply cloud.yaml --yes --json
  fournines apply change.plan
  fournines apply cloud.yaml --hosts ctl1
"""


@dataclass(frozen=True)
class _Wish:
    """`plan` is None when it is still to be made."""

    cloud: Cloud
    plan: Plan | None
    hosts: Sequence[Host]


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD|PLAN")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")
@reach_options
def command(cloud: Path, yes: bool, dry_run: bool, as_json: bool, **options: Any) -> None:
    reach = reach_of(options)
    wish = _read(cloud, reach)
    if begun := rotation_state(wish.cloud):
        click.echo(f"{begun}: this finishes the phase; next: fournines rotate {cloud} {' '.join(begun.what)}", err=True)
    click.echo(f"asking {len(wish.hosts)} host{'s' * (len(wish.hosts) != 1)}", err=True)
    if not (yes or dry_run) and (as_json or not sys.stdin.isatty()):
        raise UsageError("apply asks before it changes anything, and nobody is here to answer", next="add --yes")
    ssh = reach.ssh()
    with local_lock(wish.cloud.state_dir):
        plan = wish.plan or asyncio.run(_look(wish, ssh))
        if not as_json:
            show(plan)
        if not (dry_run or plan.empty):
            if not yes and not click.confirm("Apply?", err=True):
                click.echo("Nothing was changed.", err=True)
                sys.exit(1)
            plan = asyncio.run(_carry_out(wish, plan, ssh, confirmed=not yes))
        if not dry_run:
            write_access(wish.cloud)
    if as_json:
        click.echo(json.dumps({"applied": not dry_run, **render.document(plan)}, indent=2))


def _read(path: Path, reach: Reach) -> _Wish:
    """A cloud file, or a plan that says which one it is for."""
    text = path.read_text(errors="replace") if path.is_file() else ""
    plan = saved.load(text, str(path)) if saved.is_saved(text) else None
    cloud = load_cloud(Path(plan.source) if plan else path)
    require_valid(cloud)
    if plan is None:
        return _Wish(cloud, None, reach.hosts(cloud))
    if reach.names:
        raise UsageError("a saved plan is for all of its hosts", next="plan again with --hosts")
    if not plan.facts:
        raise PlanError("this plan was made without asking the hosts", where=str(path), next="plan without --offline")
    if gone := [name for name in plan.facts if name not in cloud.host_by_name]:
        raise PlanError("the cloud file no longer has the plan's hosts", where=", ".join(gone), next="plan again")
    return _Wish(cloud, plan, [cloud.host_by_name[name] for name in plan.facts])


async def _look(wish: _Wish, ssh: SshOptions) -> Plan:
    async with connect(wish.hosts, ssh) as hosts:
        hosts.require_all()
        return await survey_whole(wish.cloud, hosts)


async def survey_whole(cloud: Cloud, hosts: Connected) -> Plan:
    from fournines.services import registry

    found = await survey(cloud, registry(), hosts)
    if found.failures:
        raise merged(list(found.failures.values()))
    return found.plan


async def _carry_out(wish: _Wish, plan: Plan, ssh: SshOptions, *, confirmed: bool) -> Plan:
    """What was carried out. Looks again under the lock, over connections of its own: those of the first look may have
    ended while the operator thought it over, and another run may have been faster. Only what was confirmed is done."""
    async with connect(wish.hosts, ssh) as hosts:
        hosts.require_all()
        async with hold(hosts):
            if wish.plan:
                await require_same_world(plan, hosts)
            else:
                seen, plan = plan, await survey_whole(wish.cloud, hosts)
                if confirmed:
                    require_confirmed(seen, plan)
            wish.cloud.secrets.save()
            with progress() as report:
                await apply(plan, hosts, report)
    return plan


def write_access(cloud: Cloud) -> None:
    """What a client needs, beside the cloud's other state."""
    from fournines.services.keystone import clouds_yaml
    from fournines.services.tls import trusted

    if "keystone.admin" not in cloud.secrets.names():
        return
    authority = cloud.state_dir / "ca.pem"
    authority.write_text(trusted(cloud))
    access = cloud.state_dir / "clouds.yaml"
    write_private(access, clouds_yaml(cloud, str(authority)))
    click.echo(f"credentials: {access}", err=True)
