"""A world of real guards: their datagrams, their clocks, their kernels' gates, and all that can go wrong with them.

Everything is the code that hosts run (`Guard.hear`, `beat`, `claim`), but the sockets, the clock, and what touches the
kernel. Time is virtual, in steps of `STEP`; every guard's clock is the same, as only durations count.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

from fournines.agent.guard import config as guard_config
from fournines.agent.guard import gate, guard, lease, vip
from fournines.agent.guard.guard import Guard
from fournines.agent.guard.heartbeat import pair_name

STEP, BEAT = 0.01, 0.05
VIP = "198.18.0.100"
ADDRESSES = {name: f"198.18.0.{ord(name)}" for name in "abcdefg"}


def configuration(me: str, voters: str, candidates: str, others: str = "") -> guard_config.Config:
    """Of one guard of hosts with names of one letter; `others` have a guard and do not vote."""
    document = {
        "host": me,
        "address": f"198.18.0.{ord(me)}",
        "port": 9201,
        "votes": me in voters,
        "peers": [
            {"name": n, "address": f"198.18.0.{ord(n)}", "votes": n in voters, "key": key(me, n)}
            for n in voters + others
            if n != me
        ],
        "candidates": list(candidates),
        "heartbeat": BEAT,
        "vip_lease": 0.35,
        "dead_host": 0.4,
        "degraded": 1.5,
    }
    if me in candidates:
        document["vip"] = {"addresses": [{"address": VIP, "prefix": 32, "interface": "management"}]}
    return guard_config.parse(document)


def key(one: str, other: str) -> str:
    return hmac.digest(b"secret", pair_name((one, other)).encode(), "sha256").hex()


class Host:
    """powered: off, it neither answers nor remembers. frozen: its guard does not run, its kernel does. vote_file: /run,
    which a reboot empties. gate: until when its kernel lets the VIP's packets in."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.guard: Guard | None = None
        self.powered = True
        self.frozen = False
        self.vote_file = ""
        self.gate = float("-inf")
        self.address = False
        self.balancer = True
        self.drained = False
        self.disk_full = False
        self.due = 0.0
        self.asked: dict[str, int] = {}
        self.inbox: list[tuple[str, bytes]] = []

    @property
    def runs(self) -> bool:
        return self.powered and not self.frozen and self.guard is not None

    @property
    def open(self) -> bool:
        return self.powered and self.world.at < self.gate

    def start(self) -> None:
        with self.world.on(self):
            self.guard = Guard(self.world.config(self.name))
        if self.guard.lease:
            self.guard.lease.held = self.held()
        self.due = self.world.at + self.world.random.random() * BEAT
        self.inbox.clear()

    def kill(self) -> None:
        self.guard, self.frozen = None, False

    def off(self) -> None:
        self.kill()
        self.powered, self.address, self.vote_file, self.gate = False, False, "", float("-inf")

    def on(self) -> None:
        self.powered = True
        self.start()

    def held(self) -> frozenset[str]:
        return frozenset({VIP}) if self.address else frozenset()


