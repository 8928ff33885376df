"""Conditions, derived from what services declare (`needs`, pattern, `Provides` …) and from where their hosts stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fournines.cloud.model import Cloud, Host, Zone
from fournines.cloud.names import suggest
from fournines.cloud.source import Path
from fournines.design.condition import Component, Condition, Copy, Kind, Requirement
from fournines.design.groups import VOTE
from fournines.errors import UsageError
from fournines.services import registry
from fournines.services.capabilities import (
    Balanced,
    Dispensable,
    Function,
    Leased,
    MovesVip,
    Provides,
    Replicated,
    electorate,
    voters,
)
from fournines.services.service import HaPattern, Service

#: More copies than this in one zone, any one of which is enough, are not told apart: no cut set that anybody would
#: read contains nine hosts, and the probability that they all fail is far below what any other part contributes.
MOST_TOLD_APART = 8


def functions(services: Mapping[str, Service]) -> dict[str, tuple[Function, Service]]:
    """Function name -> it and its provider, in the order in which services are brought up."""
    found = [(f, s) for s in services.values() if isinstance(s, Provides) for f in s.functions]
    return {f.name: (f, s) for f, s in found}


def conditions(cloud: Cloud, services: Mapping[str, Service] | None = None) -> tuple[Condition, ...]:
    """Of every function whose provider some host of the region carries, region by region."""
    known = registry() if services is None else services
    found: list[Condition] = []
    for region in cloud.regions:
        deriver = _Deriver(cloud, region, known)
        found += [deriver.condition(f, s) for f, s in functions(known).values() if cloud.hosts_of(s.name, region)]
    return tuple(found)


def require(cloud: Cloud, function: str, services: Mapping[str, Service] | None = None) -> tuple[Condition, ...]:
    """Of one function, in each region that has it. Raises UsageError when nothing provides it."""
    known = functions(registry() if services is None else services)
    name = function.replace("-", "_")
    if name not in known:
        raise UsageError(f"no service provides the function {function}", next=suggest(name, known))
    found = tuple(c for c in conditions(cloud, services) if c.name == name)
    if not found:
        provider = known[name][1].name
        raise UsageError(
            f"no region of {cloud.name} has the function {function}",
            why=f"it is provided by {provider}, which no host carries",
            next=f"give hosts a role that carries {provider}",
        )
    return found


class _Deriver:
    """One region's conditions. Parts are made once and shared, so that a component is one object everywhere."""

    def __init__(self, cloud: Cloud, region: str, services: Mapping[str, Service]) -> None:
        self.cloud = cloud
        self.region = region
        self.services = services
        self._places: dict[str, tuple[Component, ...]] = {}
        self._requirements: dict[tuple[str, bool], Requirement] = {}

    def condition(self, function: Function, provider: Service) -> Condition:
        needed_by = self._closure(function, provider)
        names = [n for n in self.services if n in needed_by]  # in the order in which they are brought up
        present = [n for n in names if self.cloud.hosts_of(n, self.region)]
        standing = [n for n in present if not self._within(n, present)]
        requirements = [self._requirement(n, function, needed_by[n]) for n in standing]
        if not function.data_plane:
            requirements += self._votes(present)
        return Condition(
            name=function.name,
            does=function.does,
            provider=provider.name,
            region=self.region,
            base=self._base(function, provider),
            requirements=tuple(requirements),
            missing=tuple(n for n in names if n not in present),
            without=tuple(self._without(names)),
        )

    def _closure(self, function: Function, provider: Service) -> dict[str, tuple[str, ...]]:
        """Every service that must work -> those because of which."""
        because: dict[str, list[str]] = {provider.name: []}
        there = (n for n in function.also if self.cloud.hosts_of(n, self.region))
        for name in (*function.needs, *there):
            because.setdefault(name, []).append(provider.name)
        todo = [] if function.data_plane else list(because)
        while todo:
            name = todo.pop()
            for need in self._follows(name):
                if need == provider.name:
                    continue  # asked by users themselves: that its helpers ask it too adds nothing
                if need not in because:
                    todo.append(need)
                if name not in because.setdefault(need, []):
                    because[need].append(name)
        return {name: tuple(reasons) for name, reasons in because.items()}

    def _follows(self, name: str) -> Iterator[str]:
        """What `name` needs of other hosts. A front needs those behind it only to be brought up in their order."""
        service = self.services[name]
        if service.fronts:
            return
        for need in service.needs:
            other = self.services[need]
            if other.pattern is HaPattern.PER_HOST or not other.chosen(self.cloud):
                continue
            if not isinstance(other, Dispensable):
                yield need

    def _within(self, name: str, present: Iterable[str]) -> bool:
        """Whether a copy of another present service already includes one of `name`: the VIP's holder its balancer."""
        return any(name in self._beside(self.services[other]) for other in present if other != name)

    def _beside(self, service: Service) -> tuple[str, ...]:
        """What each copy of `service` needs on its own host."""
        moves = isinstance(service, MovesVip)
        needs = (self.services[n] for n in service.needs)
        return tuple(n.name for n in needs if n.pattern is HaPattern.PER_HOST or (moves and n.fronts))

    def _without(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        needs = dict.fromkeys(
            n for name in names if not self.services[name].fronts for n in self.services[name].follows
        )
        for name in needs:
            other = self.services[name]
            if isinstance(other, Dispensable) and self.cloud.hosts_of(name, self.region):
                yield name, other.dispensable

    def _requirement(self, name: str, function: Function, needed_by: tuple[str, ...]) -> Requirement:
        service, data_plane = self.services[name], function.data_plane
        made = self._requirements.get((name, data_plane))
        if made is None:
            hosts = self.cloud.hosts_of(name, self.region)
            quorum = service.pattern is HaPattern.QUORUM and not data_plane
            copies = tuple(self._voices(name) if quorum else self._any(service, hosts, data_plane))
            least = len(copies) // 2 + 1 if quorum else 1
            made = Requirement(name, least, copies, service.pattern_in(self.cloud).value)
            self._requirements[name, data_plane] = made
        least = made.least
        if name in function.writes and isinstance(service, Replicated):
            least = service.write_quorum(self.cloud, self.cloud.regions[self.region])
        return Requirement(made.name, least, made.copies, made.pattern, needed_by)

    def _voices(self, name: str) -> Iterator[Copy]:
        """One each host that counts in its quorum. An arbitrator keeps no data, and counts all the same: a majority of
        members and arbitrators has a member in it, where members are the greater part."""
        for host, by in electorate(self.cloud, self.region, name):
            yield self._copy(self.services[by], host, False)

    def _votes(self, present: Iterable[str]) -> Iterator[Requirement]:
        """The lease's majority: of those that vote, each with what it stands on."""
        voting = voters(self.cloud, self.region)
        for name in present:
            service = self.services[name]
            if isinstance(service, Leased) and service.leased(self.cloud):
                voice = self.services[service.voters]
                copies = tuple(self._copy(voice, h, False) for h in voting)
                yield Requirement(VOTE, len(voting) // 2 + 1, copies, HaPattern.QUORUM.value, (name,))

    def _any(self, service: Service, hosts: tuple[Host, ...], data_plane: bool) -> Iterator[Copy]:
        """One copy a host; many of one zone as one, where nothing else tells them apart."""
        alike: dict[tuple[str, frozenset[str]], list[Host]] = {}
        for host in hosts:
            alike.setdefault((host.zone.name, host.services), []).append(host)
        for members in alike.values():
            if len(members) <= MOST_TOLD_APART:
                yield from (self._copy(service, h, data_plane) for h in members)
            else:
                first = self._copy(service, members[0], data_plane)
                place = self._place(members[0].zone)
                own = tuple(p for p in first.parts if p not in place)
                yield Copy(members[0].name, place, len(members), own)

    def _copy(self, service: Service, host: Host, data_plane: bool) -> Copy:
        processes = () if data_plane else tuple(self._processes(service, host))
        machine = self._component("host", host.name, host.name, host.entry)
        return Copy(host.name, (machine, *self._place(host.zone), *processes))

    def _processes(self, service: Service, host: Host) -> Iterator[Component]:
        """The service's own on `host`, and those that it needs beside it."""
        seen: dict[str, Component] = {}
        todo = [service.name]
        while todo:
            one = self.services[todo.pop()]
            if one.name in seen or one.name not in host.services:
                continue
            name = f"{one.name} on {host.name}"
            seen[one.name] = self._component("process", f"{one.name}@{host.name}", name, host.entry, one.name)
            todo += self._beside(one)
        yield from (c for n, c in seen.items() if self.services[n].units)

    def _place(self, zone: Zone) -> tuple[Component, ...]:
        if zone.name not in self._places:
            path: Path = ("regions", self.region, "zones", zone.name)
            named = [self._component("zone", f"{self.region}/{zone.name}", zone.name, path)]
            if zone.power:
                named.append(self._component("power", f"{self.region}/{zone.power}", zone.power, (*path, "power")))
            if zone.switch:
                named.append(self._component("switch", f"{self.region}/{zone.switch}", zone.switch, (*path, "switch")))
            self._places[zone.name] = tuple(named)
        return self._places[zone.name]

    def _base(self, function: Function, provider: Service) -> tuple[Component, ...]:
        region = self.cloud.regions[self.region]
        networks = ["management"] if not function.data_plane else []
        if isinstance(provider, Balanced) and any(f.public for f in provider.frontends(self.cloud, region)):
            networks.append("public")
        networks += [n for n in function.networks if n not in networks and n in region.networks]
        path: Path = ("regions", self.region)
        site = self._component("region", self.region, self.region, path)
        return (
            site,
            *(self._component("network", f"{self.region}/{n}", n, (*path, "networks", n)) for n in networks),
        )

    def _component(self, kind: Kind, key: str, name: str, entry: Path, service: str = "") -> Component:
        return Component(f"{kind}:{key}", kind, name, self.region, entry, service)
