"""Look, then plan: what it would take to make the hosts what the cloud file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fournines.cloud import maintenance
from fournines.cloud.model import Cloud
from fournines.engine.events import Report, silent
from fournines.engine.observe import Observation, observe
from fournines.engine.transport import ManagedHost
from fournines.errors import HostError
from fournines.plan.actions import MAINTENANCE_FACT, read_maintenance
from fournines.plan.desired import Registry, desired, facts
from fournines.plan.diffs import texts, with_diffs
from fournines.plan.make import make
from fournines.plan.model import Plan
from fournines.services.resource import Fact


@dataclass(frozen=True)
class Survey:
    """`plan` is for the hosts that answered; `failures` says why the others did not. `cloud`: with what the hosts say
    of their maintenance."""

    plan: Plan
    failures: Mapping[str, HostError]
    cloud: Cloud


async def survey(cloud: Cloud, services: Registry, hosts: Mapping[str, ManagedHost], report: Report = silent) -> Survey:
    """Facts, then the text of the files that differ. Where hosts are, or have been, in maintenance, what that adds is
    asked in between. An entry of `cloud.maintenance` that is newer than what the hosts have is what is wanted."""
    wanted = desired(cloud, services, hosts)
    seen = await observe(hosts, facts(wanted), report)
    known = _maintenance(cloud, seen)
    if known != cloud.maintenance:
        cloud = replace(cloud, maintenance=known)
        wanted = desired(cloud, services, seen.replies)
        await _ask_more(hosts, facts(wanted), seen)
    plan = make(cloud, services, wanted, seen.replies)
    if asked := texts(plan):
        plan = with_diffs(plan, (await observe(hosts, asked)).replies)
    return Survey(plan, seen.failures, cloud)


def _maintenance(cloud: Cloud, seen: Observation) -> maintenance.Entries:
    copies = [read_maintenance(host, replies[MAINTENANCE_FACT]) for host, replies in seen.replies.items()]
    known = maintenance.newest([cloud.maintenance, *copies])
    return {name: entry for name, entry in known.items() if name in cloud.host_by_name}


async def _ask_more(hosts: Mapping[str, ManagedHost], wanted: Mapping[str, Sequence[Fact]], seen: Observation) -> None:
    """Adds the replies to those of `wanted` that were not asked yet."""
    more = {name: [fact for fact in asked if fact not in seen.replies[name]] for name, asked in wanted.items()}
    found = await observe({name: hosts[name] for name, asked in more.items() if asked}, more)
    for name, replies in found.replies.items():
        seen.replies[name] |= replies
    for name, error in found.failures.items():
        del seen.replies[name]
        seen.failures[name] = error
