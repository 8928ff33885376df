"""The lock's versions in what is wanted, and where hosts are beyond it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fournines.cloud.model import Cloud, Host
from fournines.plan.model import Desired, Observed
from fournines.plan.render import folded
from fournines.services.capabilities import CarriesTraffic
from fournines.services.debian import newer
from fournines.services.resource import Package, Resource, Unit
from fournines.services.service import Service

Services = Mapping[str, Sequence[Resource]]
Registry = Mapping[str, Service]


def declared(services: Services) -> list[str]:
    """The packages that a host's services declare."""
    return [r.name for mine in services.values() for r in mine if isinstance(r, Package)]


def daemons(cloud: Cloud, host: Host, services: Registry) -> dict[str, list[str]]:
    """The units that run on a host and may restart -> the packages that their service declares, also where another one
    declares them first."""
    found: dict[str, list[str]] = {}
    for service in services.values():
        if service.name in host.services:
            made = list(service.desired(cloud, host))
            names = declared({service.name: made})
            found |= {unit: names for unit in _running(service, made) if names}
    return found


def _running(service: Service, resources: Sequence[Resource]) -> list[str]:
    lasting = service.lasting if isinstance(service, CarriesTraffic) else ()
    running = [r.name for r in resources if isinstance(r, Unit) and r.state == "running"]
    return [name for name in running if name.endswith(".service") and name not in lasting]


def pinned(
    cloud: Cloud, wanted: Services, also: Mapping[str, Sequence[str]], services: Registry
) -> dict[str, tuple[Resource, ...]]:
    """`wanted` of a host, with the lock's version of each package, and the restarts that a new version takes.

    also: package -> the services that declare it beside the one that has it.
    """
    locked = cloud.versions.locked

    def pin(owner: str, resource: Resource) -> Resource:
        if not isinstance(resource, Package) or resource.name not in locked:
            return resource
        users = [services[name] for name in (owner, *also.get(resource.name, ()))]
        units = (u for user in users for u in _running(user, wanted.get(user.name, ())) if u in user.units_in(cloud))
        restarts = dict.fromkeys(f"restart:{unit}" for unit in units)
        return replace(resource, version=locked[resource.name], triggers=tuple(restarts))

    return {name: tuple(pin(name, r) for r in mine) for name, mine in wanted.items()}


def unfinished(cloud: Cloud) -> tuple[str, ...]:
    """A line on the way to another release: `apply` goes on with none, and keeps each host as its own has it."""
    state = cloud.versions.upgrade
    return (f"{state}; fournines upgrade {cloud.source} {state.again} continues it",) if state and state.release else ()


def beyond(cloud: Cloud, wanted: Desired, observed: Observed) -> tuple[str, ...]:
    """A line for each package that hosts have in a newer version than the lock's, or the running upgrade's."""
    if not cloud.versions.locked:
        return ()
    state = cloud.versions.upgrade
    coming = state.target if state else dict[str, str]()
    found: dict[tuple[str, str, str], list[str]] = {}
    for host, services in wanted.items():
        for package in (r for mine in services.values() for r in mine if isinstance(r, Package) and r.version):
            seen = observed[host].get(package.fact, "absent")
            if seen not in ("absent", coming.get(package.name)) and newer(seen, package.version):
                found.setdefault((package.name, seen, package.version), []).append(host)
    return tuple(
        f"{name} {seen} on {folded(tuple(hosts))} is newer than {locked}, which this cloud has: "
        f"fournines upgrade brings the others there"
        for (name, seen, locked), hosts in found.items()
    )
