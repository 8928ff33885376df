"""Faults that take a resource of a host away; none takes the machine's own beyond the host's."""

from __future__ import annotations

import asyncio
import re
import shlex
from typing import ClassVar

from fournines.prove.faults.host import PowerFault
from fournines.prove.faults.powers import Powers
from fournines.prove.faults.strike import PerHost, Strike, not_seen, until

#: As `Powers.refused` has it.
MEMORY = "memory"


class Cpu(PerHost):
    name = "host.cpu"
    what = "two busy processes a core, of ordinary priority"
    until = "they end after 20 s"
    seen = "the unit that runs them has as many processes as it should"
    outside = False
    costs = "freeze"
    each = ("vip",)
    UNIT: ClassVar[str] = "fournines-burn.service"

    async def strike_host(self, host: str) -> None:
        burn = "for i in $(seq $((2 * $(nproc)))); do (while :; do :; done) & done; wait"
        await self.run(
            host,
            f"systemd-run --quiet --unit={self.UNIT} --collect -p RuntimeMaxSec={self.fault.duration + 60:g} "
            f"sh -c '{burn}'",
            doing="cannot start busy processes",
        )

    async def verify_host(self, host: str) -> str:
        count = 0

        async def busy() -> bool:
            nonlocal count
            count = sum(p.state == "R" for p in await self.by.processes.of_unit(host, self.UNIT))
            return count > 1

        if not await until(busy):
            raise not_seen("nothing keeps the host busy", host, f"{count} processes of {self.UNIT} run")
        return f"{host}: {count} processes run"

    async def heal_host(self, host: str) -> None:
        await self.run(host, f"systemctl stop {self.UNIT} 2>/dev/null || true", doing="cannot end busy processes")


class Memory(PowerFault):
    """The host's memory is limited to what it holds and SPARE more, and one process takes more than that: the kernel
    makes room by ending the largest process that it may, on a database's host the database. What systemd then starts
    again meets the same."""

    name = "host.memory"
    what = "the host's memory is all taken: the kernel ends what is largest, again and again (OOM killer)"
    until = "what took it ends, and the host has as much memory as before, after 20 s"
    seen = "the kernel's count of processes that it ended for want of memory grows"
    outside = False
    each = ("one", "writer")
    within: ClassVar[float] = 15.0
    UNIT: ClassVar[str] = "fournines-hog.service"
    #: Bytes: what the host has left, and what is taken.
    SPARE: ClassVar[int] = 64 << 20
    TAKEN: ClassVar[int] = 192 << 20

    @classmethod
    def lacking(cls, by: Powers) -> str:
        return super().lacking(by) or by.refused.get(MEMORY, "")

    async def look(self) -> None:
        self.before = {host: await self.by.hand.ended_for_memory(host) for host in self.hosts}

    async def strike_host(self, host: str) -> None:
        take = f"import time; taken = bytearray(b'x') * {self.TAKEN}; time.sleep({self.fault.duration + 60:g})"
        await self.by.hand.limit_memory(host, self.SPARE)
        await self.run(
            host,
            f"systemd-run --quiet --unit={self.UNIT} --collect -p OOMScoreAdjust=-1000 "
            f"-p RuntimeMaxSec={self.fault.duration + 60:g} python3 -c {shlex.quote(take)}",
            doing="cannot start what takes the memory",
        )

    async def verify_host(self, host: str) -> str:
        ended = 0

        async def some() -> bool:
            nonlocal ended
            ended = await self.by.hand.ended_for_memory(host) - self.before[host]
            return ended > 0

        if not await until(some, self.within):
            raise not_seen("no process was ended for want of memory", host, f"within {self.within:g} s")
        return f"{host}: {ended} processes ended for want of memory so far"

    async def hold(self) -> tuple[str, ...]:
        await asyncio.sleep(self.fault.duration)
        ended = {host: await self.by.hand.ended_for_memory(host) - self.before[host] for host in self.hosts}
        return tuple(f"{host}: {count} processes ended for want of memory" for host, count in ended.items())

    async def heal_host(self, host: str) -> None:
        """The limit first: without memory nobody can be told to end anything."""
        await self.by.hand.limit_memory(host, None)
        await self.run(host, f"systemctl stop {self.UNIT} 2>/dev/null || true", doing="cannot end what took the memory")


class RunFull(PerHost):
    """/run is a memory file system of the host's own: made no larger than what is in it, it is full."""

    name = "host.run_full"
    what = "/run is full: no lock, socket, PID or state file can be written there"
    until = "it has its size again after 20 s"
    seen = "a file that is written there ends in ENOSPC"
    outside = False
    costs = "freeze"
    each = ("vip",)
    KEPT: ClassVar[str] = "/var/lib/fournines-run-size"

    async def strike_host(self, host: str) -> None:
        await self.run(
            host,
            f"[ -e {self.KEPT} ] || findmnt -rno OPTIONS /run | tr , '\\n' | grep ^size= > {self.KEPT} || "
            f"echo size=50% > {self.KEPT}\n"
            "used=$(df -k --output=used /run | tail -1); mount -o remount,size=$((used + 4))k /run",
            doing="cannot make /run full",
        )

    async def verify_host(self, host: str) -> str:
        said = await self.run(
            host,
            "LC_ALL=C dd if=/dev/zero of=/run/fournines-full bs=64k count=1 2>&1 || true; rm -f /run/fournines-full",
            doing="cannot write to /run",
        )
        if not re.search("No space left", said):
            raise not_seen("/run is not full", host, said.strip()[-200:])
        return f"{host}: no space left on /run"

    async def heal_host(self, host: str) -> None:
        await self.run(
            host,
            f'[ ! -e {self.KEPT} ] || {{ mount -o remount,"$(cat {self.KEPT})" /run && rm {self.KEPT}; }}',
            doing="cannot give /run its size back",
        )


FAMILY: tuple[type[Strike], ...] = (Cpu, Memory, RunFull)
