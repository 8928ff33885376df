"""Operations under `prove`, which holds the cloud's local lock: what the commands do, without their questions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from fournines.cloud import maintenance, record
from fournines.cloud.model import Cloud
from fournines.commands import apply, reboot, scale, upgrade
from fournines.commands.drain import to_drain, to_undrain
from fournines.commands.operation import Change, carry_out, now
from fournines.engine import SshOptions
from fournines.engine.events import Report, silent
from fournines.errors import HostError, ProveError
from fournines.operate.upgrade import REASON as UPGRADE
from fournines.operate.upgrade import Asked
from fournines.plan.actions import MANIFEST
from fournines.prove.reach import Reach

REASON = "fournines prove"
_SERVES = maintenance.Maintenance(False, "", "")


class CloudOperations:
    """`prove.faults.powers.Operations`."""

    def __init__(self, cloud: Cloud, reach: Reach) -> None:
        self._cloud = cloud
        self._reach = reach

    async def drain(self, host: str) -> None:
        await self._carry_out(to_drain(self._cloud.host_by_name[host], REASON, now()), host)

    async def undrain(self, host: str) -> None:
        if host not in await self._entries(host):
            return  # an operation that was cut off has not come to it
        await self._carry_out(to_undrain(self._cloud.host_by_name[host], now()), host)

    async def reboot(self, hosts: Sequence[str]) -> None:
        chosen = [self._cloud.host_by_name[name] for name in hosts]
        how = reboot.How(REASON, SshOptions(), _unsaid, _quiet)
        await reboot.reboot_all(self._cloud, await reboot.planned(self._cloud, chosen, how), how)

    async def upgrade(self) -> None:
        await self._upgrade(Asked())

    async def upgrade_release(self) -> None:
        await self._upgrade(Asked(to=self._cloud.release))

    async def _upgrade(self, asked: Asked) -> None:
        how = reboot.How(UPGRADE, SshOptions(), _unsaid, _quiet)
        found = await upgrade.planned(self._cloud, asked, how)
        if not found.moves:
            raise ProveError("there is nothing to upgrade", next=f"fournines versions {self._cloud.source} --refresh")
        await upgrade.upgrade_all(found, how)

    async def packages(self, host: str) -> str:
        return (await self._reach.run(host, "dpkg-query -W | sha256sum", timeout=30.0)).stdout.strip()

    async def apply(self) -> None:
        wish = apply.Wish(self._cloud, None, self._cloud.hosts)
        plan = await apply.look(wish, SshOptions())
        await apply.carry_out(wish, plan, SshOptions(), silent, confirmed=False)

    async def pending(self, host: str) -> bool:
        wish = apply.Wish(self._cloud, None, [self._cloud.host_by_name[host]])
        return not (await apply.look(wish, SshOptions())).empty

    async def take_out(self, host: str) -> None:
        await self._take_out(scale.Asked(host, accept_even=True))

    async def bring_in(self, host: str) -> None:
        await self._carry_out(lambda cloud, _: cloud, host)

    async def replace(self, host: str) -> None:
        await self._take_out(scale.Asked(host, lost=True, replaces=True))
        await self.bring_in(host)

    async def _take_out(self, asked: scale.Asked) -> None:
        leaving = await scale.planned(self._cloud, asked, SshOptions())
        await scale.carry_out(
            leaving, SshOptions(), reporting=_quiet, say=_unsaid, ending=_nothing, confirmed=False, lost=asked.lost
        )

    async def carries(self, host: str) -> bool:
        return (await self._reach.run(host, f"test -e {MANIFEST}", timeout=10.0)).status == 0

    async def machine(self, host: str) -> str:
        try:
            return (await self._reach.run(host, "cat /etc/machine-id", timeout=5.0)).stdout.strip()
        except HostError:
            return ""

    async def is_member(self, host: str) -> bool:
        region = self._cloud.region_of(self._cloud.host_by_name[host])
        for other in (h.name for h in region.hosts if h.name != host):
            done = await self._reach.run(other, f"cat {record.PATH}", timeout=10.0)
            if done.status == 0:
                entry = record.parse(done.stdout).get(host)
                return entry is not None and entry.state == "serves"
        return True

    async def is_drained(self, host: str) -> bool:
        vips = self._cloud.region_of(self._cloud.host_by_name[host]).vips
        own = f"ip -o -4 address show | grep -q -F -e ' {vips.internal}/' -e ' {vips.public}/'"
        has_vip = (await self._reach.run(host, own, timeout=10.0)).status == 0
        return not has_vip and (await self._entries(host)).get(host, _SERVES).drained

    async def _entries(self, host: str) -> maintenance.Entries:
        done = await self._reach.run(host, f"cat {maintenance.PATH}", timeout=10.0)
        return maintenance.parse(done.stdout) if done.status == 0 else {}

    async def _carry_out(self, change: Change, host: str) -> None:
        await carry_out(self._cloud, SshOptions(), change, (host,), reporting=_quiet, say=_unsaid)


def _quiet() -> AbstractContextManager[Report]:
    return nullcontext(silent)


def _nothing() -> None:
    """The file keeps the host."""


def _unsaid(_: str) -> None:
    """The campaign says what happens."""
