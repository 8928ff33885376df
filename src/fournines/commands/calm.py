"""A stretch of time in which nothing is injected, and what happens all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from fournines.cloud.model import Cloud
from fournines.cloud.names import suggest
from fournines.commands.clouds import region_of
from fournines.commands.proof import Operator, alone
from fournines.commands.proof_plan import Wish
from fournines.commands.prove_sites import site_of
from fournines.errors import UsageError
from fournines.prove.calm.model import Calm
from fournines.prove.calm.run import Order, functions_of, run
from fournines.prove.faults.text import seconds
from fournines.prove.functions import chosen


def prove_calm(cloud: Cloud, wish: Wish, lasts: str, without: str, operator: Operator) -> Calm:
    """Raises ProveError, UsageError, LockedError, HostError."""
    region = region_of(cloud, wish.region)
    length = seconds(lasts)
    if not length:
        raise UsageError("a calm that lasts no time says nothing", next="--calm 30m")
    names = [h.name for h in region.hosts]
    if without and without not in names:
        raise UsageError(f"region {region.name} has no host {without}", next=suggest(without, names))
    functions = functions_of(chosen([name for name in wish.functions.split(",") if name], cloud, region.name))
    if not functions:
        raise UsageError("none of these functions is asked gently", next="leave --functions out")
    order = Order(
        seconds=length,
        without=without,
        force=wish.force,
        command=wish.command,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )

    async def work() -> Calm:
        with operator.reporting() as reporter:
            async with site_of(cloud, region, wish, operator.say, reporter, functions=functions) as site:
                return await run(replace(order, versions=site.versions), site)

    return alone([cloud], wish, operator, work)
