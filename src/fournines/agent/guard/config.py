"""/etc/fournines/guard.json: what the guard of one host must know. Durations are seconds.

    {
      "protocol": 2,                       of the guard that this file was written for; it goes by its own
      "host": "ctl1", "address": "198.18.0.11", "port": 9201,      UDP, on the management network
      "votes": true,                       this host votes on who holds the VIP
      "peers": [                           the other hosts with a guard: voters, database and bus nodes, in file order
        {"name": "ctl2", "address": "198.18.0.12", "votes": true, "key": "…"}, …     key: of this pair alone, hex
      ],
      "candidates": ["ctl1", "ctl2", "ctl3"],       hosts that can hold the VIP, in order of preference
      "heartbeat": 0.05,                   Timers.agent_heartbeat
      "vip_lease": 0.35,                   Timers.vip_lease; 0 (Timers.vip_quorum False): VRRP alone decides
      "dead_host": 0.4,                    Timers.dead_host; 0: a dead host is left to every daemon's own timers
      "degraded": 1.5,                     Timers.degraded: lease and dead_host while a voter has departed
      only on a host that can hold the VIP:
      "vip": {"addresses": [{"address": "198.18.0.100", "prefix": 32, "interface": "management"}, …],
              "unit": "keepalived.service", "track_file": "/run/fournines/vip",
              "alive_file": "/run/fournines/keepalived.alive",      touched by keepalived's track_script each second
                                           unit "": Pacemaker moves the VIP
              "balancer": "haproxy.service", "monitor_port": 9300}    where it answers GET /alive
    }

Unknown keys are ignored: a file of the next release must not stop the guard of this one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

PATH = Path("/etc/fournines/guard.json")


@dataclass(frozen=True)
class Peer:
    name: str
    address: str
    votes: bool
    key: str = field(repr=False)


@dataclass(frozen=True)
class Address:
    address: str
    prefix: int
    interface: str


@dataclass(frozen=True)
class Vip:
    addresses: tuple[Address, ...]
    unit: str = "keepalived.service"  # "": Pacemaker moves the VIP, and this guard only sees where it is
    track_file: str = "/run/fournines/vip"
    alive_file: str = "/run/fournines/keepalived.alive"
    balancer: str = "haproxy.service"
    monitor_port: int = 9300


@dataclass(frozen=True)
class Config:
    host: str
    address: str
    port: int
    votes: bool
    peers: tuple[Peer, ...]
    candidates: tuple[str, ...]
    heartbeat: float
    vip_lease: float
    dead_host: float
    degraded: float
    vip: Vip | None = None

    @property
    def voters(self) -> tuple[str, ...]:
        own = (self.host,) if self.votes else ()
        return own + tuple(p.name for p in self.peers if p.votes)

    @property
    def arbitrated(self) -> bool:
        """Whether votes decide. Two voters cannot tell a dead peer from a cut cable: there VRRP alone decides."""
        return self.vip_lease > 0 and len(self.voters) > 2


def parse(document: Mapping[str, Any]) -> Config:
    """ValueError names the key that is missing or of the wrong type."""
    values = dict(document)
    values["peers"] = tuple(_build(Peer, p, "peers.") for p in values.get("peers", ()))
    values["candidates"] = tuple(values.get("candidates", ()))
    if values.get("vip") is not None:
        addresses = tuple(_build(Address, a, "vip.addresses.") for a in values["vip"].get("addresses", ()))
        values["vip"] = _build(Vip, {**values["vip"], "addresses": addresses}, "vip.")
    return _build(Config, values, "")


def _build(kind: type, values: Mapping[str, Any], where: str) -> Any:
    known = {f.name for f in fields(kind)}
    try:
        return kind(**{name: value for name, value in values.items() if name in known})
    except TypeError as error:
        raise ValueError(f"{where or 'guard.json'}: {error}") from None


def load(path: Path = PATH) -> Config:
    return parse(json.loads(path.read_text()))
