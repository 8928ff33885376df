"""Jobs that change what hosts carry: drain, undrain, reboot."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from fournines.cloud.model import Cloud, Host
from fournines.commands import operation
from fournines.commands import reboot as rebooting
from fournines.commands.drain import to_drain, to_undrain
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError
from fournines.operate import reboot as reboots
from fournines.plan import render
from fournines.web.kinds import OfDrain, OfHost, OfReboot
from fournines.web.tasks import SSH
from fournines.web.work import Work


def drain(cloud: Cloud, asked: OfDrain, work: Work) -> Mapping[str, Any]:
    return _operate(cloud, asked, to_drain(_host(cloud, asked.host), asked.reason, operation.now()), work)


def undrain(cloud: Cloud, asked: OfHost, work: Work) -> Mapping[str, Any]:
    return _operate(cloud, asked, to_undrain(_host(cloud, asked.host), operation.now()), work)


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


def _operate(cloud: Cloud, asked: OfHost, change: operation.Change, work: Work) -> Mapping[str, Any]:
    require_valid(cloud)
    needed = (asked.host,)
    with local_lock(cloud.state_dir):
        work.say(f"asking {len(cloud.hosts)} hosts")
        found = asyncio.run(operation.look(cloud, SSH, change, needed, work.say))
        if not (asked.dry_run or found.plan.empty):
            doing = operation.carry_out(
                cloud, SSH, change, needed, reporting=lambda: nullcontext(work.report), say=work.say
            )
            asyncio.run(doing)
    return {"done": not asked.dry_run, "plan": render.document(found.plan)}


def _host(cloud: Cloud, name: str) -> Host:
    if name not in cloud.host_by_name:
        raise UsageError(f"{cloud.name} has no host {name}", next="see the cloud file")
    return cloud.host_by_name[name]
