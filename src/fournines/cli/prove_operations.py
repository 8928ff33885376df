"""Operations under `prove`, which holds the cloud's local lock: what the commands do, without their questions."""

from __future__ import annotations

from collections.abc import Sequence

from fournines.cli import reboot as reboot_command
from fournines.cli.operation import Asked, Change, carry_out, now
from fournines.cli.reach import Reach as HostReach
from fournines.cloud import maintenance
from fournines.cloud.model import Cloud
from fournines.engine import connect
from fournines.engine.events import silent
from fournines.health.cluster import Cluster
from fournines.operate import drain
from fournines.prove.reach import Reach

REASON = "fournines prove"


class CloudOperations:
    """`prove.faults.powers.Operations`."""

    def __init__(self, cloud: Cloud, reach: Reach) -> None:
        self._cloud = cloud
        self._reach = reach
        self._asked = Asked("prove", True, False, False, HostReach((), False, False), quiet=True)

    async def drain(self, host: str) -> None:
        chosen, when = self._cloud.host_by_name[host], now()

        def change(before: Cloud, seen: Cluster) -> Cloud:
            region = next(r for r in seen.regions if r.region.name == chosen.region)
            return drain.drained(before, chosen, REASON, when, region)

        await self._carry_out(change, host)

    async def undrain(self, host: str) -> None:
        chosen, when = self._cloud.host_by_name[host], now()
        await self._carry_out(lambda before, _: drain.undrained(before, chosen, when), host)

    async def reboot(self, hosts: Sequence[str]) -> None:
        chosen = [self._cloud.host_by_name[name] for name in hosts]
        await reboot_command.all_of(self._cloud, chosen, REASON, self._asked)

    async def is_drained(self, host: str) -> bool:
        vips = self._cloud.region_of(self._cloud.host_by_name[host]).vips
        own = f"ip -o -4 address show | grep -q -F -e ' {vips.internal}/' -e ' {vips.public}/'"
        done = await self._reach.run(host, f"{own} || cat {maintenance.PATH}", timeout=10.0)
        entries = maintenance.parse(done.stdout) if done.stdout.strip() else {}
        return host in entries and entries[host].drained

    async def _carry_out(self, change: Change, host: str) -> None:
        async with connect(self._cloud.hosts, self._asked.reach.ssh()) as connected:
            await carry_out(self._cloud, connected, change, needed=(host,), report=silent)
