"""Operations of day two: the cloud as its hosts have it is changed, and that is made true, as any other plan is.

The caller holds the cloud's local lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from fournines.cloud.model import Cloud
from fournines.engine import Connected, SshOptions, Survey, apply, connect, hold, require_confirmed, survey
from fournines.engine.events import Report
from fournines.engine.together import merged
from fournines.errors import HostError
from fournines.health.cluster import Cluster
from fournines.plan.model import Plan

#: From the cloud as its hosts have it, and what their agents say, to the cloud as it should be. Raises PlanError.
Change = Callable[[Cloud, Cluster], Cloud]
#: A line for whoever watches.
Say = Callable[[str], None]
#: Where a plan that is carried out reports to, for as long as it is.
Reporting = Callable[[], AbstractContextManager[Report]]


async def look(cloud: Cloud, ssh: SshOptions, change: Change, needed: tuple[str, ...], say: Say) -> Survey:
    """`wanted`, over connections of its own."""
    async with connect(cloud.hosts, ssh) as hosts:
        return await wanted(cloud, hosts, change, needed, say)


async def wanted(cloud: Cloud, hosts: Connected, change: Change, needed: tuple[str, ...], say: Say) -> Survey:
    """What it takes to make `cloud`, changed, true on the hosts that answer. Raises HostError when one of `needed`
    does not, or none does."""
    from fournines.health.look import look
    from fournines.services import registry

    if missing := [hosts.failures[name] for name in needed if name in hosts.failures]:
        raise merged(missing)
    if not hosts:
        raise merged(list(hosts.failures.values()))
    for error in hosts.failures.values():
        say(f"left out: {error.what}; `fournines apply` brings it up to date when it is back")
    now = await survey(cloud, registry(), hosts)
    _require(now)
    changed = change(now.cloud, await look(now.cloud, hosts, hosts.failures))
    if changed is now.cloud:
        return now
    then = await survey(changed, registry(), hosts)
    _require(then)
    return then


def _require(found: Survey) -> None:
    if found.failures:
        raise merged(list(found.failures.values()))


async def carry_out(
    cloud: Cloud,
    ssh: SshOptions,
    change: Change,
    needed: tuple[str, ...],
    *,
    reporting: Reporting,
    say: Say,
    confirmed: Plan | None = None,
) -> None:
    """Looks under the hosts' locks, and makes `cloud`, changed, true. Over connections of its own: those of the first
    look may have ended while the operator thought it over. Raises PlanError where that is more than what was
    `confirmed`."""
    async with connect(cloud.hosts, ssh) as hosts:
        if confirmed and (gone := [name for name in confirmed.hosts if name not in hosts]):
            raise HostError("the plan's hosts do not all answer any more", where=", ".join(gone))
        async with hold(hosts):
            found = await wanted(cloud, hosts, change, needed, say)
            if confirmed:
                require_confirmed(confirmed, found.plan)
            cloud.secrets.save()
            with reporting() as report:
                await apply(found.plan, hosts, report)


def now() -> float:
    return time.time()
