"""The agent: two processes a host (`fournines.agent`), of which one decides who serves and the other acts on daemons.

The guard holds the VIP's lease and declares hosts dead; it runs where a host votes, can hold the VIP or is a member of
a quorum. The observer elects the database writer, brings a Galera majority that is not Primary back, restarts what
hangs, and tells. Per host: its peers miss an agent that dies, and it is started again.

With it comes the order of a boot: the APIs and agents of OpenStack start once this host's MariaDB and RabbitMQ are up,
or have had 30 s. All at once, a hundred Python processes keep a database node from its group for two minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, ClassVar

import fournines.agent
from fournines.agent.guard.heartbeat import PROTOCOL, pair_name
from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import EVERY_HOST, Component
from fournines.services import (
    balancer_cluster,
    broker,
    database_access,
    database_tls,
    galera_tls,
    haproxy,
    keepalived,
    keystone,
    mariadb,
    memcached,
    monitoring,
    passive,
    tls,
)
from fournines.services.capabilities import Listens, OnLun, Port, guards, present, voters
from fournines.services.render import template
from fournines.services.resource import Directory, File, Package, Resource, Task, Unit
from fournines.services.service import Check, HaPattern, Service
from fournines.services.units import APIS, QUORUM_FIRST
from fournines.timing import timers
from fournines.timing.timers import WRITER_PATIENCE

GUARD = "fournines-guard.service"
OBSERVER = "fournines-observer.service"
FALLBACK = "fournines-fallback.service"
SLICE = "fournines.slice"
MEMBERS = "its own members"
HTTP_PORT = 9200
HEARTBEAT_PORT = 9201
CODE = "/usr/lib/fournines/agent"
GUARD_FILE = "/etc/fournines/guard.json"
OBSERVER_FILE = "/etc/fournines/observer.json"
CERTIFICATE = f"{tls.DIRECTORY}/observer.pem"


class Agent(Service):
    name: ClassVar[str] = "agent"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = (EVERY_HOST,)
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = ("base",)
    #: A new voter must be heard before the others count on its vote.
    after: ClassVar[tuple[str, ...]] = ("firewall",)
    #: The guard on those hosts alone that `guards` names.
    units: ClassVar[tuple[str, ...]] = (OBSERVER, GUARD)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(HTTP_PORT, "tcp", "the load balancers", "the writer check of the load balancers"),
        Port(HTTP_PORT, "tcp", "the scrapers", "metrics, with a token"),
        Port(HEARTBEAT_PORT, "udp", "the guards", "heartbeats of the guards"),
    )
    #: What `prove` writes to: apart from what the cloud itself needs.
    databases: ClassVar[tuple[str, ...]] = ("probe",)
    vhosts: ClassVar[tuple[str, ...]] = ("probe",)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield _FORMER
        yield from _code()
        yield from galera_tls.transfer(cloud, host)
        # In every state of `tls.internal`: load balancers may ask by TLS before or after it is wanted.
        restart = (f"restart:{OBSERVER}",)
        yield File(CERTIFICATE, tls.host_pem(cloud, host), mode=0o600, secret=True, triggers=restart)
        yield _settings(OBSERVER_FILE, OBSERVER, _observer(cloud, host))
        guarded = host in guards(cloud, host.region)
        if guarded:
            yield _settings(GUARD_FILE, GUARD, _guard(cloud, host))
            yield Unit(GUARD)
        if guarded and "keepalived" in host.services:
            yield Unit(FALLBACK)
        yield from _RUNNING

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield Check(
            "the observer answers",
            host.name,
            f"curl -sS -m 2 -o /dev/null http://{host.address}:{HTTP_PORT}/database",
            within=30,
            unit=OBSERVER,
        )
        if host in guards(cloud, host.region):
            yield Check("the guard runs", host.name, f"systemctl -q is-active {GUARD}", within=30, unit=GUARD)


#: Until 2026-11 the agent was one process, which has the port of the heartbeats.
_FORMER = Task(
    name="the agent of one process is gone",
    check="test -e /etc/systemd/system/fournines-agent.service || echo ok",
    script=(
        "systemctl disable --now fournines-agent.service\n"
        "rm -f /etc/systemd/system/fournines-agent.service /etc/fournines/agent.json\n"
        "systemctl daemon-reload"
    ),
)
_RUNNING = (Unit(OBSERVER), Unit(QUORUM_FIRST), Unit(APIS))


@cache
def _code() -> tuple[Resource, ...]:
    """The package as it is, its units, and the command that MariaDB's unit starts. The same for every host of every
    cloud."""
    sources = sorted(_sources(files(fournines.agent)))
    guard = (f"restart:{GUARD}", f"restart:{FALLBACK}")
    both = (*guard, f"restart:{OBSERVER}")
    made: list[Resource] = [*database_access.resources(), Package("nftables"), Directory(CODE)]
    made += [Directory(f"{CODE}/{part}") for part in sorted({path.split("/")[0] for path, _ in sources if "/" in path})]
    for path, text in sources:
        # What the observer alone runs must not restart the guard, which holds the VIP's lease.
        triggers = (f"restart:{OBSERVER}",) if path.startswith("observer/") else both
        made.append(File(f"{CODE}/{path}", text, triggers=triggers))
    # A guard that starts reads bytecode: its host's right to the VIP ends 0.35 s after its last heartbeat.
    digest = hashlib.sha256("".join(text for _, text in sources).encode()).hexdigest()
    stamp = f"{CODE}/.compiled"
    script = f"python3 -m compileall -q -f {CODE} && echo {digest} > {stamp}"
    made.append(Task("the agent's bytecode", f"cat {stamp} 2>/dev/null || true", script, digest))
    for unit in (GUARD, FALLBACK, OBSERVER):
        text = template(f"agent/{unit}.j2", sandbox=_sandbox(unit))
        made.append(File(f"/etc/systemd/system/{unit}", text, triggers=(f"restart:{unit}",)))
    made += [
        File(f"/etc/systemd/system/{SLICE}", template(f"agent/{SLICE}.j2")),
        File(f"/etc/systemd/system/{APIS}", template(f"agent/{APIS}.j2")),
        File(f"{CODE}/galera-start", template("agent/galera-start.j2"), mode=0o755),
        File(f"{CODE}/quorum-first", template("agent/quorum-first.j2"), mode=0o755),
        File(
            f"/etc/systemd/system/{QUORUM_FIRST}", template(f"agent/{QUORUM_FIRST}.j2", command=f"{CODE}/quorum-first")
        ),
    ]
    return tuple(made)


def _sources(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(path below the package, text)"""
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            yield f"{prefix}{entry.name}", entry.read_text()


