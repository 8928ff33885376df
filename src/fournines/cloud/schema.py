"""The cloud file as it is written: its keys, their types and what they mean.

The JSON Schema, the reference in docs/ and the loader's errors all come from here. `cloud.resolve` turns it into the
types of `cloud.model`; references between parts (a host's zone, a role's services) are its business, not this module's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from fournines.cloud.ranges import Start
from fournines.cloud.releases import releases
from fournines.cloud.values import (
    Address,
    Cidr,
    CloudName,
    Detect,
    DnsName,
    FirstAddress,
    HostPattern,
    Interface,
    MaybeAddress,
    Name,
    Option,
    Percent,
    Repair,
    Scalar,
    Share,
    Span,
)
from fournines.cloud.versions import FIRST


def _empty(value: object) -> object:
    """`rack1:` with nothing behind it is a zone of which nothing is stated."""
    return {} if value is None else value


def _network(value: object) -> object:
    """The short form: `management: 198.18.0.0/24`."""
    return {"cidr": value} if isinstance(value, str) else value


def _listed(value: object) -> object:
    """The short form: `components: core`."""
    return [value] if isinstance(value, str) else value


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Pattern(Part):
    """The mechanism of each tier."""

    cluster: Literal["pacemaker"] | None = Field(
        default=None,
        description="a Pacemaker and Corosync cluster on the hosts of role `endpoint`, with fencing: every one of them "
        "needs `bmc`. Default: none",
    )
    vip: Literal["keepalived", "pacemaker"] = Field(
        default="keepalived",
        description="`keepalived`: VRRPv3 unicast; a host without quorum gives it up. `pacemaker`: IPaddr2 resources "
        "of the cluster",
    )
    database: Literal["galera", "replica", "shared"] = Field(
        default="galera",
        description="`galera`: MariaDB with Galera, one writer. `replica`: a primary and semi-synchronous replicas, "
        "each with its own disk. `shared`: one MariaDB on a LUN that several hosts see (`storage`), on one of them at "
        "a time. The last two need `cluster: pacemaker`",
    )
    messaging: Literal["rabbitmq", "shared"] = Field(
        default="rabbitmq",
        description="`rabbitmq`: a cluster of RabbitMQ nodes with quorum queues. `shared`: one RabbitMQ on a LUN that "
        "several hosts see (`storage`), on one of them at a time; needs `cluster: pacemaker`",
    )
    network: Literal["ovs", "ovs-dvr"] = Field(
        default="ovs",
        description="Neutron's Open vSwitch agents; `ovs-dvr`: with distributed routers",
    )
    compute: Literal["libvirt", "fake"] = Field(
        default="libvirt",
        description="what runs servers: KVM, or QEMU on hosts without; `fake`: nothing, they are in Nova's books only",
    )
    time: Literal["chrony", "own"] = Field(
        default="chrony",
        description="what keeps the hosts' clocks: `chrony`, installed where no other time daemon runs, and `apply` "
        "waits until it is synchronised; `own`: yours. `status` compares the clocks either way",
    )
    images: Literal["swift", "ceph", "nfs", "file"] | None = Field(
        default=None,
        description="where Glance keeps images; `file`: for one host alone. Default: `swift` where components have it",
    )


class Timing(Part):
    """How fast failures are noticed: a profile, scaled by one number, single timers overridden by name."""

    profile: str = Field(
        default="lan", description="lan, wan, or a peer's shipped timers: kolla-22.2, osa-33, ha-guide"
    )
    detect: Detect | None = Field(
        default=None, description="how fast a failure must be noticed; default: the profile's, lan 1s, wan 4s"
    )
    overrides: dict[str, Scalar] = Field(
        default_factory=dict[str, Any], description="timer → value, see [Timers](#timers); checked like the rest"
    )


class Vips(Part):
    """The addresses that clients use."""

    internal: Address = Field(description="on network `management`")
    public: Address = Field(description="on network `public`; TLS")
    database: Address | None = Field(
        default=None,
        description="on network `management`: of the database of `pattern: {database: replica}` or `shared`, with "
        "which it moves",
    )
    messaging: Address | None = Field(
        default=None,
        description="on network `management`: of the broker of `pattern: {messaging: shared}`, with which it moves",
    )

    @property
    def moving(self) -> dict[str, Address]:
        """Those that move with a service of which there is one, by what that is."""
        found = {"database": self.database, "messaging": self.messaging}
        return {name: address for name, address in found.items() if address}

    vrid: int | None = Field(
        None, ge=1, le=255, description="VRRP router id; default: from the names of cloud and region"
    )


class Network(Part):
    """Short form: the CIDR alone."""

    cidr: Cidr = Field(description="such as 198.18.0.0/24")
    interface: Interface | None = Field(
        default=None, description="device on every attached host, unless a host says otherwise; default: its name"
    )


class Zone(Part):
    """A failure domain: hosts that share power or a switch fail together. Not stated means not checked."""

    power: str = Field(default="", description="power feed")
    switch: str = Field(default="", description="top-of-rack switch")


class Ssh(Part):
    """How fournines reaches hosts. A host's own `ssh` goes before the cloud's, key by key."""

    user: str | None = Field(default=None, min_length=1, description="default root; another user needs sudo")
    port: int | None = Field(default=None, ge=1, le=65535, description="default 22")
    key: str | None = Field(default=None, min_length=1, description="private key; default: the SSH agent and `~/.ssh`")
    known_hosts: str | None = Field(default=None, min_length=1, description="default: `~/.ssh/known_hosts`")


class Bmc(Part):
    """A host's baseboard management controller, by which the cluster, `fence` and `prove` switch its power. Its
    password is `bmc.HOST` in the secrets file."""

    address: FirstAddress = Field(description="of its Redfish service; with `+` each host of a range has the next one")
    user: str = Field(default="admin", min_length=1, description="account that may reset the system")
    port: int = Field(default=443, ge=1, le=65535, description="default 443")
    system: str | None = Field(
        default=None,
        pattern="^/redfish/",
        description="Redfish resource of the system, such as /redfish/v1/Systems/1; default: the only one it has",
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="PEM that its certificate is checked against; default: the cloud's own CA (in the lab `lab up` has "
        "it sign those certificates)",
    )
    verify: bool = Field(
        default=True, description="false: its certificate is not checked, so whoever is in between learns the password"
    )


class Host(Part):
    """One host, or a range: `cmp[001-100]` with `address: 198.18.0.101+`."""

    zone: str = Field(description="one of the region's zones")
    address: FirstAddress = Field(description="on network `management`; with `+` each host of a range has the next one")
    roles: list[str] = Field(min_length=1, description="shipped roles, or your own")
    addresses: dict[str, MaybeAddress] = Field(
        default_factory=dict[str, Start | None],
        description="network → address; default: the offset that `address` has in `management` (none on `external`); "
        "null: not attached",
    )
    interfaces: dict[str, Interface] = Field(
        default_factory=dict[str, str], description="network → its device on this host; default: the network's"
    )
    projects: list[Name] = Field(
        default_factory=list[str],
        description="only servers of these projects run here; projects of the default domain, made where missing",
    )
    ssh: Ssh = Field(default_factory=Ssh, description="only what differs from the cloud's")
    bmc: Bmc | None = Field(default=None, description="its power switch; needed by `pattern: {cluster: pacemaker}`")


class Lun(Part):
    """A disk that several hosts see, of which one at a time may use it."""

    hosts: list[str] = Field(min_length=1, description="those that see it")
    device: str = Field(
        pattern=r"^/dev/\S+$",
        description="its name on all of them, one that a boot does not change: below /dev/disk/by-id or /dev/mapper",
    )


class Storage(Part):
    """What hosts have in common."""

    luns: dict[Name, Lun] = Field(
        default_factory=dict[str, Lun],
        description="what is on it → LUN: `database`, `messaging`, for tiers of `pattern:` that are `shared`. In a lab "
        "`lab up` makes them",
    )


class Region(Part):
    """Regions share nothing."""

    vips: Vips
    networks: dict[Name, Annotated[Network, BeforeValidator(_network, json_schema_input_type=Cidr | Network)]] = Field(
        description="`management` and `public`, and your own"
    )
    zones: dict[Name, Annotated[Zone, BeforeValidator(_empty, json_schema_input_type=Zone | None)]] = Field(
        description="failure domains"
    )
    hosts: dict[HostPattern, Host] = Field(description="name or range → host; the order is the tie-break")
    storage: Storage = Field(default_factory=Storage, description="disks that several hosts see")
    public_name: DnsName | None = Field(
        default=None,
        description="DNS name of the public VIP: what the catalogue, clients and certificates call it; its entry in "
        "the DNS is yours to make. Default: the address itself",
    )
    scrapers: Annotated[list[Address], BeforeValidator(_listed, json_schema_input_type=str | list[str])] = Field(
        default_factory=list[Address],
        description="addresses of Prometheus servers of your own: exporters are installed and let them in, as they do "
        "hosts of role `monitoring`; `fournines export prometheus` writes their configuration",
    )


class Service(Part):
    """How many of its copies work, and what goes into its own files beside what fournines writes."""

    ha: Literal["passive"] | None = Field(
        default=None,
        description="`passive`: it runs on one of its hosts at a time, and Pacemaker moves it; needs `cluster: "
        "pacemaker`. For APIs and what may run once; `check` names those that can. Default: the service's own pattern",
    )
    options: dict[str, dict[str, Option]] = Field(
        default_factory=dict[str, dict[str, Any]],
        description="file → section → option → value (file → option → value where the file has no sections)",
    )


class Tls(Part):
    """Certificates: of the public VIP, and of what services say to one another."""

    certificate: str | None = Field(
        default=None,
        min_length=1,
        description="PEM of your own: the certificate for the regions' `public_name` (or public VIP), then its chain",
    )
    key: str | None = Field(default=None, min_length=1, description="PEM, without a passphrase")
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="PEM, what clients verify with; needed unless this machine trusts the issuer, or it is self-signed",
    )
    internal: Literal["required", "optional", "off"] = Field(
        default="required",
        description="TLS between services, under a CA of the cloud's own; `optional`: servers also take what is not"
        " encrypted, for the time of a change; `off`: nothing inside is encrypted",
    )


class Logs(Part):
    """Where every host also sends its journal. It stays on the host as well."""

    to: str | None = Field(
        default=None,
        pattern=r"^(tls|tcp)://[^/\s:]+(:\d+)?/?$|^https?://\S+$",
        description="`tls://HOST:6514` or `tcp://HOST:601`: syslog, RFC 5424; an address by HTTPS, such as one that"
        " ends in `/loki/api/v1/push`: what takes Loki's JSON. A bearer token for it is `logs.token` in the secrets"
        " file. Default: nowhere",
    )
    ca: str | None = Field(
        default=None, min_length=1, description="PEM that its certificate is checked against; default: the system's own"
    )


class Failures(Part):
    """How often something fails and how long it stays down; what is left out keeps its default."""

    mttf: Span | None = Field(default=None, description="mean time to failure, such as 90d or 12y; `never`")
    mttr: Repair | None = Field(default=None, description="mean time to repair, such as 30s or 4h")


class Design(Part):
    """What `design` computes with."""

    target: Percent | None = Field(default=None, description="availability of every function in per cent: 99.99")
    targets: dict[str, Percent] = Field(
        default_factory=dict[str, Any], description="function → its own target, see `fournines design why`"
    )
    failures: dict[str, Failures] = Field(
        default_factory=dict[str, Failures],
        description="`region`, `network`, `power`, `switch`, `zone`, `host`, `process`, or a service's name for its "
        "process → how often it fails",
    )
    failover: dict[str, Repair] = Field(
        default_factory=dict[str, Any],
        description="service → how long clients wait for its next copy; default: measured, else by the timers",
    )
    coverage: Share = Field(default=0.99, description="share of failovers that work without a person; default 0.99")
    manual: Repair = Field(default=1800.0, description="how long the others take; default 30m")


class Handler(Part):
    """What `fournines watch` does about an event by itself. Of one that every cloud has (`compute-agent`,
    `flapping-host`, `certificate-ends`, `log-full`) only what is to be different."""

    when: Literal["outage", "daemon.down", "host.unreachable", "certificate.ends", "log.full", "alert"] | None = Field(
        default=None, description="the event, see [Events](#events-and-actions)"
    )
    do: list[Literal["notify", "restart", "drain", "fence", "reboot", "renew", "plan"]] | None = Field(
        default=None, min_length=1, description="actions, one after another; `notify` says what the ones before did"
    )
    of: list[str] | None = Field(
        default=None, description="shell patterns of what the event is of: function, unit, file. Default: any"
    )
    hosts: list[str] | None = Field(default=None, description="shell patterns of hosts. Default: any")
    lasts: Repair | None = Field(default=None, description="how long the event must have lasted; default: no time")
    times: int | None = Field(default=None, ge=1, le=50, description="how often it must have begun; default 1")
    within: Repair | None = Field(default=None, description="in what time; default 10m")
    limit: int | None = Field(default=None, ge=1, le=1000, description="how often it acts at most; default 3")
    per: Repair | None = Field(default=None, description="in what time; default 1h")
    settle: Repair | None = Field(
        default=None,
        description="when an action must have helped, else this handler stops there until it is resumed; default 2m",
    )
    notify: list[str] | None = Field(default=None, description="which of `receivers`; default: all")
    plan: str | None = Field(default=None, min_length=1, description="a saved plan, for `do: [plan]`")
    dry_run: bool | None = Field(default=None, description="only record what it would do")
    enabled: bool | None = Field(default=None, description="false: it does nothing")


class Receiver(Part):
    """Whom `notify` tells. A webhook gets JSON whose `text` Slack, Mattermost and Matrix's hookshot show."""

    kind: Literal["webhook", "mail", "script"] = Field(description="how it is told")
    url: str | None = Field(
        default=None,
        pattern="^https?://",
        description="of a webhook; one that is a secret itself is `receivers.NAME.url` in the secrets file. With "
        "`receivers.NAME.token` there, that is sent as a bearer token",
    )
    server: str | None = Field(
        default=None,
        pattern=r"^[^\s:]+:\d+$",
        description="of mail: host:port, by STARTTLS (by TLS on port 465); a password for `sender` is "
        "`receivers.NAME.password` in the secrets file",
    )
    sender: str | None = Field(default=None, min_length=3, description="of mail: who sends it")
    to: list[str] = Field(default_factory=list[str], description="of mail: who gets it")
    script: str | None = Field(default=None, min_length=1, description="run with the event as JSON on its input")


