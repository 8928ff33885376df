"""A rotation, phase by phase. The caller holds the cloud's local lock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise

from fournines.cloud.model import Cloud
from fournines.commands.apply import surveyed, write_access
from fournines.engine import SshOptions, apply, connect, hold, owner, require_foreseen
from fournines.engine.events import Report
from fournines.operate import rotate
from fournines.plan.model import Plan
from fournines.plan.preview import preview
from fournines.services import registry
from fournines.services.rotation import PHASES, Phase


@dataclass(frozen=True)
class Planned:
    """A phase that is left to do. plan: of the first one as the hosts are, of later ones as they will be."""

    step: rotate.Step
    plan: Plan


async def planned(cloud: Cloud, names: tuple[str, ...], ssh: SshOptions, until: Phase) -> list[Planned]:
    """The phases of the rotation of `names` that are left to do, up to `until`. Raises HostError, PlanError."""
    steps = list(rotate.steps(cloud, names, time.time(), owner()))
    async with connect(cloud.hosts, ssh) as hosts:
        hosts.require_all()
        if steps[0].begins:
            rotate.require_settled(cloud, await surveyed(cloud, hosts))
        phases = [Planned(steps[0], await surveyed(steps[0].cloud, hosts))]
    for before, step in pairwise(steps):
        phases.append(Planned(step, preview(step.cloud, registry(), before.wanted, step.wanted)))
    return [phase for phase in phases if PHASES.index(phase.step.phase) <= PHASES.index(until)]


async def carry_out(phase: Planned, ssh: SshOptions, report: Report, *, confirmed: bool) -> None:
    """Saves the secrets of the phase before the first host changes: a rotation that is interrupted is then continued,
    by whoever has the file. confirmed: only what somebody has seen is done."""
    cloud = phase.step.cloud
    cloud.secrets.save()
    await change_hosts(cloud, phase.plan if confirmed else None, ssh, report)
    write_access(cloud)
    if phase.step.phase == PHASES[-1]:
        rotate.ended(cloud)
        cloud.secrets.save()


async def change_hosts(cloud: Cloud, seen: Plan | None, ssh: SshOptions, report: Report) -> None:
    async with connect(cloud.hosts, ssh) as hosts:
        hosts.require_all()
        async with hold(hosts):
            plan = await surveyed(cloud, hosts)
            if seen:
                require_foreseen(seen, plan)
            if not plan.empty:
                await apply(plan, hosts, report)
