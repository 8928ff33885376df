"""Faults of the management network, at the switch port of a host: no process of any host takes part in them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from fournines.errors import ProveError
from fournines.prove.faults.powers import NETWORK, Drop, Powers
from fournines.prove.faults.strike import PerHost, Strike, not_seen, until
from fournines.prove.model import Fault

LOSS_PERCENT = 20
DELAY_S = 0.1
#: As the lab names what a kernel can do.
NETEM = "netem"
FLAP_S = 2.0


class NetworkFault(PerHost):
    @classmethod
    def lacking(cls, by: Powers) -> str:
        return "" if by.network else "nothing here can cut a host's network"


class Cut(NetworkFault):
    """The port is cut by `isolate`, whose clock is the network's own: it may be joined before anybody here looks."""

    async def look(self) -> None:
        self.seen_cut: set[str] = set()

    async def cut(self, host: str, seconds: float) -> None:
        if await self.by.wires.isolate(host, NETWORK, seconds):
            self.seen_cut.add(host)

    async def verify_host(self, host: str) -> str:
        if host not in self.seen_cut:
            raise not_seen("the host's port is not cut", host, f"network {NETWORK}")
        return f"{host}: its port of network {NETWORK} was cut"

    async def heal_host(self, host: str) -> None:
        await self.by.wires.join(host, NETWORK)

    async def measured(self, host: str) -> str:
        length = await self.by.wires.join(host, NETWORK)
        return (
            f"{host}: cut for {length:.3f} s" if length is not None else f"{host}: the length of the cut is not known"
        )


class Isolate(Cut):
    name = "network.isolate"
    what = "the host's port is cut, both ways"
    until = "joined after 20 s"
    seen = "the bridge says that the port is disabled; the length of the cut is measured"
    each = ("vip", "writer", "one/0.5s", "one/1s", "vip/0.5s", "vip/1s")

    async def strike_host(self, host: str) -> None:
        await self.cut(host, self.fault.duration)

    async def hold(self) -> tuple[str, ...]:
        """`injected` and the look at the port took some of the time: the port's own clock decides."""
        deadline = asyncio.get_running_loop().time() + self.fault.duration
        while asyncio.get_running_loop().time() < deadline:
            if not any([await self.by.wires.is_cut(host, NETWORK) for host in self.hosts]):
                break
            await asyncio.sleep(min(0.1, self.fault.duration / 10))
        return tuple([await self.measured(host) for host in self.hosts])


class Flap(Cut):
    name = "network.flap"
    what = f"the host's port is cut and joined in turn every {FLAP_S:g} s"
    until = "joined for good after 20 s"
    seen = "the bridge says that the port is disabled; each cut is measured"
    each = ("vip", "one")

    async def strike_host(self, host: str) -> None:
        await self.cut(host, FLAP_S)

    async def hold(self) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        seen: list[str] = []
        turn = 1
        while turn * FLAP_S <= self.fault.duration:
            await asyncio.sleep(began + turn * FLAP_S - loop.time())
            if turn % 2:
                seen += [await self.measured(host) for host in self.hosts]
            elif turn * FLAP_S < self.fault.duration:
                await self.strike()
            turn += 1
        return tuple(seen)


class Filtered(NetworkFault):
    """Packets are lost at the port. Seen by the port's own count of them, so that something was there to be lost."""

    def drops(self, host: str) -> Sequence[Drop]:
        raise NotImplementedError

    async def strike_host(self, host: str) -> None:
        await self.by.wires.drop(host, NETWORK, self.drops(host))

    async def verify_host(self, host: str) -> str:
        count = 0

        async def some() -> bool:
            nonlocal count
            count = await self.by.wires.dropped(host, NETWORK)
            return count > 0

        if not await until(some):
            raise not_seen("no packet was lost", host, f"at its port of network {NETWORK}")
        return f"{host}: {count} packets lost so far"

    async def hold(self) -> tuple[str, ...]:
        await asyncio.sleep(self.fault.duration)
        return tuple([f"{h}: {await self.by.wires.dropped(h, NETWORK)} packets lost" for h in self.hosts])

    async def heal_host(self, host: str) -> None:
        await self.by.wires.pass_all(host, NETWORK)


class Deaf(Filtered):
    name = "network.deaf"
    what = "one way: what the host sends arrives, it receives nothing"
    until = "all gets through after 20 s"
    seen = "the port's count of lost packets grows"
    each = ("vip", "writer")

    def drops(self, host: str) -> Sequence[Drop]:
        return (Drop("in"),)


