"""Disks that several hosts see: all that may use one must see it, and nobody else, and all mean the same one."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud, Host, Lun, Region
from fournines.cloud.source import Path
from fournines.design.finding import Flaw, listed
from fournines.services import registry
from fournines.services.capabilities import OnLun, present

#: Where the kernel's own order of finding disks does not make the names.
_STABLE = ("/dev/disk/by-id/", "/dev/disk/by-uuid/", "/dev/disk/by-path/", "/dev/disk/by-partuuid/", "/dev/mapper/")


def wrong(cloud: Cloud) -> Iterator[Flaw]:
    for region in cloud.regions.values():
        used = {lun: s.name for s in present(cloud, region.name) if isinstance(s, OnLun) for lun in s.luns}
        for name, service in used.items():
            yield from _missing(cloud, region, name, service)
        yield from (_unused(lun) for name, lun in region.luns.items() if name not in used)
        yield from _confused(region)


def unstable(cloud: Cloud) -> Iterator[Flaw]:
    for region in cloud.regions.values():
        for lun in region.luns.values():
            if not lun.device.startswith(_STABLE):
                yield Flaw(
                    (*lun.entry, "device"),
                    "warning",
                    f"{lun.device} is a name that the kernel gives in the order in which it finds disks",
                    "after a boot it may be another disk: what is on it then starts nowhere",
                    "its name below /dev/disk/by-id, or that of its multipath device below /dev/mapper",
                )


def _missing(cloud: Cloud, region: Region, name: str, service: str) -> Iterator[Flaw]:
    hosts, lun = cloud.hosts_of(service, region.name), region.luns.get(name)
    names = ", ".join(h.name for h in hosts)
    if lun is None:
        yield Flaw(
            ("regions", region.name),
            "error",
            f"{service} keeps its data on LUN {name}, and region {region.name} has none",
            "there is nothing to mount",
            f"storage: {{luns: {{{name}: {{hosts: [{names}], device: /dev/disk/by-id/…}}}}}}",
            key=True,
        )
        return
    path: Path = (*lun.entry, "hosts")
    for host in hosts:
        if host.name not in lun.hosts:
            yield Flaw(
                path,
                "error",
                f"{host.name} carries {service} and does not see LUN {name}",
                "it would be started there when the others are lost, and cannot be",
                f"add {host.name}, or give other hosts the role that carries {service}",
            )
        if "pacemaker" not in host.services:
            yield Flaw(
                host.entry,
                "error",
                f"{host.name} carries {service} and is no member of the cluster",
                "the cluster starts nothing there, and cannot fence it",
                "a role that carries corosync and pacemaker, such as endpoint",
                key=True,
            )
    for guest in (h for h in region.hosts if h.name in lun.hosts and h not in hosts):
        yield _guest(guest, lun, service)
    if len(hosts) == 1:
        yield Flaw(
            path,
            "error",
            f"{service} is on {hosts[0].name} alone",
            f"it is down for as long as {hosts[0].name} is",
            "a second host that sees the LUN, with the same roles",
        )


def _guest(host: Host, lun: Lun, service: str) -> Flaw:
    return Flaw(
        (*lun.entry, "hosts"),
        "error",
        f"{host.name} sees LUN {lun.name} and does not carry {service}",
        "whoever mounts it there destroys it while it is mounted elsewhere, and nothing keeps them from it",
        f"hide the LUN from {host.name} (zoning, masking), or give it the role that carries {service}",
    )


def _unused(lun: Lun) -> Flaw:
    known = sorted({name for s in registry().values() if isinstance(s, OnLun) for name in s.luns})
    tier = lun.name if lun.name in known else known[0]
    return Flaw(
        lun.entry,
        "error",
        f"nothing in this cloud keeps its data on LUN {lun.name}",
        "its hosts see a disk that nobody uses",
        f"remove it, or pattern: {{{tier}: shared}}; LUNs are named {listed(known)}",
        key=True,
    )


def _confused(region: Region) -> Iterator[Flaw]:
    seen: dict[tuple[str, str], Lun] = {}
    for lun in region.luns.values():
        for host in lun.hosts:
            if (other := seen.setdefault((host, lun.device), lun)) is not lun:
                yield Flaw(
                    (*lun.entry, "device"),
                    "error",
                    f"{lun.name} and {other.name} are one disk of {host}: {lun.device}",
                    "two file systems on one disk destroy each other",
                    "a disk for each",
                )
                break
