"""What a service may also be, so that the tier it leans on asks "do you?" instead of knowing names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from fournines.cloud.model import Cloud, Host, Region
from fournines.services.service import HaPattern, Service


@runtime_checkable
class UsesDatabase(Protocol):
    """MariaDB makes each of these a database and an account of that name; the password is secret `NAME.database`.
    `DATABASE:NAME` is one more database of account NAME."""

    databases: ClassVar[tuple[str, ...]]


@runtime_checkable
class UsesMessaging(Protocol):
    """RabbitMQ makes each of these a vhost and an account of that name; the password is secret `NAME.messaging`."""

    vhosts: ClassVar[tuple[str, ...]]


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

    It has `roles` on the project `service` of the default domain; in another domain, on all of that one.
    """

    name: str
    roles: tuple[str, ...] = ("admin", "service")
    domain: str = "Default"


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
#: `the voters`: those of `quorum_group`, and only they are reached. `its network`: whoever is on the port's network.
Source = (
    Literal["every host", "its own members", "the load balancers", "the voters", "its network", "anyone"]
    | Literal["database clients", "coordination clients"]
    | tuple[str, ...]
)


@dataclass(frozen=True)
class Frontend:
    """One port of the load balancer, on the internal VIP and, when `public`, with TLS on the public one (there on
    `public_port`, if that is another).

    check: path that a healthy backend answers with 2xx; "" for a TCP connect. check_port: where, if not `port`.
    standby: only the first backend that is up gets connections. inter: seconds between two checks; 0: `check_inter`.
    settings: HAProxy keywords of this section alone.
    repeatable: requests whose repetition changes nothing, as an HAProxy condition beyond GET and HEAD.
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
    inter: float = 0.0
    repeatable: str = ""
    source: Source = "every host"
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
    """Serves on one host at a time: on one that has all that it needs and, if `leased`, whose copy of service `voters`
    hears a majority of those on `quorum_group`."""

    voters: ClassVar[str]

    def leased(self, cloud: Cloud) -> bool: ...


@runtime_checkable
class FailsOver(Protocol):
    """One copy does the work at any moment: `failover` is how long clients wait, by the timers, from the death of that
    copy's host until another one serves; seconds."""

    def failover(self, cloud: Cloud) -> float: ...


@lru_cache(maxsize=8)
def present(cloud: Cloud, region: str) -> tuple[Service, ...]:
    """Services that some host of `region` carries, in the order in which they are brought up."""
    from fournines.services import registry  # the registry imports the modules that import this one

    return tuple(s for name, s in registry().items() if cloud.hosts_of(name, region))


@lru_cache(maxsize=8)
def quorum_group(cloud: Cloud, region: str) -> tuple[Host, ...]:
    """Hosts of `region` that carry more than what every host does, in file order: those whose agents vote.

    Computes are not among them, so that adding one changes no other host.
    """
    shared = {s.name for s in present(cloud, region) if s.pattern is not HaPattern.PER_HOST}
    return tuple(h for h in cloud.regions[region].hosts if h.services & shared)
