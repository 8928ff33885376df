"""What `prove` wires together: the cloud, the lab's switches, the engine for a baseline's timing, and a campaign."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from fournines import lab
from fournines.cloud.model import Cloud, Region, TimingSpec
from fournines.commands.clouds import region_of
from fournines.commands.proof_plan import Plan, Wish, plan_of
from fournines.commands.prove_powers import powers_of
from fournines.design.reliability import DEFAULTS, Reliability
from fournines.engine import SshOptions, apply, connect, local_lock, survey
from fournines.engine.events import Event, StageStarted
from fournines.engine.ssh import connect_host
from fournines.engine.transport import Transport
from fournines.errors import FourninesError, ProveError, UsageError
from fournines.prove import store
from fournines.prove.cluster import ClusterHealth
from fournines.prove.faults.injection import heal_leftovers
from fournines.prove.functions import chosen
from fournines.prove.grounds import grounds
from fournines.prove.model import Campaign
from fournines.prove.probes import PROBES
from fournines.prove.project import project
from fournines.prove.reach import Reach
from fournines.prove.run import Order, analyse_again, run
from fournines.prove.servers import ProjectServers
from fournines.prove.site import Reporter, Site
from fournines.prove.suites import functions_of
from fournines.prove.versions import versions
from fournines.services import registry
from fournines.services.tls import trusted


@dataclass(frozen=True)
class Operator:
    """Who runs a campaign. say: one line. name: asks for the cloud's name, as a consent. reporting: live progress."""

    say: Callable[[str], None]
    name: Callable[[], str]
    reporting: Callable[[], AbstractContextManager[Reporter]]


SSH = SshOptions()
#: What the second client probes.
ROUTED = tuple(name for name, probe in PROBES.items() if probe.routed)
T = TypeVar("T")


def again(cloud: Cloud, run_name: str) -> Campaign:
    """`run_name`: a run's directory, its name among the cloud's runs, or `latest`."""
    if run_name == "latest":
        return analyse_again(store.newest(cloud.state_dir))
    named = cloud.state_dir / "runs" / run_name
    return analyse_again(named if named.is_dir() else Path(run_name))


def prove(cloud: Cloud, wish: Wish, operator: Operator) -> Campaign:
    """Raises ProveError, UsageError, LockedError, HostError; asyncio.CancelledError when it is told to stop."""
    region = region_of(cloud, wish.region)
    functions = chosen([name for name in wish.functions.split(",") if name], cloud, region.name)
    if wish.suite and not wish.functions:
        functions = functions_of(wish.suite, functions)
    plan = plan_of(cloud, wish, functions)
    operator.say(plan.said(wish.repeat * (2 if wish.baseline else 1)))
    return alone(cloud, wish, operator, lambda: _campaign(cloud, region, plan, wish, operator, functions=functions))


def alone(cloud: Cloud, wish: Wish, operator: Operator, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` with the cloud's lock, and its owner's consent. Raises ProveError, UsageError, LockedError."""
    if "keystone.admin" not in cloud.secrets.names():
        raise ProveError("this cloud was never applied", where=cloud.name, next=f"fournines apply {cloud.source}")
    _consent(cloud, wish, operator)
    with local_lock(cloud.state_dir):
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
    cloud: Cloud, region: Region, plan: Plan, wish: Wish, operator: Operator, *, functions: tuple[str, ...]
) -> Campaign:
    async with site_of(cloud, region, functions, wish, operator, routed=True) as site:
        order = Order(
            faults=plan.faults,
            profile=site.profile,
            baseline=wish.baseline or "",
            force=wish.force,
            command=wish.command
            if plan.seed is None or wish.seed is not None
            else f"{wish.command} --seed {plan.seed}",
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=await versions(site.reach, cloud, region),
            repeat=wish.repeat,
            suite=plan.suite,
            seed=plan.seed,
            lasts=plan.lasts,
            failures=DEFAULTS | Reliability.of(cloud).own,
        )
        return await run(order, site, lambda: _under(site, order.baseline))


@asynccontextmanager
async def site_of(
    cloud: Cloud, region: Region, functions: tuple[str, ...], wish: Wish, operator: Operator, *, routed: bool = False
) -> AsyncGenerator[Site, None]:
    """What a campaign needs of the world; what an earlier one left struck is healed first. `routed`: with a second
    client behind a router, in a lab. Raises ProveError, LabError."""

    async def open_host(name: str) -> Transport:
        return await connect_host(cloud.host_by_name[name], SSH)

    cafile = cloud.state_dir / "ca.pem"
    cafile.write_text(trusted(cloud))
    reach, epoch = Reach(open_host), time.monotonic()
    try:
        powers = powers_of(cloud, region, reach)
        healed = await heal_leftovers(powers, cloud.state_dir)
        if healed:
            operator.say(f"healed what an earlier run left: {', '.join(healed)}")
        with operator.reporting() as reporter:
            async with (
                grounds(cloud, region, str(cafile)) as ground,
                project(cloud, region, functions) as own,
                _router(cloud, region, routed=routed and not wish.functions) as router,
            ):
                yield Site(
                    cloud=cloud,
                    region=region,
                    profile=cloud.timing.profile,
                    powers=replace(powers, servers=ProjectServers(own) if own and own.flavor else None),
                    health=ClusterHealth(cloud, region, SSH, reach),
                    grounds=ground,
                    reach=reach,
                    lengths=wish.lengths,
                    reporter=reporter,
                    epoch=epoch,
                    now=lambda: time.monotonic() - epoch,
                    functions=(*functions, *ROUTED) if router else functions,
                    project=own,
                    busy=wish.busy,
                    router=router,
                )
    finally:
        await reach.close()


@asynccontextmanager
async def _router(cloud: Cloud, region: Region, *, routed: bool) -> AsyncGenerator[tuple[str, ...], None]:
    """What makes a command run behind a router of the lab's; () where there is none."""
    if not routed or not lab.exists(cloud.name):
        yield ()
        return
    vips = (region.vips.internal, region.vips.public)
    with lab.behind_router(cloud.name, region.vips.public, vips) as words:
        yield words


@asynccontextmanager
async def _under(site: Site, profile: str) -> AsyncGenerator[Site, None]:
    """The site under a peer's timing; the cloud's own comes back in any case, also on Ctrl-C."""
    peer = replace(site.cloud, timing=TimingSpec(profile=profile))
    try:
        await _retime(site.reporter, peer)
        yield replace(site, cloud=peer, profile=profile, health=ClusterHealth(peer, site.region, SSH, site.reach))
    finally:
        await asyncio.shield(_restore(site))


async def _restore(site: Site) -> None:
    try:
        await _retime(site.reporter, site.cloud)
    except FourninesError as error:
        raise ProveError(
            "the cloud's own timing could not be brought back",
            where=site.cloud.name,
            why=error.what,
            next=f"fournines apply {site.cloud.source}",
        ) from error


async def _retime(reporter: Reporter, cloud: Cloud) -> None:
    reporter.phase(f"applies timing profile {cloud.timing.profile}")
    async with connect(cloud.hosts, SSH) as hosts:
        hosts.require_all()
        found = await survey(cloud, registry(), hosts)
        if not found.plan.empty:

            def report(event: Event) -> None:
                if isinstance(event, StageStarted):
                    reporter.phase(f"applies timing profile {cloud.timing.profile}: {event.stage}")

            await apply(found.plan, hosts, report)