#: What each of them may do beyond reading and its own sockets. The guard: real-time, locked memory, ICMP, nftables,
#: VRRP's addresses, and killing a keepalived that hangs. The observer: ending connections, killing daemons that hang,
#: reading what belongs to others, and being the database's root.
_CAPABILITIES = {
    GUARD: "CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_NICE CAP_IPC_LOCK CAP_KILL CAP_DAC_OVERRIDE",
    FALLBACK: "CAP_NET_ADMIN CAP_NET_RAW CAP_KILL CAP_DAC_OVERRIDE",
    OBSERVER: "CAP_NET_ADMIN CAP_NET_RAW CAP_KILL CAP_DAC_OVERRIDE CAP_SYS_PTRACE",
}
_WRITES = {GUARD: "/run/fournines", FALLBACK: "/run/fournines", OBSERVER: "/run/fournines /var/lib/fournines"}


def _sandbox(unit: str) -> str:
    lines = [
        f"CapabilityBoundingSet={_CAPABILITIES[unit]}",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        f"ReadWritePaths={_WRITES[unit]} -/sys/fs/cgroup",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "ProtectClock=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=no",
        "RestrictNamespaces=yes",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        "MemoryDenyWriteExecute=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallErrorNumber=EPERM",
        "ProtectHostname=yes",
        "KeyringMode=private",
        "UMask=0077",
    ]
    return "\n".join(lines)


def _settings(path: str, unit: str, values: dict[str, Any]) -> File:
    triggers = (f"restart:{unit}", f"restart:{FALLBACK}") if unit == GUARD else (f"restart:{unit}",)
    return File(path, json.dumps(values, indent=2) + "\n", mode=0o600, secret=True, triggers=triggers)


def _guard(cloud: Cloud, host: Host) -> dict[str, Any]:
    """The shape is described in `agent.guard.config`."""
    t, voting = timers(cloud), voters(cloud, host.region)
    settings: dict[str, Any] = {
        "protocol": PROTOCOL,
        "host": host.name,
        "address": str(host.address),
        "port": HEARTBEAT_PORT,
        "votes": host in voting,
        "peers": [
            {
                "name": peer.name,
                "address": str(peer.address),
                "votes": peer in voting,
                "key": _pair_key(cloud, host, peer),
            }
            for peer in guards(cloud, host.region)
            if peer != host
        ],
        "candidates": [h.name for h in cloud.hosts_of("keepalived", host.region)],
        "heartbeat": t.agent_heartbeat,
        "vip_lease": t.vip_lease if t.vip_quorum and not balancer_cluster.moved(cloud) else 0,
        "dead_host": t.dead_host,
        "degraded": t.degraded,
    }
    if "keepalived" in host.services or ("haproxy" in host.services and balancer_cluster.moved(cloud)):
        # With "unit": "" it only looks: another one decides who has the VIPs.
        settings["vip"] = {
            "addresses": [
                {"address": address, "prefix": prefix, "interface": interface}
                for address, prefix, interface in keepalived.vips(cloud, host)
            ],
            "unit": "" if balancer_cluster.moved(cloud) else keepalived.UNIT,
            "track_file": keepalived.TRACK_FILE,
            "alive_file": keepalived.ALIVE_FILE,
            "balancer": haproxy.UNIT,
            "monitor_port": haproxy.MONITOR_PORT,
        }
    return settings


