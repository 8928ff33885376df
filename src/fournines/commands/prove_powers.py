"""What `prove` can do to hosts: all of it to a lab's; to others what their transport and power controllers can."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal

from fournines import lab
from fournines.cloud.model import Cloud, Region
from fournines.commands.prove_operations import CloudOperations
from fournines.commands.prove_real_hosts import ControllerPower, FirewallNetwork, controlled
from fournines.errors import HostError, LabError
from fournines.prove.faults.disk import ROOT
from fournines.prove.faults.host import FREEZER
from fournines.prove.faults.load import MEMORY
from fournines.prove.faults.network import NETEM
from fournines.prove.faults.operation import EMPTY
from fournines.prove.faults.powers import Disks, Drop, Network, Power, Powers, Process, Processes
from fournines.prove.faults.target import subjects
from fournines.prove.faults.world import CLOCK
from fournines.prove.grounds import ACCOUNT
from fournines.prove.reach import Reach
from fournines.services import passive, registry, tls
from fournines.services.resource import File

#: What hosts of a lab have in common with this machine.
SHARED = {
    CLOCK: "the lab's hosts have this machine's clock: one kernel has one, and no namespace of it",
    ROOT: "the root of a lab's host lies on this machine's file system: to fill it would fill the machine",
}


#: What nobody outside a host that is no lab's has power over.
NOT_OVER_SSH = {
    NETEM: "packets are made late at a lab's ports alone",
    FREEZER: "nobody outside such a host holds a freezer of it",
    MEMORY: "nobody outside such a host can give its memory back",
    EMPTY: "nothing here can put an empty machine in a host's place",
}


def powers_of(cloud: Cloud, region: Region, reach: Reach) -> Powers:
    found = subjects(cloud)
    in_lab = lab.exists(cloud.name)
    return Powers(
        reach=reach,
        units={name: unit for name, (_, unit) in found.items()},
        ports={name: _ports(owner) for name, (owner, _) in found.items()},
        hosts=tuple(h.name for h in region.hosts),
        processes=_processes(cloud, reach),
        power=_power(cloud, region),
        network=_network(cloud, region, reach),
        addresses={h.name: str(h.address) for h in region.hosts},
        carriers={name: tuple(h.name for h in cloud.hosts_of(name, region.name)) for name in registry()},
        refused=_refused() if in_lab else NOT_OVER_SSH,
        account=(ACCOUNT, cloud.secrets.get(f"{ACCOUNT}.database"), tls.CA if tls.encrypted(cloud) else ""),
        expired=lambda service, host: _expired(cloud, service, host),
        operations=CloudOperations(cloud, reach),
        disks=_disks(cloud, region, reach),
        clustered=passive.clustered(cloud, region.name),
    )


def _processes(cloud: Cloud, reach: Reach) -> Processes:
    """Of a lab's containers this machine sees them; of all other hosts their own kernel is asked."""
    asked = HostProcesses(reach)
    if not lab.exists(cloud.name):
        return asked
    seen = LabProcesses(cloud.name)
    return EachByItsKind({h.name: seen for h in lab.load(cloud.name).hosts if h.kind == "nspawn"}, asked)


def _power(cloud: Cloud, region: Region) -> Power | None:
    if lab.exists(cloud.name):
        return LabPower(cloud.name)
    return ControllerPower(cloud) if controlled(cloud, region) else None


def _network(cloud: Cloud, region: Region, reach: Reach) -> Network | None:
    if lab.exists(cloud.name):
        return LabNetwork(cloud.name) if lab.has("packet filter at a port") else None
    return FirewallNetwork(region.hosts, reach)


def _refused() -> dict[str, str]:
    """Of a lab."""
    lacking = (c for c in lab.capabilities() if c.name == NETEM and not c.present)
    return SHARED | {c.name: f"this machine's kernel has no netem: {c.why}" for c in lacking}


