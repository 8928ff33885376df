"""What `watch` wires together: the cloud file as it is now, the prober, the agents, the journals, the state folder."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fournines.cloud.handlers import Handler
from fournines.cloud.model import Cloud, Region
from fournines.commands import handlers
from fournines.commands.alert_listener import TOKEN, listening
from fournines.commands.clouds import load_cloud, region_of
from fournines.commands.watched import directory
from fournines.engine import SshOptions, connect, local_lock
from fournines.engine.ssh import connect_host
from fournines.errors import FourninesError, HostError, LockedError
from fournines.health.cluster import Cluster
from fournines.health.follow import Follower
from fournines.logs.collect import Logs, Query, collect
from fournines.prove.admin import WATCHED
from fournines.prove.grounds import Grounds
from fournines.services import tls
from fournines.services.keystone import TOKEN_LIFETIME
from fournines.timing import timers
from fournines.watch.act import Acting, Doing
from fournines.watch.alerts import Alerts
from fournines.watch.conditions import DISK_SCRIPT, conditions, log_full
from fournines.watch.daemon import Hands, Watch
from fournines.watch.decide import Condition
from fournines.watch.functions import chosen, cost
from fournines.watch.spec import WatchSpec

#: Of a request, as of a campaign's. Seconds.
TIMEOUT_S = 10.0
#: Between two looks at the cloud file and its secrets.
FILES_S = 10.0
#: Between two looks at the hosts' `/var/log`.
DISKS_S = 60.0
SSH = SshOptions(connect_timeout=4.0)


@dataclass(frozen=True)
class Wish:
    """state: the folder; None: beside the cloud file. key, known_hosts: of the watch's own, in place of the file's.
    dry_run: handlers only say what they would do. alerts: where to listen for Alertmanager's."""

    path: Path
    region: str | None = None
    functions: tuple[str, ...] = ()
    state: Path | None = None
    key: Path | None = None
    known_hosts: Path | None = None
    dry_run: bool = False
    alerts: tuple[str, int] | None = None
    ssh: SshOptions = SSH

    def cloud(self) -> Cloud:
        """Its hosts reached with the key of here, where there is one. Raises CloudFileError."""
        cloud = load_cloud(self.path)
        if self.key is None and self.known_hosts is None:
            return cloud
        regions = {name: replace(r, hosts=tuple(map(self._own, r.hosts))) for name, r in cloud.regions.items()}
        return replace(cloud, regions=regions)

    def _own(self, host: Any) -> Any:
        ssh = replace(host.ssh, key=self.key or host.ssh.key, known_hosts=self.known_hosts or host.ssh.known_hosts)
        return replace(host, ssh=ssh)


def spec_of(cloud: Cloud, region: Region, functions: tuple[str, ...], cafile: Path) -> WatchSpec:
    """Raises FourninesError when the cloud was never applied."""
    if "keystone.admin" not in cloud.secrets.names():
        raise FourninesError("this cloud was never applied", where=cloud.name, next=f"fournines apply {cloud.source}")
    own = Grounds(str(cafile), "", timers(cloud))
    name = f"{WATCHED}{socket.gethostname().partition('.')[0][:30]}"  # begins values of a column of 80
    lifetime = cloud.options("keystone", "keystone.conf").get("token", {}).get("expiration", TOKEN_LIFETIME)
    return WatchSpec(
        epoch=time.monotonic(),
        functions=functions,
        timeout=TIMEOUT_S,
        name=name,
        region=region.name,
        identity=own.identity(cloud, region),
        database=own.database(cloud, region),
        broker=own.broker(cloud, region, name) if "publish" in functions else None,
        renew=float(lifetime) / 4,
    )


@contextmanager
def kept(folder: Path) -> Generator[None]:
    """One watch writes into a folder. Raises LockedError."""
    try:
        with local_lock(folder):
            yield
    except LockedError as error:
        raise LockedError(
            "another watch writes here", where=error.where, why=error.why, next="let it run; or choose another --state"
        ) from None


def watch(wish: Wish, say: Callable[[str], None]) -> None:
    """Until SIGINT or SIGTERM. Raises FourninesError: the cloud file, the lock, a folder that cannot be written."""
    cloud = wish.cloud()
    region = region_of(cloud, wish.region)
    functions = chosen(wish.functions, cloud, region.name)
    folder = directory(cloud, region, wish.state)
    with kept(folder):
        say(
            f"watches {cloud.name}, region {region.name}: {', '.join(functions)}; "
            f"about {100 * cost(functions):.0f} % of one core, of all hosts together"
        )
        cafile = folder / "ca.pem"
        _write(cafile, tls.trusted(cloud))
        asyncio.run(_run(_Running(wish, cloud, region, folder, say), spec_of(cloud, region, functions, cafile)))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FourninesError(f"{path} cannot be written", why=error.strerror or str(error)) from error


