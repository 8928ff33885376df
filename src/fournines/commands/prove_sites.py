"""A cloud as a campaign can strike it: what reaches its hosts and has power over them, the load and its timing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from fournines import lab
from fournines.cloud.model import Cloud, Region, TimingSpec
from fournines.commands.beside import brought_up
from fournines.commands.proof_plan import Wish
from fournines.commands.prove_powers import powers_of
from fournines.engine import SshOptions, apply, connect, survey
from fournines.engine.events import Event, StageStarted
from fournines.engine.ssh import connect_host
from fournines.engine.transport import Transport
from fournines.errors import FourninesError, ProveError
from fournines.prove.calm.run import whole
from fournines.prove.cluster import ClusterHealth
from fournines.prove.faults.injection import heal_leftovers
from fournines.prove.grounds import grounds
from fournines.prove.model import Subject
from fournines.prove.probes import PROBES
from fournines.prove.project import project
from fournines.prove.reach import Reach
from fournines.prove.servers import ProjectServers
from fournines.prove.site import Reporter, Site
from fournines.prove.versions import versions
from fournines.services import registry
from fournines.services.tls import trusted

SSH = SshOptions()
#: What the second client probes.
ROUTED = tuple(name for name, probe in PROBES.items() if probe.routed)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """A cloud that is struck, in one of its regions. `fresh`: the campaign brings its lab up, and takes it down."""

    cloud: Cloud
    region: Region
    fresh: bool = False

    @property
    def subject(self) -> Subject:
        return Subject(self.cloud.name, self.cloud.timing.profile)


@asynccontextmanager
async def opened(
    place: Place, wish: Wish, say: Say, reporter: Reporter, *, functions: tuple[str, ...]
) -> AsyncGenerator[Site, None]:
    """A cloud as it can be struck: its lab is brought up before where it has to be, and taken down again.

    Raises ProveError, LabError, HostError.
    """
    async with AsyncExitStack() as stack:
        cloud, region = place.cloud, place.region
        if place.fresh:
            cloud = await stack.enter_async_context(brought_up(cloud, reporter))
            region = cloud.regions[region.name]
        site = await stack.enter_async_context(
            site_of(cloud, region, wish, say, reporter, functions=functions, routed=True)
        )
        if place.fresh:
            reporter.phase(f"{cloud.name}: waits until all is redundant")
            await whole(site, wish.redundant_within)
        yield site


@asynccontextmanager
async def site_of(
    cloud: Cloud,
    region: Region,
    wish: Wish,
    say: Say,
    reporter: Reporter,
    *,
    functions: tuple[str, ...],
    routed: bool = False,
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
            say(f"healed what an earlier run left: {', '.join(healed)}")
        async with (
            grounds(cloud, region, str(cafile)) as ground,
            project(cloud, region, functions) as own,
            _router(cloud, region, routed=routed and not wish.functions) as router,
        ):
            yield Site(
                cloud=cloud,
                region=region,
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
                versions=await versions(reach, cloud, region),
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
async def under(site: Site, profile: str) -> AsyncGenerator[Site, None]:
    """The site under a peer's timing; the cloud's own comes back in any case, also on Ctrl-C."""
    peer = replace(site.cloud, timing=TimingSpec(profile=profile))
    try:
        await _retime(site.reporter, peer)
        yield replace(site, cloud=peer, health=ClusterHealth(peer, site.region, SSH, site.reach))
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
