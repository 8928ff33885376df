"""Faults of a whole host. Power and the freezer are the lab's; a reboot is the host's own."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from fournines.prove.faults.powers import Powers
from fournines.prove.faults.strike import PerHost, Strike, not_seen, until

#: As `Powers.refused` has it.
FREEZER = "freezer"


class PowerFault(PerHost):
    @classmethod
    def lacking(cls, by: Powers) -> str:
        return "" if by.power else "nothing here can switch a host's power"


class PowerOff(PowerFault):
    name = "host.power_off"
    what = "power off, nothing is shut down"
    until = "power on after 20 s"
    seen = "no process of the host is left in its cgroup"
    boots = True
    each = ("vip", "writer", "one")

    async def strike_host(self, host: str) -> None:
        await self.by.hand.off(host)

    async def verify_host(self, host: str) -> str:
        if await self.by.hand.is_on(host):
            raise not_seen("the host still has power", host, "processes are left in its cgroup")
        return f"{host}: no process left"

    async def heal_host(self, host: str) -> None:
        await self.by.hand.on(host)


class Outage(PowerOff):
    """Who was off first, and knows least, is back first."""

    name = "host.outage"
    what = "power off, one host after another, 2 s apart, as when a site goes dark"
    until = "power on in the same order, 2 s apart, after 20 s"
    each = ("all",)
    APART_S: ClassVar[float] = 2.0

    async def strike(self) -> None:
        for number, host in enumerate(self.hosts):
            await asyncio.sleep(self.APART_S if number else 0)
            await self.strike_host(host)

    async def heal(self) -> tuple[str, ...]:
        unhealed: list[str] = []
        for number, host in enumerate(self.hosts):
            await asyncio.sleep(self.APART_S if number else 0)
            unhealed += await self.heal_everywhere(self.heal_host, [host])
        return tuple(unhealed)


class Booted(PerHost):
    """A fault after which the host is in another boot than before."""

    boots = True
    #: Until PID 1 is another one. Seconds.
    within: ClassVar[float]

    async def look(self) -> None:
        found = await asyncio.gather(*(self.by.processes.boot(host) for host in self.hosts))
        self.before = dict(zip(self.hosts, found, strict=True))
        for host, boot in self.before.items():
            if not boot:
                raise not_seen("there is nothing to strike", host, "it is off")

    async def verify_host(self, host: str) -> str:
        async def another() -> bool:
            # What a host's firmware does after a shutdown for a reboot, whoever has its power does here.
            if self.by.power and not await self.by.power.is_on(host):
                await self.by.power.on(host)
            return await self.by.processes.boot(host) not in ("", self.before[host])

        if not await until(another, self.within):
            raise not_seen("the host did not boot", host, f"its PID 1 is the same, or none, after {self.within:g} s")
        return f"{host}: another PID 1"

    async def heal_host(self, host: str) -> None:
        if self.by.power:
            await self.by.power.on(host)


class Reset(Booted):
    name = "host.reset"
    what = "power off and on at once"
    until = "the host boots"
    seen = "the host's PID 1 is another process"
    duration = 0.0
    each = ("vip",)
    within = 5.0

    @classmethod
    def lacking(cls, by: Powers) -> str:
        return PowerFault.lacking(by)

    async def strike_host(self, host: str) -> None:
        await self.by.hand.reset(host)


class Reboot(Booted):
    name = "host.reboot"
    what = "the host shuts down in order and boots (`systemctl reboot`)"
    until = "the host boots"
    seen = "the host's PID 1 is another process"
    duration = 0.0
    outside = False
    each = ("vip",)
    within = 180.0

    async def strike_host(self, host: str) -> None:
        await self.run(host, "systemctl --no-block reboot", doing="cannot reboot")


class HostFreeze(PowerFault):
    name = "host.freeze"
    what = "every process of the host stops at one instant (cgroup freezer); its addresses still answer"
    until = "all go on after 20 s"
    seen = "the kernel says that the host's cgroup is frozen"
    each = ("vip",)

    @classmethod
    def lacking(cls, by: Powers) -> str:
        return super().lacking(by) or by.refused.get(FREEZER, "")

    async def strike_host(self, host: str) -> None:
        await self.by.hand.freeze(host)

    async def verify_host(self, host: str) -> str:
        async def frozen() -> bool:
            return await self.by.hand.is_frozen(host)

        if not await until(frozen):
            raise not_seen("the host still runs", host, "its cgroup is not frozen")
        return f"{host}: its cgroup is frozen"

    async def heal_host(self, host: str) -> None:
        await self.by.hand.thaw(host)


FAMILY: tuple[type[Strike], ...] = (PowerOff, Outage, Reset, Reboot, HostFreeze)
