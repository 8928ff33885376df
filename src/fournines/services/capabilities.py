"""What a service may also be, so that the tier it leans on asks "do you?" instead of knowing names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.source import Path
from fournines.services.cib import Managed
from fournines.services.resource import Resource
from fournines.services.service import Check, HaPattern, Service


@runtime_checkable
class UsesDatabase(Protocol):
    """MariaDB makes each of these a database and an account of that name; the password is secret `NAME.database`.
    `DATABASE:NAME` is one more database of account NAME."""

    databases: ClassVar[tuple[str, ...]]


@runtime_checkable
class FillsTables(Protocol):
    """Tables, as `DATABASE.TABLE`, that are empty in no cloud that ever worked: what a backup's copy is asked for."""

    filled: ClassVar[tuple[str, ...]]


@runtime_checkable
class UsesMessaging(Protocol):
    """RabbitMQ makes each of these a vhost and an account of that name; the password is secret `NAME.messaging`."""

    vhosts: ClassVar[tuple[str, ...]]


@runtime_checkable
class ChecksUpgrade(Protocol):
    """What must hold on a host before it goes to another release, as the service itself says."""

    def upgrade_checks(self, cloud: Cloud, host: Host) -> Iterable[Check]: ...


@runtime_checkable
class ServesTopics(Protocol):
    """Vhost -> topics of oslo.messaging on which its servers alone listen: computes may send to them, and not read."""

    topics: ClassVar[Mapping[str, tuple[str, ...]]]


@runtime_checkable
class UsesCoordination(Protocol):
    """Valkey gives each of these an account; the password is secret `NAME.valkey`."""

    coordination: ClassVar[tuple[str, ...]]


#: In place of namespaces: the file is uWSGI's.
UWSGI = ("uwsgi",)


@runtime_checkable
class ReadsOsloConfig(Protocol):
    """File -> namespaces of oslo.config's generator that describe its options, beside those of `openstack.NAMESPACES`;
    or UWSGI. `scripts/known_options.py` asks the packages by them, and rendered files are validated with them."""

    namespaces: ClassVar[Mapping[str, tuple[str, ...]]]


@runtime_checkable
class NamesSections(Protocol):
    """Files whose sections have names of their own, such as HAProxy's `listen NAME`: those that `file` has in this
    cloud. None: `known` says it all; empty: this cloud has no such file."""

    def sections(self, cloud: Cloud, file: str) -> Collection[str] | None: ...


@runtime_checkable
class AliasesSections(Protocol):
    """File -> name that other manuals have for a section -> the section."""

    aliases: ClassVar[Mapping[str, Mapping[str, str]]]


@dataclass(frozen=True)
class CatalogueEntry:
    """A service of Keystone's catalogue. Its endpoints are the VIPs at `port`, then `path`."""

    type: str
    name: str
    port: int
    path: str = ""


@dataclass(frozen=True)
class Account:
    """A service's user in Keystone; the password is secret `NAME.keystone`. `admin` is for those whom 2025.1's policies
    let do their work with nothing less (docs/security.md).

    It has `roles` on the project `service` of the default domain; in another domain, on all of that one. trustee: users
    give it trusts, which name it by its id: no second account can take its place.
    """

    name: str
    roles: tuple[str, ...] = ("admin", "service")
    domain: str = "Default"
    trustee: bool = False


@dataclass(frozen=True)
class Registration:
    """`roles` and `domains` are those beside Keystone's own; domains of accounts need not be repeated."""

    catalogue: tuple[CatalogueEntry, ...] = ()
    accounts: tuple[Account, ...] = ()
    roles: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()


@runtime_checkable
class Registers(Protocol):
    """Keystone makes all of it, in its own stage: before the service starts."""

    def registration(self, cloud: Cloud, region: Region) -> Registration: ...


#: Who comes: hosts of the region that are described so, or those that carry one of the named services; (): nobody.
#: `the scrapers`: who reads metrics (`services.monitoring`), hosts of the region and the addresses that it names.
#: `the guards`: those of `guards`, and only they are reached. `its network`: whoever is on the port's network.
Source = (
    Literal["every host", "its own members", "the load balancers", "the guards", "its network", "anyone"]
    | Literal["the scrapers", "database clients", "coordination clients"]
    | tuple[str, ...]
)


