"""Faults of the agents beyond those of any service: versions that differ, as during a rolling update."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from fournines.agent.guard.heartbeat import PROTOCOL
from fournines.errors import HostError
from fournines.prove.faults.powers import Powers
from fournines.prove.faults.strike import Strike, not_seen, until
from fournines.services.agent import GUARD

#: Read by the guard when it starts.
VARIABLE = "FOURNINES_GUARD_PROTOCOL"
DROP_IN = f"/run/systemd/system/{GUARD}.d/99-fournines-protocol.conf"
#: Between the restarts of two guards: each has joined the others by then. Seconds.
APART_S = 3.0


class Skew(Strike):
    """Guards are restarted one after another, each with the other version; to heal, one after another again."""

    step: ClassVar[int]
    outside = False
    costs = "kill"
    until = "each is restarted with its own version after 20 s, one after another"
    seen = f"the environment of the guard's new process has {VARIABLE}, none from before is left"

    @classmethod
    def lacking(cls, by: Powers) -> str:
        return "" if GUARD in by.units.values() else f"this cloud's agents have no {GUARD}"

    async def look(self) -> None:
        found = await asyncio.gather(*(self.by.processes.of_unit(host, GUARD) for host in self.hosts))
        self.before = {h: {p.identity for p in some} for h, some in zip(self.hosts, found, strict=True)}

    async def strike(self) -> None:
        for number, host in enumerate(self.hosts):
            await asyncio.sleep(APART_S if number else 0)
            setting = f"[Service]\\nEnvironment={VARIABLE}={PROTOCOL + self.step}\\n"
            await self.run(
                host,
                f"mkdir -p {DROP_IN.rpartition('/')[0]} && printf '{setting}' > {DROP_IN} && "
                f"systemctl daemon-reload && systemctl restart {GUARD}",
                timeout=30,
                doing="cannot restart the guard with another version",
            )

    async def verify(self) -> tuple[str, ...]:
        return tuple(await asyncio.gather(*(self._verify(host) for host in self.hosts)))

    async def _verify(self, host: str) -> str:
        wanted = (str(PROTOCOL + self.step),)

        async def speaks() -> bool:
            now = {p.identity for p in await self.by.processes.of_unit(host, GUARD)}
            values = await self.by.processes.environment(host, GUARD, VARIABLE)
            return bool(now) and not now & self.before[host] and wanted == tuple(dict.fromkeys(values))

        if not await until(speaks):
            raise not_seen("the guard does not run with the other version", host, f"{VARIABLE}={wanted[0]}")
        return f"{host}: {VARIABLE}={wanted[0]}"

    async def heal(self) -> tuple[str, ...]:
        failed: list[str] = []
        for number, host in enumerate(self.hosts):
            await asyncio.sleep(APART_S if number else 0)
            try:
                await self.run(
                    host,
                    f"[ ! -e {DROP_IN} ] || {{ rm {DROP_IN}; systemctl daemon-reload && systemctl restart {GUARD}; }}",
                    timeout=30,
                    doing="cannot restart the guard with its own version",
                )
            except HostError as error:
                failed.append(f"{host}: {error.what}: {error.why}")
        return tuple(failed)


class Previous(Skew):
    name = "agent.skew_previous"
    what = "the guard speaks the protocol's previous version, as before a rolling update"
    step = -1
    each = ("one", "all")


class Next(Skew):
    name = "agent.skew_next"
    what = "the guard speaks the protocol's next version, as after a rolling update"
    step = 1
    each = ("one", "all")


FAMILY: tuple[type[Strike], ...] = (Previous, Next)
