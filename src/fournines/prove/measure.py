"""One fault, from a quiet baseline to full redundancy, and what is read and looked at afterwards."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path

import aiohttp

from fournines.errors import FourninesError
from fournines.prove import inject, reads
from fournines.prove.admin import Management
from fournines.prove.analyse import analyse
from fournines.prove.faults import Standing, aim, candidates
from fournines.prove.grounds import ACCOUNT
from fournines.prove.history import EVENTS, OPERATIONS, Event, Log
from fournines.prove.load.control import LoadProcess, Progress, waiting
from fournines.prove.load.pinned import connector
from fournines.prove.load.spec import LoadSpec
from fournines.prove.model import Fault, FaultResult, Finding
from fournines.prove.probes import PROBES
from fournines.prove.project import PREFIX, Project
from fournines.prove.site import Look, Site
from fournines.prove.watch import watching

#: The health agents look every 5 s at the latest: redundancy counts when it was seen for longer without a break.
STABLE_S = 6.0
LOOK_EVERY_S = 1.0


async def measure(site: Site, fault: Fault, directory: Path) -> FaultResult:
    """Leaves the fault's history in `directory`. Heals in any case, also when it is cancelled.

    Raises ProveError when the load cannot run.
    """
    with Log(directory / EVENTS) as log, Log(directory / OPERATIONS):
        await Trial(site, fault, directory, log).run()
    return analyse(directory)


class Trial:
    def __init__(self, site: Site, fault: Fault, directory: Path, log: Log) -> None:
        self._site = site
        self._fault = fault
        self._directory = directory
        self._log = log
        number = directory.name.partition("-")[0]
        self._prefix = f"{PREFIX}-{number}"
        self._queue = f"probe-{number}"
        self._progress: Progress = {}

    async def run(self) -> None:
        site, lengths = self._site, self._site.lengths
        lacking = inject.lacking(site.injectors, self._fault)
        if lacking:
            self._skip(lacking)
            return
        struck = False
        load = LoadProcess(await self._spec(), self._counts)
        try:
            began = await load.start()
            async with watching(site, self._log):
                site.reporter.phase(f"baseline, {lengths.before:.0f} s")
                await asyncio.sleep(lengths.before)
                await self._await_turns(began)
                struck = await self._strike(began)
                if struck:
                    await self._await_redundancy()
                    whole = site.now()
                    await asyncio.sleep(lengths.after)
                    await self._await_turns(whole)
            self._event("ended")
            site.reporter.phase("draining, then reading back what was acknowledged")
            self._event("drained", left=await load.stop())
        finally:
            await load.kill()
        if struck:
            await self._check()

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

    async def _strike(self, began: float) -> bool:
        """Injects, waits, heals. False when there was nothing to strike, or it could not be struck."""
        site, fault = self._site, self._fault
        standing = await self._standing()
        hosts = aim(fault, candidates(fault, site.cloud, site.region.name), standing)
        self._begin(began, hosts, standing)
        if not hosts:
            self._event("not_measured", why=f"there is no host that is {fault.target}")
            return False
        pending = Pending(site, fault, hosts)
        site.reporter.phase(f"strikes {', '.join(hosts)}" + (f" for {fault.duration:g} s" if fault.duration else ""))
        pending.note()
        try:
            self._event("injecting")
            await inject.inject(site.injectors, fault, hosts)
            self._event("injected")
            await asyncio.sleep(fault.duration)
        except FourninesError as error:
            self._event("not_measured", why=": ".join(filter(None, (error.what, error.where, error.why))))
            return False
        finally:
            unhealed = await asyncio.shield(pending.heal())
            self._event("healed" if not unhealed else "unhealed", **({"why": "; ".join(unhealed)} if unhealed else {}))
        return True

    async def _standing(self) -> Standing:
        """Who is what now. The queue's leader is only asked for where it matters."""
        site = self._site
        standing = (await site.health.look()).standing
        if self._fault.target != "leader":
            return standing
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            queues = Management(site.cloud, site.region, session, ACCOUNT, site.grounds.cafile)
            return replace(standing, leader=await queues.leader(self._queue))

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
                self._log.event(Event("redundant", whole_since))
                return
            if look.problems != said:
                said = look.problems
                site.reporter.phase("not yet redundant: " + said[0] if said else "redundant again, for now")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> Look:
        try:
            return await self._site.health.look()
        except FourninesError as error:
            return Look(Standing(), (str(error).splitlines()[0],))

    async def _check(self) -> None:
        site = self._site
        async with aiohttp.ClientSession(connector=connector(site.region.public_hosts)) as session:
            readers = dict(reads.readers(site, session, f"{self._prefix}-"))
            for event in await reads.read_until_agreed(readers, site.now):
                self._log.event(event)
        site.reporter.phase("audit")
        for finding in await site.health.audit():
            self._event("finding", **asdict(finding))
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
            probes=site.functions,
            timeout=site.lengths.timeout,
            prefix=self._prefix,
            identity=identity,
            database=where.database(site.cloud, site.region),
            broker=where.broker(site.cloud, site.region, self._queue),
            services=await site.project.services(identity) if site.project else None,
        )

    def _counts(self, progress: Progress) -> None:
        self._progress = progress
        self._site.reporter.counts(progress)

    def _skip(self, why: str) -> None:
        self._begin(self._site.now(), (), Standing())
        self._event("not_measured", why=why)

    def _begin(self, began: float, hosts: tuple[str, ...], standing: Standing) -> None:
        site = self._site
        data = {
            "fault": asdict(self._fault),
            "profile": site.profile,
            "hosts": hosts,
            "roles": standing.roles(hosts),
            "probes": site.functions,
            "busy": site.busy,
        }
        self._log.event(Event("began", began, data))

    def _event(self, name: str, /, **data: object) -> None:
        self._log.event(Event(name, self._site.now(), dict(data)))


class Pending:
    """A fault that is to be healed, also by the next run if this one is killed: noted in the cloud's state."""

    def __init__(self, site: Site, fault: Fault, hosts: tuple[str, ...]) -> None:
        self._site = site
        self._fault = fault
        self._hosts = hosts
        self._note = note(site.cloud.state_dir)

    def note(self) -> None:
        self._note.write_text(json.dumps({"fault": asdict(self._fault), "hosts": self._hosts}))

    async def heal(self) -> tuple[str, ...]:
        """What could not be healed; the note stays until all is."""
        unhealed = await inject.heal(self._site.injectors, self._fault, self._hosts)
        if not unhealed:
            self._note.unlink(missing_ok=True)
        return unhealed


def note(state: Path) -> Path:
    return state / "unhealed.json"


async def heal_leftovers(injectors: inject.Injectors, state: Path) -> tuple[str, ...]:
    """Heals what a killed campaign left. The hosts it healed. Raises nothing that a broken note could cause."""
    path = note(state)
    try:
        left = json.loads(path.read_text())
        fault, hosts = Fault(**left["fault"]), tuple(left["hosts"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    await inject.heal(injectors, fault, hosts)
    path.unlink(missing_ok=True)
    return hosts