class Lab(Part):
    """What `fournines lab up` makes hosts of. Of no effect on hosts that are not a lab's."""

    hosts: dict[HostPattern, Literal["nspawn", "vm"]] = Field(
        default_factory=dict[str, Any],
        description="name or range → `nspawn`: a container, which has this machine's kernel; `vm`: a virtual machine "
        "with a kernel of its own, Debian's, by KVM where that works, else slowly. Default: `nspawn`",
    )


class CloudFile(Part):
    """One OpenStack cloud."""

    cloud: CloudName = Field(description="the cloud's name; its secrets and its lab are named after it")
    release: str = Field(default=FIRST, description="OpenStack release", json_schema_extra={"enum": [*releases()]})
    components: Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str])] = Field(
        default=["full"],
        description="what to run: `core` (identity and what carries it), `compute` (servers, images, networks, "
        "volumes), `full`, or a list of services; what these need comes along. Default `full`",
    )
    pattern: Pattern = Field(default_factory=Pattern)
    timing: Timing = Field(default_factory=Timing)
    regions: dict[Name, Region]
    roles: dict[Name, list[str]] = Field(default_factory=dict[str, list[str]], description="your own: role → services")
    services: dict[str, Annotated[Service, BeforeValidator(_empty, json_schema_input_type=Service | None)]] = Field(
        default_factory=dict[str, Service], description="service → its options"
    )
    design: Design = Field(default_factory=Design)
    ssh: Ssh = Field(default_factory=Ssh)
    tls: Tls = Field(default_factory=Tls)
    logs: Logs = Field(default_factory=Logs)
    handlers: dict[Name, Handler] = Field(
        default_factory=dict[str, Handler], description="name → what `fournines watch` does by itself"
    )
    receivers: dict[Name, Receiver] = Field(
        default_factory=dict[str, Receiver], description="name → whom handlers notify"
    )
    lab: Lab = Field(default_factory=Lab)
    accept: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict[str, str],
        description="rule of `check` → why this cloud lives with it; its errors become warnings",
    )
