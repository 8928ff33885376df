"""What one host's agent says (/run/fournines/state.json), typed. Parts that the host does not carry are None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fournines.cloud.maintenance import Entries, Maintenance, entries
from fournines.health import pacemaker
from fournines.health.pacemaker import PacemakerState

SYNCED = "Synced"
#: wsrep_local_state (Galera's `gcs_node_state`).
_WSREP_STATES = {0: "not connected", 1: "Joining", 2: "Donor", 3: "Joined", 4: SYNCED}


@dataclass(frozen=True)
class Vip:
    """held: the VIP addresses on this host. granted: a majority votes for it, so it serves them. may_hold: it could
    be voted for; `why` not."""

    held: tuple[str, ...]
    may_hold: bool
    why: str
    balancer: bool
    granted: bool = True


@dataclass(frozen=True)
class GuardState:
    """answered: seconds since the guard last told its observer anything, None: never. vote: the host it votes for, ""
    for none or where it does not vote. delay: the worst scheduling delay of the last minute or two, seconds. degraded:
    a voter is away, and the others are more patient with one another."""

    answered: float | None
    voters: tuple[str, ...]
    vote: str
    delay: float
    degraded: bool


@dataclass(frozen=True)
class Backend:
    """One server of one proxy, as one HAProxy sees it."""

    proxy: str
    server: str
    status: str
    check: str

    @property
    def up(self) -> bool:
        return self.status.startswith("UP")


@dataclass(frozen=True)
class Galera:
    """answered: seconds since mysqld last answered, None when it refuses. acting: this host takes the writes. choice:
    what the agents make of a cluster that is not Primary. missing: hosts without which they will not start one."""

    answered: float | None
    primary: bool
    state: str
    cluster: str
    seqno: int
    members: tuple[str, ...]
    receive_queue: int
    acting: bool
    recorded: str
    error: str
    choice: str
    missing: tuple[str, ...]

    @property
    def good(self) -> bool:
        return self.primary and self.state == SYNCED and self.answered is not None and self.answered <= 5.0


@dataclass(frozen=True)
class Queue:
    vhost: str
    name: str
    type: str
    leader: str
    members: tuple[str, ...]
    online: tuple[str, ...]

    @property
    def missing(self) -> int:
        return len(self.members) - len(self.online)

    @property
    def quorum(self) -> bool:
        return 2 * len(self.online) > len(self.members)


@dataclass(frozen=True)
class Rabbitmq:
    """As this host's node sees the cluster. running: names of nodes; alarms: what each raises."""

    ok: bool
    error: str
    running: tuple[str, ...]
    stopped: tuple[str, ...]
    alarms: tuple[str, ...]
    queues: tuple[Queue, ...]


@dataclass(frozen=True)
class Probe:
    ok: bool
    error: str


@dataclass(frozen=True)
class Report:
    """One part of a service, as its database has it. kind: `nova-compute`, `L3 agent`. age: seconds since it reported;
    up: not too many. host: as the service names it, `HOST@BACKEND` of a volume service."""

    service: str
    kind: str
    host: str
    age: float
    up: bool
    enabled: bool


@dataclass(frozen=True)
class Router:
    """states: host -> `active`, `standby`, `unknown`."""

    id: str
    name: str
    states: Mapping[str, str]

    @property
    def active(self) -> tuple[str, ...]:
        return tuple(host for host, state in self.states.items() if state == "active")


@dataclass(frozen=True)
class Openstack:
    """From the writer's host. cells: name -> computes in it."""

    reports: tuple[Report, ...]
    routers: tuple[Router, ...]
    cells: Mapping[str, int]

    @property
    def services(self) -> frozenset[str]:
        """Those of which anything has ever reported."""
        return frozenset(r.service for r in self.reports)


@dataclass(frozen=True)
class Lun:
    """A disk that other hosts see as well, as this host has it."""

    mounted: bool
    read_only: bool


@dataclass(frozen=True)
class Replica:
    """A copy of a database that the cluster promotes, as its agent saw it last. ok: it did lately; else `error`. state:
    `primary`, `replica`, `idle` (it follows nobody), `building` (it becomes a copy of the primary's).

    position, applied: GTIDs that it has received, and applied. complete: some replica has every acknowledged row. sync:
    hosts that may have acknowledged one. waits: the primary's commits wait for a replica; acknowledges: this replica
    tells it. receives, applies: of its two threads. lag: seconds, None: not known. problem: what is in the way. why: it
    must not be promoted; "": it may. aside: folders with old data that a copy took the place of.
    """

    ok: bool
    error: str
    state: str = ""
    position: str = ""
    applied: str = ""
    primary: str = ""
    complete: bool = False
    sync: tuple[str, ...] = ()
    waits: bool = False
    waiting: int = 0
    acknowledges: bool = False
    receives: str = ""
    applies: str = ""
    lag: float | None = None
    problem: str = ""
    why: str = ""
    aside: tuple[str, ...] = ()

    @property
    def follows(self) -> bool:
        return self.state == "replica" and self.receives == "Yes" and self.applies == "Yes"


