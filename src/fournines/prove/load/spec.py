"""What the load process is told, as one JSON document on its standard input: it carries passwords."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Identity:
    """Keystone through the public VIP. `cafile`: PEM, empty for the system's. `domain`: id of the run's own domain.
    `addresses`: of the names in the cloud's URLs."""

    url: str  # https://198.18.1.100:5000/v3
    cafile: str
    user: str
    password: str
    project: str
    domain: str
    user_domain: str = "Default"
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Services:
    """Where the other services' functions are probed: as `identity`, at the catalogue's public endpoints of `region`.

    `flavor`, `image`, `network`: ids of what a server is booted from. `page`: the dashboard's, opened with `cookie`,
    that of a session which was signed in. Empty where none of the probes needs it.
    """

    identity: Identity
    region: str
    flavor: str = ""
    image: str = ""
    network: str = ""
    page: str = ""
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class Database:
    """The writer's path: the internal VIP. Timeouts in seconds, as the cloud gives them to OpenStack; 0: none."""

    host: str
    port: int
    user: str
    password: str
    schema: str
    connect_timeout: float
    read_timeout: float


@dataclass(frozen=True, slots=True)
class Broker:
    """The list of nodes, as OpenStack's clients have it. Timers in seconds, from the cloud's budget."""

    nodes: tuple[str, ...]
    port: int
    vhost: str
    user: str
    password: str
    queue: str
    heartbeat: float
    reconnect_delay: float
    user_timeout: float


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """`epoch`: the campaign's zero on CLOCK_MONOTONIC, which all processes of a machine share. `timeout`: of a request.

    `prefix` begins every value that is written, so that no two faults' writes can be confused. `services`: None where
    only the core is probed. `pace`: by how much the probes' intervals are longer than in a campaign with faults.
    """

    epoch: float
    history: str
    probes: tuple[str, ...]
    timeout: float
    prefix: str
    identity: Identity
    database: Database
    broker: Broker
    services: Services | None = None
    pace: float = 1.0


_DOCUMENT = TypeAdapter(LoadSpec)


def dumps(spec: LoadSpec) -> str:
    return _DOCUMENT.dump_json(spec).decode()


def loads(text: str) -> LoadSpec:
    return _DOCUMENT.validate_json(text)
