"""A host leaves the cloud, phase by phase. The caller holds the cloud's local lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from fournines.cloud.model import Cloud
from fournines.cloud.record import Entry
from fournines.commands.operation import Reporting, Say, now
from fournines.engine import SshOptions, apply, connect, hold, require_foreseen, survey
from fournines.engine.connect import Connected
from fournines.engine.survey import recorded
from fournines.engine.together import merged
from fournines.errors import HostError
from fournines.operate import scale
from fournines.plan.desired import desired
from fournines.plan.model import Plan
from fournines.plan.preview import preview
from fournines.services import registry


@dataclass(frozen=True)
class Asked:
    """name: of the host, "" for the one that the file no longer has. lost: it will never answer again. accept_even:
    groups may become even, or smaller than three. replaces: it comes back empty, or another machine in its place."""

    name: str = ""
    lost: bool = False
    accept_even: bool = False
    replaces: bool = False


@dataclass(frozen=True)
class Planned:
    """A phase that is left to do. plan: of the first one as the hosts are, of later ones as they will be."""

    step: scale.Step
    plan: Plan


@dataclass(frozen=True)
class Leaving:
    entry: Entry
    phases: tuple[Planned, ...]


async def planned(cloud: Cloud, asked: Asked, ssh: SshOptions) -> Leaving:
    """The phases that are left to do. Raises UsageError, HostError, PlanError."""
    from fournines.health.look import look

    async with connect(cloud.hosts, ssh) as hosts:
        if not hosts:
            raise merged(list(hosts.failures.values()))
        entry = scale.leaver(cloud, await recorded(hosts), asked.name)
    whole = scale.with_leaver(cloud, entry)
    async with connect(whole.hosts, ssh) as hosts:
        _require(hosts, entry, lost=asked.lost)
        known = await _maintenance(whole, entry, hosts)
        if entry.state == "serves":
            host = known.host_by_name[entry.name]
            seen = next(r for r in (await look(known, hosts, hosts.failures)).regions if r.region.name == host.region)
            if asked.replaces:
                scale.require_dead(host, seen)
            accepted = asked.accept_even or asked.replaces
            scale.require_possible(known, host, seen, accept_even=accepted, lost=asked.lost)
        steps = list(scale.steps(known, entry, now(), lost=asked.lost))
        phases = [Planned(steps[0], await surveyed(steps[0].cloud, hosts))]
    before = desired(steps[0].cloud, registry())
    for _, step in pairwise(steps):
        wanted = desired(step.cloud, registry(), [h.name for h in step.cloud.hosts if h.name in hosts])
        phases.append(Planned(step, preview(step.cloud, registry(), before, wanted)))
        before = wanted
    return Leaving(entry, tuple(phases))


def _require(hosts: Connected, entry: Entry, *, lost: bool) -> None:
    """Raises HostError unless all answer, but for the one that is lost."""
    others = [error for name, error in hosts.failures.items() if name != entry.name]
    if others:
        raise merged(others)
    if entry.name in hosts.failures and not lost and entry.state != "gone":
        error = hosts.failures[entry.name]
        raise HostError(
            error.what,
            where=entry.name,
            why=error.why or "it cannot hand over what it carries",
            next="bring it back; or --lost, if it will never run again: then the others take it out",
        )


async def _maintenance(cloud: Cloud, entry: Entry, hosts: Connected) -> Cloud:
    """`cloud`, with what operators have asked of its hosts."""
    known = cloud if entry.state == "serves" else _in_state(cloud, entry)
    found = await survey(known, registry(), hosts)
    if found.failures:
        raise merged(list(found.failures.values()))
    return replace(cloud, maintenance=found.cloud.maintenance)


def _in_state(cloud: Cloud, entry: Entry) -> Cloud:
    """The phase that has begun, so that a survey knows the host by its state."""
    return next(iter(scale.steps(cloud, entry, now(), lost=False))).cloud


async def surveyed(cloud: Cloud, hosts: Connected) -> Plan:
    """What it takes to make `cloud` true on those of its hosts that are in `hosts`. Raises HostError, PlanError."""
    there = Connected({name: hosts[name] for name in hosts if name in cloud.host_by_name})
    found = await survey(cloud, registry(), there)
    if found.failures:
        raise merged(list(found.failures.values()))
    return found.plan


async def carry_out(
    leaving: Leaving,
    ssh: SshOptions,
    *,
    reporting: Reporting,
    say: Say,
    ending: Callable[[], None],
    confirmed: bool,
    lost: bool,
) -> None:
    """Raises FourninesError; `planned` and this again continue. confirmed: only what somebody has seen is done.
    ending: called before the hosts forget that the host was theirs."""
    for phase in leaving.phases:
        if phase.step.phase == "done":
            ending()
        say(f"{leaving.entry.name}: {phase.step.phase}")
        cloud = phase.step.cloud
        async with connect(cloud.hosts, ssh) as hosts:
            _require(hosts, leaving.entry, lost=lost)
            async with hold(hosts):
                plan = await surveyed(cloud, hosts)
                if confirmed:
                    require_foreseen(phase.plan, plan)
                cloud.secrets.save()
                if not plan.empty:
                    with reporting() as report:
                        await apply(plan, hosts, report)
