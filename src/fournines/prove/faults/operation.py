"""What operators do on purpose, held to what it may cost: no request that may be sent twice fails, none waits long."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from fournines.errors import ProveError, UsageError
from fournines.prove.faults.powers import Operations, Powers
from fournines.prove.faults.strike import Strike, not_seen, until
from fournines.prove.severity import Severity

#: As `Powers.refused` has it.
EMPTY = "empty machine"


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

    async def verify(self) -> tuple[str, ...]:
        return tuple([await self.verify_host(host) for host in self.hosts])

    @abstractmethod
    async def verify_host(self, host: str) -> str:
        """What was seen, a line. Raises FourninesError when the operation was not."""

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

    async def verify_host(self, host: str) -> str:
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

    async def verify_host(self, host: str) -> str:
        async def another() -> bool:
            return await self.by.processes.boot(host) not in ("", self.before[host])

        if not await until(another):
            raise not_seen("the host did not boot", host, "its PID 1 is the same, or none")
        return f"{host}: another PID 1"


class Upgrade(Operation):
    name = "operation.upgrade"
    what = "`fournines upgrade`: zone after zone, each host drained, its packages upgraded, what changed restarted"
    until = "the last host carries load again"
    seen = "other versions of packages are installed, by dpkg's word"
    duration = 0.0
    each = ("all",)
    drawn = False

    async def look(self) -> None:
        found = await asyncio.gather(*(self.hand.packages(host) for host in self.hosts))
        self.before = dict(zip(self.hosts, found, strict=True))

    async def strike(self) -> None:
        await self.hand.upgrade()

    async def verify_host(self, host: str) -> str:
        if await self.hand.packages(host) == self.before[host]:
            raise not_seen("no package was upgraded", host, "dpkg says the same as before")
        return f"{host}: other versions of packages"


class UpgradeRelease(Upgrade):
    name = "operation.upgrade_release"
    what = "`upgrade --to` the release that the cloud file names: host after host to its Debian, the bus last"

    async def strike(self) -> None:
        await self.hand.upgrade_release()


class Apply(Operation):
    name = "operation.apply"
    what = "`fournines apply` of what the cloud file has and the hosts have not"
    until = "the plan is carried out"
    seen = "nothing is left to change on the host"
    duration = 0.0
    each = ("all",)
    drawn = False

    async def look(self) -> None:
        if not any([await self.hand.pending(host) for host in self.hosts]):
            raise ProveError(
                "there is nothing to apply",
                where=", ".join(self.hosts),
                next="change the cloud file first: an option, a role, another host",
            )

    async def strike(self) -> None:
        await self.hand.apply()

    async def verify_host(self, host: str) -> str:
        if await self.hand.pending(host):
            raise not_seen("the host was not changed", host, "changes are still pending there")
        return f"{host}: as the cloud file says"

    async def heal(self) -> tuple[str, ...]:
        return ()


class Membership(Operation):
    """A host leaves the cloud, and joins it again; which of it is the strike, subclasses say."""

    each = ("one",)
    drawn = False

    async def leave(self) -> None:
        for host in self.hosts:
            await self.hand.take_out(host)

    async def join(self) -> None:
        for host in self.hosts:
            await self.hand.bring_in(host)

    async def left(self, host: str) -> str:
        if await self.hand.is_member(host):
            raise not_seen("the host has not left", host, "the others count on it")
        return f"{host}: the others do not count on it"

    async def heal(self) -> tuple[str, ...]:
        async def back(host: str) -> None:
            if not await self.hand.is_member(host):
                await self.hand.bring_in(host)

        failed: list[str] = []
        for host in self.hosts:
            failed += await self.heal_everywhere(back, [host])
        return tuple(failed)


class Leave(Membership):
    name = "operation.leave"
    what = "`scale --remove`: drained, no longer counted on, stopped, forgotten"
    until = "it joins again after 20 s, as a new host does"
    seen = "the others' list of hosts does not have it"

    async def strike(self) -> None:
        await self.leave()

    async def verify_host(self, host: str) -> str:
        return await self.left(host)


class Join(Membership):
    name = "operation.join"
    what = "`scale --add` of a host that was taken out before: state joins, then services, then balancers"
    until = "it is a member of everything"
    seen = "the others' list of hosts has it again"
    duration = 0.0

    async def prepare(self) -> None:
        await self.leave()

    async def look(self) -> None:
        for host in self.hosts:
            await self.left(host)

    async def strike(self) -> None:
        await self.join()

    async def verify_host(self, host: str) -> str:
        if not await self.hand.is_member(host):
            raise not_seen("the host has not joined", host, "the others do not count on it")
        return f"{host}: the others count on it"


class Replace(Membership):
    name = "operation.replace"
    what = "`fournines replace` of a host that lost power, by an empty machine: taken out, joins like a new one"
    until = "it is a member of everything"
    seen = "the others' list of hosts has it, and it is another machine"
    duration = 0.0
    #: Seconds after which nobody takes the host for alive, and for the new machine to answer.
    SILENT_S: ClassVar[float] = 15.0
    ANSWERS_S: ClassVar[float] = 120.0

    @classmethod
    def lacking(cls, by: Powers) -> str:
        without = "nothing here can switch a host's power"
        return super().lacking(by) or ("" if by.power else without) or by.refused.get(EMPTY, "")

    async def prepare(self) -> None:
        found = await asyncio.gather(*(self.hand.machine(host) for host in self.hosts))
        self.before = dict(zip(self.hosts, found, strict=True))
        for host in self.hosts:
            await self.by.hand.empty(host)
        await asyncio.sleep(self.SILENT_S)
        for host in self.hosts:
            await self.by.hand.on(host)
            await self._answers(host)

    async def _answers(self, host: str) -> None:
        async def another() -> bool:
            return await self.hand.machine(host) not in ("", self.before[host])

        if not await until(another, self.ANSWERS_S):
            raise not_seen("no other machine answers", host, "it is the same, or none")

    async def strike(self) -> None:
        for host in self.hosts:
            await self.hand.replace(host)

    async def verify_host(self, host: str) -> str:
        if await self.hand.machine(host) in ("", self.before[host]) or not await self.hand.is_member(host):
            raise not_seen("the host was not replaced", host, "it is the same machine, or the others miss it")
        return f"{host}: another machine, and the others count on it"

    async def heal(self) -> tuple[str, ...]:
        """Of a replacement that was cut off, the rest: a machine that is as planned is left as it is."""

        async def finish(host: str) -> None:
            await self.by.hand.on(host)
            if not await self.hand.is_member(host):
                await self.hand.bring_in(host)
            elif not await self.hand.carries(host):
                await self.hand.replace(host)

        failed: list[str] = []
        for host in self.hosts:
            failed += await self.heal_everywhere(finish, [host])
        return tuple(failed)


FAMILY: tuple[type[Strike], ...] = (Drain, Reboot, Upgrade, UpgradeRelease, Apply, Leave, Join, Replace)

#: Operation, as typed -> its fault. Of those that concern the whole cloud nothing follows; of others a target.
TARGETED: Mapping[str, type[Operation]] = {
    "drain": Drain,
    "reboot": Reboot,
    "scale --remove": Leave,
    "scale --add": Join,
    "replace": Replace,
}
WHOLE: Mapping[str, type[Operation]] = {"upgrade": Upgrade, "apply": Apply}
#: The same, of what its last word names.
TO_RELEASE = "upgrade --to"


def typed(text: str, release: str) -> str:
    """`drain ctl1` as the fault that `--faults` knows. release: that the cloud file names. Raises UsageError."""
    words = text.split()
    if (kind := WHOLE.get(" ".join(words))) is not None:
        return f"{kind.name}@all"
    if " ".join(words[:-1]) == TO_RELEASE:
        if words[-1] != release:
            raise UsageError(
                f"the cloud file wants release {release}, not {words[-1]}", next=f'release: "{words[-1]}" in the file'
            )
        return f"{UpgradeRelease.name}@all"
    kind = TARGETED.get(" ".join(words[:-1]))
    if kind is None or words[-1].startswith("-"):
        forms = [*WHOLE, f"{TO_RELEASE} RELEASE", *(f"{name} TARGET" for name in TARGETED)]
        raise UsageError(f"no operation {text}", next=f"{', '.join(forms)}; such as --operation 'drain vip'")
    return f"{kind.name}@{words[-1]}"