@dataclass(frozen=True)
class HostState:
    """age: seconds between the host's clock and when its agent wrote this. units: name -> "active", "failed (…)".
    departed: peers that its guard has declared dead. certificates: file -> seconds since the epoch at which it ends;
    None: it cannot be read as one. absent: certificates that are not there. fernet_age: seconds, of the primary key.
    clock: seconds by which the host's is ahead of that of the machine that asked, give or take so many. maintenance:
    what operators have asked of hosts, as far as this one knows."""

    host: str
    age: float
    silent_peers: tuple[str, ...] = ()
    departed: tuple[str, ...] = ()
    vip: Vip | None = None
    guard: GuardState | None = None
    starting: bool = False
    backends: tuple[Backend, ...] = ()
    galera: Galera | None = None
    rabbitmq: Rabbitmq | None = None
    memcached: Probe | None = None
    keystone: Probe | None = None
    pacemaker: PacemakerState | None = None
    luns: Mapping[str, Lun] = field(default_factory=dict[str, "Lun"])
    replica: Replica | None = None
    units: Mapping[str, str] = field(default_factory=dict[str, str])
    certificates: Mapping[str, float | None] = field(default_factory=dict[str, "float | None"])
    absent: tuple[str, ...] = ()
    fernet_age: float | None = None
    openstack: Openstack | None = None
    clock: tuple[float, float] | None = None
    maintenance: Entries = field(default_factory=dict[str, Maintenance])

    def unhealthy(self, service: str) -> str:
        """What its daemon itself says against this host's copy of `service`, "" for nothing."""
        if service == "mariadb" and self.galera and not self.galera.good:
            return f"its node is {'Primary' if self.galera.primary else 'not Primary'}, {self.galera.state}"
        probed: Mapping[str, Probe | Rabbitmq | None] = {
            "rabbitmq": self.rabbitmq,
            "memcached": self.memcached,
            "keystone": self.keystone,
        }
        probe = probed.get(service)
        return f"does not answer: {probe.error}" if probe and not probe.ok else ""


def parse(document: Mapping[str, Any], age: float) -> HostState:
    """`document`: state.json. KeyError or TypeError when it is another version's."""
    peers: Mapping[str, Mapping[str, Any]] = document["peers"]
    return HostState(
        host=document["host"],
        age=age,
        silent_peers=tuple(n for n, peer in peers.items() if not peer["confirmed"] or peer.get("departed")),
        departed=tuple(n for n, peer in peers.items() if peer.get("departed")),
        vip=_vip(document["vip"]) if document["vip"] else None,
        guard=_guard(document["guard"]) if document.get("guard") else None,
        starting=bool(document.get("starting", False)),
        backends=tuple(_backends(_part(document, "haproxy"))),
        galera=_galera(document["galera"]) if document["galera"] else None,
        rabbitmq=_rabbitmq(_part(document, "rabbitmq")),
        memcached=_probe(document.get("memcached")),
        keystone=_probe(document.get("keystone")),
        pacemaker=pacemaker.parse(document["pacemaker"]) if document.get("pacemaker") else None,
        luns=_luns(_part(document, "luns")),
        replica=_replica(_part(document, "replica")),
        units=_units(_part(document, "units")),
        certificates=_part(document, "certificates").get("ends") or {},
        absent=tuple(_part(document, "certificates").get("absent") or ()),
        fernet_age=_part(document, "fernet").get("age"),
        openstack=_openstack(_part(document, "openstack")),
        maintenance=_maintenance(document.get("maintenance")),
    )


def _maintenance(said: Any) -> Entries:
    """{} of one that cannot be read: `plan` says where it is damaged."""
    try:
        return entries(said or {})
    except ValueError:
        return {}


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """{} until its watcher has looked for the first time."""
    return document.get(name) or {}


def _luns(said: Mapping[str, Any]) -> dict[str, Lun]:
    luns: Mapping[str, Mapping[str, Any]] = said.get("luns") or {}
    return {name: Lun(**state) for name, state in luns.items()}


