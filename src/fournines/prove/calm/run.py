"""A calm campaign: nothing is injected, clients ask gently, and whatever happens all the same is counted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from fournines.errors import FourninesError, ProveError
from fournines.prove import history, outside
from fournines.prove.calm.census import Counter
from fournines.prove.calm.count import calm_of
from fournines.prove.calm.model import Calm
from fournines.prove.faults.injection import Aimed, Injection, lacking, note
from fournines.prove.history import EVENTS, OPERATIONS, Event, Log
from fournines.prove.load.control import LoadProcess
from fournines.prove.load.spec import LoadSpec
from fournines.prove.model import Fault
from fournines.prove.probes import PROBES
from fournines.prove.project import PREFIX
from fournines.prove.site import Site
from fournines.prove.watch import Holders, watching

FILE = "calm.json"
#: A tenth of a campaign's rate: about one request a second and light function.
PACE = 10.0
#: The load runs so long before anything is counted: connections are open, the first requests have warmed caches.
WARM_S = 10.0
CENSUS_S = 30.0
WRITER_S = 1.0
#: After a power-off: until the VIPs, and Galera without the host, have been as they should for so long. Seconds.
SETTLED_S = 15.0
SETTLE_WITHIN_S = 180.0
GATE_S = 15.0


@dataclass(frozen=True)
class Order:
    """`seconds` of calm. `without`: a host that is off meanwhile, or ""."""

    seconds: float
    without: str
    force: bool
    command: str
    started_at: str
    versions: Mapping[str, str] = field(default_factory=dict[str, str])


def directory_of(state: Path, started_at: str) -> Path:
    return state / "calm" / started_at.replace(":", "").replace("-", "").split("+")[0]


def functions_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are gentle: what takes turns makes servers and images, each a load of its own."""
    return tuple(name for name in names if PROBES[name].turns is None)


async def run(order: Order, site: Site) -> Calm:
    """Raises ProveError when the cloud is not healthy, or the host cannot be switched off. Heals in any case."""
    directory = directory_of(site.cloud.state_dir, order.started_at)
    if not order.force and await whole(site, GATE_S, stable=0.0) is None:
        problems = (await site.health.look()).problems
        raise ProveError(
            "the cloud is not healthy, so that it cannot be calm",
            where=site.cloud.name,
            why="; ".join(problems[:5]),
            next="fournines status CLOUD; or go on with --force",
        )
    with Log(directory / EVENTS) as log, Log(directory / OPERATIONS):
        await Calmness(order, site, directory, log).run()
    calm = calm_of(history.read(directory), command=order.command, started_at=order.started_at, versions=order.versions)
    (directory / FILE).write_bytes(TypeAdapter(Calm).dump_json(calm, indent=1))
    return calm


