"""What `prove` wires together: the cloud, the lab's switches, the engine for a baseline's timing, and a campaign."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from fournines import lab
from fournines.cli.proof_show import reporting
from fournines.cli.prove_powers import powers_of
from fournines.cli.reach import region_of
from fournines.cloud.model import Cloud, Region, TimingSpec
from fournines.design.reliability import DEFAULTS, Reliability
from fournines.engine import SshOptions, apply, connect, local_lock, survey
from fournines.engine.events import Event, StageStarted
from fournines.engine.ssh import connect_host
from fournines.engine.transport import Transport
from fournines.errors import FourninesError, ProveError, UsageError
from fournines.prove import store
from fournines.prove.cluster import ClusterHealth
from fournines.prove.estimate import Estimate, estimates, spell
from fournines.prove.faults.injection import heal_leftovers
from fournines.prove.faults.text import parse, seconds
from fournines.prove.functions import chosen
from fournines.prove.grounds import grounds
from fournines.prove.model import Campaign, Fault
from fournines.prove.project import project
from fournines.prove.reach import Reach
from fournines.prove.report_text import plural
from fournines.prove.run import Order, analyse_again, run
from fournines.prove.site import Lengths, Reporter, Site
from fournines.prove.suites import functions_of, soak, suite
from fournines.prove.versions import versions
from fournines.services import registry
from fournines.services.tls import trusted

SSH = SshOptions()
T = TypeVar("T")


@dataclass(frozen=True)
class Wish:
    """The command line, as it was typed. Lengths in seconds."""

    faults: str
    functions: str
    duration: str | None
    baseline: str | None
    busy: bool
    repeat: int
    before: float
    after: float
    redundant_within: float
    timeout: float
    region: str | None
    force: bool
    yes: bool
    command: str
    suite: str | None = None
    soak: bool = False
    lasts: str | None = None
    seed: int | None = None


def again(cloud: Cloud, run_name: str) -> Campaign:
    """`run_name`: a run's directory, its name among the cloud's runs, or `latest`."""
    if run_name == "latest":
        return analyse_again(store.newest(cloud.state_dir))
    named = cloud.state_dir / "runs" / run_name
    return analyse_again(named if named.is_dir() else Path(run_name))


def prove(cloud: Cloud, wish: Wish) -> Campaign:
    """Raises ProveError, UsageError, LockedError, HostError; asyncio.CancelledError when it is told to stop."""
    region = region_of(cloud, wish.region)
    functions = chosen([name for name in wish.functions.split(",") if name], cloud, region.name)
    if wish.suite and not wish.functions:
        functions = functions_of(wish.suite, functions)
    lengths = Lengths(wish.before, wish.after, wish.redundant_within, wish.timeout)
    plan = _plan(cloud, wish, functions, lengths)
    click.echo(plan.said(wish.repeat * (2 if wish.baseline else 1)), err=True)
    return alone(cloud, wish, lambda: _campaign(cloud, region, plan, functions, wish))


@dataclass(frozen=True)
class _Plan:
    """What is injected, and how long that takes. Of a soak `lasts` seconds, with its seed."""

    estimates: tuple[Estimate, ...]
    suite: str = ""
    seed: int | None = None
    lasts: float | None = None

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(e.fault for e in self.estimates)

    def said(self, times: int) -> str:
        """One line a fault, the sum last."""
        if self.lasts is not None:
            return f"soak for {spell(self.lasts)}, seed {self.seed}: about {len(self.estimates)} faults"
        width = max(len(str(e.fault)) for e in self.estimates)
        lines = [
            f"{e.fault!s:{width}}  {spell(e.total):>6}: baseline {e.baseline:.0f} s, fault {e.duration:g} s,"
            f" redundant again {e.redundancy:.0f} s, then checks {e.rest:.0f} s"
            for e in self.estimates
        ]
        total = spell(times * sum(e.total for e in self.estimates))
        often = f", each {times} times" if times > 1 else ""
        return "\n".join([*lines, f"{plural(len(lines), 'fault')}{often}: about {total}"])


def _plan(cloud: Cloud, wish: Wish, functions: tuple[str, ...], lengths: Lengths) -> _Plan:
    length = seconds(wish.duration) if wish.duration else None
    if wish.soak:
        return _soak(cloud, wish, functions, lengths)
    faults = suite(wish.suite, cloud, length) if wish.suite else parse(wish.faults, cloud, duration=length)
    return _Plan(estimates(faults, functions, lengths), wish.suite or "")


def _soak(cloud: Cloud, wish: Wish, functions: tuple[str, ...], lengths: Lengths) -> _Plan:
    """As many faults as there is time for, by estimate, and half as many again: some cannot be injected."""
    lasts = seconds(wish.lasts or "")
    if not lasts:
        raise UsageError("a soak that lasts no time says nothing", next="--soak --for 2h")
    seed = secrets.randbelow(2**31) if wish.seed is None else wish.seed
    planned: list[Estimate] = []
    for fault in soak(cloud, seed):
        planned += estimates([fault], functions, lengths)
        if sum(e.total for e in planned) >= 1.5 * lasts:
            break
    return _Plan(tuple(planned), "soak", seed, lasts)


def alone(cloud: Cloud, wish: Wish, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` with the cloud's lock, and its owner's consent. Raises ProveError, UsageError, LockedError."""
    if "keystone.admin" not in cloud.secrets.names():
        raise ProveError("this cloud was never applied", where=cloud.name, next=f"fournines apply {cloud.source}")
    _consent(cloud, wish)
    with local_lock(cloud.state_dir):
        return _interruptible(work())


