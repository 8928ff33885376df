"""Pacemaker's clusters: what they need to be safe, and what they would fence."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud, Host
from fournines.cloud.source import Path
from fournines.design.finding import Flaw
from fournines.services import passive
from fournines.services.capabilities import ManagedByCluster, present

_PATTERN: Path = ("pattern",)
#: Tier -> its values of which the cluster moves one server, what that is, and the tier's other value.
_ONE = {
    "database": (("replica", "shared"), "database", "galera"),
    "messaging": (("shared",), "broker", "rabbitmq"),
}
#: What a second one would do.
_OTHERWISE = {
    "replica": "nothing would promote one of them, and nothing would keep a second from taking writes",
    "shared": "nothing would start it, and nothing would keep two hosts from writing to one disk",
}


def unclear(cloud: Cloud) -> Iterator[Flaw]:
    """Tiers that Pacemaker is to manage where there is no cluster, and a cluster that manages nothing."""
    pattern = cloud.pattern
    if pattern.vip == "pacemaker" and pattern.cluster is None:
        yield Flaw(
            (*_PATTERN, "vip"),
            "error",
            "Pacemaker is to move the VIPs, and the cloud has no cluster",
            "nobody would hold them",
            "add `cluster: pacemaker`, or `vip: keepalived`",
        )
    if pattern.cluster is None:
        for tier, (moving, what, other) in _ONE.items():
            if (value := getattr(pattern, tier)) in moving:
                yield Flaw(
                    (*_PATTERN, tier),
                    "error",
                    f"one {what} is to move between hosts, and the cloud has no cluster",
                    _OTHERWISE[value],
                    f"add `cluster: pacemaker`, or `{tier}: {other}`",
                )
    if pattern.cluster and not any(_managed(cloud, region) for region in cloud.regions):
        yield Flaw(
            (*_PATTERN, "cluster"),
            "warning",
            "the cluster manages nothing: keepalived moves the VIPs, database and bus are clusters of their own",
            "its hosts can be fenced, and gain nothing by it but resources of your own",
            "add `vip: pacemaker`, `database: replica`, `database: shared` or `messaging: shared`, or `ha: passive`"
            " to a service",
        )


def outside(cloud: Cloud) -> Iterator[Flaw]:
    """Copies of a database that the cluster promotes, on hosts that it does not know."""
    for host in cloud.hosts:
        if "mariadb_replica" in host.services and "pacemaker" not in host.services:
            yield Flaw(
                host.entry,
                "error",
                f"{host.name} has a copy of the database and is no member of the cluster",
                "the cluster starts nothing there, and cannot fence it: the first primary waits for it",
                "a role that carries corosync and pacemaker, such as endpoint",
                key=True,
            )


def alone(cloud: Cloud) -> Iterator[Flaw]:
    """Clusters that can move nothing."""
    for region in cloud.regions.values():
        members = cloud.hosts_of("pacemaker", region.name)
        if len(members) == 1:
            yield Flaw(
                members[0].entry,
                "error",
                f"{members[0].name} is the only member of the cluster of {region.name}",
                "there is no other host for what it runs, and nobody to fence it",
                "a second host with the same roles, and one of role witness",
                key=True,
            )


def witnesses(cloud: Cloud) -> Iterator[Flaw]:
    """Quorum devices that corosync does not ask, or whose loss is a member's as well."""
    for region in cloud.regions.values():
        devices = cloud.hosts_of("qnetd", region.name)
        for host in devices[1:]:
            yield Flaw(
                host.entry,
                "error",
                f"{host.name} is a second witness of the cluster of {region.name}",
                "corosync takes one quorum device: the second would vote for nobody",
                f"role witness for {devices[0].name} alone",
                key=True,
            )
        for host in (h for h in devices if "pacemaker" in h.services):
            yield Flaw(
                host.entry,
                "error",
                f"{host.name} is a member of the cluster and its witness",
                "lost, it takes two votes along",
                "a host of its own for role witness",
                key=True,
            )


def _managed(cloud: Cloud, region: str) -> bool:
    return bool(passive.ids(cloud, region)) or any(
        isinstance(s, ManagedByCluster) and list(s.managed(cloud, cloud.regions[region]))
        for s in present(cloud, region)
    )


def missing(cloud: Cloud) -> Iterator[Flaw]:
    for host in _members(cloud):
        if host.bmc is None:
            yield Flaw(
                host.entry,
                "error",
                f"{host.name} is a member of the cluster and has no power controller",
                "when it is silent nothing may be started elsewhere: it may still be running what it ran, and nobody "
                "can see to it that it is off",
                "bmc: {address: ADDRESS}",
                key=True,
            )


def confused(cloud: Cloud) -> Iterator[Flaw]:
    """Controllers that would switch another host than the one that is meant, or that are no controllers."""
    known: dict[tuple[object, ...], Host] = {}
    addresses = {address: h.name for h in cloud.hosts for address in (h.address, *h.addresses.values())}
    vips = {
        vip: name
        for name, r in cloud.regions.items()
        for vip in (r.vips.internal, r.vips.public, *r.vips.moving.values())
    }
    for host in cloud.hosts:
        if host.bmc is None:
            continue
        where: Path = (*host.entry, "bmc", "address")
        switch = (host.bmc.address, host.bmc.port, host.bmc.system)
        if (other := known.setdefault(switch, host)) is not host:
            yield Flaw(
                where,
                "error",
                f"{host.name} and {other.name} have one power controller and system: {host.bmc.url}{host.bmc.system}",
                "to fence one is to switch the other off",
                "each its own address, or `system` of each",
            )
        owner = addresses.get(host.bmc.address) or vips.get(host.bmc.address)
        if owner:
            yield Flaw(
                where,
                "error",
                f"the power controller of {host.name} has an address of {owner}: {host.bmc.address}",
                "a host that hangs answers for nobody: what switches its power has an address of its own",
                "the controller's own address",
            )


def same_network(cloud: Cloud) -> Iterator[Flaw]:
    for host in _members(cloud):
        network = cloud.region_of(host).networks.get("management")
        if host.bmc and network and host.bmc.address in network.cidr:
            yield Flaw(
                (*host.entry, "bmc", "address"),
                "error",
                f"the power controller of {host.name} is on network management, whose loss it has to end",
                "a switch that takes the hosts' words away takes those to their controllers along: nothing can be "
                "fenced, and nothing moves",
                "a network of its own for the controllers, which the members of the cluster are on",
            )


def unverified(cloud: Cloud) -> Iterator[Flaw]:
    for host in cloud.hosts:
        if host.bmc and not host.bmc.verify:
            yield Flaw(
                (*host.entry, "bmc", "verify"),
                "warning",
                f"the certificate of the power controller of {host.name} is not checked",
                "whoever is between them and it learns the password that switches it off",
                "ca: FILE",
            )


def _members(cloud: Cloud) -> tuple[Host, ...]:
    return tuple(h for h in cloud.hosts if "pacemaker" in h.services)
