"""One host's observer: database, bus and load balancer watched and acted on, and what people and balancers are told.

Every part runs on its own and is started again when it fails: an odd answer of one daemon ends nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, cast

from .. import process
from ..clock import now
from ..guard import channel
from . import (
    daemons,
    handshakes,
    luns,
    maintenance,
    metrics,
    openstack,
    pacemaker,
    replica,
    sever,
    sockets,
    system,
    watch,
)
from .clients import Roster
from .config import Config, Galera, Haproxy
from .database import EVICT_AFTER, Database
from .peers import NEVER, Peers, packed
from .server import SOCKET, Answer, Route, serve_http, serve_start, server_side
from .tickle import REFUSED, Tickle

log = logging.getLogger(__name__)

#: Seconds between looks for those who try to connect to a departed host.
REFUSE = 0.25
#: Seconds of the guard's silence after which the observer goes on without it: it is told something ten times a second.
SILENCE = 0.25
#: Seconds between two writes of state.json: at most, and at least.
TELL, SOONEST = 1.0, 0.1
#: Seconds before a part that has failed runs again.
AGAIN = 1.0
#: Seconds between looks at what operators have asked of this host.
MAINTENANCE = 0.5
#: Seconds for which a drained host still holds its VIPs. What is in flight through a VIP is reset when it moves:
#: the writes go first, and who waited for that is answered.
VIPS_LEAVE_AFTER = 2.0
#: Seconds after a boot for which a host may count as starting.
STARTS_WITHIN = 600.0


class Observer:
    def __init__(self, config: Config) -> None:
        channel.RUN.mkdir(exist_ok=True)
        self.config = config
        self.peers = Peers([p.name for p in config.peers if p.name != config.host])
        self.database = Database(config, config.galera, self.peers) if config.galera else None
        self.tickle = Tickle(self.peers.held)
        self.found: watch.Found = {}
        self.started = now()
        self.starting = True
        self.killed: Counter[str] = Counter()  # unit: how often it hung, and was killed
        self.maintenance = maintenance.read()
        self._drained = NEVER  # since when; of a host that was drained before this observer started: long ago
        self._ticked = NEVER
        self._channel = channel.bind(channel.OBSERVER) if config.peers else None
        self._held: frozenset[str] = frozenset()
        self._departed: frozenset[str] = frozenset()
        self._gone: dict[str, float] = {}  # departed hosts with which clusters still have their connections: since when
        self._acting: frozenset[str] = frozenset()
        self._effects: set[asyncio.Task[object]] = set()
        self._news = asyncio.Event()
        self._standing: tuple[frozenset[str], frozenset[str], bool] | None = None

    # What the guard tells

    def hear(self) -> None:
        """All that waits, then what follows from it."""
        assert self._channel
        while True:
            try:
                said = channel.receive(self._channel)
            except ValueError as error:
                log.warning("the guard says what cannot be read: %s", error)
                continue
            if said is None:
                break
            at = now()
            for name in self.peers.hear(at, *said):
                if clients := self.peers.body(name).get("flows"):
                    with contextlib.suppress(ValueError, TypeError):
                        self.tickle.hear(clients)
        new, self._departed = self.peers.departed - self._departed, self.peers.departed
        for name in sorted(new):
            self._depart(name)
        self._move(self.peers.held())
        self.tick(now())

    def _depart(self, name: str) -> None:
        addresses = [self.config.address_of(name)]
        if self.peers.body(name).get("vips"):
            addresses += self.config.vips  # its load balancer had the other end
        self._gone[name] = now()
        self._do(sever.cut(addresses, spare=self.config.cluster_ports))
        if self.config.haproxy:
            proxies: dict[str, Any] = self.found.get("haproxy", {}).get("proxies", {})
            behind = [(proxy, name, "down") for proxy, servers in proxies.items() if name in servers]
            self._do(sever.mark(self.config.haproxy, behind))

    def _give_up(self, at: float) -> None:
        """What members of clusters have among themselves goes later: a broker or a node whose peer comes back before it
        has missed it is spared a restart."""
        for name in [n for n, since in self._gone.items() if at - since >= EVICT_AFTER or n not in self._departed]:
            del self._gone[name]
            if name in self._departed:
                self._do(sever.cut([self.config.address_of(name)]))

    def _move(self, held: frozenset[str]) -> None:
        before, self._held = self._held, held
        if gained := held - before:
            self._do(self.tickle.taken_over(gained))
        # This host's own clients had their connections from VIP to VIP: no other host can tell them.
        if lost := before - held:
            self._do(sever.cut(lost, "src"))
            self._do(self.tickle.lost(lost))

    # What the guard, and by it the peers, are told

    def tick(self, at: float) -> None:
        self._ticked = at
        self._give_up(at)
        if self.database:
            self.database.starting, self.database.drained = self.starting, self.drained
            self.database.tick(at)
        if self.config.haproxy:
            self._follow_writer(self.config.haproxy)
        if self._channel:
            own = {"at": at, "starting": self.starting, "drained": self.leaves(at)}
            channel.send(self._channel, channel.GUARD, own, self._body(at))
        standing = (self.peers.departed, self._held, bool(self.database and self.database.decision.acting))
        if standing != self._standing:
            self._standing = standing
            self._news.set()

    def _body(self, at: float) -> bytes:
        body: dict[str, Any] = self.database.body(at) if self.database else {}
        if self.config.rabbitmq:
            body["brokers"] = daemons.brokers_seen(self.found, at)
        room = self.peers.guard.get("room", 0)
        if self._held:
            body["vips"] = True
            body["flows"] = ""
            body["flows"] = self.tickle.say(Roster.fitting(room - len(packed(body))))
        return packed(body, room)

    def _follow_writer(self, haproxy: Haproxy) -> None:
        """The load balancer hears of another writer now, not at its next check."""
        acting = frozenset(n for n in self.peers.heard(now(), 1.0) if self.peers.body(n).get("acting"))
        if self.database and self.database.decision.acting:
            acting |= {self.config.host}
        if len(acting) == 1 and acting != self._acting:
            before, self._acting = self._acting, acting
            # All others, not the last writer alone: an observer that has just started does not know of that one.
            proxies: dict[str, Any] = self.found.get("haproxy", {}).get("proxies", {})
            others = before.union(proxies.get(haproxy.writer_proxy, ())) - acting
            changed = [(n, "down") for n in sorted(others)] + [(n, "up") for n in acting]
            self._do(sever.mark(haproxy, [(haproxy.writer_proxy, name, health) for name, health in changed]))

    def _do(self, effect: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(effect)
        self._effects.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._effects.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("%s: %s", task.get_name(), error or type(error).__name__)

    # Parts, each at its own pace

    async def pace(self) -> None:
        """The guard's word sets the pace; without one it goes on all the same."""
        while True:
            if now() - self._ticked > SILENCE:
                self.tick(now())
            await asyncio.sleep(SILENCE)

    async def refuse(self) -> None:
        """Whoever connects to a departed host hears so now, and tries the next one. Left to the kernel it takes
        seconds, and some clients then begin again with the same host (oslo.messaging's listeners)."""
        ended, told = 0, NEVER
        while True:
            gone = [self.config.address_of(name) for name in sorted(self.peers.departed)]
            count = await sever.end(gone, states=sockets.SYN_SENT)
            ended += count or 0
            if ended and (now() - told > 60.0 or not gone):
                log.info("ended %d connects to hosts that have departed", ended)
                ended, told = 0, now()
            await asyncio.sleep(REFUSED if count is None else REFUSE)

    async def note_handshakes(self) -> None:
        """Once; the kernel goes on with it whatever becomes of this process."""
        assert self.config.haproxy
        try:
            await handshakes.note(self.config.vips, self.config.haproxy.others)
        except OSError as error:
            log.warning("new connections to the VIP are not copied to the other load balancers: %s", error)

    async def start_up(self) -> None:
        """Until systemd has started all that the boot asks for."""
        while now() - self.started < STARTS_WITHIN:
            self.starting = await system.starting()
            if not self.starting:
                return
            await asyncio.sleep(2.0)
        self.starting = False

    @property
    def drained(self) -> bool:
        return maintenance.drained(self.maintenance, self.config.host)

    def leaves(self, at: float) -> bool:
        """It is drained, and has had the time to give the writes to another host."""
        return self.drained and at - self._drained >= VIPS_LEAVE_AFTER

    def _takes_writes(self) -> bool:
        """Of a database that moves: whether its primary or its disk is here."""
        if self.database:
            return self.database.decision.acting
        if self.config.replica:
            return self.found.get("replica", {}).get("state") == "primary"
        return bool(self.found.get("luns", {}).get("luns", {}).get("database", {}).get("mounted"))

    async def look_for_maintenance(self) -> None:
        while True:
            before, self.maintenance = self.drained, maintenance.read()
            if self.drained != before:
                self._drained = now()
                log.info("this host is %s", "drained" if self.drained else "no longer drained")
            await asyncio.sleep(MAINTENANCE)

    async def tell(self) -> None:
        """state.json, whole or not at all, and the sign of life that systemd waits for: each second, and at once when a
        host departs, the VIP moves or another host takes the writes."""
        fresh, path = channel.RUN / "state.json.new", channel.RUN / "state.json"
        while True:
            fresh.touch(mode=0o600)
            fresh.write_text(json.dumps(self.state()))
            fresh.replace(path)
            process.notify("WATCHDOG=1")
            await asyncio.sleep(SOONEST)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TELL - SOONEST):
                    await self._news.wait()
            self._news.clear()

    # What it tells

    def state(self) -> dict[str, Any]:
        at = now()
        guard = dict(self.peers.guard)
        return {
            "host": self.config.host,
            "region": self.config.region,
            "time": time.time(),
            "uptime": round(at - self.started, 1),
            "starting": self.starting,
            "maintenance": self.maintenance,
            "peers": {
                name: {
                    "heard": self.peers.age(name, at),
                    "confirmed": name in self.peers.confirmed(at, 1.0),
                    "departed": name in self.peers.departed,
                }
                for name in self.peers.others
            },
            "guard": {
                "answered": None if self.peers.told == NEVER else round(at - self.peers.told, 2),
                **{
                    name: guard.get(name)
                    for name in ("voters", "vote", "votes", "degraded", "deaf", "delay", "dropped")
                },
            }
            if self.config.peers
            else None,
            "vip": self._vip_state(guard),
            "galera": self.database.state(at) if self.database else None,
            "killed": dict(self.killed),
            **{name: {**entry, "at": round(at - entry["at"], 1)} for name, entry in self.found.items()},
        }

    def _vip_state(self, guard: Mapping[str, Any]) -> dict[str, Any] | None:
        if guard.get("vip") is None:
            return None
        return {**guard["vip"], "clients": self.tickle.known, "told": self.tickle.told}

    def database_ready(self) -> Answer:
        status = self.database.status if self.database else None
        good = status is not None and status.synced and now() - status.at <= 2 * self.config.writer_patience
        return (200 if good else 503), {"database": good}

    def database_writer(self) -> Answer:
        decision = self.database.write_decision(now()) if self.database else None
        if decision is None:
            return 503, {"acting": False, "why": "no database on this host"}
        return (200 if decision.acting else 503), vars(decision)

    async def run(self) -> None:
        config = self.config
        if self._channel:
            asyncio.get_running_loop().add_reader(self._channel, self._hear_safely)
        if self.database:
            self.database.start()
            await serve_start(SOCKET, self.database.waiting)
        routes = {"/database": self.database_ready, "/database/writer": self.database_writer}
        private: dict[str, Route] = {
            "/state": lambda: (200, self.state()),
            "/metrics": lambda: (200, metrics.render(self.state())),
        }
        await serve_http(
            config.address,
            config.http_port,
            routes,
            private,
            config.token,
            context=server_side(config.certificate),
            private_by_tls=config.private_by_tls,
            narrow={"/metrics": config.metrics_token},
        )
        process.notify("READY=1")
        async with asyncio.TaskGroup() as tasks:
            for part in self._parts():
                tasks.create_task(forever(part))

    def _hear_safely(self) -> None:
        try:
            self.hear()
        except Exception:
            log.exception("what the guard says")

    def _parts(self) -> list[Callable[[], Awaitable[None]]]:
        parts: list[Callable[[], Awaitable[None]]] = [
            self.pace,
            self.refuse,
            self.look_for_maintenance,
            self.tell,
            self.start_up,
        ]
        parts.append(lambda: daemons.watch(self._daemons()))
        if self.database:
            parts.append(self.database.restart_stuck)
        if self.config.haproxy:
            parts += [self.tickle.run, self.note_handshakes]
        parts += [lambda watcher=watcher: watcher.run(self.found) for watcher in self._watchers()]
        return parts

    def _daemons(self) -> list[daemons.Look]:
        config = self.config
        watched = {
            "haproxy": config.haproxy,
            # What the cluster moves, the cluster looks after.
            "rabbitmq": None if config.rabbitmq and config.rabbitmq.lun else config.rabbitmq,
            "memcached": config.memcached,
            "keystone": config.keystone,
        }
        looks: list[daemons.Look] = [
            daemons.Daemon(carried.unit, lambda name=name: self._answers(name), self.killed).look
            for name, carried in watched.items()
            if carried
        ]
        if self.database and config.galera:
            looks.append(daemons.Daemon(config.galera.unit, self.database.answers, self.killed).look)
        if config.rabbitmq and not config.rabbitmq.lun:
            rabbit, names = config.rabbitmq.unit, config.peer_names
            looks.append(daemons.Brokers(rabbit, config.host, names, self._brokers, self.killed).look)
        return looks

    def _answers(self, name: str) -> bool:
        """A broker in maintenance mode answers no client."""
        return self.found.get(name, {}).get("ok", True) or (name == "rabbitmq" and self.drained)

    def _brokers(self) -> dict[str, frozenset[str]]:
        at = now()
        said: dict[str, Any] = {name: self.peers.body(name).get("brokers") for name in self.peers.heard(at, 1.0)}
        said[self.config.host] = daemons.brokers_seen(self.found, at)
        heard = {name: cast("list[Any]", seen) for name, seen in said.items() if isinstance(seen, list)}
        return {name: frozenset(map(str, seen)) for name, seen in heard.items()}

    def _watchers(self) -> list[watch.Watcher]:
        config = self.config
        found = watch.watchers(config)
        if config.units:
            found.append(watch.Watcher("units", 5.0, lambda: system.units(config.units)))
        if config.certificates:
            found.append(watch.Watcher("certificates", 5.0, system.Certificates(config.certificates).look))
        if config.fernet_keys:
            found.append(watch.Watcher("fernet", 60.0, lambda: system.fernet(config.fernet_keys)))
        if config.pacemaker:
            found.append(watch.Watcher("pacemaker", pacemaker.EVERY, pacemaker.look))
        if config.luns:
            found.append(watch.Watcher("luns", luns.EVERY, lambda: luns.look(config.luns)))
        if config.replica:
            found.append(watch.Watcher("replica", replica.EVERY, replica.look))
        if config.openstack:
            server, look = config.galera or Galera(members=()), openstack.look
            found.append(
                watch.Watcher("openstack", openstack.EVERY, lambda: look(server, config.openstack, self._takes_writes))
            )
        return found


async def forever(part: Callable[[], Awaitable[None]]) -> None:
    """Until it ends by itself: a part that fails is told of, and runs again."""
    while True:
        try:
            await part()
            return
        except Exception:
            log.exception("goes on after an error")
            await asyncio.sleep(AGAIN)
