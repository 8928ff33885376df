"""One fault, from a quiet baseline to full redundancy, and what is read and looked at afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import aiohttp

from fournines.errors import FourninesError
from fournines.prove import fenced, outside, reads
from fournines.prove.admin import Management
from fournines.prove.analyse import analyse
from fournines.prove.faults.injection import Aimed, Injection, heal_leftovers, lacking, note, steps, strikable
from fournines.prove.faults.target import CLUSTER, Standing, aim, moving_subjects
from fournines.prove.grounds import ACCOUNT
from fournines.prove.history import EVENTS, OPERATIONS, ROUTED, Event, Log
from fournines.prove.load.control import LoadProcess, Progress, waiting
from fournines.prove.load.pinned import connector
from fournines.prove.load.spec import LoadSpec
from fournines.prove.model import Fault, FaultResult, Finding
from fournines.prove.probes import PROBES
from fournines.prove.project import PREFIX, Project
from fournines.prove.site import Look, Site
from fournines.prove.watch import Holders, watching

#: The health agents look every 5 s at the latest: redundancy counts when it was seen for longer without a break.
STABLE_S = 6.0
LOOK_EVERY_S = 1.0
#: Between the heal of one fault and the strike of the one that is to meet its return. Seconds.
THEN_S = 3.0
#: The strike comes at a random moment of so many seconds: as long as the longest circle, the agents' look.
PHASE_S = 5.0


async def measure(site: Site, fault: Fault, directory: Path, run: int = 1) -> FaultResult:
    """Leaves the fault's history in `directory`. Heals in any case, also when it is cancelled. What goes wrong once the
    fault was aimed is noted in the history, and hides nothing of what was seen.

    Raises FourninesError when the load cannot run.
    """
    with Log(directory / EVENTS) as log, Log(directory / OPERATIONS):
        await Trial(site, fault, directory, log, run).run()
    return analyse(directory)


class Trial:
    def __init__(self, site: Site, fault: Fault, directory: Path, log: Log, number: int) -> None:
        self._site = site
        self._fault = fault
        self._directory = directory
        self._log = log
        self._run = number
        place = directory.name.partition("-")[0]
        self._prefix = f"{PREFIX}-{place}"
        self._queue = f"probe-{place}"
        self._progress: Progress = {}
        self._began = self._struck = False

    async def run(self) -> None:
        site = self._site
        if why := lacking(site.powers, self._fault):
            self._skip(why)
            return
        await heal_leftovers(site.powers, site.cloud.state_dir)  # of the fault before, if its heal failed
        spec = await self._spec()
        load = LoadProcess(spec, self._counts)
        loads = [load, LoadProcess(self._routed(spec), self._counts, site.router)] if site.routed else [load]
        try:
            began = max([await each.start() for each in loads])
            await self._whatever_comes("the fault", self._under_load(began))
            self._event("ended")
            site.reporter.phase("draining, then reading back what was acknowledged")
            await self._whatever_comes("draining", self._drain(loads))
        finally:
            for each in loads:
                await each.kill()
        if self._struck:
            await self._whatever_comes("reading back", self._read_back())
            await self._whatever_comes("audit", self._audit())
            await self._whatever_comes("removal", self._remove())

    async def _whatever_comes(self, what: str, work: Awaitable[None]) -> None:
        """One part of the measurement. If it breaks off, the others are made all the same, and its error is noted."""
        try:
            await work
        except Exception as error:
            if not self._began:
                raise
            said = _line(error) if isinstance(error, FourninesError) else f"{type(error).__name__}: {error}"
            self._event("broken", why=f"{what}: {said}")

    async def _under_load(self, began: float) -> None:
        site, lengths = self._site, self._site.lengths
        async with watching(site, self._log) as holders:
            # At any moment of whatever goes in circles: adverts, checks, looks of the agents.
            before = lengths.before + random.SystemRandom().uniform(0.0, PHASE_S)
            site.reporter.phase(f"baseline, {before:.0f} s")
            await asyncio.sleep(before)
            await self._await_turns(began)
            self._struck = await self._strike(began, holders)
            if self._struck:
                await self._await_redundancy()
                whole = site.now()
                await asyncio.sleep(lengths.after)
                await self._await_turns(whole)

    async def _drain(self, loads: Sequence[LoadProcess]) -> None:
        """What is left in the queue is the first one's to say."""
        left, *_ = await asyncio.gather(*(each.stop() for each in loads))
        self._event("drained", left=left)

    async def _await_turns(self, since: float) -> None:
        """Until all that takes turns has succeeded since then, or has had time for it: of what is seldom tried, a
        fault would else have nothing to be compared with, and its end would not be seen."""
        site = self._site
        longest = {f: turns.timeout + PROBES[f].interval for f in site.functions if (turns := PROBES[f].turns)}
        deadline = site.now() + max(longest.values(), default=0.0)
        said: tuple[str, ...] = ()
        while (left := waiting(self._progress, longest, since)) and site.now() < deadline:
            if left != said:
                said = left
                site.reporter.phase(f"waits for {', '.join(left)} to succeed")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _strike(self, began: float, holders: Holders) -> bool:
        """Injects, waits, heals. False when there was nothing to strike, or no strike was seen."""
        hosts: tuple[str, ...] = ()
        for number, faults in enumerate(steps(self._fault)):
            if number:
                await asyncio.sleep(THEN_S)
            try:
                standing = await self._standing(holders)
                aimed = tuple(self._aim(f, standing, hosts) for f in faults)
            except FourninesError as error:
                aimed, standing, why = (), Standing(), _line(error)
            else:
                why = next((f"there is no host that is {a.fault.target}" for a in aimed if not a.hosts), "")
            hosts = tuple(dict.fromkeys(host for a in aimed for host in a.hosts))
            if number:
                self._event("then", hosts=hosts)
            else:
                self._begin(began, hosts, standing)
            if why:
                self._event("not_measured", why=why)
                return False
            if not await self._inject(aimed, first=not number):
                return False
        return True

    def _aim(self, fault: Fault, standing: Standing, struck: tuple[str, ...]) -> Aimed:
        hosts = strikable(fault, self._site.cloud, self._site.region.name)
        return Aimed(fault, aim(fault, hosts, standing, struck))

    async def _inject(self, aimed: tuple[Aimed, ...], *, first: bool) -> bool:
        """One strike and its heal, whatever becomes of it. False when it was not seen."""
        site = self._site
        injection = Injection(site.powers, aimed, note(site.cloud.state_dir))
        for a in aimed:
            lasts = f" for {a.fault.duration:g} s" if a.fault.duration else ""
            site.reporter.phase(f"strikes {', '.join(a.hosts)}{lasts}")
        seen = False
        try:
            await injection.prepare()
            self._event("injecting" if first else "injecting again")
            await injection.strike()
            self._event("injected" if first else "injected again")
            self._event("seen", what=await injection.verify())
            seen = True
            if held := await injection.hold():
                site.reporter.phase("; ".join(held))
                self._event("seen", what=held)
        except FourninesError as error:
            # Once it was seen, what clients had to bear was real.
            self._event("hold_failed" if seen else "not_measured", why=_line(error))
        finally:
            unhealed = await asyncio.shield(injection.heal())
            self._event("healed" if not unhealed else "unhealed", **({"why": "; ".join(unhealed)} if unhealed else {}))
        return seen

    async def _standing(self, holders: Holders) -> Standing:
        """Who is what now, seen from outside. The queue's leader is only asked for where it matters."""
        site, leader = self._site, ""
        if any(f.target == "leader" for f in self._fault.singles):
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
                queues = Management(site.cloud, site.region, session, ACCOUNT, site.grounds.cafile)
                leader = await queues.leader(self._queue)
        found = await outside.standing(site, holders, leader)
        if any(f.target == "router" for f in self._fault.singles):
            found = replace(found, router=await outside.router(site))
        moving = moving_subjects(site.cloud)
        if any(f.target in CLUSTER or f.service in moving for f in self._fault.singles):
            found = replace(found, **asdict(await outside.cluster(site)))
        return found

    async def _await_redundancy(self) -> None:
        site = self._site
        deadline = site.now() + site.lengths.redundant_within
        whole_since: float | None = None
        said: tuple[str, ...] | None = None
        while site.now() < deadline:
            look = await self._look()
            if look.problems:
                whole_since = None
            elif whole_since is None:
                whole_since = site.now()
            elif site.now() - whole_since >= STABLE_S:
                against = await site.health.confirm()
                if not against:
                    self._log.event(Event("redundant", whole_since))
                    return
                whole_since, look = None, replace(look, problems=against)
            if look.problems != said:
                said = look.problems
                site.reporter.phase("not yet redundant: " + said[0] if said else "redundant again, for now")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> Look:
        try:
            return await self._site.health.look()
        except FourninesError as error:
            return Look(Standing(), (str(error).splitlines()[0],))

    async def _read_back(self) -> None:
        site = self._site
        async with aiohttp.ClientSession(connector=connector(site.region.public_hosts)) as session:
            readers = dict(reads.readers(site, session, f"{self._prefix}-"))
            for event in await reads.read_until_agreed(readers, site.now):
                self._log.event(event)

    async def _audit(self) -> None:
        self._site.reporter.phase("audit")
        for finding in await self._site.health.audit():
            self._event("finding", **asdict(finding))

    async def _remove(self) -> None:
        site = self._site
        if site.project:
            site.reporter.phase("removes what was made")
            self._event("finding", **asdict(await self._removal(site.project)))

    async def _removal(self, project: Project) -> Finding:
        name = "what was made can be removed"
        try:
            left = await project.sweep(f"{self._prefix}-")
        except FourninesError as error:
            return Finding(name, None, f"{error.what}: {error.why}")
        return Finding(name, not left, "; ".join(left) or "nothing is left")

    async def _spec(self) -> LoadSpec:
        site, where = self._site, self._site.grounds
        identity = where.identity(site.cloud, site.region)
        return LoadSpec(
            epoch=site.epoch,
            history=str(self._directory / OPERATIONS),
            probes=tuple(f for f in site.functions if f not in site.routed),
            timeout=site.lengths.timeout,
            prefix=self._prefix,
            identity=identity,
            database=where.database(site.cloud, site.region),
            broker=where.broker(site.cloud, site.region, self._queue),
            services=await site.project.services(identity) if site.project else None,
        )

    def _routed(self, spec: LoadSpec) -> LoadSpec:
        """Of the second client."""
        return replace(spec, history=str(self._directory / ROUTED), probes=self._site.routed, services=None)

    def _counts(self, progress: Progress) -> None:
        self._progress = {**self._progress, **progress}
        self._site.reporter.counts(self._progress)

    def _skip(self, why: str) -> None:
        self._begin(self._site.now(), (), Standing())
        self._event("not_measured", why=why)

    def _begin(self, began: float, hosts: tuple[str, ...], standing: Standing) -> None:
        site = self._site
        # Of what runs on one host at a time there is one to strike.
        struck = [
            1 if f.service in standing.runs else len(strikable(f, site.cloud, site.region.name))
            for f in self._fault.singles
        ]
        data = {
            "fault": asdict(self._fault),
            "cloud": site.subject.cloud,
            "profile": site.subject.profile,
            "hosts": hosts,
            "roles": standing.roles(hosts),
            "database_member": any(
                h.name in hosts
                for service in ("mariadb", "mariadb_replica")
                for h in site.cloud.hosts_of(service, site.region.name)
            ),
            "moved": fenced.tiers(site.cloud),
            "probes": site.functions,
            "busy": site.busy,
            "run": self._run,
            "candidates": max(struck),
        }
        self._log.event(Event("began", began, data))
        self._began = True

    def _event(self, name: str, /, **data: object) -> None:
        self._log.event(Event(name, self._site.now(), dict(data)))


def _line(error: FourninesError) -> str:
    return ": ".join(filter(None, (error.what, error.where, error.why)))