def _disks(cloud: Cloud, region: Region, reach: Reach) -> Disks | None:
    if not region.luns:
        return None
    return LabDisks(cloud.name) if lab.exists(cloud.name) else HostDisks(reach)


def _expired(cloud: Cloud, service: str, host: str) -> tuple[str, str] | None:
    """Of the first file of the service's that is a certificate with its key, under the cloud's own CA."""
    for resource in registry()[service].desired(cloud, cloud.host_by_name[host]):
        if isinstance(resource, File) and "BEGIN CERTIFICATE" in resource.content and "PRIVATE KEY" in resource.content:
            return resource.path, tls.expired_pem(cloud, resource.content)
    return None


def _ports(service: str) -> tuple[int, ...]:
    return tuple(port.number for port in getattr(registry()[service], "ports", ()) if port.number)


class LabProcesses:
    def __init__(self, cloud: str) -> None:
        self._cloud = cloud

    async def of_unit(self, host: str, unit: str) -> tuple[Process, ...]:
        found = await asyncio.to_thread(lab.of_unit, self._cloud, host, unit)
        return tuple(Process(p.pid, p.started, p.state) for p in found)

    async def environment(self, host: str, unit: str, name: str) -> tuple[str, ...]:
        return await asyncio.to_thread(lab.environment, self._cloud, host, unit, name)

    async def boot(self, host: str) -> str:
        return await asyncio.to_thread(lab.boot, self._cloud, host)


class EachByItsKind:
    """`known`: host -> what knows its processes; `others`: of all other hosts."""

    def __init__(self, known: Mapping[str, Processes], others: Processes) -> None:
        self._known = known
        self._others = others

    async def of_unit(self, host: str, unit: str) -> tuple[Process, ...]:
        return await self._of(host).of_unit(host, unit)

    async def environment(self, host: str, unit: str, name: str) -> tuple[str, ...]:
        return await self._of(host).environment(host, unit, name)

    async def boot(self, host: str) -> str:
        return await self._of(host).boot(host)

    def _of(self, host: str) -> Processes:
        return self._known.get(host, self._others)


class HostProcesses:
    """Over the host's own transport: its kernel is asked, by the unit's cgroup."""

    _GROUP = "cd /sys/fs/cgroup$(systemctl show -p ControlGroup --value {unit}) 2>/dev/null || exit 0; "
    _PIDS = "for pid in $(find . -name cgroup.procs -exec cat {{}} +); do "

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def of_unit(self, host: str, unit: str) -> tuple[Process, ...]:
        script = (self._GROUP + self._PIDS + 'cat "/proc/$pid/stat" 2>/dev/null; done').format(unit=unit)
        return tuple(p for line in (await self._run(host, script)).splitlines() if (p := _process(line)).state != "Z")

    async def environment(self, host: str, unit: str, name: str) -> tuple[str, ...]:
        show = "tr '\\0' '\\n' 2>/dev/null < \"/proc/$pid/environ\"; done"
        said = await self._run(host, (self._GROUP + self._PIDS + show).format(unit=unit))
        return tuple(x.removeprefix(f"{name}=") for x in said.splitlines() if x.startswith(f"{name}="))

    async def boot(self, host: str) -> str:
        try:
            return (await self._run(host, "cat /proc/sys/kernel/random/boot_id")).strip()
        except HostError:
            return ""

    async def _run(self, host: str, script: str) -> str:
        return (await self._reach.run(host, script, timeout=10.0)).stdout


def _process(stat: str) -> Process:
    """Of a line of /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()
    return Process(int(stat.split(maxsplit=1)[0]), int(fields[19]), fields[0])


class LabDisks:
    def __init__(self, cloud: str) -> None:
        self._cloud = cloud

    async def mounted(self, host: str) -> frozenset[str]:
        return await asyncio.to_thread(self._mounted, host)

    def _mounted(self, host: str) -> frozenset[str]:
        try:
            return frozenset(lab.luns.mounted(self._cloud, host, lab.leader(self._cloud, host)))
        except (LabError, OSError):  # off, or going off just now
            return frozenset()


class HostDisks:
    """By the host's own word, over its transport."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def mounted(self, host: str) -> frozenset[str]:
        done = await self._reach.run(host, "cut -d' ' -f5 /proc/1/mountinfo", timeout=3.0)
        return frozenset(done.stdout.split())


