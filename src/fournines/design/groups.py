"""Which hosts stand or fall together: the copies of each service, and the quorums among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fournines.cloud.model import Cloud, Host, Region
from fournines.services.capabilities import Leased, members, present, voters
from fournines.services.service import HaPattern

#: How findings call the agents' vote on who may hold the VIP.
VOTE = "the VIP's vote"


@dataclass(frozen=True)
class Group:
    """Services (by name) whose copies are on exactly these hosts. `quorums` are those that need a majority of them."""

    region: Region
    hosts: tuple[Host, ...]
    services: tuple[str, ...]
    quorums: tuple[str, ...]

    @property
    def majority(self) -> int:
        return len(self.hosts) // 2 + 1


def groups(cloud: Cloud) -> Iterator[Group]:
    """One group for each distinct set of hosts: what shares its hosts shares its findings."""
    for region in cloud.regions.values():
        alike: dict[tuple[str, ...], list[tuple[str, bool, tuple[Host, ...]]]] = {}
        for name, is_quorum, hosts in _placed(cloud, region):
            alike.setdefault(tuple(h.name for h in hosts), []).append((name, is_quorum, hosts))
        for same in alike.values():
            services = tuple(name for name, _, _ in same if name != VOTE)
            quorums = tuple(name for name, is_quorum, _ in same if is_quorum)
            yield Group(region, same[0][2], services, quorums)


def _placed(cloud: Cloud, region: Region) -> Iterator[tuple[str, bool, tuple[Host, ...]]]:
    """Service, whether it needs a majority, its hosts; the vote is one more."""
    services = present(cloud, region.name)
    for service in services:
        if service.pattern is not HaPattern.PER_HOST:
            quorum = service.pattern is HaPattern.QUORUM
            counted = members(cloud, region.name, service.name) if quorum else cloud.hosts_of(service.name, region.name)
            yield service.name, quorum, counted
    if any(isinstance(s, Leased) for s in services):
        yield VOTE, True, voters(cloud, region.name)
