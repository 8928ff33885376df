"""What the operations of day two share: look, show the plan, ask, carry it out under the locks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from fournines.cli.progress import progress
from fournines.cli.reach import Reach, reach_of, reach_options
from fournines.cli.show import show
from fournines.cloud.model import Cloud
from fournines.design import require_valid
from fournines.engine import Connected, Survey, apply, connect, hold, local_lock, require_confirmed, survey
from fournines.engine.events import Report
from fournines.engine.together import merged
from fournines.errors import HostError, UsageError
from fournines.health.cluster import Cluster
from fournines.plan import render
from fournines.plan.model import Plan

#: From the cloud as its hosts have it, and what their agents say, to the cloud as it should be. Raises PlanError.
Change = Callable[[Cloud, Cluster], Cloud]


@dataclass(frozen=True)
class Asked:
    """How the operation was asked for. name: of the command. needed: hosts without which there is nothing to do.
    quiet: without progress on stderr."""

    name: str
    yes: bool
    dry_run: bool
    as_json: bool
    reach: Reach
    needed: tuple[str, ...] = ()
    quiet: bool = False

    def require_answer(self) -> None:
        """Raises UsageError where somebody would have to be asked, and nobody is there."""
        if self.reach.names:
            raise UsageError(f"{self.name} concerns the whole cloud", next="leave --hosts out")
        if not (self.yes or self.dry_run) and (self.as_json or not sys.stdin.isatty()):
            why = f"{self.name} asks before it changes anything, and nobody is here to answer"
            raise UsageError(why, next="add --yes")


F = TypeVar("F", bound=Callable[..., Any])


def operation_options(function: F) -> F:
    """Adds `--yes`, `--dry-run`, `--json`, and the options of `reach_options`; `asked_of` reads them."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON document at the end."),
        click.option("--dry-run", is_flag=True, help="Show the plan and stop."),
        click.option("--yes", is_flag=True, help="Do not ask."),
    ):
        function = option(function)
    return reach_options(function)


def asked_of(name: str, options: dict[str, Any], needed: tuple[str, ...] = ()) -> Asked:
    return Asked(name, options["yes"], options["dry_run"], options["as_json"], reach_of(options), needed)


def operate(cloud: Cloud, asked: Asked, change: Change) -> Plan:
    """Makes `cloud`, changed, true. The plan that was carried out, or would be."""
    asked.require_answer()
    require_valid(cloud)
    with local_lock(cloud.state_dir):
        seen = asyncio.run(_look(cloud, asked, change))
        if not asked.as_json:
            show(seen.plan)
        if not (asked.dry_run or seen.plan.empty):
            if not asked.yes and not click.confirm(f"{asked.name.capitalize()}?", err=True):
                click.echo("Nothing was changed.", err=True)
                sys.exit(1)
            asyncio.run(_carry_out(cloud, asked, change, seen.plan))
    if asked.as_json:
        click.echo(json.dumps({"done": not asked.dry_run, **render.document(seen.plan)}, indent=2))
    return seen.plan


async def _look(cloud: Cloud, asked: Asked, change: Change) -> Survey:
    async with connect(cloud.hosts, asked.reach.ssh()) as hosts:
        return await wanted(cloud, hosts, change, asked.needed)


async def wanted(cloud: Cloud, hosts: Connected, change: Change, needed: tuple[str, ...] = ()) -> Survey:
    """What it takes to make `cloud`, changed, true on the hosts that answer. Raises HostError when one of `needed`
    does not, or none does."""
    from fournines.health.look import look
    from fournines.services import registry

    if missing := [hosts.failures[name] for name in needed if name in hosts.failures]:
        raise merged(missing)
    if not hosts:
        raise merged(list(hosts.failures.values()))
    for error in hosts.failures.values():
        click.echo(f"left out: {error.what}; `fournines apply` brings it up to date when it is back", err=True)
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


async def _carry_out(cloud: Cloud, asked: Asked, change: Change, confirmed: Plan) -> None:
    """Over connections of its own: those of the first look may have ended while the operator thought it over."""
    async with connect(cloud.hosts, asked.reach.ssh()) as hosts:
        if gone := [name for name in confirmed.hosts if name not in hosts]:
            raise HostError("the plan's hosts do not all answer any more", where=", ".join(gone))
        await carry_out(cloud, hosts, change, needed=asked.needed, confirmed=None if asked.yes else confirmed)


async def carry_out(
    cloud: Cloud,
    hosts: Connected,
    change: Change,
    *,
    needed: tuple[str, ...],
    confirmed: Plan | None = None,
    report: Report | None = None,
) -> None:
    """Looks under the hosts' locks, and makes `cloud`, changed, true. Raises PlanError where that is more than what was
    `confirmed`. report: None shows progress."""
    async with hold(hosts):
        found = await wanted(cloud, hosts, change, needed)
        if confirmed:
            require_confirmed(confirmed, found.plan)
        cloud.secrets.save()
        with contextlib.nullcontext(report) if report else progress() as tell:
            await apply(found.plan, hosts, tell)


def now() -> float:
    return time.time()
