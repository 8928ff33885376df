"""The cloud file and the agents' word, kept current: hosts are followed while somebody looks, and let go afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fournines.cloud.model import Cloud
from fournines.commands.clouds import load_cloud
from fournines.engine import SshOptions, holder
from fournines.engine.ssh import connect_host
from fournines.errors import FourninesError, HostError
from fournines.health.cluster import Unknown
from fournines.health.follow import PATIENCE, Follower, hosts_of
from fournines.web.models import HostPage, Log, Refusal, Status
from fournines.web.view import status
from fournines.web.work import refusal

#: Seconds for which hosts are followed after nobody looks any more.
LINGER = 60.0
#: Seconds between two states that are sent: at least, and for each host of the cloud.
SPACING, SPACING_A_HOST = 0.15, 0.002
#: Seconds without news after which the same is told again, with its age.
TICK = 1.0
LOG_LINES = 200
SSH = SshOptions(connect_timeout=4.0)
log = logging.getLogger(__name__)


def follow(cloud: Cloud) -> Follower:
    return Follower(cloud, lambda host: connect_host(host, SSH))


class Feed:
    def __init__(
        self, path: Path, load: Callable[[Path], Cloud] = load_cloud, make: Callable[[Cloud], Follower] = follow
    ) -> None:
        self.path = path
        self._load = load
        self._make = make
        self._cloud = load(path)
        self._read = self._stamp()
        self.file_error: Refusal | None = None
        self._follower: Follower | None = None
        self._running: asyncio.Task[None] | None = None
        self._looking = 0

    @property
    def cloud(self) -> Cloud:
        """As the file says now; as it last did while the file is wrong (`file_error`)."""
        stamp = self._stamp()
        if stamp != self._read:
            self._read = stamp
            try:
                self._cloud = self._load(self.path)
                self.file_error = None
                self._let_go()
            except FourninesError as error:
                self.file_error = Refusal(**refusal(error))
        return self._cloud

    def _stamp(self) -> Any:
        """Changes with the file, and with the lab that its hosts may be."""
        from fournines import lab

        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino, lab.exists(self._cloud.name)

    @asynccontextmanager
    async def looking(self) -> AsyncGenerator[None]:
        """Hosts are followed meanwhile."""
        self._looking += 1
        try:
            yield
        finally:
            self._looking -= 1
            if not self._looking:
                asyncio.get_running_loop().call_later(LINGER, self._stop_if_unused)

    def _stop_if_unused(self) -> None:
        if not self._looking:
            self._let_go()

    def _let_go(self) -> None:
        if self._running:
            self._running.cancel()
        self._follower = self._running = None

    async def close(self) -> None:
        running = self._running
        self._let_go()
        if running:
            await asyncio.gather(running, return_exceptions=True)

    def following(self) -> Follower:
        cloud = self.cloud
        if self._follower is None:
            self._follower = self._make(cloud)
            self._running = asyncio.create_task(self._follower.run())
            self._running.add_done_callback(_report)
        return self._follower

    async def now(self) -> Status:
        """When every host has said something, or has had the time to."""
        async with self.looking():
            follower = self.following()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE + 1.0):
                    while not follower.ready:
                        await follower.changed(follower.version, 0.2)
            return self._status(follower)

    async def states(self) -> AsyncIterator[Status]:
        """One after the other, as soon as something is new, and each second."""
        async with self.looking():
            while True:
                follower = self.following()
                version = follower.version
                yield self._status(follower)
                await asyncio.sleep(max(SPACING, SPACING_A_HOST * len(follower.cloud.hosts)))
                await follower.changed(version, TICK)

    def _status(self, follower: Follower) -> Status:
        who = holder(follower.cloud.state_dir)
        return status(follower.seen(), age=follower.age, ready=follower.ready, lock=who, file_error=self.file_error)

    async def host(self, name: str) -> HostPage:
        """Raises HostError when the cloud has none of that name."""
        await self.now()
        cloud = self.cloud
        host = cloud.host_by_name.get(name)
        if host is None:
            raise HostError(f"{cloud.name} has no host {name}", where=str(self.path), next="see the list of hosts")
        said = hosts_of(self.following().seen()).get(name)
        unknown = (
            Refusal(what=said.what, where=name, why=said.why, next=said.next) if isinstance(said, Unknown) else None
        )
        return HostPage(
            name=name,
            region=host.region,
            zone={"name": host.zone.name, "power": host.zone.power, "switch": host.zone.switch},
            address=str(host.address),
            roles=list(host.roles),
            services=sorted(host.services),
            said=None if said is None or isinstance(said, Unknown) else dataclasses.asdict(said),
            unknown=unknown,
        )

    async def log(self, name: str, unit: str) -> Log:
        """The last lines of a unit that the host's agent watches. Raises HostError."""
        page = await self.host(name)
        if page.said is None or unit not in page.said["units"]:
            raise HostError(
                f"{name} has no unit {unit} that is watched", where=name, next="see the host's list of units"
            )
        script = f"journalctl --no-pager -o short-iso -n {LOG_LINES} -u {unit}"
        done = await self.following().reached(name).run(script, timeout=10.0)
        return Log(host=name, unit=unit, lines=(done.stdout or done.stderr).splitlines())


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("hosts are not followed any more: %r", error, exc_info=error)
