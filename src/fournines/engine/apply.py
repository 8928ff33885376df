"""Carries a plan out: stage after stage, wave after wave, each host's changes in one go, a gate after each wave.

It can end at any point, by an error, Ctrl-C or a power cut. What is left to do is told by the hosts (see
`plan.actions`), so the next plan continues.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from fournines.engine import gate
from fournines.engine.diagnose import explain
from fournines.engine.events import ChangesDone, ChangeStarted, Report, StageDone, StageStarted, silent
from fournines.engine.lock import owner
from fournines.engine.observe import observe
from fournines.engine.together import merged, together
from fournines.engine.transport import ManagedHost
from fournines.errors import HostError, PlanError
from fournines.plan.actions import marker, steps_of
from fournines.plan.make import digest
from fournines.plan.model import Change, Plan, Stage
from fournines.services.resource import Put, Run
from fournines.services.service import Check


async def apply(plan: Plan, hosts: Mapping[str, ManagedHost], report: Report = silent) -> None:
    """Does exactly what `plan` says. The caller holds the hosts (`hold`), and looked at them since.

    Raises `HostError` and `GateError` when a change or a check fails.
    """
    if missing := [name for name in plan.hosts if name not in hosts]:
        raise HostError("the plan's hosts do not all answer", where=", ".join(missing))
    for number, stage in enumerate(plan.stages, 1):
        moving = tuple(name for wave in stage.waves for name in wave)
        report(StageStarted(stage.name, number, len(plan.stages), moving))
        began = time.monotonic()
        await _carry_out(stage, hosts, report)
        report(StageDone(stage.name, time.monotonic() - began))


@asynccontextmanager
async def hold(hosts: Mapping[str, ManagedHost]) -> AsyncGenerator[None]:
    """No other run changes `hosts` meanwhile. Raises `LockedError` when one already does, and says who."""
    async with AsyncExitStack() as locks:
        me = owner()
        await together(locks.enter_async_context(host.lock(me)) for host in hosts.values())
        yield


async def require_same_world(plan: Plan, hosts: Mapping[str, ManagedHost]) -> None:
    """Raises `PlanError` when the hosts are not what they were when `plan` was made."""
    seen = await observe({name: hosts[name] for name in plan.facts}, plan.facts)
    if seen.failures:
        raise merged(list(seen.failures.values()))
    if digest(seen.replies, plan.facts) != plan.world:
        raise _moved()


def require_confirmed(confirmed: Plan, plan: Plan) -> None:
    """Raises `PlanError` when `plan` does something that is not in `confirmed`, and says what."""
    known = {(c.host, c.resource, c.diff) for stage in confirmed.stages for c in stage.changes}
    changes = (c for stage in plan.stages for c in stage.changes)
    new = [f"{c.host} {c.resource.key}: {c.diff}" for c in changes if (c.host, c.resource, c.diff) not in known]
    if new:
        raise _moved(*new[:5])


def require_foreseen(preview: Plan, plan: Plan) -> None:
    """Raises `PlanError` when `plan` changes something that `preview`, made without asking the hosts, does not."""
    known = {(c.host, c.resource.key) for stage in preview.stages for c in stage.changes}
    changes = (c for stage in plan.stages for c in stage.changes)
    new = [f"{c.host} {c.resource.key}: {c.diff}" for c in changes if (c.host, c.resource.key) not in known]
    if new:
        raise _moved(*new[:5])


def _moved(*what: str) -> PlanError:
    return PlanError(
        "the hosts are not what they were when this plan was made",
        why="\n        ".join(what) or "something changed on them since, so the plan may no longer be right",
        next="plan again, and look at what differs",
    )


async def _carry_out(stage: Stage, hosts: Mapping[str, ManagedHost], report: Report) -> None:
    """Unhealthy hosts are changed first: that takes nothing away. The gate asks for those that were changed, and for
    those that were healthy before: one that stays unhealthy must not keep the others from being fixed. A check that did
    not hold before, because another member was missing, is asked for the host by itself until the last wave. Where the
    first host makes what the others need, it is the first, and none of them is healthy yet."""
    by_host: dict[str, list[Change]] = {}
    for change in stage.changes:
        by_host.setdefault(change.host, []).append(change)
    unhealthy: set[str] = set()
    short: set[Check] = set()
    waves: Sequence[tuple[str, ...]] = stage.waves
    if stage.rolling == "first-alone":
        unhealthy = {check.host for check in stage.gate}
    elif len(waves) > 1:
        short = set(await gate.failing(hosts, stage.gate))
        unhealthy = {check.host for check in await gate.failing(hosts, {check.by_itself for check in short})}
        waves = waves if stage.rolling == "joining" else _unhealthy_first(waves, unhealthy)
    moved: set[str] = set()
    for number, wave in enumerate(waves, 1):
        changing = {name: by_host[name] for name in wave if name in by_host}
        await together(_change(hosts[name], stage, changes, report) for name, changes in changing.items())
        moved |= set(wave)
        asked = [check for check in stage.gate if check.host in moved or check.host not in unhealthy]
        if number < len(waves):
            asked = [check.by_itself if check in short else check for check in asked]
        await gate.wait(hosts, stage.name, asked, report)
        if stage.gate:
            held = Run(f"rm -f {marker('gate', stage.name)}")
            await together(_plain(hosts[name], held) for name in changing)


def _unhealthy_first(waves: Sequence[tuple[str, ...]], unhealthy: set[str]) -> list[tuple[str, ...]]:
    first = tuple(name for wave in waves for name in wave if name in unhealthy)
    rest = (tuple(name for name in wave if name not in unhealthy) for wave in waves)
    return [wave for wave in (first, *rest) if wave]


async def _change(host: ManagedHost, stage: Stage, changes: Sequence[Change], report: Report) -> None:
    """All changes of one host in one stage, over one channel."""
    began = time.monotonic()
    mark = [Put(marker("gate", stage.name), b"", 0o600, "root", "root")] if stage.gate else []
    planned = [(number, step) for number, change in enumerate(changes) for step in steps_of(change)]
    steps = [*mark, *(step for _, step in planned)]
    numbers = [*(0 for _ in mark), *(number for number, _ in planned)]
    told = -1
    async with aclosing(host.perform(steps)) as running:
        for number in numbers:
            change = changes[number]
            if number > told:
                told = number
                where = (stage.name, host.host, number + 1, len(changes))
                report(ChangeStarted(*where, change.kind, change.resource.key))
            done = await anext(running)
            if done.status:
                raise await explain(host, change, done)
    report(ChangesDone(stage.name, host.host, len(changes), time.monotonic() - began))


async def _plain(host: ManagedHost, step: Run) -> None:
    async for done in host.perform([step]):
        if done.status:
            raise HostError(f"{host.host}: {step.script} failed", where=host.host, why=done.output)