@dataclass(frozen=True)
class Frontend:
    """One port of the load balancer, on the internal VIP and, when `public`, with TLS on the public one (there on
    `public_port`, if that is another).

    check: path that a healthy backend answers with 2xx; "" for a TCP connect. check_port: where, if not `port`.
    standby: only the first backend that is up gets connections. inter: seconds between two checks; 0: `check_inter`.
    forks: its backends fork for each connection, so that a check that failed must not be followed by more of them.
    moves: its clients leave a drained host by themselves, because another backend is elected.
    patience: seconds for which failing checks are waited out; 0: `check_fall` of them.
    settings: HAProxy keywords of this section alone. body: bytes of the largest request; 0: any. issues_tokens: takes
    passwords, of which each source may try so many. behind_proxy: its clients are proxies of our own, which say who
    asks; it is not `public` then.
    repeatable: requests whose repetition changes nothing, as an HAProxy condition beyond GET and HEAD.
    encrypts: its backends speak TLS, where the cloud does inside. check_encrypts: what answers on `check_port` does.
    source: who reaches it on the internal VIP; the public one is anyone's.
    """

    name: str
    port: int
    mode: Literal["http", "tcp"]
    check: str = ""
    check_port: int = 0
    public: bool = False
    public_port: int = 0
    standby: bool = False
    moves: bool = False
    patience: float = 0.0
    inter: float = 0.0
    forks: bool = False
    repeatable: str = ""
    encrypts: bool = False
    check_encrypts: bool = False
    source: Source = "every host"
    body: int = 0
    issues_tokens: bool = False
    behind_proxy: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])


@runtime_checkable
class Balanced(Protocol):
    """Backends are the hosts of the service in the region, in file order."""

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]: ...


@dataclass(frozen=True)
class Function:
    """Something that users do. It works while the service that provides it does, with all that this service needs.

    name: as the probes of `prove` have it, such as `list_projects`. does: completes "A user …". needs: services beyond
    those that the provider needs. also: the same, in clouds that have them. writes: those of all these services
    (`Replicated`) that must take what it stores. networks: of the region, beyond management and (with a public
    frontend) public. data_plane: goes on while the hosts of the provider stand, whatever their daemons and what these
    need do.
    """

    name: str
    does: str
    needs: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    data_plane: bool = False


@dataclass(frozen=True)
class Single:
    """Something of which there is one, beyond what hosts and services amount to: what it is, what its loss leads to and
    what removes it. entry: where the cloud file says so."""

    what: str
    loss: str
    removes: str
    entry: Path


@runtime_checkable
class HasSingles(Protocol):
    """Stores what users give it in a place of which there is one: every function that needs the service ends there."""

    def singles(self, cloud: Cloud, region: Region) -> tuple[Single, ...]: ...


@runtime_checkable
class Replicated(Protocol):
    """Keeps what others store in several copies: any that works is enough to read, `write_quorum` hosts to write."""

    def write_quorum(self, cloud: Cloud, region: Region) -> int: ...


@dataclass(frozen=True)
class Port:
    """What a host with the service listens on, beside its frontends' backends, and who is let in: for the firewall and
    the architecture document.

    number: the first of them, 0 where the protocol has none. last: of a range. network: of the region; a host that is
    not attached to it is reached on `management`. always: something listens there whenever the service runs.
    """

    number: int
    protocol: Literal["tcp", "udp", "vrrp"]
    source: Source
    what: str
    network: str = "management"
    last: int = 0
    always: bool = True


@runtime_checkable
class Listens(Protocol):
    ports: ClassVar[tuple[Port, ...]]


@runtime_checkable
class Provides(Protocol):
    """`design` derives from these, and from what services need, the condition under which users are served."""

    functions: ClassVar[tuple[Function, ...]]