def _pair_key(cloud: Cloud, host: Host, peer: Host) -> str:
    """Of these two hosts alone: one that is taken over cannot speak for a third."""
    secret = cloud.secrets.get("agent.heartbeat").encode()
    return hmac.digest(secret, f"{host.region}|{pair_name((host.name, peer.name))}".encode(), "sha256").hex()


def _observer(cloud: Cloud, host: Host) -> dict[str, Any]:
    """The shape is described in `agent.observer.config`."""
    carried = [s for s in present(cloud, host.region) if s.name in host.services]
    vips = cloud.region_of(host).vips
    has = {s.name for s in carried}
    guarded = host in guards(cloud, host.region)
    clustered = passive.clustered(cloud, host.region)
    units = [u for s in carried for u in s.units_in(cloud) if u not in clustered and (u != GUARD or guarded)]
    luns = {name: at for s in carried if isinstance(s, OnLun) for name, at in s.luns.items()}
    return {
        "cloud": cloud.name,
        "region": host.region,
        "host": host.name,
        "address": str(host.address),
        "http_port": HTTP_PORT,
        "token": state_token(cloud),
        **({"metrics_token": metrics_token(cloud)} if monitoring.monitored(cloud, host.region) else {}),
        "certificate": CERTIFICATE,
        "private_by_tls": tls.encrypted(cloud),
        "peers": _peers(cloud, host.region) if guarded else [],
        "vips": [str(vips.internal), str(vips.public)],
        "cluster_ports": sorted(
            {port.number for s in carried if isinstance(s, Listens) for port in s.ports if port.source == MEMBERS}
        ),
        "heartbeat": timers(cloud).agent_heartbeat,
        "writer_patience": WRITER_PATIENCE,
        "units": units,
        "certificates": _certificates(cloud, has),
        "fernet_keys": keystone.KEYS if "keystone" in has else "",
        **({"pacemaker": True} if "pacemaker" in has else {}),
        **({"luns": luns} if luns else {}),
        **({"replica": True} if "mariadb_replica" in has else {}),
        **{name: section for name, section in _sections(cloud, host).items() if {name, f"{name}_shared"} & has},
    } | _database(cloud, host)


def _certificates(cloud: Cloud, has: Collection[str]) -> list[str]:
    """Files on a host with these services whose end its observer tells: the public VIP's, which may be the operator's
    own, and those that `rotate` renews, all at once; so a few stand for all."""
    found = [tls.CA, CERTIFICATE]
    found += [haproxy.CERTIFICATE] if "haproxy" in has else []
    if tls.encrypted(cloud) and {"mariadb", "mariadb_replica"} & set(has):
        found += [f"{database_tls.CERTIFICATES}/{name}.pem" for name in ("server", "member", "members")]
    return found


def state_token(cloud: Cloud) -> str:
    """Who sends it may read an observer's /state."""
    return cloud.secrets.get("agent.state")


def metrics_token(cloud: Cloud) -> str:
    """Who sends it may read an observer's /metrics, and nothing else."""
    return cloud.secrets.get("agent.metrics")


@lru_cache(maxsize=8)
def _peers(cloud: Cloud, region: str) -> list[dict[str, str]]:
    return [{"name": h.name, "address": str(h.address)} for h in guards(cloud, region)]


def _sections(cloud: Cloud, host: Host) -> dict[str, dict[str, Any]]:
    region, moves = cloud.region_of(host), broker.shared(cloud)
    return {
        "haproxy": {
            "socket": haproxy.SOCKET,
            "unit": haproxy.UNIT,
            "writer_proxy": mariadb.Mariadb.name,
            "others": [str(h.address) for h in cloud.hosts_of("haproxy", host.region) if h != host],
        },
        "rabbitmq": {
            "port": broker.port(cloud),
            "management_port": broker.management_port(cloud),
            "cafile": tls.CA if tls.encrypted(cloud) else "",
            "user": broker.ADMIN,
            "password": cloud.secrets.get("rabbitmq.admin"),
            "unit": broker.UNIT,
            **({"lun": broker.SHARED.name, "address": str(broker.SHARED.address(region))} if moves else {}),
        },
        "memcached": {"port": memcached.PORT, "unit": memcached.UNIT},
        "keystone": {
            "port": keystone.PORT,
            "cafile": tls.CA if tls.apis(cloud) else "",
            "unit": keystone.UNIT,
            **({"moves": True} if passive.moves(cloud, keystone.UNIT) else {}),
        },
    }


def _database(cloud: Cloud, host: Host) -> dict[str, Any]:
    """Of a host that may take writes: the sections whose name in observer.json is not the service's."""
    sections: dict[str, Any] = {}
    if "mariadb" in host.services:
        members = [h.name for h in cloud.hosts_of("mariadb", host.region)]
        sections["galera"] = {"members": members, "unit": mariadb.UNIT}
    elif not {"mariadb_replica", "mariadb_shared"} & host.services:
        return {}
    t = timers(cloud)
    down = {"nova": t.service_down, "cinder": t.service_down, "neutron": t.agent_down}
    if here := {name: seconds for name, seconds in down.items() if cloud.hosts_of(name, host.region)}:
        sections["openstack"] = here
    return sections
