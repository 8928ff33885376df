"""/etc/fournines/observer.json: what the observer of one host must know. Durations are seconds.

    {
      "cloud": "acme", "region": "phx", "host": "ctl1",
      "address": "198.18.0.11",            management address: HTTP
      "http_port": 9200,
      "token": "…",                        who knows it may read /state
      "certificate": "/etc/fournines/tls/observer.pem",   with its key, for who asks by TLS; "": nobody can
      "private_by_tls": true,              /state is told by TLS alone
      "peers": [                           hosts with a guard, in file order, this one included; [] on every other host
        {"name": "ctl1", "address": "198.18.0.11"}, …
      ],
      "vips": ["198.18.0.100", …],         every VIP of the region
      "cluster_ports": [4567, 25672, …],   what members of clusters listen on for one another
      "heartbeat": 0.05,                   Timers.agent_heartbeat
      "writer_patience": 0.8,              a writer whose host is silent for so long is replaced
      "units": ["mariadb.service", …],     units whose state is reported
      "certificates": ["/etc/haproxy/public.pem"],       PEM files whose expiry is reported
      "pacemaker": true,                   a member of a Pacemaker cluster, whose state is reported; may be left out
      "luns": {"database": "/var/lib/mysql"},            disks that other hosts see as well: where each is mounted, on
                                           the host that has it; may be left out
      "replica": true,                     it has a copy of the database, which the cluster may promote; may be left out
      "fernet_keys": "/etc/keystone/fernet-keys",        directory, "" where there is none

      each of these only where the host carries the service:
      "haproxy":   {"socket": "/run/haproxy/admin.sock", "unit": "haproxy.service",
                    "writer_proxy": "mariadb",                      the proxy whose server is the writer
                    "others": ["198.18.0.12", …]},                  the other load balancers
      "galera":    {"members": ["ctl1", "ctl2", "ctl3"],              tie-break order; each is one of `peers`
                    "socket": "/run/mysqld/mysqld.sock", "user": "root", "password": "",   root by unix_socket
                    "datadir": "/var/lib/mysql", "unit": "mariadb.service"},
      "rabbitmq":  {"port": 5672, "management_port": 15672, "cafile": "", "user": "…", "password": "…", "unit": …,
                    "lun": "messaging", "address": "198.18.0.102"},     the last two of one that a cluster moves
      "memcached": {"port": 11211, "unit": "memcached.service"},
      "keystone":  {"port": 5000, "cafile": "", "unit": "keystone.service",
                    "moves": true},        a cluster runs it on one host at a time; may be left out
      "openstack": {"nova": 20, "neutron": 20}      beside a database: its name -> Timers.service_down or agent_down
    }

Every key above that is not "only where the host carries the service" is required, but for `certificate` and
`private_by_tls`; in the sections, `unit`, ports,
paths and Galera's user and password may be left out and are then as shown. Unknown keys are ignored: a file of the next
release must not stop the observer of this one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

PATH = Path("/etc/fournines/observer.json")


@dataclass(frozen=True)
class Peer:
    name: str
    address: str


@dataclass(frozen=True)
class Haproxy:
    """others: addresses of the other load balancers, which may hold a VIP next."""

    socket: str = "/run/haproxy/admin.sock"
    unit: str = "haproxy.service"
    writer_proxy: str = "mariadb"
    others: tuple[str, ...] = ()


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
    #: Of one that the cluster moves between hosts: the disk (of `luns`) that moves with it, and its address; "" else.
    lun: str = ""
    address: str = ""


@dataclass(frozen=True)
class Memcached:
    port: int = 11211
    unit: str = "memcached.service"


@dataclass(frozen=True)
class Keystone:
    port: int = 5000
    cafile: str = ""
    unit: str = "keystone.service"
    moves: bool = False


@dataclass(frozen=True)
class Config:
    cloud: str
    region: str
    host: str
    address: str
    http_port: int
    token: str = field(repr=False)
    peers: tuple[Peer, ...]
    vips: tuple[str, ...]
    cluster_ports: tuple[int, ...]
    heartbeat: float
    writer_patience: float
    units: tuple[str, ...]
    certificates: tuple[str, ...]
    fernet_keys: str
    haproxy: Haproxy | None = None
    galera: Galera | None = None
    rabbitmq: Rabbitmq | None = None
    memcached: Memcached | None = None
    keystone: Keystone | None = None
    openstack: dict[str, float] = field(default_factory=dict[str, float])
    certificate: str = ""
    private_by_tls: bool = False
    metrics_token: str = field(default="", repr=False)  # for /metrics alone
    pacemaker: bool = False
    luns: dict[str, str] = field(default_factory=dict[str, str])
    replica: bool = False

    @property
    def peer_names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.peers)

    def address_of(self, name: str) -> str:
        return next(p.address for p in self.peers if p.name == name)


_SECTIONS: dict[str, type] = {
    "haproxy": Haproxy,
    "galera": Galera,
    "rabbitmq": Rabbitmq,
    "memcached": Memcached,
    "keystone": Keystone,
}


def parse(document: dict[str, Any]) -> Config:
    """The document above as a `Config`. ValueError names the key that is missing or inconsistent."""
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
    frozen: dict[str, Any] = {k: _frozen(v) for k, v in values.items() if k in known}
    try:
        return kind(**frozen)
    except TypeError as error:
        raise ValueError(f"{where or 'observer.json'}: {error}") from None


def _frozen(value: Any) -> Any:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def load(path: Path = PATH) -> Config:
    return parse(json.loads(path.read_text()))
