"""Reboots: one host after another, each drained before, the cloud fully redundant after.

The caller holds the cloud's local lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from fournines.cloud.model import Cloud, Host
from fournines.commands.drain import drained
from fournines.commands.operation import Change, Reporting, Say, carry_out, look, now
from fournines.engine import SshOptions, connect
from fournines.engine.reboot import begin_reboot, boot_of, next_boot
from fournines.errors import GateError
from fournines.health.cluster import Cluster
from fournines.operate import reboot
from fournines.plan.model import Plan

#: Seconds for a host to answer again, and for the cloud to be fully redundant then.
BOOTS, WHOLE = 900.0, 600.0


@dataclass(frozen=True)
class Reboots:
    """queue: the hosts in the order in which they go. known: what is wrong already, and is not waited for. plan: what
    drains the first."""

    queue: Sequence[Host]
    known: Sequence[str]
    plan: Plan


@dataclass(frozen=True)
class How:
    """reason: shown meanwhile. say, reporting: where progress goes."""

    reason: str
    ssh: SshOptions
    say: Say
    reporting: Reporting


async def planned(cloud: Cloud, hosts: Sequence[Host], how: How) -> Reboots:
    """Raises PlanError where the first could not go, HostError where one does not answer."""
    queue: list[Host] = []
    known: list[str] = []

    def change(before: Cloud, seen: Cluster) -> Cloud:
        queue[:] = reboot.queue(hosts, before, seen)
        # What was wrong before the first reboot is not waited for.
        known[:] = () if reboot.pending(before, hosts) else reboot.not_whole(seen)
        return drained(before, queue[0], how.reason, now(), seen)

    found = await look(cloud, how.ssh, change, tuple(h.name for h in hosts), how.say)
    return Reboots(tuple(queue), tuple(known), found.plan)


async def reboot_all(cloud: Cloud, reboots: Reboots, how: How) -> None:
    """Raises FourninesError; called again, after `planned`, it continues."""
    queue = reboots.queue
    for number, host in enumerate(queue, 1):
        how.say(f"{host.name} ({number} of {len(queue)}): drains")
        before = await _drain(cloud, host, queue[number - 1 :], how)
        if before:
            how.say(f"{host.name}: reboots")
            async with connect([host], how.ssh) as connected:
                connected.require_all()
                await begin_reboot(connected[host.name])
            await next_boot(host, before, how.ssh, BOOTS)
        how.say(f"{host.name}: is back; waits until the cloud is fully redundant")
        await until_whole(cloud, host, reboots.known, how.ssh)
        when = now()
        await _apply(cloud, host, lambda c, _, h=host, w=when: reboot.finished(c, h, w), how)


async def _drain(cloud: Cloud, host: Host, queue: Sequence[Host], how: How) -> str:
    """The boot that is to end, once `host` is drained; "" when it has ended already, in a run before this one."""
    async with connect(cloud.hosts, how.ssh) as connected:
        boots = {h.name: await boot_of(connected[h.name]) for h in queue if h.name in connected}
    found, when = {"boot": ""}, now()

    def change(before: Cloud, seen: Cluster) -> Cloud:
        after = drained(reboot.asked(before, boots, when), host, how.reason, when, seen)
        found["boot"] = after.maintenance[host.name].boot
        return after

    await _apply(cloud, host, change, how)
    return found["boot"] if found["boot"] == boots.get(host.name) else ""


async def _apply(cloud: Cloud, host: Host, change: Change, how: How) -> None:
    await carry_out(cloud, how.ssh, change, (host.name,), reporting=how.reporting, say=how.say)


async def until_whole(cloud: Cloud, host: Host, known: Sequence[str], ssh: SshOptions) -> None:
    """Raises GateError that says what is still wrong, beside what was `known` to be."""
    from fournines.health.look import look

    deadline, left = time.monotonic() + WHOLE, ["it was not asked"]
    while time.monotonic() < deadline:
        async with connect(cloud.hosts, ssh) as connected:
            lost = False
            while not lost and time.monotonic() < deadline:
                seen = await look(cloud, connected, connected.failures)
                left = [line for line in reboot.not_whole(seen) if line not in known]
                if not left:
                    return
                lost = bool(connected.failures) or any(r.unknown for r in seen.regions)
                await asyncio.sleep(1.0)
    raise GateError(
        f"the cloud is not fully redundant {WHOLE:g} s after the work on {host.name}",
        where=host.name,
        why="\n        ".join(left[:5]),
        next="fix what it says, then run the same command again: it continues here",
    )