@runtime_checkable
class Dispensable(Protocol):
    """What needs it starts after it, and goes on without it; the text says at which price."""

    dispensable: ClassVar[str]


@runtime_checkable
class Leased(Protocol):
    """Serves on one host at a time: on one that has all that it needs and, if `leased`, for which a majority votes of
    the copies of service `voters` on the hosts that `voters(cloud, region)` names."""

    voters: ClassVar[str]

    def leased(self, cloud: Cloud) -> bool: ...


@runtime_checkable
class MovesVip(Protocol):
    """Decides which host has the VIPs: one whose own load balancer works."""

    moves_vip: ClassVar[bool]


@runtime_checkable
class ManagedByCluster(Protocol):
    """Pacemaker runs it, or part of it, in clouds that ask for that: what `managed` says, () in others."""

    def managed(self, cloud: Cloud, region: Region) -> Iterable[Managed]: ...


@runtime_checkable
class Clustered(Protocol):
    """`clustered`: units that the cluster starts and stops, on one host at a time, wherever there is this service. That
    one is down says nothing against its host."""

    clustered: ClassVar[tuple[str, ...]]


@dataclass(frozen=True)
class Movable:
    """A unit of which one host's copy is enough. check: the path that its API answers on `port` with 2xx, as for its
    load balancers; "" for a daemon that has no question to be asked."""

    unit: str
    port: int = 0
    check: str = ""

    @property
    def name(self) -> str:
        return self.unit.removesuffix(".service")


@runtime_checkable
class MayBePassive(Protocol):
    """Works on one of its hosts at a time as well, where the cloud file says so (`ha: passive`): the cluster runs each
    unit of `movable` once then (`services.passive`)."""

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]: ...


@runtime_checkable
class OnLun(Protocol):
    """Keeps its data on a disk that all of its hosts see (`Region.luns`). luns: its name -> where it is mounted, on the
    host that runs the service."""

    luns: ClassVar[Mapping[str, str]]


@runtime_checkable
class HasAddress(Protocol):
    """Serves on one of its hosts at a time, at an address of its own on `management` that moves with it, on the ports
    `entrances`."""

    entrances: ClassVar[tuple[Port, ...]]

    def address(self, cloud: Cloud, region: Region) -> IPv4Address: ...


@runtime_checkable
class Leaves(Protocol):
    """Keeps something on a host that it must not find there should the host carry it again: `left` (POSIX sh, as root)
    puts it aside, once its units have stopped there."""

    left: ClassVar[str]


@runtime_checkable
class Forgets(Protocol):
    """Knows its members, or the hosts that it runs on, by records that outlive them. On the first host of the region
    that carries it."""

    def forgets(self, cloud: Cloud, host: Host, name: str) -> Iterable[Resource]:
        """What deletes, from `host`, all that is known of host `name`, which has left or is lost."""
        ...


@runtime_checkable
class HandsOver(Protocol):
    """Has something on each host that others must have before it leaves."""

    def hands_over(self, cloud: Cloud, host: Host, name: str) -> Iterable[Resource]:
        """What moves, from `host`, all that host `name` alone would take with it. On the first that stays."""
        ...


@runtime_checkable
class KeepsData(Protocol):
    """Keeps on `host` what no other host can give back, or too few: "" or why it cannot leave."""

    def keeps(self, cloud: Cloud, host: Host) -> str: ...


@runtime_checkable
class CarriesTraffic(Protocol):
    """`lasting`: units that carry others' packets, which a restart drops. What an upgrade brings takes effect there
    when the host boots."""

    lasting: ClassVar[tuple[str, ...]]


@runtime_checkable
class FailsOver(Protocol):
    """One copy does the work at any moment: `failover` is how long clients wait, by the timers, from the death of that
    copy's host until another one serves; seconds."""

    def failover(self, cloud: Cloud) -> float: ...


def failover(service: Service, cloud: Cloud) -> float | None:
    """As of `FailsOver`; None where all copies work."""
    from fournines.services import passive  # it imports this module

    if service.name in cloud.passive:
        return passive.failover(cloud)
    return service.failover(cloud) if isinstance(service, FailsOver) else None


