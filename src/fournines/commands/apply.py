"""Bring hosts to what the cloud file, or a saved plan, says. The caller holds the cloud's local lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fournines.cloud.model import Cloud, Host
from fournines.commands.private import write_private
from fournines.design import require_valid
from fournines.engine import (
    Connected,
    SshOptions,
    apply,
    connect,
    hold,
    require_confirmed,
    require_same_world,
    survey,
)
from fournines.engine.events import Report
from fournines.engine.together import merged
from fournines.errors import PlanError
from fournines.plan.model import Plan


@dataclass(frozen=True)
class Wish:
    """What is to be carried out, and on which hosts. `plan` is None when it is still to be made."""

    cloud: Cloud
    plan: Plan | None
    hosts: Sequence[Host]


def of_saved(cloud: Cloud, plan: Plan, where: str) -> Wish:
    """A plan that was saved, exactly as it is. `where`: what to call it. Raises PlanError, CloudFileError."""
    require_valid(cloud)
    if plan.cloud != cloud.name:
        raise PlanError(f"this plan is for {plan.cloud}, not for {cloud.name}", where=where, next="plan again")
    if not plan.facts:
        raise PlanError("this plan was made without asking the hosts", where=where, next="plan without --offline")
    if gone := [name for name in plan.facts if name not in cloud.host_by_name]:
        raise PlanError("the cloud file no longer has the plan's hosts", where=", ".join(gone), next="plan again")
    return Wish(cloud, plan, [cloud.host_by_name[name] for name in plan.facts])


async def look(wish: Wish, ssh: SshOptions) -> Plan:
    """What would change. Raises HostError unless all hosts answer."""
    async with connect(wish.hosts, ssh) as hosts:
        hosts.require_all()
        return await surveyed(wish.cloud, hosts)


async def surveyed(cloud: Cloud, hosts: Connected) -> Plan:
    """What would change on `hosts`. Raises HostError unless all can be probed."""
    from fournines.services import registry

    found = await survey(cloud, registry(), hosts)
    if found.failures:
        raise merged(list(found.failures.values()))
    return found.plan


async def carry_out(wish: Wish, plan: Plan, ssh: SshOptions, report: Report, *, confirmed: bool) -> Plan:
    """What was carried out. Looks again under the lock, over connections of its own: those of the first look may have
    ended while the operator thought it over, and another run may have been faster. Only what was confirmed is done."""
    async with connect(wish.hosts, ssh) as hosts:
        hosts.require_all()
        async with hold(hosts):
            if wish.plan:
                await require_same_world(plan, hosts)
            else:
                seen, plan = plan, await surveyed(wish.cloud, hosts)
                if confirmed:
                    require_confirmed(seen, plan)
            wish.cloud.secrets.save()
            await apply(plan, hosts, report)
    return plan


def write_access(cloud: Cloud) -> Path | None:
    """What a client needs, beside the cloud's other state: clouds.yaml and the CA. None without a Keystone."""
    from fournines.services.keystone import clouds_yaml
    from fournines.services.tls import trusted

    if "keystone.admin" not in cloud.secrets.names():
        return None
    authority = cloud.state_dir / "ca.pem"
    authority.write_text(trusted(cloud))
    access = cloud.state_dir / "clouds.yaml"
    write_private(access, clouds_yaml(cloud, str(authority)))
    return access
