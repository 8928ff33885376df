"""Who may reach what: all that is let into a region's hosts, from what services say of their frontends and ports.

The firewall of each host and the table of the architecture document are both made of this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Literal

from fournines.cloud.model import Cloud, Host
from fournines.services.capabilities import (
    Arbitrates,
    Balanced,
    Frontend,
    HasAddress,
    Listens,
    Port,
    Source,
    UsesCoordination,
    UsesDatabase,
    guards,
    members,
    present,
)
from fournines.services.monitoring import READER, monitored
from fournines.services.service import HaPattern, Service

#: Whose hosts have the VIPs, and come to the backends.
BALANCER = "haproxy"
To = Literal["hosts", "internal VIP", "public VIP", "its address"]


@dataclass(frozen=True)
class Opening:
    """`source` comes to `service`: to its hosts' addresses on the port's network, to a VIP, or to the address that
    moves with it (`capabilities.HasAddress`)."""

    service: str
    to: To
    port: Port

    @property
    def numbers(self) -> str:
        """`5900-6899`, `3306`, or nothing where the protocol has none."""
        p = self.port
        return f"{p.number}-{p.last}" if p.last else str(p.number) if p.number else ""


@lru_cache(maxsize=8)
def openings(cloud: Cloud, region: str) -> tuple[Opening, ...]:
    """VIPs first, then backends, then what services talk over among themselves."""
    services = present(cloud, region)
    balanced = [(s, f) for s in services if isinstance(s, Balanced) for f in s.frontends(cloud, cloud.regions[region])]
    found = [o for service, frontend in balanced for o in _vips(service, frontend)]
    found += [o for service, frontend in balanced for o in _backends(service, frontend)]
    found += [Opening(s.name, "its address", p) for s in services if isinstance(s, HasAddress) for p in s.entrances]
    for service in services:
        if isinstance(service, Listens):
            scraped = monitored(cloud, region)
            ports = [port for port in service.ports if scraped or port.source != "the scrapers"]
            found += [Opening(service.name, "hosts", port) for port in ports]
            # What every HAProxy listens on by itself is bound to the internal VIP as well.
            own = [port for port in ports if service.name == BALANCER and port.always]
            found += [Opening(BALANCER, "internal VIP", port) for port in own]
    return tuple(dict.fromkeys(found))


def _vips(service: Service, frontend: Frontend) -> Iterator[Opening]:
    yield Opening(service.name, "internal VIP", Port(frontend.port, "tcp", frontend.source, frontend.name))
    if frontend.public:
        number = frontend.public_port or frontend.port
        yield Opening(service.name, "public VIP", Port(number, "tcp", "anyone", frontend.name, network="public"))


def _backends(service: Service, frontend: Frontend) -> Iterator[Opening]:
    for number in dict.fromkeys(n for n in (frontend.port, frontend.check_port) if n):
        yield Opening(service.name, "hosts", Port(number, "tcp", "the load balancers", f"{frontend.name}: backend"))


def reached(cloud: Cloud, host: Host, opening: Opening) -> IPv4Address | None:
    """The address at which `host` answers `opening`; None: it does not."""
    vips = cloud.region_of(host).vips
    if opening.to == "its address":
        return _own_address(cloud, host, opening.service)
    if opening.to != "hosts":
        vip = vips.internal if opening.to == "internal VIP" else vips.public
        return vip if BALANCER in host.services else None
    votes = opening.port.source != "the guards" or host in guards(cloud, host.region)
    return address(host, opening.port.network) if opening.service in host.services and votes else None


def _own_address(cloud: Cloud, host: Host, service: str) -> IPv4Address | None:
    own = next(s for s in present(cloud, host.region) if s.name == service)
    if not isinstance(own, HasAddress) or service not in host.services:
        return None
    return own.address(cloud, cloud.region_of(host))


def address(host: Host, network: str) -> IPv4Address:
    return host.addresses.get(network, host.address)


@lru_cache(maxsize=1024)
def sources(cloud: Cloud, region: str, service: str, source: Source) -> tuple[Host, ...]:
    """The hosts that `source` describes. Of `anyone` and `its network` there is no list; of `the scrapers`, those
    outside are addresses only (`Region.scrapers`).

    With them those that leave: cut off before it has stopped, a member would be taken for dead.
    """
    found = _described(cloud, region, service, source)
    every = cloud.regions[region].hosts
    return tuple(h for h in every if h in found or h.leaving) if found and any(h.leaving for h in every) else found


def _described(cloud: Cloud, region: str, service: str, source: Source) -> tuple[Host, ...]:
    if source == "every host":
        return cloud.regions[region].hosts
    if source == "the guards":
        return guards(cloud, region)
    if source == "its own members":
        # An arbitrator is a member of what it arbitrates.
        own = next(s for s in present(cloud, region) if s.name == service)
        return members(cloud, region, own.arbitrates if isinstance(own, Arbitrates) else service)
    if source in ("anyone", "its network"):
        return ()
    kind = {"database clients": UsesDatabase, "coordination clients": UsesCoordination}
    if isinstance(source, str) and source in kind:
        # What is on every host has an account for `prove` only.
        names = {s.name for s in present(cloud, region) if isinstance(s, kind[source]) and not _everywhere(s)}
    else:
        one = {"the load balancers": BALANCER, "the scrapers": READER}
        names = {one[source]} if isinstance(source, str) else set(source)
    return tuple(h for h in cloud.regions[region].hosts if h.services & names)


def _everywhere(service: Service) -> bool:
    return service.pattern is HaPattern.PER_HOST
