"""The cloud as the rest of fournines sees it: resolved, immutable, plain.

`cloud.file` reads and validates YAML into these. Ranges are expanded, roles are resolved to services, defaults are
filled in; `Cloud.places` and `Host.entry` lead back to the text, for messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path as FilePath
from typing import Any, Literal

from fournines.cloud.handlers import Handler, Receiver
from fournines.cloud.maintenance import Entries, Maintenance
from fournines.cloud.record import Retired
from fournines.cloud.secrets import Secrets
from fournines.cloud.source import Path, Places
from fournines.cloud.versions import NONE, Versions


@dataclass(frozen=True)
class Pattern:
    """The chosen mechanism of each tier (design 4)."""

    cluster: Literal["pacemaker"] | None = None
    vip: Literal["keepalived", "pacemaker"] = "keepalived"
    database: Literal["galera", "replica", "shared"] = "galera"
    messaging: Literal["rabbitmq", "shared"] = "rabbitmq"
    network: Literal["ovs", "ovs-dvr"] = "ovs"
    compute: Literal["libvirt", "fake"] = "libvirt"
    time: Literal["chrony", "own"] = "chrony"
    images: Literal["swift", "ceph", "nfs", "file"] | None = None  # None: Swift where there is one, else files


@dataclass(frozen=True)
class TimingSpec:
    """`timing:` of the cloud file: a profile's name, and single timers overridden by name (see `timing.Timers`)."""

    profile: str = "lan"
    detect: float | None = None  # seconds; None: the profile's own
    overrides: Mapping[str, float | bool | str] = field(  # Timers field name -> value as written
        default_factory=dict[str, float | bool | str]
    )


#: The network that leads out of the cloud: hosts lend it a device, and need no address there.
EXTERNAL = "external"


@dataclass(frozen=True)
class Network:
    """`interface` is the device's name on hosts that say nothing else."""

    name: str
    cidr: IPv4Network
    interface: str


@dataclass(frozen=True)
class Zone:
    """A failure domain. Empty power or switch: not stated, so not checked."""

    name: str
    power: str = ""
    switch: str = ""


@dataclass(frozen=True)
class Ssh:
    """How fournines reaches a host. `sudo` is implied by a user other than root."""

    user: str = "root"
    port: int = 22
    key: FilePath | None = None  # None: the lab's key, else the agent and ~/.ssh defaults
    known_hosts: FilePath | None = None


@dataclass(frozen=True)
class Bmc:
    """A host's power switch, by Redfish. system: "" for the only one that it has. ca None: the cloud's own CA."""

    address: IPv4Address
    port: int = 443
    user: str = "admin"
    system: str = ""
    ca: FilePath | None = None
    verify: bool = True

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"


@dataclass(frozen=True)
class Host:
    """`address` is on the management network. `devices` maps each attached network's name to the host's device;
    `addresses` to an address, where there is one."""

    name: str
    region: str
    zone: Zone
    address: IPv4Address
    addresses: Mapping[str, IPv4Address]
    roles: tuple[str, ...]
    services: frozenset[str]
    ssh: Ssh
    entry: Path = ()  # of the cloud file: the same for all hosts of a range
    projects: tuple[str, ...] = ()  # whose servers alone may run here; (): everybody's
    devices: Mapping[str, str] = field(default_factory=dict[str, str])
    bmc: Bmc | None = None
    #: Not of the file, which no longer has it: it carries nothing any more, and stops what it carried.
    leaving: bool = False


@dataclass(frozen=True)
class Vips:
    internal: IPv4Address  # on network `management`
    public: IPv4Address  # on network `public`
    vrid: int  # 1..255, derived from cloud and region names unless the file says
    #: What moves between hosts with an address of its own (`database`, `messaging`) -> that, on network `management`.
    moving: Mapping[str, IPv4Address] = field(default_factory=dict[str, IPv4Address])


@dataclass(frozen=True)
class Lun:
    """A disk that `hosts` (names) see, under the name `device` on each; one of them at a time may use it."""

    name: str
    device: str
    hosts: tuple[str, ...]
    entry: Path = ()  # of the cloud file


@dataclass(frozen=True)
class Region:
    name: str
    vips: Vips
    networks: Mapping[str, Network]
    zones: Mapping[str, Zone]
    hosts: tuple[Host, ...]  # file order; the order is the tie-break everywhere
    public_name: str = ""  # DNS name of the public VIP; "": clients use its address
    scrapers: tuple[IPv4Address, ...] = ()  # Prometheus servers outside that read its metrics
    luns: Mapping[str, Lun] = field(default_factory=dict[str, Lun])

    @property
    def public_host(self) -> str:
        """What users' URLs have for a host."""
        return self.public_name or str(self.vips.public)

    @property
    def public_hosts(self) -> Mapping[str, str]:
        """The public name and its address, for clients of our own: the DNS may know it later than they ask."""
        return {self.public_name: str(self.vips.public)} if self.public_name else {}


