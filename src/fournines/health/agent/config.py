"""/etc/fournines/agent.json: what the agent of one host must know. Durations are seconds.

    {
      "cloud": "acme", "region": "phx", "host": "ctl1",
      "address": "198.18.0.11",            management address: HTTP, heartbeats
      "http_port": 9200, "heartbeat_port": 9201,
      "secret": "…",                       any string, the same on every host of the region: heartbeats' HMAC key
      "peers": [                           the quorum group: every host of the region that carries an endpoint, the
        {"name": "ctl1", "address": "198.18.0.11"}, …    database or the bus, in file order, this one included;
      ],                                   [] on every other host (computes): neither heartbeats nor a lease there
      "vips": ["198.18.0.100", …],         every VIP of the region
      "heartbeat": 0.05,                   Timers.agent_heartbeat
      "vip_lease": 0.25,                   Timers.vip_lease; 0 (Timers.vip_quorum False): the VIP is only watched
      "dead_host": 0.4,                    Timers.dead_host; 0: a dead host is left to every daemon's own timers
      "writer_patience": 0.8,              a writer whose agent is silent for so long is replaced
      "units": ["mariadb.service", …],     units whose state is reported
      "certificates": ["/etc/haproxy/public.pem"],       PEM files whose expiry is reported
      "fernet_keys": "/etc/keystone/fernet-keys",        directory, "" where there is none

      each of these only where the host carries the service:
      "vip":       {"addresses": [{"address": "198.18.0.100", "prefix": 32, "interface": "management"}, …],
                    "unit": "keepalived.service",
                    "track_file": "/run/fournines/vip",               0: may hold the VIP; 1: must not
                    "alive_file": "/run/fournines/keepalived.alive"}, touched by keepalived's own track_script each 1 s
      "haproxy":   {"monitor_port": 9300, "socket": "/run/haproxy/admin.sock", "unit": "haproxy.service",
                    "writer_proxy": "mariadb"},                     the proxy whose server is the writer
      "galera":    {"members": ["ctl1", "ctl2", "ctl3"],              tie-break order; each is one of `peers`
                    "socket": "/run/mysqld/mysqld.sock", "user": "root", "password": "",   root by unix_socket
                    "datadir": "/var/lib/mysql", "unit": "mariadb.service"},
      "rabbitmq":  {"port": 5672, "management_port": 15672, "cafile": "", "user": "…", "password": "…", "unit": …},
      "memcached": {"port": 11211, "unit": "memcached.service"},
      "keystone":  {"port": 5000, "cafile": "", "unit": "keystone.service"},
      "openstack": {"nova": 20, "neutron": 20}      beside galera: database -> Timers.service_down or agent_down
    }

Every key above that is not "only where the host carries the service" is required; in the sections, `unit`, ports,
paths and Galera's user and password may be left out and are then as shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

PATH = Path("/etc/fournines/agent.json")


@dataclass(frozen=True)
class Peer:
    name: str
    address: str


@dataclass(frozen=True)
class VipAddress:
    address: str
    prefix: int
    interface: str


@dataclass(frozen=True)
class Vip:
    addresses: tuple[VipAddress, ...]
    unit: str = "keepalived.service"
    track_file: str = "/run/fournines/vip"
    alive_file: str = "/run/fournines/keepalived.alive"


@dataclass(frozen=True)
class Haproxy:
    monitor_port: int = 9300
    socket: str = "/run/haproxy/admin.sock"
    unit: str = "haproxy.service"
    writer_proxy: str = "mariadb"


@dataclass(frozen=True)
class Galera:
    members: tuple[str, ...]
    socket: str = "/run/mysqld/mysqld.sock"
    user: str = "root"
    password: str = field(default="", repr=False)
    datadir: str = "/var/lib/mysql"
    unit: str = "mariadb.service"


@dataclass(frozen=True)
class Rabbitmq:
    user: str
    password: str = field(repr=False)
    port: int = 5672
    management_port: int = 15672
    cafile: str = ""  # what the management API's certificate is checked against; "": it has none
    unit: str = "rabbitmq-server.service"


@dataclass(frozen=True)
class Memcached:
    port: int = 11211
    unit: str = "memcached.service"


@dataclass(frozen=True)
class Keystone:
    port: int = 5000
    cafile: str = ""
    unit: str = "keystone.service"


@dataclass(frozen=True)
class Config:
    cloud: str
    region: str
    host: str
    address: str
    http_port: int
    heartbeat_port: int
    secret: str = field(repr=False)
    peers: tuple[Peer, ...]
    vips: tuple[str, ...]
    heartbeat: float
    vip_lease: float
    dead_host: float
    writer_patience: float
    units: tuple[str, ...]
    certificates: tuple[str, ...]
    fernet_keys: str
    vip: Vip | None = None
    haproxy: Haproxy | None = None
    galera: Galera | None = None
    rabbitmq: Rabbitmq | None = None
    memcached: Memcached | None = None
    keystone: Keystone | None = None
    openstack: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def peer_names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.peers)

    def address_of(self, name: str) -> str:
        return next(p.address for p in self.peers if p.name == name)


_SECTIONS: dict[str, type] = {
    "vip": Vip,
    "haproxy": Haproxy,
    "galera": Galera,
    "rabbitmq": Rabbitmq,
    "memcached": Memcached,
    "keystone": Keystone,
}


def parse(document: dict[str, Any]) -> Config:
    """The document above as a `Config`. ValueError names the key that is missing, unknown or inconsistent."""
    values = dict(document)
    for name, section in _SECTIONS.items():
        if values.get(name) is not None:
            values[name] = _build(section, values[name], f"{name}.")
    if values.get("peers"):
        values["peers"] = [_build(Peer, p, "peers.") for p in values["peers"]]
    config: Config = _build(Config, values, "")
    if config.galera and not set(config.galera.members) <= set(config.peer_names):
        raise ValueError("galera.members: each must be one of peers")
    if config.peers and config.host not in config.peer_names:
        raise ValueError("peers: this host is not among them")
    return config


def _build(kind: type, values: dict[str, Any], where: str) -> Any:
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"unknown key {where}{unknown[0]}")
    if kind is Vip:
        values = {**values, "addresses": [_build(VipAddress, a, "vip.addresses.") for a in values["addresses"]]}
    frozen: dict[str, Any] = {k: _frozen(v) for k, v in values.items()}
    try:
        return kind(**frozen)
    except TypeError as error:
        raise ValueError(f"{where or 'agent.json'}: {error}") from None


def _frozen(value: Any) -> Any:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def load(path: Path = PATH) -> Config:
    return parse(json.loads(path.read_text()))