class Mute(Filtered):
    name = "network.mute"
    what = "one way: the host receives everything, what it sends is lost"
    until = "all gets through after 20 s"
    seen = "the port's count of lost packets grows"
    each = ("vip", "writer")

    def drops(self, host: str) -> Sequence[Drop]:
        return (Drop("out"),)


class Loss(Filtered):
    name = "network.loss"
    what = f"{LOSS_PERCENT} % of the host's packets are lost, each way"
    until = "all gets through after 20 s"
    seen = "the port's count of lost packets grows"
    each = ("vip",)

    def drops(self, host: str) -> Sequence[Drop]:
        return (Drop("in", percent=LOSS_PERCENT), Drop("out", percent=LOSS_PERCENT))


class Vrrp(Filtered):
    name = "network.vrrp"
    what = "VRRP alone is lost, each way: keepalived is alone, all else goes on"
    until = "all gets through after 20 s"
    seen = "the port's count of lost packets grows"
    costs = "kill"
    each = ("vip",)
    MATCH: ClassVar[str] = "ip protocol 112"

    def drops(self, host: str) -> Sequence[Drop]:
        return (Drop("in", match=self.MATCH), Drop("out", match=self.MATCH))


class Delay(NetworkFault):
    name = "network.delay"
    what = f"what the host receives comes {1000 * DELAY_S:g} ms later, where the kernel has netem"
    until = "nothing is late after 20 s"
    seen = "the port's count of late packets grows"
    each = ("vip", "writer")

    @classmethod
    def lacking(cls, by: Powers) -> str:
        return super().lacking(by) or by.refused.get(NETEM, "")

    async def strike_host(self, host: str) -> None:
        await self.by.wires.delay(host, NETWORK, DELAY_S)

    async def verify_host(self, host: str) -> str:
        async def some() -> bool:
            return await self.by.wires.late(host, NETWORK) > 0

        if not await until(some):
            raise not_seen("no packet is late", host, f"at its port of network {NETWORK}")
        return f"{host}: {await self.by.wires.late(host, NETWORK)} packets late so far"

    async def heal_host(self, host: str) -> None:
        await self.by.wires.pass_all(host, NETWORK)


class Partition(Filtered):
    """Both sides keep their clients: only hosts do not reach one another."""

    name = "network.partition"
    what = "the network breaks in two: the target's hosts reach one another and the clients, but no other host"
    until = "whole after 20 s"
    seen = "the count of lost packets grows at each side's ports"
    each = ("half", "vip")

    def __init__(self, by: Powers, fault: Fault, hosts: tuple[str, ...]) -> None:
        super().__init__(by, fault, hosts)
        self.inside = frozenset(hosts)
        self.hosts = by.hosts

    async def look(self) -> None:
        if not self.inside < set(self.hosts):
            raise ProveError("a partition needs a host on each side", where=", ".join(sorted(self.inside)))

    def drops(self, host: str) -> Sequence[Drop]:
        inside = host in self.inside
        return (Drop("in", peers=tuple(h for h in self.hosts if (h in self.inside) is not inside)),)


class Bridge(Partition):
    """Who has a majority is another answer on each host: no set of hosts agrees on who is there."""

    name = "network.bridge"
    what = (
        "the network breaks in two but for one host: it reaches both sides, which do not reach one another; the target "
        "is on one side, clients reach all"
    )
    each = ("vip", "one")

    def __init__(self, by: Powers, fault: Fault, hosts: tuple[str, ...]) -> None:
        super().__init__(by, fault, hosts)
        members = [h for h in by.carriers.get("mariadb", by.hosts) if h not in hosts]
        self.between = members[0] if len(members) > 1 else ""
        self.hosts = tuple(h for h in by.hosts if h != self.between)

    async def look(self) -> None:
        if not self.between:
            raise ProveError(
                "two sides and a host between them need two members beside the target",
                where=", ".join(sorted(self.inside)),
            )


class Block(Filtered):
    name = "network.block"
    what = "the service's own ports are blocked, as by a firewall: packets to them are lost"
    until = "all gets through after 20 s"
    seen = "the port's count of lost packets grows"
    subject = "service"
    costs = "freeze"
    each = ("mariadb", "rabbitmq")

    async def look(self) -> None:
        if not self.by.ports.get(self.fault.service):
            raise ProveError("the service listens on no port of its own", where=self.fault.service)

    def drops(self, host: str) -> Sequence[Drop]:
        ports = ", ".join(str(port) for port in self.by.ports[self.fault.service])
        return tuple(Drop("in", match=f"{protocol} dport {{ {ports} }}") for protocol in ("tcp", "udp"))


FAMILY: tuple[type[Strike], ...] = (Isolate, Flap, Deaf, Mute, Loss, Delay, Vrrp, Partition, Bridge, Block)
