"""Jobs that change what a host carries, or its power: drain, undrain, reboot, upgrades, fence."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from fournines.cloud.model import Cloud, Host
from fournines.commands import operation
from fournines.commands import reboot as rebooting
from fournines.commands import upgrade as upgrading
from fournines.commands.drain import to_drain, to_undrain
from fournines.commands.fence import others, switch
from fournines.commands.upgrade_shown import lines
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError
from fournines.operate import reboot as reboots
from fournines.operate.upgrade import REASON, Asked
from fournines.plan import render
from fournines.plan.model import Plan
from fournines.web.arguments import OfDrain, OfFence, OfHost, OfReboot, OfRelease, OfUpgrade
from fournines.web.tasks import SSH
from fournines.web.work import Work


def drain(cloud: Cloud, asked: OfDrain, work: Work) -> Mapping[str, Any]:
    return _operate(cloud, asked, to_drain(host_of(cloud, asked.host), asked.reason, operation.now()), work)


def undrain(cloud: Cloud, asked: OfHost, work: Work) -> Mapping[str, Any]:
    return _operate(cloud, asked, to_undrain(host_of(cloud, asked.host), operation.now()), work)


def upgrade(cloud: Cloud, asked: OfUpgrade, work: Work) -> Mapping[str, Any]:
    wish = Asked(**asked.model_dump(exclude={"dry_run"}))
    return _upgraded(cloud, wish, work, dry_run=asked.dry_run)


def upgrade_release(cloud: Cloud, asked: OfRelease, work: Work) -> Mapping[str, Any]:
    """Raises UsageError unless the cloud's name was typed."""
    if not asked.dry_run and asked.confirm != cloud.name:
        raise UsageError(
            f"no host that has gone to {asked.to} goes back",
            where=cloud.name,
            next=f"confirm with the cloud's name, {cloud.name}",
        )
    wish = Asked(canary=asked.canary, onward=asked.onward, reboot=asked.reboot, to=asked.to)
    return _upgraded(cloud, wish, work, dry_run=asked.dry_run)


def _upgraded(cloud: Cloud, wish: Asked, work: Work, *, dry_run: bool) -> Mapping[str, Any]:
    require_valid(cloud)
    how = rebooting.How(REASON, SSH, work.say, lambda: nullcontext(work.report))
    with local_lock(cloud.state_dir):
        if wish.abandon:
            return {"done": True, "abandoned": asyncio.run(upgrading.abandon(cloud, how))}
        found = asyncio.run(upgrading.planned(cloud, wish, how))
        if found.release and not wish.to:
            raise UsageError(
                f"the cloud is on its way to {found.release.name}",
                where=cloud.name,
                next=f"upgrade-release to {found.release.name} goes on with that",
            )
        doing = not (dry_run or found.empty)
        if doing:
            asyncio.run(upgrading.upgrade_all(found, how))
    return {"done": doing, **upgrading.document(found), "steps": list(lines(found))}


def reboot(cloud: Cloud, asked: OfReboot, work: Work) -> Mapping[str, Any]:
    hosts = reboots.targets(cloud, asked.target)
    require_valid(cloud)
    how = rebooting.How(asked.reason, SSH, work.say, lambda: nullcontext(work.report))
    with local_lock(cloud.state_dir):
        found = asyncio.run(rebooting.planned(cloud, hosts, how))
        if not asked.dry_run:
            asyncio.run(rebooting.reboot_all(cloud, found, how))
    order = [host.name for host in found.queue]
    return {"done": not asked.dry_run, "order": order, "first": render.document(found.plan)}


def fence(cloud: Cloud, asked: OfFence, work: Work) -> Mapping[str, Any]:
    target = host_of(cloud, asked.host)
    members = others(cloud, target)
    work.say(f"asking {', '.join(m.name for m in members)}")
    said = asyncio.run(switch(members, target, asked.action, SSH))
    return {"host": target.name, "power": said if asked.action == "status" else asked.action}


def _operate(cloud: Cloud, asked: OfHost, change: operation.Change, work: Work) -> Mapping[str, Any]:
    found = made_true(cloud, change, (asked.host,), work, dry_run=asked.dry_run)
    return {"done": not asked.dry_run, "plan": render.document(found)}


def made_true(cloud: Cloud, change: operation.Change, needed: tuple[str, ...], work: Work, *, dry_run: bool) -> Plan:
    """The plan that made `cloud`, changed, true; on a dry run that would."""
    require_valid(cloud)
    with local_lock(cloud.state_dir):
        work.say(f"asking {len(cloud.hosts)} hosts")
        found = asyncio.run(operation.look(cloud, SSH, change, needed, work.say))
        if not (dry_run or found.plan.empty):
            doing = operation.carry_out(
                cloud, SSH, change, needed, reporting=lambda: nullcontext(work.report), say=work.say
            )
            asyncio.run(doing)
    return found.plan


def host_of(cloud: Cloud, name: str) -> Host:
    if name not in cloud.host_by_name:
        raise UsageError(f"{cloud.name} has no host {name}", next="see the cloud file")
    return cloud.host_by_name[name]