def _consent(cloud: Cloud, wish: Wish) -> None:
    """A lab is there to be broken. Hosts that are not a lab's need two words from their owner."""
    if lab.exists(cloud.name):
        return
    if not wish.yes:
        raise UsageError(
            "these hosts are not a lab's: their clients will feel every fault",
            next="add --yes, and type the cloud's name",
        )
    if click.prompt("Type the cloud's name to go on", err=True) != cloud.name:
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
        raise click.Abort from None


async def _campaign(cloud: Cloud, region: Region, plan: _Plan, functions: tuple[str, ...], wish: Wish) -> Campaign:
    async with site_of(cloud, region, functions, wish) as site:
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
async def site_of(cloud: Cloud, region: Region, functions: tuple[str, ...], wish: Wish) -> AsyncGenerator[Site, None]:
    """What a campaign needs of the world; what an earlier one left struck is healed first. Raises ProveError."""

    async def open_host(name: str) -> Transport:
        return await connect_host(cloud.host_by_name[name], SSH)

    cafile = cloud.state_dir / "ca.pem"
    cafile.write_text(trusted(cloud))
    reach, epoch = Reach(open_host), time.monotonic()
    try:
        powers = powers_of(cloud, region, reach)
        healed = await heal_leftovers(powers, cloud.state_dir)
        if healed:
            click.echo(f"healed what an earlier run left: {', '.join(healed)}", err=True)
        with reporting() as reporter:
            async with grounds(cloud, region, str(cafile)) as ground, project(cloud, region, functions) as own:
                yield Site(
                    cloud=cloud,
                    region=region,
                    profile=cloud.timing.profile,
                    powers=powers,
                    health=ClusterHealth(cloud, region, SSH),
                    grounds=ground,
                    reach=reach,
                    lengths=Lengths(wish.before, wish.after, wish.redundant_within, wish.timeout),
                    reporter=reporter,
                    epoch=epoch,
                    now=lambda: time.monotonic() - epoch,
                    functions=functions,
                    project=own,
                    busy=wish.busy,
                )
    finally:
        await reach.close()


@asynccontextmanager
async def _under(site: Site, profile: str) -> AsyncGenerator[Site, None]:
    """The site under a peer's timing; the cloud's own comes back in any case, also on Ctrl-C."""
    peer = replace(site.cloud, timing=TimingSpec(profile=profile))
    try:
        await _retime(site.reporter, peer)
        yield replace(site, cloud=peer, profile=profile, health=ClusterHealth(peer, site.region, SSH))
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
