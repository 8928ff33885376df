"""Reboots, one host after another: what is still to do is told by the hosts' own entries in `Cloud.maintenance`, each
with the boot that is to end. Whoever runs the command again continues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from fournines.cloud.maintenance import Maintenance
from fournines.cloud.model import Cloud, Host
from fournines.errors import PlanError, UsageError
from fournines.health.cluster import Cluster
from fournines.operate import drain


def targets(cloud: Cloud, word: str) -> tuple[Host, ...]:
    """The host, the hosts of the zone, or all, in file order. Raises UsageError."""
    if word in cloud.host_by_name:
        return (cloud.host_by_name[word],)
    found = cloud.hosts if word == "all" else tuple(h for h in cloud.hosts if h.zone.name == word)
    if not found:
        zones = sorted({h.zone.name for h in cloud.hosts})
        raise UsageError(f"{cloud.name} has no host and no zone {word}", next=f"a host, all, or {', '.join(zones)}")
    return found


def queue(hosts: Sequence[Host], cloud: Cloud, seen: Cluster) -> tuple[Host, ...]:
    """Those of `hosts` that are left from an interrupted run, otherwise all of them, in their order. Raises PlanError
    where one is drained for something else."""
    for host in hosts:
        entry = cloud.maintenance.get(host.name)
        if entry and entry.drained and not entry.boot:
            raise PlanError(
                f"{host.name} is drained already, and would not be after its reboot",
                where=host.name,
                why=f"since {entry.since}: {entry.reason}",
                next=f"fournines undrain {cloud.source} {host.name}; or reboot it yourself: it stays drained",
            )
    return order(pending(cloud, hosts) or hosts, cloud, seen)


def order(hosts: Iterable[Host], cloud: Cloud, seen: Cluster) -> tuple[Host, ...]:
    """The one that is drained already first; the VIP's holder and the writer last, so that they move once."""
    busy = {name for region in seen.regions for name in (*region.vip_holders, *region.writers)}
    return tuple(sorted(hosts, key=lambda h: (h.name not in cloud.drained, h.name in busy)))


def asked(cloud: Cloud, boots: Mapping[str, str], when: float) -> Cloud:
    """`cloud` with a reboot asked for of each host of `boots` (host -> this boot) of which none is pending."""
    entries = dict(cloud.maintenance)
    for name, boot in boots.items():
        before = entries.get(name)
        if before is None or not before.boot:
            entries[name] = Maintenance(
                before is not None and before.drained, before.reason if before else "", drain.stamp(when, before), boot
            )
    return replace(cloud, maintenance=entries)


def pending(cloud: Cloud, hosts: Sequence[Host]) -> tuple[Host, ...]:
    """Those of `hosts` of which a reboot is asked for and not finished."""
    return tuple(h for h in hosts if (entry := cloud.maintenance.get(h.name)) and entry.boot)


def finished(cloud: Cloud, host: Host, when: float) -> Cloud:
    """`cloud` with `host` rebooted, and serving again."""
    before = cloud.maintenance[host.name]
    return drain.with_entry(cloud, host, Maintenance(False, before.reason, drain.stamp(when, before)))


def not_whole(seen: Cluster) -> tuple[str, ...]:
    """What keeps the cloud from full redundancy, a line each."""
    starting = (name for region in seen.regions for name, state in region.states.items() if state.starting)
    return (*(f"{p.where}: {p.what}" for p in seen.problems), *(f"{name}: still starts" for name in starting))