class LabPower:
    def __init__(self, cloud: str) -> None:
        self._cloud = cloud

    async def off(self, host: str) -> None:
        await self._press(host, "off")

    async def on(self, host: str) -> None:
        await self._press(host, "on")

    async def reset(self, host: str) -> None:
        await self._press(host, "reset")

    async def is_on(self, host: str) -> bool:
        return await asyncio.to_thread(lab.is_on, self._cloud, host)

    async def empty(self, host: str) -> None:
        await asyncio.to_thread(lab.empty_disk, self._cloud, host)

    async def freeze(self, host: str) -> None:
        await asyncio.to_thread(lab.freeze, self._cloud, host)

    async def thaw(self, host: str) -> None:
        await asyncio.to_thread(lab.thaw, self._cloud, host)

    async def is_frozen(self, host: str) -> bool:
        return await asyncio.to_thread(lab.is_frozen, self._cloud, host)

    async def limit_memory(self, host: str, spare: int | None) -> None:
        if spare is not None or await self.is_on(host):
            await asyncio.to_thread(lab.limit_memory, self._cloud, host, spare)

    async def ended_for_memory(self, host: str) -> int:
        return await asyncio.to_thread(lab.ended_for_memory, self._cloud, host)

    async def _press(self, host: str, action: Literal["on", "off", "reset"]) -> None:
        await asyncio.to_thread(lab.power, self._cloud, host, action)


class LabNetwork:
    def __init__(self, cloud: str) -> None:
        self._cloud = cloud
        self._cuts: dict[tuple[str, str], lab.Cut] = {}

    async def isolate(self, host: str, network: str, seconds: float) -> bool:
        await self.join(host, network)
        cut = lab.Cut(lab.port(self._cloud, host, network), seconds)
        self._cuts[host, network] = cut
        await asyncio.to_thread(cut.start)  # raises unless the port was seen to be cut
        return True

    async def join(self, host: str, network: str) -> float | None:
        cut = self._cuts.pop((host, network), None)
        length = await asyncio.to_thread(cut.end) if cut else None
        await asyncio.to_thread(lab.heal, self._cloud, host, network)  # also what another process cut
        return length

    async def is_cut(self, host: str, network: str) -> bool:
        return await asyncio.to_thread(lab.is_cut, lab.port(self._cloud, host, network))

    async def drop(self, host: str, network: str, drops: Sequence[Drop]) -> None:
        losses = [
            lab.packet_filter.Loss(d.direction, tuple(self._mac(p, network) for p in d.peers), d.match, d.percent)
            for d in drops
        ]
        await asyncio.to_thread(lab.packet_filter.apply, lab.port(self._cloud, host, network).device, losses)

    async def delay(self, host: str, network: str, seconds: float) -> None:
        await asyncio.to_thread(lab.delay.apply, lab.port(self._cloud, host, network).device, seconds)

    async def late(self, host: str, network: str) -> int:
        return await asyncio.to_thread(lab.delay.late, lab.port(self._cloud, host, network).device)

    async def pass_all(self, host: str, network: str) -> None:
        devices = [lab.port(self._cloud, host, network).device]
        await asyncio.to_thread(lab.packet_filter.remove, devices)
        await asyncio.to_thread(lab.delay.remove, devices)

    async def dropped(self, host: str, network: str) -> int:
        return await asyncio.to_thread(lab.packet_filter.lost, lab.port(self._cloud, host, network).device)

    def _mac(self, host: str, network: str) -> str:
        return lab.port(self._cloud, host, network).mac
