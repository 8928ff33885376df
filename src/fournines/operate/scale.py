"""A host that leaves: phases, each of which is a plan. Which one has begun is told by the hosts (`cloud.record`), so
whoever runs the command again continues.

drain: what it carries goes to the others. leave: the others no longer count on it, then it stops, database and broker
last. forget: what the others know of it is deleted. done: the record forgets it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Literal

from fournines.cloud.maintenance import Maintenance
from fournines.cloud.model import Cloud, Host, Zone
from fournines.cloud.record import Entries, Entry, Retired
from fournines.errors import PlanError, UsageError
from fournines.health.cluster import RegionState
from fournines.health.problems import STALE
from fournines.operate import drain
from fournines.services import registry
from fournines.services.base import entry_of
from fournines.services.capabilities import KeepsData, members, voters
from fournines.services.service import HaPattern

Phase = Literal["drain", "leave", "forget", "done"]
PHASES: tuple[Phase, ...] = ("drain", "leave", "forget", "done")
#: What `status` shows of the host meanwhile.
REASON = "leaves the cloud"


@dataclass(frozen=True)
class Step:
    """The cloud as it is to be in a phase. needs_host: nothing of it happens without the host itself."""

    phase: Phase
    cloud: Cloud
    needs_host: bool = False


def leaver(cloud: Cloud, known: Entries, name: str = "") -> Entry:
    """The host that leaves: the one called `name`, or the one that the hosts know and the file does not have. Raises
    UsageError where there is none, PlanError where there are several."""
    begun = [entry for entry in known.values() if entry.state != "serves"]
    if name:
        if other := next((e for e in begun if e.name != name), None):
            raise _begun(cloud, other)
        if name not in cloud.host_by_name and name not in known:
            names = ", ".join(sorted({*cloud.host_by_name, *known}))
            raise UsageError(f"{cloud.name} has no host {name}", next=f"one of {names}")
        return known[name] if name in known else entry_of(cloud.host_by_name[name])
    absent = [e for e in known.values() if e.region in cloud.regions and e.name not in cloud.host_by_name]
    if not absent:
        raise UsageError(
            "there is no host to take out: the file has all that the cloud has", next="--add HOST, or --remove HOST"
        )
    first = next((e for e in absent if e in begun), absent[0])
    if other := next((e for e in begun if e is not first), None):
        raise _begun(cloud, other)
    return first


def _begun(cloud: Cloud, entry: Entry) -> PlanError:
    return PlanError(
        "another host is on its way out",
        where=entry.name,
        why="one host leaves at a time: with two, a majority could be lost",
        next=f"fournines scale {cloud.source} --remove {entry.name}: it continues",
    )


def with_leaver(cloud: Cloud, entry: Entry) -> Cloud:
    """`cloud` with the host of `entry`, as it was: from the file, where that has it, else from the record."""
    if entry.name in cloud.host_by_name:
        return cloud
    region = cloud.regions[entry.region]
    # Of a host that leaves the record says no longer what it carried; its own list says that.
    ssh = replace(region.hosts[0].ssh, user=entry.user, port=entry.port)
    host = Host(
        name=entry.name,
        region=entry.region,
        zone=region.zones.get(entry.zone, Zone(entry.zone)),
        address=IPv4Address(entry.address),
        addresses={name: IPv4Address(address) for name, address in entry.addresses.items()},
        roles=entry.roles,
        services=frozenset(entry.services) & registry().keys(),
        ssh=ssh,
        devices=entry.devices,
    )
    return _with_hosts(cloud, entry.region, (*region.hosts, host))


def without(cloud: Cloud, name: str) -> Cloud:
    host = cloud.host_by_name.get(name)
    if host is None:
        return cloud
    return _with_hosts(cloud, host.region, tuple(h for h in cloud.regions[host.region].hosts if h != host))


def _with_hosts(cloud: Cloud, region: str, hosts: tuple[Host, ...]) -> Cloud:
    return replace(cloud, regions={**cloud.regions, region: replace(cloud.regions[region], hosts=hosts)})


def steps(cloud: Cloud, entry: Entry, now: float, *, lost: bool) -> Iterator[Step]:
    """What is left to do from where `entry` stands. `cloud`: with the host (`with_leaver`), and what operators have
    asked of its hosts. lost: the host will never answer again, so nothing is asked of it."""
    host = cloud.host_by_name[entry.name]
    if entry.state == "serves" and not lost:
        before = cloud.maintenance.get(host.name)
        wanted = Maintenance(True, REASON, drain.stamp(now, before))
        drained = cloud if before and before.drained else drain.with_entry(cloud, host, wanted)
        yield Step("drain", drained, needs_host=True)
        cloud = drained
    yield from departure(cloud, (entry,), needs_host=not lost)


def departure(cloud: Cloud, entries: Sequence[Entry], *, needs_host: bool = False) -> Iterator[Step]:
    """How hosts that carry nothing, or are lost, leave together. `cloud`: with them."""
    names = [entry.name for entry in entries]
    if any(entry.state != "gone" for entry in entries):
        yield Step("leave", _leaving(cloud, names), needs_host)
    for name in names:
        cloud = without(cloud, name)
    gone = [replace(entry, services=(), state="gone") for entry in entries]
    yield Step("forget", replace(cloud, retired={e.name: Retired(e) for e in gone}))
    yield Step("done", replace(cloud, retired={e.name: Retired(e, done=True) for e in gone}))


def _leaving(cloud: Cloud, names: Collection[str]) -> Cloud:
    for name in names:
        host = cloud.host_by_name[name]
        empty = replace(host, services=frozenset(), roles=(), leaving=True)
        hosts = tuple(empty if h == host else h for h in cloud.regions[host.region].hosts)
        cloud = _with_hosts(cloud, host.region, hosts)
    return cloud


def require_possible(cloud: Cloud, host: Host, seen: RegionState, *, accept_even: bool, lost: bool) -> None:
    """`cloud` has `host`. Raises PlanError when what is left could not serve, would keep too little, or is a group that
    survives less than it should and nobody has accepted that."""
    stays = f"it stays; fournines status {cloud.source} says how the others are"
    if missing := [*_last(cloud, host), *_keeps(cloud, host, lost=lost), *drain.lacking(cloud, host, seen)]:
        raise PlanError(
            f"without {host.name} the cloud could not serve", where=host.name, why=_lines(missing), next=stays
        )
    if (small := list(shrunk(cloud, host))) and not accept_even:
        raise PlanError(
            f"without {host.name} groups would be even, or smaller than three",
            where=host.name,
            why=_lines(small),
            next="add another host first; or --accept-even, if that is what you want",
        )


def require_dead(host: Host, seen: RegionState) -> None:
    """Raises PlanError when its observer speaks: what works is not replaced under its clients."""
    if host.name in seen.states and seen.states[host.name].age <= STALE:
        raise PlanError(
            f"{host.name} works",
            where=host.name,
            why="its observer answers: what it carries would be cut off, not moved",
            next="fournines scale --remove takes a host out that works; power it off if it is to be replaced",
        )


def _lines(lines: Sequence[str]) -> str:
    return "\n        ".join(lines)


def _last(cloud: Cloud, host: Host) -> Iterator[str]:
    for name in sorted(host.services):
        service = registry().get(name)
        if service and service.pattern is not HaPattern.PER_HOST and cloud.hosts_of(name, host.region) == (host,):
            yield f"{name} has no other host"


def _keeps(cloud: Cloud, host: Host, *, lost: bool) -> Iterator[str]:
    """Of a host that is lost there is nothing to keep any more."""
    for service in registry().values():
        carried = service.name in host.services and not lost
        if carried and isinstance(service, KeepsData) and (why := service.keeps(cloud, host)):
            yield f"{service.name}: {why}"


def shrunk(cloud: Cloud, host: Host) -> Iterator[str]:
    """Groups of `host` that are even or smaller than three without it, a line each."""
    rest = without(cloud, host.name)
    for name in _groups(host):
        if host in members(cloud, host.region, name):
            yield from _weak(f"{name} would have", len(members(rest, host.region, name)), "members")
    if host in voters(cloud, host.region):
        yield from _weak("", len(voters(rest, host.region)), "would vote for the VIP")


def grown(cloud: Cloud, host: Host) -> Iterator[str]:
    """Groups that are even with `host`, which `cloud` has, a line each."""
    for name in _groups(host):
        yield from _weak(f"{name} has", len(members(cloud, host.region, name)), "members then")


def _groups(host: Host) -> list[str]:
    return [s.name for s in registry().values() if s.pattern is HaPattern.QUORUM and s.name in host.services]


def _weak(before: str, count: int, after: str) -> Iterator[str]:
    if count < 3 or count % 2 == 0:
        yield f"{before} {count} {after}: they survive the loss of {max(0, (count - 1) // 2)}".strip()
