"""What `prove` wires together: its clouds, their owner's consent and their locks, the plan, and a campaign."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    nullcontext,
)
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fournines import lab
from fournines.cloud.model import Cloud, Region
from fournines.commands.beside import sharing
from fournines.commands.clouds import region_of
from fournines.commands.proof_plan import Plan, Wish, plan_of
from fournines.commands.prove_sites import Place, opened, under
from fournines.design.reliability import DEFAULTS, Reliability
from fournines.engine import local_lock
from fournines.errors import ProveError, UsageError
from fournines.prove import store
from fournines.prove.functions import chosen
from fournines.prove.model import Campaign, Subject
from fournines.prove.run import Absent, Order, analyse_again, run
from fournines.prove.site import Reporter, Site
from fournines.prove.suites import functions_of


@dataclass(frozen=True)
class Operator:
    """Who runs a campaign. say: one line. name: asks for the cloud's name, as a consent. reporting: live progress."""

    say: Callable[[str], None]
    name: Callable[[], str]
    reporting: Callable[[], AbstractContextManager[Reporter]]


T = TypeVar("T")


def again(cloud: Cloud, run_name: str) -> Campaign:
    """`run_name`: a run's directory, its name among the cloud's runs, or `latest`."""
    if run_name == "latest":
        return analyse_again(store.newest(cloud.state_dir))
    named = cloud.state_dir / "runs" / run_name
    return analyse_again(named if named.is_dir() else Path(run_name))


def prove(clouds: Sequence[Cloud], wish: Wish, operator: Operator) -> Campaign:
    """One cloud, or two of this machine's labs that are set side by side.

    Raises ProveError, UsageError, LockedError, HostError, LabError; asyncio.CancelledError when it is told to stop.
    """
    how = sharing(clouds)
    places = tuple(Place(c, _region(c, clouds, wish.region), c.name in how.missing) for c in clouds)
    functions, left_out = _functions(places, wish)
    if wish.suite and not wish.functions:
        functions = functions_of(wish.suite, functions)
    plan = plan_of([(p.cloud, p.region.name) for p in places], wish, functions)
    said = (how.said, left_out, plan.said(wish.repeat * (2 if wish.baseline else 1), len(places)))
    operator.say("\n".join(filter(None, said)))
    work = partial(_campaign, places, plan, wish, operator, functions=functions, together=how.together)
    return alone(clouds, wish, operator, work, fresh=how.missing)


def _region(cloud: Cloud, clouds: Sequence[Cloud], name: str | None) -> Region:
    """Of several clouds `name` is a region of one that has more than one."""
    others = any(name in c.regions for c in clouds)
    return region_of(cloud, None if others and name not in cloud.regions else name)


def _functions(places: Sequence[Place], wish: Wish) -> tuple[tuple[str, ...], str]:
    """Those that every cloud serves; and what is left out, in a line. Raises UsageError."""
    names = [name for name in wish.functions.split(",") if name]
    each = {p.cloud.name: chosen(names, p.cloud, p.region.name) for p in places}
    first = next(iter(each.values()))
    common = tuple(f for f in first if all(f in every for every in each.values()))
    if not common:
        raise UsageError(f"{' and '.join(each)} have no function in common", next="fournines design CLOUD")
    left_out = {cloud: [f for f in every if f not in common] for cloud, every in each.items()}
    said = [f"not compared, for only {cloud} serves it: {', '.join(left)}" for cloud, left in left_out.items() if left]
    return common, "\n".join(said)


def alone(
    clouds: Sequence[Cloud],
    wish: Wish,
    operator: Operator,
    work: Callable[[], Coroutine[Any, Any, T]],
    *,
    fresh: Collection[str] = (),
) -> T:
    """Runs `work` with the clouds' locks, and their owner's consent. `fresh`: those that are still to be brought up.
    Raises ProveError, UsageError, LockedError."""
    for cloud in (c for c in clouds if c.name not in fresh):
        if "keystone.admin" not in cloud.secrets.names():
            raise ProveError("this cloud was never applied", where=cloud.name, next=f"fournines apply {cloud.source}")
        _consent(cloud, wish, operator)
    with ExitStack() as locks:
        for cloud in clouds:
            locks.enter_context(local_lock(cloud.state_dir))
        return _interruptible(work())


def _consent(cloud: Cloud, wish: Wish, operator: Operator) -> None:
    """A lab is there to be broken. Hosts that are not a lab's need two words from their owner."""
    if lab.exists(cloud.name):
        return
    if not wish.yes:
        raise UsageError(
            "these hosts are not a lab's: their clients will feel every fault",
            next="add --yes, and type the cloud's name",
        )
    if operator.name() != cloud.name:
        raise ProveError("that is not this cloud's name, so nothing was done", where=cloud.name)


def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    """SIGTERM, and SIGHUP of a terminal that is closed, end it as Ctrl-C does: what was struck is healed first."""

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        for sign in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(sign, task.cancel)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _campaign(
    places: Sequence[Place],
    plan: Plan,
    wish: Wish,
    operator: Operator,
    *,
    functions: tuple[str, ...],
    together: bool,
) -> Campaign:
    own = places[0]
    order = Order(
        faults=plan.faults,
        subjects=tuple(p.subject for p in places),
        reference=Subject(own.cloud.name, wish.baseline) if wish.baseline else None,
        together=together,
        absent=tuple(Absent(_of(places, cloud).subject, fault, why) for cloud, fault, why in plan.absent),
        force=wish.force,
        command=wish.command if plan.seed is None or wish.seed is not None else f"{wish.command} --seed {plan.seed}",
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        repeat=wish.repeat,
        suite=plan.suite,
        seed=plan.seed,
        lasts=plan.lasts,
        failures=DEFAULTS | Reliability.of(own.cloud).own,
    )
    with operator.reporting() as reporter:
        async with AsyncExitStack() as there:

            def site(place: Place) -> AbstractAsyncContextManager[Site]:
                return opened(place, wish, operator.say, reporter, functions=functions)

            sites = {p.subject: await there.enter_async_context(site(p)) for p in places if together}

            def ready(subject: Subject) -> AbstractAsyncContextManager[Site]:
                if subject == order.reference:
                    return under(sites[own.subject], subject.profile)
                if subject in sites:
                    return nullcontext(sites[subject])
                return site(next(p for p in places if p.subject == subject))

            return await run(order, store.run_directory(own.cloud.state_dir, order.started_at), ready)


def _of(places: Sequence[Place], cloud: Cloud) -> Place:
    return next(p for p in places if p.cloud.name == cloud.name)
