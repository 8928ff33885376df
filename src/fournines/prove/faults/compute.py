"""Faults of what users ask of the compute service."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from fournines.errors import FourninesError
from fournines.prove.faults.powers import Powers, Servers
from fournines.prove.faults.strike import Strike, not_seen, until

STORM = 20


class BootStorm(Strike):
    """No host is struck: with `and`, it is the load under which another fault strikes one."""

    name = "compute.boot_storm"
    what = f"{STORM} servers are asked for with one request, in the campaign's own project"
    until = "they are removed after 20 s"
    seen = "the compute service lists so many"
    carrier = "nova"
    costs = "freeze"
    each = ("one",)
    within: ClassVar[float] = 30.0

    @classmethod
    def lacking(cls, by: Powers) -> str:
        return "" if by.servers else "nothing is there to boot servers from: boot_server is not among the functions"

    @property
    def servers(self) -> Servers:
        assert self.by.servers is not None
        return self.by.servers

    async def strike(self) -> None:
        await self.servers.request(STORM)

    async def verify(self) -> tuple[str, ...]:
        async def there() -> bool:
            return (await self.servers.states()).total() >= STORM

        if not await until(there, self.within):
            raise not_seen("the servers are not there", ", ".join(self.hosts), f"within {self.within:g} s")
        return (f"{STORM} servers are asked for",)

    async def hold(self) -> tuple[str, ...]:
        await asyncio.sleep(self.fault.duration)
        states = await self.servers.states()
        return (", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no server is left",)

    async def heal(self) -> tuple[str, ...]:
        """Those that a killed run left are in the campaign's project, which the next one empties before it begins."""
        if self.by.servers is None:
            return ()
        try:
            await self.servers.remove()
        except FourninesError as error:
            return (f"{error.what}: {error.why}",)
        return ()


FAMILY: tuple[type[Strike], ...] = (BootStorm,)
