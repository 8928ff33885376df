"""How many copies there are, and what they share: losing one host, zone, power feed or switch must stop nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from fournines.cloud.model import Cloud, Host, Zone
from fournines.cloud.source import Path
from fournines.design.finding import Flaw, listed
from fournines.design.groups import VOTE, Group, groups


@dataclass(frozen=True)
class Domain:
    """A kind of failure domain. `of` a zone: its name, "" where the file does not state it."""

    name: str
    preposition: str
    of: Callable[[Zone], str]
    path: Callable[[Host], Path]  # what to change to move a host out of it


ZONE = Domain("zone", "in", lambda z: z.name, lambda h: (*h.entry, "zone"))
POWER = Domain("power feed", "on", lambda z: z.power, lambda h: ("regions", h.region, "zones", h.zone.name, "power"))
SWITCH = Domain("switch", "behind", lambda z: z.switch, lambda h: ("regions", h.region, "zones", h.zone.name, "switch"))


def single_copy(cloud: Cloud) -> Iterator[Flaw]:
    for group in groups(cloud):
        if len(group.hosts) == 1 and group.services:
            host = group.hosts[0]
            yield Flaw(
                host.entry,
                "error",
                f"{listed(group.services)}: on {host.name} alone",
                f"each is lost with {host.name}, for as long as it is down",
                f"give {'two more hosts' if group.quorums else 'another host'} a role that carries the same",
                key=True,
            )


def size(cloud: Cloud) -> Iterator[Flaw]:
    for group in groups(cloud):
        members = len(group.hosts)
        if not group.quorums or members % 2:
            continue
        survives = members - group.majority
        yield Flaw(
            group.hosts[-1].entry,
            "error" if members == 2 else "warning",
            f"{listed(group.quorums)}: {members} members",
            f"a majority is {group.majority}, so the loss of either stops both"
            if members == 2
            else f"{members} members survive the loss of {survives}, no more than {members - 1} do, "
            f"and a split in halves stops all of them",
            f"{members + 1} members, or {members - 1}" if members > 2 else "three members",
            key=True,
        )


def shared_zone(cloud: Cloud) -> Iterator[Flaw]:
    return _shared(cloud, ZONE)


def shared_power(cloud: Cloud) -> Iterator[Flaw]:
    return _shared(cloud, POWER)


def shared_switch(cloud: Cloud) -> Iterator[Flaw]:
    return _shared(cloud, SWITCH)


def _shared(cloud: Cloud, kind: Domain) -> Iterator[Flaw]:
    """An error where the region has enough domains to do better, else a warning."""
    for group in groups(cloud):
        worst, inside = _largest(group, kind)
        members, left = len(group.hosts), len(group.hosts) - len(inside)
        lost = group.quorums if left else (*group.services, *(q for q in group.quorums if q == VOTE))
        if len(inside) < 2 or not lost or left >= group.majority:
            continue
        if kind is not ZONE and inside == _largest(group, ZONE)[1]:
            continue  # the zone itself is to blame, and has been
        declared = len({kind.of(z) for z in group.region.zones.values()} - {""})
        best_left = members - ceil(members / declared)
        enough = best_left >= (group.majority if group.quorums else 1)
        them = "them" if len(lost) > 1 else "it"
        yield Flaw(
            kind.path(inside[-1]),
            "error" if enough else "warning",
            f"{listed(lost)}: {len(inside)} of {members} ({_some(inside)}) are {kind.preposition} {kind.name} {worst}",
            f"the loss of {worst} stops {them}" + (f", for {left} of {members} are no majority" if left else ""),
            f"spread the hosts over {3 if group.quorums else 2} {kind.name}{'es' if kind is SWITCH else 's'}"
            + ("" if enough else f"; region {group.region.name} has {declared}"),
        )


def _largest(group: Group, kind: Domain) -> tuple[str, tuple[Host, ...]]:
    """The domain with the most of the group's hosts, and those; hosts of which it is not stated count nowhere."""
    inside: dict[str, list[Host]] = {}
    for host in group.hosts:
        inside.setdefault(kind.of(host.zone), []).append(host)
    inside.pop("", None)
    worst = max(inside, key=lambda d: len(inside[d]), default="")
    return worst, tuple(inside.get(worst, ()))


def _some(hosts: Sequence[Host]) -> str:
    names = [h.name for h in hosts]
    return listed(names) if len(names) <= 5 else f"{names[0]} … {names[-1]}"