@lru_cache(maxsize=8)
def present(cloud: Cloud, region: str) -> tuple[Service, ...]:
    """Services that some host of `region` carries, in the order in which they are brought up."""
    from fournines.services import registry  # the registry imports the modules that import this one

    return tuple(s for name, s in registry().items() if cloud.hosts_of(name, region))


@runtime_checkable
class Arbitrates(Protocol):
    """A member of that service's quorum that keeps no data: it counts, and serves nobody."""

    arbitrates: ClassVar[str]


@lru_cache(maxsize=64)
def electorate(cloud: Cloud, region: str, service: str) -> tuple[tuple[Host, str], ...]:
    """Hosts of `region` that count in the quorum of `service`, each with the service by which it does: its own, in file
    order, then its arbitrators."""
    others = [s.name for s in present(cloud, region) if isinstance(s, Arbitrates) and s.arbitrates == service]
    own = cloud.hosts_of(service, region)
    arbitrators = ((h, name) for name in others for h in cloud.hosts_of(name, region) if h not in own)
    return (*((h, service) for h in own), *arbitrators)


def members(cloud: Cloud, region: str, service: str) -> tuple[Host, ...]:
    """The hosts of `electorate`."""
    return tuple(host for host, _ in electorate(cloud, region, service))


#: More votes make the VIP move later, not more surely.
MOST_VOTERS = 7


@lru_cache(maxsize=8)
def voting(cloud: Cloud, region: str) -> Mapping[str, str]:
    """Hosts of `region` that vote on who holds the VIP, in file order, each with why it does: those that can hold it
    and witnesses, at most `MOST_VOTERS`.

    Where these are fewer than three, or an even number, hosts of the database's quorum fill them up: a database that
    has lost its majority serves nobody, so its hosts are up where the rest is worth anything.
    """
    leased = [s.name for s in present(cloud, region) if isinstance(s, Leased)]
    if not leased:
        return {}
    every = cloud.regions[region].hosts
    found = {h.name: "witness" for h in every if "witness" in h.roles}
    found |= {h.name: "can hold the VIP" for name in leased for h in cloud.hosts_of(name, region)}
    found = dict(list(found.items())[:MOST_VOTERS])
    spare = [h for h in members(cloud, region, "mariadb") if h.name not in found]
    while spare and (len(found) < 3 or len(found) % 2 == 0) and len(found) < MOST_VOTERS:
        zones = Counter(h.zone.name for h in every if h.name in found)
        # From the zone with the fewest: the loss of one zone should take as few votes as it can.
        chosen = min(spare, key=lambda h: zones[h.zone.name])
        spare.remove(chosen)
        found[chosen.name] = "member of the database's quorum"
    return {h.name: found[h.name] for h in every if h.name in found}


def voters(cloud: Cloud, region: str) -> tuple[Host, ...]:
    """The hosts of `voting`."""
    return tuple(h for h in cloud.regions[region].hosts if h.name in voting(cloud, region))


@lru_cache(maxsize=8)
def guards(cloud: Cloud, region: str) -> tuple[Host, ...]:
    """Hosts of `region` that send each other heartbeats, in file order: voters, those that can hold the VIP, and the
    members of quorums, which act on a departed host at once. Not the many that only carry services."""
    wanted = {h.name for h in voters(cloud, region)}
    for service in present(cloud, region):
        if service.pattern is HaPattern.QUORUM or isinstance(service, Leased):
            wanted |= {h.name for h in members(cloud, region, service.name)}
    return tuple(h for h in cloud.regions[region].hosts if h.name in wanted)


@lru_cache(maxsize=8)
def control_plane(cloud: Cloud, region: str) -> tuple[Host, ...]:
    """Hosts of `region` that carry more than what every host does, in file order.

    Computes are not among them, so that adding one changes no other host.
    """
    shared = {s.name for s in present(cloud, region) if s.pattern is not HaPattern.PER_HOST}
    return tuple(h for h in cloud.regions[region].hosts if h.services & shared)