@dataclass(frozen=True)
class ServiceConfig:
    """`services.NAME` of the cloud file. options: file -> section ("" where it has none) -> option -> value.
    passive: on one of its hosts at a time."""

    options: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(
        default_factory=dict[str, Mapping[str, Mapping[str, Any]]]
    )
    passive: bool = False


@dataclass(frozen=True)
class DesignSpec:
    """`design:` of the cloud file. Times in seconds, `target` and `targets` in per cent, `coverage` 0..1.

    failures: kind of component, or service -> (MTTF, MTTR); None: the default. failover: service -> seconds.
    """

    target: float | None = None
    targets: Mapping[str, float] = field(default_factory=dict[str, float])
    failures: Mapping[str, tuple[float | None, float | None]] = field(
        default_factory=dict[str, tuple[float | None, float | None]]
    )
    failover: Mapping[str, float] = field(default_factory=dict[str, float])
    coverage: float = 0.99
    manual: float = 1800.0


#: What fails as a whole; `process` is any service's.
FAILURE_KINDS = ("region", "network", "power", "switch", "zone", "host", "process")


@dataclass(frozen=True)
class Tls:
    """Operator's own certificate for the public VIP; None: fournines' CA issues one. internal: of what services say to
    one another."""

    certificate: FilePath | None = None
    key: FilePath | None = None
    ca: FilePath | None = None
    internal: Literal["required", "optional", "off"] = "required"


@dataclass(frozen=True)
class Logs:
    """Where every host sends its journal; "": nowhere. ca: None where the system's own authorities are meant."""

    to: str = ""
    ca: FilePath | None = None


#: What a lab makes a host of: a container, which has the machine's kernel, or a virtual machine with one of its own.
LabKind = Literal["nspawn", "vm"]


@dataclass(frozen=True, eq=False)
class Cloud:
    name: str
    release: str  # of OpenStack, as the file wants it; `versions` says what hosts have
    pattern: Pattern
    timing: TimingSpec
    regions: Mapping[str, Region]
    roles: Mapping[str, frozenset[str]]  # role -> services, shipped and the operator's own
    services: Mapping[str, ServiceConfig]
    tls: Tls
    source: FilePath  # the cloud file; state lives beside it
    secrets: Secrets
    accept: Mapping[str, str] = field(default_factory=dict[str, str])  # design rule -> why this cloud lives with it
    components: frozenset[str] = frozenset()  # services that this cloud wants, placed or not
    design: DesignSpec = field(default_factory=DesignSpec)
    handlers: Mapping[str, Handler] = field(default_factory=dict[str, Handler])  # the shipped ones too
    logs: Logs = Logs()
    receivers: Mapping[str, Receiver] = field(default_factory=dict[str, Receiver])
    lab: Mapping[str, LabKind] = field(default_factory=dict[str, LabKind])  # host -> its kind in a lab; others: nspawn
    places: Places = field(default_factory=Places, repr=False)
    #: Not of the file: what operators have asked of single hosts, as the hosts have it (`cloud.maintenance`).
    maintenance: Entries = field(default_factory=dict[str, Maintenance])
    #: Not of the file: hosts that have left, by name. Members and records of them are deleted (`cloud.record`).
    retired: Mapping[str, Retired] = field(default_factory=dict[str, Retired])
    #: Not of the file: the versions that packages are to have (`cloud.versions`).
    versions: Versions = NONE

    @cached_property
    def hosts(self) -> tuple[Host, ...]:
        return tuple(h for r in self.regions.values() for h in r.hosts)

    @cached_property
    def host_by_name(self) -> Mapping[str, Host]:
        return {h.name: h for h in self.hosts}

    @cached_property
    def _placement(self) -> Mapping[tuple[str, str], tuple[Host, ...]]:
        placed: dict[tuple[str, str], list[Host]] = {}
        for host in self.hosts:
            for service in host.services:
                placed.setdefault((host.region, service), []).append(host)
        return {k: tuple(v) for k, v in placed.items()}

    def hosts_of(self, service: str, region: str) -> tuple[Host, ...]:
        """Hosts of `region` that carry `service`, in file order."""
        return self._placement.get((region, service), ())

    @cached_property
    def drained(self) -> frozenset[str]:
        """Hosts that must carry nothing that another host can carry."""
        return frozenset(name for name, entry in self.maintenance.items() if entry.drained)

    @cached_property
    def passive(self) -> frozenset[str]:
        """Services that are to run on one of their hosts at a time (`ha: passive`)."""
        return frozenset(name for name, config in self.services.items() if config.passive)

    def lab_kind(self, host: Host) -> LabKind:
        return self.lab.get(host.name, "nspawn")

    def region_of(self, host: Host) -> Region:
        return self.regions[host.region]

    def options(self, service: str, file: str) -> Mapping[str, Mapping[str, Any]]:
        """The operator's own options for one configuration file of `service`: section -> option -> value."""
        config = self.services.get(service)
        return config.options.get(file, {}) if config else {}

    @property
    def state_dir(self) -> FilePath:
        """Runs, saved plans, locks, clouds.yaml: `.fournines/<cloud>/` beside the cloud file."""
        return self.source.parent / ".fournines" / self.name