class Calmness:
    def __init__(self, order: Order, site: Site, directory: Path, log: Log) -> None:
        self._order = order
        self._site = site
        self._directory = directory
        self._log = log
        hosts = [h for h in site.region.hosts if h.name != order.without]
        self._counters = [Counter(site.reach, host, site.cloud) for host in hosts]

    async def run(self) -> None:
        load = LoadProcess(await self._spec(), self._site.reporter.counts)
        try:
            await load.start()
            async with watching(self._site, self._log) as holders:
                await asyncio.sleep(WARM_S)
                async with self._host_off(holders):
                    await self._count()
                    self._event("drained", left=await load.stop())
        finally:
            await load.kill()

    async def _count(self) -> None:
        site, order = self._site, self._order
        await self._census("first")
        self._event(
            "calm",
            cloud=site.cloud.name,
            profile=site.subject.profile,
            busy=site.busy,
            without=order.without,
            probes=site.functions,
        )
        deadline = site.now() + order.seconds
        writer = asyncio.create_task(self._watch_writer())
        try:
            while (left := deadline - site.now()) > 0:
                site.reporter.phase(f"calm, {left:.0f} s to go")
                await asyncio.sleep(min(CENSUS_S, left))
                if deadline - site.now() > 1.0:
                    await self._census("between")
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        self._event("ended")
        await self._census("last")

    async def _census(self, when: str) -> None:
        """Units and Galera matter at the ends; the journals are read all along."""
        for counter, census in zip(
            self._counters, await asyncio.gather(*(c.look() for c in self._counters)), strict=True
        ):
            name = counter.host.name
            if when != "between":
                said = {"units": {u: asdict(x) for u, x in census.units.items()}, "galera": dict(census.galera)}
                self._event("census", host=name, when=when, why=census.why, **said)
            if census.journal and when != "first":
                self._event("journal", host=name, lines=census.journal)

    async def _watch_writer(self) -> None:
        site = self._site
        database = site.grounds.database(site.cloud, site.region)
        last = ""
        while True:
            writer = await outside.acting_writer(database)
            if writer != last:
                self._event("writer", writer=writer)
                last = writer
            await asyncio.sleep(WRITER_S)

    @asynccontextmanager
    async def _host_off(self, holders: Holders) -> AsyncGenerator[None, None]:
        """With `order.without` off and departed; it is on again, and the cloud whole, afterwards."""
        site, host = self._site, self._order.without
        if not host:
            yield
            return
        fault = Fault("host.power_off", "", host, self._order.seconds)
        if why := lacking(site.powers, fault):
            raise ProveError(why, where=host)
        off = Injection(site.powers, [Aimed(fault, (host,))], note(site.cloud.state_dir))
        try:
            site.reporter.phase(f"power off: {host}")
            await off.prepare()
            await off.strike()
            self._event("seen", what=await off.verify())
            await self._settle(holders)
            yield
        finally:
            unhealed = await asyncio.shield(off.heal())
            self._event("unhealed" if unhealed else "healed", why="; ".join(unhealed))
        site.reporter.phase(f"power on: {host}; waits until the cloud is whole")
        again = await whole(site, site.lengths.redundant_within)
        if again is not None:
            self._log.event(Event("whole", again))

    async def _settle(self, holders: Holders) -> None:
        """Until the rest has been as it should for a while. Raises ProveError when it never is."""
        site = self._site
        deadline = site.now() + SETTLE_WITHIN_S
        since: float | None = None
        why = ""
        while site.now() < deadline:
            why = await self._unsettled(holders)
            since = None if why else since if since is not None else site.now()
            if since is not None and site.now() - since >= SETTLED_S:
                return
            site.reporter.phase(f"not yet settled: {why}" if why else "settled, for now")
            await asyncio.sleep(1.0)
        raise ProveError("the cloud does not settle without the host", where=self._order.without, why=why)

    async def _unsettled(self, holders: Holders) -> str:
        try:
            holder = await outside.vip_holder(self._site, holders)
        except FourninesError as error:
            return error.what
        if not holder:
            return "no host holds the VIPs"
        nodes = [c for c in self._counters if "mariadb" in c.host.services]
        for counter, census in zip(nodes, await asyncio.gather(*(c.look() for c in nodes)), strict=True):
            size, state = (census.galera.get(f"wsrep_{x}") for x in ("cluster_size", "local_state_comment"))
            if (size, state) != (str(len(nodes)), "Synced"):
                return f"{counter.host.name}: Galera is {state or 'silent'}, {size or 'no'} of {len(nodes)} nodes"
        return ""

    async def _spec(self) -> LoadSpec:
        site, where = self._site, self._site.grounds
        identity = where.identity(site.cloud, site.region)
        return LoadSpec(
            epoch=site.epoch,
            history=str(self._directory / OPERATIONS),
            probes=site.functions,
            timeout=site.lengths.timeout,
            prefix=f"{PREFIX}-calm",
            identity=identity,
            database=where.database(site.cloud, site.region),
            broker=where.broker(site.cloud, site.region, "probe-calm"),
            services=await site.project.services(identity) if site.project else None,
            pace=PACE,
        )

    def _event(self, name: str, /, **data: object) -> None:
        self._log.event(Event(name, self._site.now(), dict(data)))


async def whole(site: Site, within: float, stable: float = 6.0) -> float | None:
    """The moment since which nothing has been wrong for `stable` seconds; None when that was not within `within`."""
    deadline, since = site.now() + within, None
    while site.now() < deadline:
        try:
            problems = (await site.health.look()).problems
        except FourninesError as error:
            problems = (error.what,)
        if problems:
            since = None
        else:
            since = site.now() if since is None else since
            if site.now() - since >= stable:
                return since
        await asyncio.sleep(1.0)
    return None
