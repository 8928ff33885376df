"""Look, then plan: what it would take to make the hosts what the cloud file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fournines.cloud.model import Cloud
from fournines.engine.events import Report, silent
from fournines.engine.observe import observe
from fournines.engine.transport import ManagedHost
from fournines.errors import HostError
from fournines.plan.desired import Registry, desired, facts
from fournines.plan.diffs import texts, with_diffs
from fournines.plan.make import make
from fournines.plan.model import Plan


@dataclass(frozen=True)
class Survey:
    """`plan` is for the hosts that answered; `failures` says why the others did not."""

    plan: Plan
    failures: Mapping[str, HostError]


async def survey(cloud: Cloud, services: Registry, hosts: Mapping[str, ManagedHost], report: Report = silent) -> Survey:
    """Two round trips at most: facts, then the text of the files that differ."""
    wanted = desired(cloud, services, hosts)
    seen = await observe(hosts, facts(wanted), report)
    plan = make(cloud, services, wanted, seen.replies)
    if asked := texts(plan):
        plan = with_diffs(plan, (await observe(hosts, asked)).replies)
    return Survey(plan, seen.failures)
