"""`fournines reboot`: one host after another, drained before and fully redundant after."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from fournines.cli.operation import Asked, Change, asked_of, carry_out, now, operation_options, wanted
from fournines.cli.show import show
from fournines.cloud.model import Cloud, Host
from fournines.commands.clouds import load_cloud
from fournines.design import require_valid
from fournines.engine import connect, local_lock
from fournines.engine.events import silent
from fournines.engine.reboot import begin_reboot, boot_of, next_boot
from fournines.errors import GateError
from fournines.health.cluster import Cluster
from fournines.operate import drain, reboot

HELP = """Reboot a host, the hosts of a zone, or all: each is drained, rebooted, waited for until the cloud is fully
redundant again, and undrained, before the next one.

The VIPs' holder and the database writer come last. What is still to do is kept on the hosts: after an interruption the
same command continues. Servers of a compute stop with it.

\b
Exit code: 0 done, 1 failed or refused.

\b
Examples:
  fournines reboot cloud.yaml ctl2
  fournines reboot cloud.yaml rack1 --yes
  fournines reboot cloud.yaml all --reason "kernel update" --dry-run
"""

#: Seconds for a host to answer again, and for the cloud to be fully redundant then.
BOOTS, WHOLE = 900.0, 600.0


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.argument("target", metavar="HOST|ZONE|all")
@click.option("--reason", default="reboot", metavar="TEXT", help="Why; `fournines status` shows it meanwhile.")
@operation_options
def command(cloud: Path, target: str, reason: str, **options: Any) -> None:
    made = load_cloud(cloud)
    hosts = reboot.targets(made, target)
    asked = asked_of("reboot", options, tuple(h.name for h in hosts))
    asked.require_answer()
    require_valid(made)
    with local_lock(made.state_dir):
        queue, known = asyncio.run(_first_look(made, hosts, reason, asked))
        if asked.dry_run:
            return
        if not asked.yes and not click.confirm(f"Reboot {', '.join(h.name for h in queue)}?", err=True):
            click.echo("Nothing was changed.", err=True)
            sys.exit(1)
        asyncio.run(_reboot(made, queue, known, reason, asked))


async def _first_look(
    cloud: Cloud, hosts: Sequence[Host], reason: str, asked: Asked
) -> tuple[Sequence[Host], Sequence[str]]:
    """The hosts in the order in which they go, once it is shown, and what is wrong already. Raises PlanError where the
    first could not go."""
    queue: list[Host] = []
    known: list[str] = []

    def change(before: Cloud, seen: Cluster) -> Cloud:
        queue[:] = reboot.queue(hosts, before, seen)
        # What was wrong before the first reboot is not waited for.
        known[:] = () if reboot.pending(before, hosts) else reboot.not_whole(seen)
        return _drained(before, queue[0], reason, now(), seen)

    async with connect(cloud.hosts, asked.reach.ssh()) as connected:
        found = await wanted(cloud, connected, change, asked.needed)
    if asked.quiet:
        return tuple(queue), tuple(known)
    click.echo(f"each drained, rebooted, and undrained, one after another: {', '.join(h.name for h in queue)}")
    if not found.plan.empty:
        click.echo(f"to drain {queue[0].name}:")
        show(found.plan)
    return tuple(queue), tuple(known)


def _drained(cloud: Cloud, host: Host, reason: str, when: float, seen: Cluster) -> Cloud:
    region = next(r for r in seen.regions if r.region.name == host.region)
    return drain.drained(cloud, cloud.host_by_name[host.name], reason, when, region)


async def all_of(cloud: Cloud, hosts: Sequence[Host], reason: str, asked: Asked) -> None:
    """Reboots them, without a question. Raises FourninesError; called again, it continues."""
    queue, known = await _first_look(cloud, hosts, reason, asked)
    await _reboot(cloud, queue, known, reason, asked)


def _say(asked: Asked, text: str) -> None:
    if not asked.quiet:
        click.echo(text, err=True)


async def _reboot(cloud: Cloud, queue: Sequence[Host], known: Sequence[str], reason: str, asked: Asked) -> None:
    ssh = asked.reach.ssh()
    for number, host in enumerate(queue, 1):
        _say(asked, f"{host.name} ({number} of {len(queue)}): drains")
        before = await _drain(cloud, host, queue[number - 1 :], reason, asked)
        if before:
            _say(asked, f"{host.name}: reboots")
            async with connect([host], ssh) as connected:
                connected.require_all()
                await begin_reboot(connected[host.name])
            await next_boot(host, before, ssh, BOOTS)
        _say(asked, f"{host.name}: is back; waits until the cloud is fully redundant")
        await _until_whole(cloud, host, known, asked)
        when = now()
        await _apply(cloud, lambda c, _, h=host, w=when: reboot.finished(c, h, w), asked)


async def _drain(cloud: Cloud, host: Host, queue: Sequence[Host], reason: str, asked: Asked) -> str:
    """The boot that is to end, once `host` is drained; "" when it has ended already, in a run before this one."""
    async with connect(cloud.hosts, asked.reach.ssh()) as connected:
        boots = {h.name: await boot_of(connected[h.name]) for h in queue if h.name in connected}
    found, when = {"boot": ""}, now()

    def change(before: Cloud, seen: Cluster) -> Cloud:
        after = _drained(reboot.asked(before, boots, when), host, reason, when, seen)
        found["boot"] = after.maintenance[host.name].boot
        return after

    await _apply(cloud, change, asked)
    return found["boot"] if found["boot"] == boots.get(host.name) else ""


async def _apply(cloud: Cloud, change: Change, asked: Asked) -> None:
    async with connect(cloud.hosts, asked.reach.ssh()) as connected:
        await carry_out(cloud, connected, change, needed=asked.needed, report=silent if asked.quiet else None)


async def _until_whole(cloud: Cloud, host: Host, known: Sequence[str], asked: Asked) -> None:
    """Raises GateError that says what is still wrong, beside what was `known` to be."""
    from fournines.health.look import look

    deadline, left = time.monotonic() + WHOLE, ["it was not asked"]
    while time.monotonic() < deadline:
        async with connect(cloud.hosts, asked.reach.ssh()) as connected:
            lost = False
            while not lost and time.monotonic() < deadline:
                seen = await look(cloud, connected, connected.failures)
                left = [line for line in reboot.not_whole(seen) if line not in known]
                if not left:
                    return
                lost = bool(connected.failures) or any(r.unknown for r in seen.regions)
                await asyncio.sleep(1.0)
    raise GateError(
        f"the cloud is not fully redundant {WHOLE:g} s after {host.name} came back",
        where=host.name,
        why="\n        ".join(left[:5]),
        next="fix what it says, then run the same command again: it continues here",
    )
