"""What one more host would buy: the same cloud with more hosts like one that it has, and what that changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fournines.cloud.model import Cloud, Host, Region, Zone
from fournines.design.availability import Availability, availability
from fournines.design.condition import Condition
from fournines.design.derive import conditions
from fournines.design.switches import Observed

#: Minutes a year below which a difference is none.
LEAST = 1e-3


@dataclass(frozen=True)
class Purchase:
    """`hosts` more like `like`, each in the zone that has fewest like it. minutes: what each function of the region is
    down a year, before and after, for those that it changes."""

    region: str
    like: str
    roles: tuple[str, ...]
    hosts: int
    minutes: tuple[tuple[str, float, float], ...]

    @property
    def gained(self) -> float:
        return sum(before - after for _, before, after in self.minutes)


def purchases(
    cloud: Cloud, found: Sequence[Condition], now: Sequence[Availability], observed: Sequence[Observed] = ()
) -> tuple[Purchase, ...]:
    """One and two hosts more of each kind that some function stands on; what gains nothing is left out."""
    offers: list[Purchase] = []
    for region in cloud.regions.values():
        before = [a for a in now if a.region == region.name]
        for like in _kinds(region, found):
            for count in (1, 2):
                then = _minutes(with_hosts(cloud, region, like, count), region.name, observed)
                rows = [(a.function, a.minutes, then[a.function]) for a in before]
                changed = tuple(row for row in rows if abs(row[1] - row[2]) > LEAST)
                offers.append(Purchase(region.name, like.name, like.roles, count, changed))
    return tuple(sorted((p for p in offers if p.minutes), key=lambda p: -p.gained))


def _kinds(region: Region, found: Sequence[Condition]) -> Iterator[Host]:
    """One host of each set of services, of those whose copies are told apart: there a host makes a difference."""
    few = {c.host for f in found if f.region == region.name for r in f.requirements for c in r.copies if c.count == 1}
    seen: set[frozenset[str]] = set()
    for host in region.hosts:
        if host.name in few and host.services not in seen:
            seen.add(host.services)
            yield host


def _minutes(cloud: Cloud, region: str, observed: Sequence[Observed]) -> dict[str, float]:
    local = (c for c in conditions(cloud) if c.region == region)
    return {a.function: a.minutes for a in availability(cloud, local, observed, importance=False)}


def with_hosts(cloud: Cloud, region: Region, like: Host, count: int) -> Cloud:
    """Addresses are not given out: what is computed from the result does not look at them."""
    hosts = list(region.hosts)
    for n in range(count):
        hosts.append(replace(like, name=f"{like.name}+{n + 1}", zone=_emptiest(region, hosts, like)))
    grown = replace(region, hosts=tuple(hosts))
    return replace(cloud, regions={**cloud.regions, region.name: grown})


def _emptiest(region: Region, hosts: Sequence[Host], like: Host) -> Zone:
    alike = [h.zone.name for h in hosts if h.services == like.services]
    used = [z for z in region.zones.values() if z.name in {h.zone.name for h in hosts}]
    return min(used, key=lambda z: alike.count(z.name))
