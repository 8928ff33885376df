"""Operations under `prove`, which holds the cloud's local lock: what the commands do, without their questions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from fournines.cloud import maintenance
from fournines.cloud.model import Cloud
from fournines.commands import reboot
from fournines.commands.drain import to_drain, to_undrain
from fournines.commands.operation import Change, carry_out, now
from fournines.engine import SshOptions
from fournines.engine.events import Report, silent
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
        await self._carry_out(to_undrain(self._cloud.host_by_name[host], now()), host)

    async def reboot(self, hosts: Sequence[str]) -> None:
        chosen = [self._cloud.host_by_name[name] for name in hosts]
        how = reboot.How(REASON, SshOptions(), _unsaid, _quiet)
        await reboot.reboot_all(self._cloud, await reboot.planned(self._cloud, chosen, how), how)

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


def _unsaid(_: str) -> None:
    """The campaign says what happens."""
