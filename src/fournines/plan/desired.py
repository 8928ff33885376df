"""What every host should be, and what a probe must ask to tell how far it is from that."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from fournines.cloud.model import Cloud, Host
from fournines.errors import PlanError
from fournines.plan.actions import BOOKKEEPING
from fournines.plan.model import Desired
from fournines.plan.pins import pinned
from fournines.services.capabilities import Forgets, HandsOver
from fournines.services.resource import Fact, Package, Resource
from fournines.services.service import Service

Registry = Mapping[str, Service]


def ordered(services: Registry) -> tuple[Service, ...]:
    """Every service after all that it needs. Raises `PlanError` on a cycle or an unknown need."""
    for service in services.values():
        for need in service.follows:
            if need not in services:
                raise PlanError(f"service {service.name} needs {need}, which does not exist")
    try:
        names = TopologicalSorter({s.name: s.follows for s in services.values()}).static_order()
        return tuple(services[name] for name in names)
    except CycleError as error:
        raise PlanError("services need one another in a circle", why=" → ".join(error.args[1])) from error


def desired(cloud: Cloud, services: Registry, hosts: Collection[str] | None = None) -> Desired:
    """The resources of every host, or of `hosts` only. Equal resources are one object: 10,000 hosts share them."""
    order = ordered(services)
    shared: dict[Resource, Resource] = {}
    chosen = (h for h in cloud.hosts if hosts is None or h.name in hosts)
    return {host.name: _of_host(cloud, host, order, shared) for host in chosen}


def _of_host(
    cloud: Cloud, host: Host, order: tuple[Service, ...], shared: dict[Resource, Resource]
) -> dict[str, tuple[Resource, ...]]:
    found: dict[str, tuple[Resource, ...]] = {}
    owners: dict[str, tuple[str, Resource]] = {}
    users: dict[str, list[str]] = {}
    for service in order:
        if service.name not in host.services:
            continue
        mine: list[Resource] = []
        for made in (*service.desired(cloud, host), *_of_leavers(cloud, host, service)):
            resource = shared.setdefault(made, made)
            if resource.key not in owners:
                owners[resource.key] = service.name, resource
                mine.append(resource)
            elif owners[resource.key][1] is not resource:
                both = f"{owners[resource.key][0]} and {service.name}"
                raise PlanError(f"{both} want different things of {resource.key}", where=host.name)
            elif isinstance(resource, Package):
                users.setdefault(resource.name, []).append(service.name)
        found[service.name] = tuple(mine)
    if not cloud.versions.locked:
        return found
    locked = pinned(cloud, found, users, {service.name: service for service in order}).items()
    return {name: tuple(shared.setdefault(resource, resource) for resource in mine) for name, mine in locked}


def _of_leavers(cloud: Cloud, host: Host, service: Service) -> Iterator[Resource]:
    """What this host does, for its service, about hosts of the region that leave, and that have left."""
    if host != cloud.hosts_of(service.name, host.region)[0]:
        return
    if isinstance(service, HandsOver):
        for other in cloud.regions[host.region].hosts:
            if other.leaving:
                yield from service.hands_over(cloud, host, other.name)
    if isinstance(service, Forgets):
        for retired in cloud.retired.values():
            if retired.entry.region == host.region and not retired.done:
                yield from service.forgets(cloud, host, retired.entry.name)


def facts(wanted: Desired) -> dict[str, tuple[Fact, ...]]:
    """What to ask each host: a fact for every resource, and fournines' own bookkeeping."""
    return {
        host: tuple(dict.fromkeys([*BOOKKEEPING, *(r.fact for mine in services.values() for r in mine)]))
        for host, services in wanted.items()
    }
