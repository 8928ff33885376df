"""Addresses and router ids that clash, and VIPs that no host can hold."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import combinations

from fournines.cloud.model import EXTERNAL, Cloud, Host, Network, Region
from fournines.cloud.source import Path, dotted
from fournines.design.finding import Flaw
from fournines.services.capabilities import MovesVip, present


def vip_outside(cloud: Cloud) -> Iterator[Flaw]:
    for region, kind, vip in _vips(cloud):
        network = region.networks["public" if kind == "public" else "management"]
        edge = vip in (network.cidr.network_address, network.cidr.broadcast_address) and network.cidr.prefixlen < 31
        if vip in network.cidr and not edge:
            continue
        yield Flaw(
            ("regions", region.name, "vips", kind),
            "error",
            f"the {kind} VIP {vip} is {'no host address of' if edge else 'outside'} network {network.name} "
            f"({network.cidr})",
            "no neighbour would look for it there: clients never reach it",
            f"an address of {network.cidr} that no host has",
        )


def vip_taken(cloud: Cloud) -> Iterator[Flaw]:
    taken = {a: h for h in cloud.hosts for a in h.addresses.values()}
    seen: dict[IPv4Address, str] = {}
    for region, kind, vip in _vips(cloud):
        owner = f"host {taken[vip].name}" if vip in taken else seen.get(vip)
        seen.setdefault(vip, f"the {kind} VIP of region {region.name}")
        if owner:
            yield Flaw(
                ("regions", region.name, "vips", kind),
                "error",
                f"the {kind} VIP {vip} is also the address of {owner}" if "host" in owner else f"{vip} is also {owner}",
                "two machines answer for one address, and clients reach either",
                "an address that nothing else has",
            )


def duplicate_address(cloud: Cloud) -> Iterator[Flaw]:
    """Management addresses are unique in the cloud, for one machine reaches all hosts; others in their region."""
    owners: dict[tuple[str, IPv4Address], Host] = {}
    reported: set[tuple[Path, Path]] = set()
    for host in cloud.hosts:
        for network, address in host.addresses.items():
            scope = "" if network == "management" else host.region
            first = owners.setdefault((scope, address), host)
            if first is host or (first.entry, host.entry) in reported:
                continue
            reported.add((first.entry, host.entry))
            path: Path = (*host.entry, "address") if network == "management" else (*host.entry, "addresses", network)
            yield Flaw(
                path,
                "error",
                f"{host.name} and {first.name} both have {address}",
                "each takes the other's connections: what reaches which is chance",
                f"another address than {dotted(first.entry)} has",
            )


def partly_attached(cloud: Cloud) -> Iterator[Flaw]:
    """Where only some of a service's hosts are on a network of theirs, they part: some use it, the others fall back."""
    for region in cloud.regions.values():
        for service in present(cloud, region.name):
            hosts = cloud.hosts_of(service.name, region.name)
            for name in (n for n in service.networks if n in region.networks):
                missing = [h for h in hosts if name not in h.devices]
                if missing and (name == EXTERNAL or len(missing) < len(hosts)):
                    yield _partly(service.name, region.networks[name], missing, len(hosts))


def _partly(service: str, network: Network, missing: list[Host], count: int) -> Flaw:
    first, others = missing[0], len(missing) - 1
    more = f" and {others} more of the {count} hosts of {service} are" if others else " is"
    external = network.name == EXTERNAL
    what = f"{first.name}{more} not on network {network.name}"
    why = (
        "routers that are placed there lead nowhere: Neutron does not look at which agent reaches the outside"
        if external
        else "it is reached at its management address, the others on their own network, which may not be joined"
    )
    written: Path = (*first.entry, "addresses", network.name)
    return Flaw(written, "error", what, why, f"attach it to {network.name}, or leave the network out", key=True)


def network_overlap(cloud: Cloud) -> Iterator[Flaw]:
    for region in cloud.regions.values():
        for one, other in combinations(region.networks.values(), 2):
            if one.cidr.overlaps(other.cidr):
                yield Flaw(
                    ("regions", region.name, "networks", other.name),
                    "error",
                    f"networks {one.name} ({one.cidr}) and {other.name} ({other.cidr}) overlap",
                    "a host then has two routes to one address, and uses the first",
                    "two CIDRs without common addresses",
                )


def vrid_clash(cloud: Cloud) -> Iterator[Flaw]:
    """Only between this cloud's regions: another cloud's file is not known here."""
    for one, other in combinations(cloud.regions.values(), 2):
        shared = any(a.cidr.overlaps(b.cidr) for a in one.networks.values() for b in other.networks.values())
        if shared and one.vips.vrid == other.vips.vrid:
            yield Flaw(
                ("regions", other.name, "vips", "vrid"),
                "error",
                f"regions {one.name} and {other.name} share a network and VRID {one.vips.vrid}",
                "their load balancers take one another's adverts for their own, and VIPs vanish",
                "a vrid of 1..255 that is free on that network",
            )


def vip_unreachable(cloud: Cloud) -> Iterator[Flaw]:
    for region in cloud.regions.values():
        movers = {s.name for s in present(cloud, region.name) if isinstance(s, MovesVip)}
        for host in (h for h in region.hosts if h.services & movers):
            if "public" not in host.addresses:
                yield Flaw(
                    host.entry,
                    "error",
                    f"{host.name} may hold the VIPs, but is not on network public",
                    "if it takes over, the public VIP is gone",
                    "addresses: {public: ADDRESS}, or a role without the load balancer",
                    key=True,
                )


def _vips(cloud: Cloud) -> Iterator[tuple[Region, str, IPv4Address]]:
    for region in cloud.regions.values():
        yield region, "internal", region.vips.internal
        yield region, "public", region.vips.public
        yield from ((region, name, address) for name, address in region.vips.moving.items())


#: Tier of `pattern:` -> its values where there is one that moves with its address, what that is, and where clients find
#: the other ones.
_MOVING = {
    "database": (("replica", "shared"), "database", "clients reach Galera through the internal VIP"),
    "messaging": (("shared",), "broker", "clients reach each node of RabbitMQ's cluster at its own address"),
}


def moving(cloud: Cloud) -> Iterator[Flaw]:
    """Addresses of what moves between hosts, and of nothing else."""
    for region in cloud.regions.values():
        path: Path = ("regions", region.name, "vips")
        for tier, (values, what, instead) in _MOVING.items():
            moves, address = getattr(cloud.pattern, tier) in values, region.vips.moving.get(tier)
            if moves and address is None:
                yield Flaw(
                    path,
                    "error",
                    f"the {what} of {region.name} has no address that moves with it",
                    "its clients would not find it after it has moved",
                    f"vips: {{{tier}: ADDRESS}}, one of network management that no host has",
                )
            elif address and not moves:
                yield Flaw(
                    (*path, tier),
                    "warning",
                    f"nobody has {address}: {instead}",
                    "the address is kept free for nothing",
                    f"remove it, or pattern: {{{tier}: {' or '.join(values)}}}",
                    key=True,
                )