def _replica(said: Mapping[str, Any]) -> Replica | None:
    """What is in it that this version does not know is left out."""
    if not said:
        return None
    known = Replica.__dataclass_fields__
    values: dict[str, Any] = {name: value for name, value in said.items() if name in known}
    values |= {name: tuple(said.get(name) or ()) for name in ("sync", "aside")}
    return Replica(**values)


def _vip(said: Mapping[str, Any]) -> Vip:
    return Vip(tuple(said["held"]), said["may_hold"], said["why"], said["balancer"], said.get("granted", True))


def _guard(said: Mapping[str, Any]) -> GuardState:
    return GuardState(
        answered=said["answered"],
        voters=tuple(said.get("voters") or ()),
        vote=said.get("vote") or "",
        delay=said.get("delay") or 0.0,
        degraded=bool(said.get("degraded")),
    )


def _backends(said: Mapping[str, Any]) -> list[Backend]:
    """One a proxy and host. While TLS is introduced a host has two, `HOST` and `HOST-tls`: one of them is up."""
    proxies: Mapping[str, Mapping[str, Mapping[str, str]]] = said.get("proxies") or {}
    found: dict[tuple[str, str], Backend] = {}
    for proxy, servers in proxies.items():
        for server, fields in servers.items():
            if server in ("FRONTEND", "BACKEND") or fields["status"] == "no check":
                continue
            host = server.removesuffix("-tls") if server.removesuffix("-tls") in servers else server
            backend = Backend(proxy, host, fields["status"], fields["check_desc"] or fields["check_status"])
            if backend.up or (proxy, host) not in found:
                found[proxy, host] = backend
    return list(found.values())


def _galera(said: Mapping[str, Any]) -> Galera:
    return Galera(
        answered=said["answered"],
        primary=said["primary"],
        state=_WSREP_STATES.get(said["local_state"], str(said["local_state"])),
        cluster=said["cluster"],
        seqno=said["seqno"],
        members=tuple(said["members"]),
        receive_queue=said["receive_queue"],
        acting=said["acting"],
        recorded=said["recorded"]["host"],
        error=said["error"],
        choice=said["choice"]["why"],
        missing=tuple(said["choice"]["missing"]),
    )


def _rabbitmq(said: Mapping[str, Any]) -> Rabbitmq | None:
    """None where there is none: of one that moves, on the hosts that do not have it."""
    if not said or said.get("elsewhere"):
        return None
    nodes: list[dict[str, Any]] = said.get("nodes") or []
    queues: list[dict[str, Any]] = said.get("queues") or []
    return Rabbitmq(
        ok=said["ok"],
        error=said["error"],
        running=tuple(n["name"] for n in nodes if n["running"]),
        stopped=tuple(n["name"] for n in nodes if not n["running"]),
        alarms=tuple(
            f"{n['name']}: {alarm}"
            for n in nodes
            for key, alarm in (("mem_alarm", "memory"), ("disk_free_alarm", "disk"))
            if n.get(key)
        ),
        queues=tuple(
            Queue(
                q["vhost"],
                q["name"],
                q["type"],
                q.get("leader") or "",
                tuple(q.get("members") or ()),
                tuple(q.get("online") or ()),
            )
            for q in queues
        ),
    )


def _probe(said: Mapping[str, Any] | None) -> Probe | None:
    """None where there is none: of one that moves, on the hosts that are not to run it."""
    return None if said is None or said.get("elsewhere") else Probe(said["ok"], said["error"])


def _units(said: Mapping[str, Any]) -> dict[str, str]:
    units: Mapping[str, Mapping[str, str]] = said.get("units") or {}
    found: dict[str, str] = {}
    for name, fields in units.items():
        active, result = fields.get("ActiveState", ""), fields.get("Result", "")
        found[name] = active if active == "active" or result in ("", "success") else f"{active} ({result})"
    return found


def _openstack(said: Mapping[str, Any]) -> Openstack | None:
    """None where the writer is not."""
    if said.get("reports") is None:
        return None
    reports = tuple(
        Report(service, kind, host, age, up, enabled)
        for service, kinds in said["reports"].items()
        for kind, hosts in kinds.items()
        for host, (age, up, enabled) in hosts.items()
    )
    late = {r.host for r in reports if r.kind == "L3 agent" and not r.up}
    routers = tuple(
        # Of an agent that no longer reports, the last word is worth nothing.
        Router(r["id"], r["name"], {h: "unknown" if h in late else state for h, state in r["states"].items()})
        for r in said["routers"]
    )
    return Openstack(reports, routers, said["cells"])
