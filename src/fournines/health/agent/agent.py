"""One host's agent: heartbeats, lease, database, watchers, and what it tells."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from . import daemons, lease, openstack, sever, sockets, system, vip, watch
from .clock import now
from .config import Config, Haproxy
from .database import Database
from .departure import Echoes, departed
from .echo import Echo
from .heartbeat import Links
from .server import SOCKET, Answer, serve_http, serve_start
from .tickle import REFUSED, Tickle

log = logging.getLogger(__name__)

RUN = Path("/run/fournines")
#: A new agent knows nobody yet; until then the tracked file stays as the last agent left it.
ACQUAINTANCE = 1.0
VIP_LOOK = 0.05
#: Seconds between looks for those who try to connect to a departed host.
REFUSE = 0.25
#: Heartbeats within which a peer must have been heard, and have confirmed, to have a say in who has departed.
CONTACT = 5


async def _fernet(directory: str) -> dict[str, Any]:
    return system.fernet_state(directory)


class Agent(asyncio.DatagramProtocol):
    def __init__(self, config: Config) -> None:
        RUN.mkdir(exist_ok=True)
        self.config = config
        self.links = Links(config.host, config.peer_names, config.secret)
        self.database = Database(config, config.galera, self.links) if config.galera else None
        self.balancer = watch.Balancer(config, config.haproxy) if config.haproxy else None
        self.keepalived = vip.Keepalived(config.vip) if config.vip else None
        self.tickle = Tickle(lambda: self._held, config.heartbeat)
        self.found: watch.Found = {}
        self.started = now()
        self.verdict = lease.Verdict(True, "")
        self._forbidden_since: float | None = None
        self._held: frozenset[str] = frozenset()
        self._transport: asyncio.DatagramTransport | None = None
        self._echoes = Echoes(self.links.others, config.dead_host, config.heartbeat)
        self._echo: Echo | None = None
        self._silent: frozenset[str] = frozenset()
        self._acting: frozenset[str] = frozenset()
        self._effects: set[asyncio.Task[object]] = set()
        self._addresses = {p.name: (p.address, config.heartbeat_port) for p in config.peers}

    # UDP

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        name = self.links.receive(now(), data)
        if name and self.keepalived and (clients := self.links.body(name).get("clients")):
            self.tickle.hear(clients)

    def error_received(self, exc: Exception) -> None:
        pass  # a peer's host is up and its agent is not: the silence is what counts

    # Once a heartbeat

    async def beat(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            at = now()
            if self._echo:
                self._look_for_departed(at, self._echo)
            if self.database:
                self.database.tick(at)
            if self.config.haproxy:
                self._follow_writer(self.config.haproxy)
            if self._transport:
                for name, datagram in self.links.beat(at, self._body(at)).items():
                    self._transport.sendto(datagram, self._addresses[name])
            # A fixed pace, but what a stall has cost is not made up for.
            due = max(due + self.config.heartbeat, loop.time())
            await asyncio.sleep(due - loop.time())

    async def hold_lease(self) -> None:
        """Twice a heartbeat: the holder's time to leave is what the VIP's timers leave no slack for."""
        while True:
            self._lease(now())
            await asyncio.sleep(self.config.heartbeat / 2)

    def _look_for_departed(self, at: float, echo: Echo) -> None:
        links = self.links
        ages = {name: links.age(name, at) for name in links.others}
        for name in self._echoes.due(at, ages):
            echo.ask(name)
        self._silent = self._echoes.silent(at, ages)
        within = CONTACT * self.config.heartbeat
        reports = {
            n: frozenset(links.body(n).get("silent", ())) for n in links.heard(at, within) & links.confirmed(at, within)
        }
        gone = departed(len(self.config.peers), self._silent, reports)
        new, links.departed = gone - links.departed, gone
        for name in sorted(new):
            log.warning("%s has departed: neither its agent nor its kernel answers any of us", name)
            self._depart(name)

    def _depart(self, name: str) -> None:
        if self.database:
            self.database.depart(name)
        addresses = [self.config.address_of(name)]
        endpoint = self.links.body(name).get("endpoint")
        if endpoint and endpoint[2]:
            addresses += self.config.vips  # its load balancer had the other end
        self._do(sever.cut(addresses))
        if self.config.haproxy:
            proxies: dict[str, Any] = self.found.get("haproxy", {}).get("proxies", {})
            behind = [(proxy, name, "down") for proxy, servers in proxies.items() if name in servers]
            self._do(sever.mark(self.config.haproxy, behind))

    async def refuse(self) -> None:
        """Whoever connects to a departed host hears so now, and tries the next one. Left to the kernel it takes
        seconds, and some clients then begin again with the same host (oslo.messaging's listeners)."""
        while True:
            gone = [self.config.address_of(name) for name in sorted(self.links.departed)]
            done = await sever.cut(gone, states=sockets.SYN_SENT)
            await asyncio.sleep(REFUSE if done else REFUSED)

    def _follow_writer(self, haproxy: Haproxy) -> None:
        """The load balancer hears of another writer now, not at its next check."""
        acting = frozenset(n for n in self.links.heard(now(), 1.0) if self.links.body(n).get("acting"))
        if self.database and self.database.decision.acting:
            acting |= {self.config.host}
        if len(acting) == 1 and acting != self._acting:
            before, self._acting = self._acting, acting
            changed = [(n, "down") for n in before] + [(n, "up") for n in acting]
            self._do(sever.mark(haproxy, [(haproxy.writer_proxy, name, health) for name, health in changed]))

    def _do(self, effect: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(effect)
        self._effects.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._effects.discard)

    def _body(self, at: float) -> dict[str, Any]:
        body: dict[str, Any] = self.database.body(at) if self.database else {}
        body["silent"] = sorted(self._silent)
        if self.config.rabbitmq:
            body["brokers"] = daemons.brokers_seen(self.found, at)
        if self.keepalived and self.balancer:
            body["endpoint"] = [self.balancer.alive(at), self.verdict.may_hold, bool(self._held)]
        if self._held:
            body["clients"] = self.tickle.say()
        return body

    def _lease(self, at: float) -> None:
        lasts = self.config.vip_lease
        if self.keepalived is None or not lasts or at - self.started < ACQUAINTANCE:
            return
        others = {
            name: lease.Endpoint(said[0], said[1])
            for name in self.links.heard(at, lasts)
            if (said := self.links.body(name).get("endpoint")) is not None
        }
        alive = self.balancer is None or self.balancer.alive(at)
        confirmed = len(self.links.confirmed(at, lasts))
        verdict = lease.decide(len(self.config.peers), confirmed, alive, others)
        if verdict != self.verdict:
            log.info(
                "VIP: %s", f"{'allowed' if verdict.may_hold else 'forbidden'} {verdict.why and f'({verdict.why})'}"
            )
        self.verdict = verdict
        self.keepalived.forbid(not verdict.may_hold)
        if verdict.may_hold:
            self._forbidden_since = None
        elif self._forbidden_since is None:
            self._forbidden_since = at

    # At their own pace

    async def watch_vip(self) -> None:
        assert self.config.vip is not None and self.keepalived is not None
        wanted = frozenset(a.address for a in self.config.vip.addresses)
        while True:
            at = now()
            self._move(wanted & vip.local_addresses())
            seen = vip.Observed(
                held=bool(self._held),
                forbidden_for=0.0 if self._forbidden_since is None else at - self._forbidden_since,
                running=self.keepalived.running(),
                idle_for=self.keepalived.idle_for(at),
                silent_for=self.keepalived.silent_for(at),
                conflict=self._conflict(at),
            )
            why = vip.intervene(seen, self.config.vip_lease) if self.config.vip_lease else ""
            if why:
                log.warning("VIP: kills keepalived, %s", why)
                await self.keepalived.kill()
            await asyncio.sleep(VIP_LOOK)

    def _move(self, held: frozenset[str]) -> None:
        before, self._held = self._held, held
        if gained := held - before:
            self._do(self.tickle.taken_over(gained))
        # This host's own clients had their connections from VIP to VIP: no other host can tell them.
        if lost := before - held:
            self._do(sever.cut(lost, "src"))

    def _conflict(self, at: float) -> bool:
        heard = self.links.heard(at, 1.0)
        return any((said := self.links.body(n).get("endpoint")) is not None and said[2] for n in heard)

    async def tell(self) -> None:
        """state.json, whole or not at all, and the sign of life that systemd waits for."""
        fresh, path = RUN / "state.json.new", RUN / "state.json"
        while True:
            fresh.write_text(json.dumps(self.state()))
            fresh.replace(path)
            system.notify("WATCHDOG=1")
            await asyncio.sleep(1.0)

    # What it tells

    def state(self) -> dict[str, Any]:
        at = now()
        return {
            "host": self.config.host,
            "region": self.config.region,
            "time": time.time(),
            "uptime": round(at - self.started, 1),
            "peers": {
                name: {
                    "heard": self.links.age(name, at),
                    "confirmed": name in self.links.confirmed(at, 1.0),
                    "departed": name in self.links.departed,
                }
                for name in self.links.others
            },
            "vip": self._vip_state(at),
            "galera": self.database.state(at) if self.database else None,
            **{name: {**entry, "at": round(at - entry["at"], 1)} for name, entry in self.found.items()},
        }

    def _vip_state(self, at: float) -> dict[str, Any] | None:
        if self.keepalived is None:
            return None
        return {
            "held": sorted(self._held),
            "may_hold": self.verdict.may_hold,
            "why": self.verdict.why,
            "balancer": self.balancer is not None and self.balancer.alive(at),
            "clients": self.tickle.known,
            "told": self.tickle.told,
        }

    def database_ready(self) -> Answer:
        status = self.database.status if self.database else None
        good = status is not None and status.synced and now() - status.at <= 2 * self.config.writer_patience
        return (200 if good else 503), {"database": good}

    def database_writer(self) -> Answer:
        decision = self.database.write_decision(now()) if self.database else None
        if decision is None:
            return 503, {"acting": False, "why": "no database on this host"}
        return (200 if decision.acting else 503), vars(decision)

    def galera(self) -> Answer:
        return 200, self.database.body(now())["galera"] if self.database else {}

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        config = self.config
        if config.peers:
            await loop.create_datagram_endpoint(lambda: self, (config.address, config.heartbeat_port))
            if config.dead_host:
                self._echo = Echo(config.address, {p.name: p.address for p in config.peers}, self._echoes.answered)
        if self.database:
            self.database.start()
            await serve_start(SOCKET, self.database.waiting)
        routes = {
            "/database": self.database_ready,
            "/database/writer": self.database_writer,
            "/galera": self.galera,
            "/state": lambda: (200, self.state()),
        }
        await serve_http(config.address, config.http_port, routes)
        system.notify("READY=1")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.beat())
            tasks.create_task(self.refuse())
            tasks.create_task(self.tell())
            tasks.create_task(daemons.watch(self._daemons()))
            if self.database:
                tasks.create_task(self.database.mend())
            if self.balancer:
                tasks.create_task(self.balancer.run())
            if self.keepalived:
                tasks.create_task(self.hold_lease())
                tasks.create_task(self.watch_vip())
                tasks.create_task(self.tickle.run())
            for watcher in self._watchers():
                tasks.create_task(watcher.run(self.found))

    def _daemons(self) -> list[daemons.Look]:
        config = self.config
        watched = {
            "haproxy": config.haproxy,
            "rabbitmq": config.rabbitmq,
            "memcached": config.memcached,
            "keystone": config.keystone,
        }
        looks: list[daemons.Look] = [
            daemons.Daemon(carried.unit, lambda name=name: self.found.get(name, {}).get("ok", True)).look
            for name, carried in watched.items()
            if carried
        ]
        if self.database and config.galera:
            looks.append(daemons.Daemon(config.galera.unit, self.database.answers).look)
        if config.rabbitmq:
            looks.append(daemons.Brokers(config.rabbitmq.unit, config.host, config.peer_names, self._brokers).look)
        return looks

    def _brokers(self) -> dict[str, frozenset[str]]:
        at = now()
        said = {name: self.links.body(name).get("brokers") for name in self.links.heard(at, 1.0)}
        said[self.config.host] = daemons.brokers_seen(self.found, at)
        return {name: frozenset(seen) for name, seen in said.items() if seen is not None}

    def _watchers(self) -> list[watch.Watcher]:
        config = self.config
        found = watch.watchers(config)
        if config.units:
            found.append(watch.Watcher("units", 5.0, lambda: system.units(config.units)))
        if config.certificates:
            found.append(watch.Watcher("certificates", 30.0, lambda: system.certificates(config.certificates)))
        if config.fernet_keys:
            found.append(watch.Watcher("fernet", 60.0, lambda: _fernet(config.fernet_keys)))
        if (database := self.database) and (galera := config.galera) and config.openstack:
            look = openstack.look
            found.append(
                watch.Watcher(
                    "openstack",
                    openstack.EVERY,
                    lambda: look(galera, config.openstack, lambda: database.decision.acting),
                )
            )
        return found