class World:
    """`voters`, `candidates`: names of one letter. `rng`: all chance. `loss`: of datagrams. `delay`: most seconds."""

    def __init__(
        self, voters: str, candidates: str, rng: random.Random, *, loss: float = 0.0, delay: float = 0.02
    ) -> None:
        self.voters, self.candidates, self.random = voters, candidates, rng
        self.loss, self.delay = loss, delay
        self.at = 1000.0
        self.hosts = {n: Host(self, n) for n in voters}
        self.cut: set[tuple[str, str]] = set()  # from, to
        self.flying: list[tuple[float, str, str, bytes]] = []
        self.trace: list[str] = []
        for host in self.hosts.values():
            host.start()

    def config(self, name: str) -> guard_config.Config:
        return configuration(name, self.voters, self.candidates)

    @contextmanager
    def on(self, host: Host) -> Iterator[None]:
        """The module's ways to the outside lead to `host`."""

        def grant(_: object, until: float) -> bool:
            host.gate = until
            return True

        def write(name: str) -> None:
            if host.disk_full:
                raise OSError("no space")
            host.vote_file = name

        with (
            mock.patch.object(guard, "now", lambda: self.at),
            mock.patch.object(guard, "read_vote", lambda: host.vote_file),
            mock.patch.object(guard, "write_vote", write),
            mock.patch.object(guard, "say", lambda text: self.trace.append(f"{self.at:.2f} {host.name}: {text}")),
            mock.patch.object(guard, "complain", self._complain),
            mock.patch.object(lease, "say", lambda text: None),
            mock.patch.object(gate, "grant", grant),
            mock.patch.object(gate, "build", lambda _: None),
            mock.patch.object(vip, "local_addresses", host.held),
            mock.patch.object(vip.Keepalived, "track", lambda _, value: None),
        ):
            yield

    @staticmethod
    def _complain(where: str, error: Exception) -> None:
        if not isinstance(error, OSError):
            raise AssertionError(where) from error

    def linked(self, sender: str, receiver: str) -> bool:
        return (sender, receiver) not in self.cut and self.hosts[sender].powered and self.hosts[receiver].powered

    def partition(self, side: str) -> None:
        """`side` and the others hear each other no more."""
        others = [n for n in self.voters if n not in side]
        self.cut |= {(a, b) for a in side for b in others} | {(b, a) for a in side for b in others}

    def deafen(self, name: str) -> None:
        """It sends, and does not hear."""
        self.cut |= {(n, name) for n in self.voters if n != name}

    def heal(self) -> None:
        self.cut.clear()

    def step(self) -> None:
        self.at = round(self.at + STEP, 6)
        arrived = [f for f in self.flying if f[0] <= self.at]
        self.flying = [f for f in self.flying if f[0] > self.at]
        for _, sender, receiver, datagram in arrived:
            if self.linked(sender, receiver) and self.hosts[receiver].guard:
                self.hosts[receiver].inbox.append((f"198.18.0.{ord(sender)}", datagram))
        for host in self.hosts.values():
            if host.runs:
                self._run(host)
        self._vrrp()

    def run(self, seconds: float, after: Callable[[], None] = lambda: None) -> None:
        for _ in range(round(seconds / STEP)):
            self.step()
            after()

    def _run(self, host: Host) -> None:
        running = host.guard
        assert running
        with self.on(host):
            self._balancer(host, running)
            running._own = self.at, False, host.drained
            for address, datagram in host.inbox:
                running.hear(self.at, address, datagram)
            host.inbox.clear()
            if self.at >= host.due:
                host.due = max(host.due + BEAT, self.at)
                if running.lease:
                    running.lease.held = host.held()
                for receiver, datagram in running.beat(self.at, lambda name: self._ping(host, running, name)).items():
                    if self.random.random() >= self.loss:
                        arrives = self.at + self.random.random() * self.delay
                        self.flying.append((arrives, host.name, receiver, datagram))
            running.claim(self.at)

    def _balancer(self, host: Host, running: Guard) -> None:
        balancer = running._balancer
        if balancer:
            balancer._answered, balancer._refused = (self.at, 0) if host.balancer else (self.at - 100, 2)

    def _ping(self, host: Host, running: Guard, name: str) -> None:
        if self.linked(host.name, name) and self.linked(name, host.name) and self.random.random() >= self.loss:
            running._echoes.answered(name)

    def _vrrp(self) -> None:
        """keepalived follows the votes, within a fraction of a second: the addresses are where the gate is open."""
        opened = [h for h in self.hosts.values() if h.open and h.name in self.candidates]
        if len(opened) == 1 and not opened[0].address:
            for host in self.hosts.values():
                host.address = host is opened[0] or (host.address and not self.linked(opened[0].name, host.name))

    @property
    def serving(self) -> list[str]:
        return [n for n, host in self.hosts.items() if host.open]
