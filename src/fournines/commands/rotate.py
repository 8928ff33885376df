"""New keys, without a token or a request lost. The caller holds the cloud's local lock."""

from __future__ import annotations

import time

from fournines.cloud.model import Cloud
from fournines.commands.apply import surveyed
from fournines.engine import SshOptions, apply, connect
from fournines.engine.events import Report
from fournines.operate import rotate
from fournines.plan.model import Plan


async def planned(cloud: Cloud, ssh: SshOptions) -> Plan:
    """New keys in the cloud's secrets, not yet saved, and what they change. Raises HostError, PlanError."""
    async with connect(cloud.hosts, ssh) as hosts:
        hosts.require_all()
        rotate.fernet_keys(cloud, time.time(), await surveyed(cloud, hosts))
        return await surveyed(cloud, hosts)


async def carry_out(cloud: Cloud, plan: Plan, ssh: SshOptions, report: Report) -> None:
    """Saves the keys before the first host changes: an interrupted rotation is then finished by `apply`."""
    cloud.secrets.save()
    async with connect(cloud.hosts, ssh) as hosts:
        hosts.require_all()
        await apply(plan, hosts, report)
