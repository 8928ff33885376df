"""Two clouds' labs on one machine: whether they can be set side by side, and whether there is room for both at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.commands import apply
from fournines.design import require_valid
from fournines.engine import SshOptions
from fournines.engine.events import Event, StageStarted
from fournines.errors import LabError, UsageError
from fournines.prove.site import Reporter
from fournines.services import registry

SSH = SshOptions()
_UNIT_GB = 0.1


@dataclass(frozen=True, slots=True)
class Sharing:
    """How the clouds of a campaign share the machine. `missing`: those whose labs the campaign brings up, and takes
    down when it is done with them. `together`: all are there at once. `said`: the same for people, "" of one cloud."""

    missing: tuple[str, ...] = ()
    together: bool = True
    said: str = ""


def sharing(clouds: Sequence[Cloud]) -> Sharing:
    """Raises UsageError, LabError, CloudFileError when two clouds cannot be set side by side on this machine."""
    if len(clouds) == 1:
        return Sharing()
    require_apart(*clouds)
    for cloud in clouds:
        if not lab.exists(cloud.name):
            _require_lab(cloud)
            require_valid(cloud)
    up = [cloud.name for cloud in clouds if lab.exists(cloud.name)]
    return shared({cloud.name: memory(cloud) for cloud in clouds}, up, lab.available_memory() / 1e9)


def memory(cloud: Cloud) -> float:
    """What its lab takes, GB. Measured: a controller of the core with 8 units 0.57, one with everything and 51 units
    5.3, a compute with 6 units 0.47."""
    known = registry()
    return _UNIT_GB * sum(len(known[name].units) for host in cloud.hosts for name in host.services)


def require_apart(one: Cloud, other: Cloud) -> None:
    """Raises UsageError for one cloud twice, and for two that share a name or an address."""
    if one.source.resolve() == other.source.resolve():
        raise UsageError(f"{one.source} is set beside itself", next="--baseline kolla-22.2, or another cloud's file")
    if one.name == other.name:
        raise UsageError(
            f"{one.source} and {other.source} both describe a cloud {one.name}",
            why="a lab is known by its cloud's name",
            next="change `cloud:` in one of them",
        )
    for mine in (n for region in one.regions.values() for n in region.networks.values()):
        for theirs in (n for region in other.regions.values() for n in region.networks.values()):
            if mine.cidr.overlaps(theirs.cidr):
                raise UsageError(
                    f"network {mine.name} of {one.name} and {theirs.name} of {other.name} share addresses",
                    why=f"{mine.cidr}, {theirs.cidr}",
                    next="give one of them networks of its own in 198.18.0.0/15",
                )


def _require_lab(cloud: Cloud) -> None:
    try:
        lab.design(cloud, "")
    except LabError as error:
        raise UsageError(
            f"the hosts of {cloud.name} are no lab's: only clouds on one machine are set side by side",
            why=error.what,
            next=f"fournines prove {cloud.source}, by itself",
        ) from error


def shared(needs: Mapping[str, float], up: Collection[str], available: float) -> Sharing:
    """`needs`: GB of memory that each cloud's lab takes. `up`: those that are there, and have taken theirs. Pure.

    Raises LabError when one cannot be brought up. A lab that is up is never taken down for another: its hosts' data
    are somebody's.
    """
    missing = tuple(name for name in needs if name not in up)
    both = " and ".join(needs)
    wanted = sum(needs[name] for name in missing)
    if wanted <= available:
        whose = " and ".join(missing)
        made = f"; {whose} {_are(missing)} brought up before, and taken down at the end" if missing else ""
        return Sharing(missing, True, f"{both} are there at the same time, and their runs are interleaved{made}")
    there = f"{available:.1f} GB of memory are available"
    if up:
        one = next(iter(up))
        raise LabError(
            f"{missing[0]} does not fit beside {one}, which is up",
            why=f"it takes about {wanted:.1f} GB, and {there}",
            next=f"fournines lab down {one} (its data go with it): then each is brought up and taken down in turn",
        )
    most = max(needs, key=lambda name: needs[name])
    if needs[most] > available:
        raise LabError(
            f"the lab of {most} takes about {needs[most]:.1f} GB, and {there}",
            next="take other labs down (fournines lab status), or use a cloud file with fewer hosts",
        )
    return Sharing(
        missing,
        False,
        f"{both} take about {wanted:.1f} GB, and {there}: each is brought up, struck as often as asked for, and taken"
        " down before the next; what changes meanwhile weighs on one of them alone",
    )


def _are(names: Collection[str]) -> str:
    return "is" if len(names) == 1 else "are"


@asynccontextmanager
async def brought_up(cloud: Cloud, reporter: Reporter) -> AsyncGenerator[Cloud, None]:
    """Its lab, with all applied; it is taken down in any case. Raises LabError, HostError, PlanError."""
    loop = asyncio.get_running_loop()

    def say(line: str) -> None:
        loop.call_soon_threadsafe(reporter.phase, f"{cloud.name}: {line}")

    try:
        await _to_its_end(lambda: lab.up(cloud, say))
        made = lab.access(cloud)
        await _apply(made, reporter)
        yield made
    finally:
        reporter.phase(f"{cloud.name}: its lab is taken down")
        await _to_its_end(lambda: lab.down(cloud.name))


async def _to_its_end(work: Callable[[], object]) -> None:
    """In a thread, which nothing can stop: who is told to stop meanwhile does so once it has ended."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        with contextlib.suppress(LabError):
            await running
        raise


async def _apply(cloud: Cloud, reporter: Reporter) -> None:
    wish = apply.Wish(cloud, None, cloud.hosts)

    def report(event: Event) -> None:
        if isinstance(event, StageStarted):
            reporter.phase(f"{cloud.name}: applies {event.stage}")

    reporter.phase(f"{cloud.name}: applies what its file says")
    await apply.carry_out(wish, await apply.look(wish, SSH), SSH, report, confirmed=False)
