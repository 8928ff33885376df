"""What operators do on purpose, held to what it may cost: no request that may be sent twice fails, none waits long."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from fournines.prove.faults.powers import Operations, Powers
from fournines.prove.faults.strike import Strike, not_seen, until
from fournines.prove.severity import Severity


class Operation(Strike):
    """Hosts go one after another, as the command has them."""

    outside = False
    each = ("vip",)
    costs: ClassVar[Severity] = "operation"

    @classmethod
    def lacking(cls, by: Powers) -> str:
        return "" if by.operations else "nothing here carries operations out"

    @property
    def hand(self) -> Operations:
        assert self.by.operations is not None
        return self.by.operations

    async def heal(self) -> tuple[str, ...]:
        """Gives back what was taken away, also where the operation was cut off in the middle."""
        failed: list[str] = []
        for host in self.hosts:
            failed += await self.heal_everywhere(self.hand.undrain, [host])
        return tuple(failed)


class Drain(Operation):
    name = "operation.drain"
    what = "`fournines drain`: VIPs, writer, queue leaders and backends go to other hosts"
    until = "`fournines undrain` after 20 s"
    seen = "the host says that it is drained, and has no VIP"

    async def strike(self) -> None:
        for host in self.hosts:
            await self.hand.drain(host)

    async def verify(self) -> tuple[str, ...]:
        return tuple([await self._verify(host) for host in self.hosts])

    async def _verify(self, host: str) -> str:
        async def drained() -> bool:
            return await self.hand.is_drained(host)

        if not await until(drained):
            raise not_seen("the host is not drained", host, "it does not say so, or has a VIP")
        return f"{host}: drained, and without a VIP"


class Reboot(Operation):
    name = "operation.reboot"
    what = "`fournines reboot`: drained, rebooted, waited for until all is redundant, undrained, host after host"
    until = "the last host carries load again"
    seen = "the host's PID 1 is another process"
    duration = 0.0

    async def look(self) -> None:
        found = await asyncio.gather(*(self.by.processes.boot(host) for host in self.hosts))
        self.before = dict(zip(self.hosts, found, strict=True))

    async def strike(self) -> None:
        await self.hand.reboot(self.hosts)

    async def verify(self) -> tuple[str, ...]:
        return tuple([await self._verify(host) for host in self.hosts])

    async def _verify(self, host: str) -> str:
        async def another() -> bool:
            return await self.by.processes.boot(host) not in ("", self.before[host])

        if not await until(another):
            raise not_seen("the host did not boot", host, "its PID 1 is the same, or none")
        return f"{host}: another PID 1"


FAMILY: tuple[type[Strike], ...] = (Drain, Reboot)

#: Operation, as typed -> its fault.
TYPED = {kind.name.partition(".")[2]: kind.name for kind in FAMILY}