class _Running:
    """The cloud as its file says now, and its hosts, followed."""

    def __init__(self, wish: Wish, cloud: Cloud, region: Region, folder: Path, say: Callable[[str], None]) -> None:
        self.wish = wish
        self.cloud = cloud
        self.region = region
        self.folder = folder
        self.say = say
        self.follower = self._follow(cloud)
        self._following: asyncio.Task[None] | None = None
        self._read = self._stamp()
        self._full: dict[str, Condition] = {}
        self.alerts = Alerts(_names(region))

    def _follow(self, cloud: Cloud) -> Follower:
        return Follower(cloud, lambda host: connect_host(host, self.wish.ssh))

    def seen(self) -> Cluster:
        return self.follower.seen()

    def hosts(self) -> Sequence[str]:
        return [host.name for host in self.region.hosts]

    async def collect(self, names: Sequence[str], query: Query) -> Logs:
        wanted = [h for h in self.region.hosts if h.name in names]
        async with connect(wanted, self.wish.ssh) as hosts:
            found = await collect(hosts, query)
            return Logs(found.journals, {**hosts.failures, **found.failures})

    def handlers(self) -> list[Handler]:
        every = self.cloud.handlers.values()
        return [replace(h, dry_run=True) for h in every] if self.wish.dry_run else list(every)

    def domains(self) -> dict[str, str]:
        """A zone is what fails together."""
        return {host.name: host.zone.name for host in self.region.hosts}

    def conditions(self, watch: Watch) -> tuple[frozenset[Condition], frozenset[str]] | None:
        if not self.follower.ready:
            return None
        return conditions(
            self.follower.seen(), self.region.name, watch.out, self._full.values(), self.alerts.conditions(time.time())
        )

    async def look_at_disks(self) -> None:
        """Until it is cancelled, over the connections by which the hosts are followed."""
        while True:
            for host in self.region.hosts:
                try:
                    done = await self.follower.reached(host.name).run(DISK_SCRIPT, timeout=30.0)
                except (HostError, OSError):
                    continue
                self._full.pop(host.name, None)
                self._full.update({c.host: c for c in log_full(host.name, done.stdout)})
            await asyncio.sleep(DISKS_S)

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """For alerts, where that was asked for. Raises FourninesError."""
        if self.wish.alerts is None:
            yield
            return
        async with listening(self.cloud, self.folder, *self.wish.alerts, self.alerts) as url:
            self.say(f"listens for alerts at {url}; the token is in {self.folder / TOKEN}")
            yield

    async def follow(self, watch: Watch, acting: Acting) -> None:
        """Until it is cancelled: with the hosts, passwords and handlers of the file as it is now."""
        try:
            while True:
                if self._following is None or self._following.done():
                    self._following = asyncio.create_task(self.follower.run())
                await asyncio.sleep(FILES_S)
                # Handlers that act are let finish first.
                if acting.idle and (stamp := self._stamp()) != self._read:
                    self._read = stamp
                    await self._again(watch, acting)
        finally:
            await self._let_go()

    async def _again(self, watch: Watch, acting: Acting) -> None:
        """A file that is wrong leaves everything as it was."""
        try:
            cloud = self.wish.cloud()
            region = region_of(cloud, self.region.name)
            _write(self.folder / "ca.pem", tls.trusted(cloud))
            spec = spec_of(cloud, region, watch.functions, self.folder / "ca.pem")
        except FourninesError as error:
            self.say(f"the cloud file cannot be used, the watch goes on as before: {error.what}")
            return
        self.say("the cloud file or its secrets have changed, and are read again")
        await self._let_go()
        self.cloud, self.region, self.follower = cloud, region, self._follow(cloud)
        self.alerts.hosts(_names(region))
        watch.respec(spec)
        acting.handlers(self.handlers(), self.domains())

    async def _let_go(self) -> None:
        if self._following:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None

    def _stamp(self) -> tuple[object, ...]:
        """Changes with the cloud file and its secrets."""
        found: list[object] = []
        for path in (self.cloud.source, self.cloud.source.parent / f"{self.cloud.name}.secrets.yaml"):
            try:
                said = path.stat()
                found.append((said.st_mtime_ns, said.st_size, said.st_ino))
            except OSError:
                found.append(None)
        return tuple(found)


def _names(region: Region) -> dict[str, str]:
    """By which an alert may call a host."""
    return {name: host.name for host in region.hosts for name in (host.name, str(host.address))}


async def _run(running: _Running, spec: WatchSpec) -> None:
    task = asyncio.current_task()
    assert task is not None
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(sign, task.cancel)
    hands = Hands(running.seen, running.hosts, running.collect, running.say)
    watch = Watch(spec, running.folder, hands)
    doer = handlers.Hands(lambda: running.cloud, running.wish.ssh, running.say)
    doing = Doing(lambda: running.conditions(watch), doer.carry_out, running.say, watch.acted, time.time)
    acting = Acting(running.handlers(), running.domains(), running.folder, doing)
    try:
        async with running.listening(), asyncio.TaskGroup() as group:
            group.create_task(running.follow(watch, acting))
            group.create_task(running.look_at_disks())
            group.create_task(watch.run())
            group.create_task(acting.run())
    except asyncio.CancelledError:
        pass
