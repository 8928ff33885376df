"""The cloud file as it is written: its keys, their types and what they mean.

The JSON Schema, the reference in docs/ and the loader's errors all come from here. `cloud.resolve` turns it into the
types of `cloud.model`; references between parts (a host's zone, a role's services) are its business, not this module's.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic import WithJsonSchema as Json
from pydantic_core import CoreSchema, core_schema

from fournines.cloud.ranges import Start


@dataclass(frozen=True, slots=True)
class Word:
    """Text that matches `pattern`; `says` is the rule in words."""

    pattern: str
    says: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, core_schema.str_schema(strict=True))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"{text!r} does not fit: {self.says}")
        return text


def _text(value: object, example: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text such as {example}, found {value!r}")
    return value


def _address(value: object) -> IPv4Address:
    text = _text(value, "198.18.0.100")
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise ValueError(f"{text!r} is not an IPv4 address such as 198.18.0.100") from None


def _cidr(value: object) -> IPv4Network:
    text = _text(value, "198.18.0.0/24")
    try:
        loose = IPv4Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise ValueError(f"{text!r} is not an IPv4 network such as 198.18.0.0/24") from None
    if "/" not in text or str(loose.network_address) != text.partition("/")[0]:
        raise ValueError(f"{text!r} is not a network but an address in one; the network is {loose}")
    return loose


def _start(value: object) -> Start:
    return Start.parse(_text(value, "198.18.0.11"))


def duration(value: object) -> float:
    """Seconds, from `0.5`, `500ms`, `1s` or `2m`. Raises ValueError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m)", value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"{value!r} is not a duration such as 500ms, 1s or 2m (a bare number means seconds)")
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2]]


def _detect(value: object) -> float:
    seconds = duration(value)
    if not 0.2 <= seconds <= 10:
        raise ValueError(f"{seconds:g} s is outside 200ms..10s")
    return seconds


def _scalar(value: object) -> object:
    if not isinstance(value, (str, int, float, bool)):
        raise ValueError(f"expected a number, text, true or false, found {_kind(value)}")
    return value


def _kind(value: object) -> str:
    return "nothing" if value is None else "a mapping" if isinstance(value, dict) else "a list"


def _empty(value: object) -> object:
    """`rack1:` with nothing behind it is a zone of which nothing is stated."""
    return {} if value is None else value


def _network(value: object) -> object:
    """The short form: `management: 198.18.0.0/24`."""
    return {"cidr": value} if isinstance(value, str) else value


_ADDRESS: dict[str, Any] = {"type": "string", "format": "ipv4"}
_START: dict[str, Any] = {"type": "string", "pattern": r"^\d+\.\d+\.\d+\.\d+\+?$"}
_DURATION: dict[str, Any] = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\d+(\.\d+)? ?(ms|s|m)$"}]}
_SCALARS = ["string", "number", "boolean"]

Address = Annotated[IPv4Address, BeforeValidator(_address), Json(_ADDRESS)]
Cidr = Annotated[IPv4Network, BeforeValidator(_cidr), Json({"type": "string", "pattern": r"^\d+\.\d+\.\d+\.\d+/\d+$"})]
FirstAddress = Annotated[Start, BeforeValidator(_start), Json(_START)]
MaybeAddress = Annotated[Start | None, BeforeValidator(lambda v: v if v is None else _start(v)),
                         Json({"anyOf": [_START, {"type": "null"}]})]  # fmt: skip
Detect = Annotated[float, BeforeValidator(_detect), Json(_DURATION)]
Scalar = Annotated[Any, BeforeValidator(_scalar), Json({"type": _SCALARS})]
Option = Annotated[Any, Json({"type": [*_SCALARS, "array", "object", "null"]})]

CloudName = Annotated[
    str, Word("[a-z][a-z0-9-]{0,30}", "up to 31 lower-case letters, digits and dashes, a letter first")
]
Name = Annotated[str, Word("[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", "letters, digits, `_`, `.` and `-`, at most 63")]
Interface = Annotated[
    str, Word("[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", "an interface's name: at most 15 of A-Z a-z 0-9 _ . -")
]
HostPattern = Annotated[str, Word(r"[a-z0-9\[\]-]+", "a host name, or a range such as cmp[001-100]")]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Pattern(Part):
    """The mechanism of each tier."""

    vip: Literal["keepalived"] = Field(
        default="keepalived", description="VRRPv3 unicast; a host without quorum gives it up"
    )
    database: Literal["galera"] = Field(default="galera", description="MariaDB with Galera, one writer")
    messaging: Literal["rabbitmq"] = Field(default="rabbitmq", description="RabbitMQ with quorum queues")
    network: Literal["ovs"] = Field(default="ovs", description="Neutron's Open vSwitch agents")


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
    vrid: int | None = Field(
        None, ge=1, le=255, description="VRRP router id; default: from the names of cloud and region"
    )


class Network(Part):
    """Short form: the CIDR alone."""

    cidr: Cidr = Field(description="such as 198.18.0.0/24")
    interface: Interface | None = Field(
        default=None, description="device on every attached host; default: the network's name"
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


class Host(Part):
    """One host, or a range: `cmp[001-100]` with `address: 198.18.0.101+`."""

    zone: str = Field(description="one of the region's zones")
    address: FirstAddress = Field(description="on network `management`; with `+` each host of a range has the next one")
    roles: list[str] = Field(min_length=1, description="shipped roles, or your own")
    addresses: dict[str, MaybeAddress] = Field(
        default_factory=dict[str, Start | None],
        description="network → address; default: the offset that `address` has in `management`; null: not attached",
    )
    ssh: Ssh = Field(default_factory=Ssh, description="only what differs from the cloud's")


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


class Service(Part):
    """What goes into a service's own files beside what fournines writes."""

    options: dict[str, dict[str, Option]] = Field(
        default_factory=dict[str, dict[str, Any]],
        description="file → section → option → value (file → option → value where the file has no sections)",
    )


class Tls(Part):
    """Your own certificate on the public VIP; without it fournines makes a CA and issues one."""

    certificate: str | None = Field(default=None, min_length=1, description="PEM, the chain included")
    key: str | None = Field(default=None, min_length=1, description="PEM, without a passphrase")
    ca: str | None = Field(
        default=None, min_length=1, description="PEM, what clients verify with; default: the certificate itself"
    )


class CloudFile(Part):
    """One OpenStack cloud."""

    cloud: CloudName = Field(description="the cloud's name; its secrets and its lab are named after it")
    release: Literal["2025.1"] = Field(default="2025.1", description="OpenStack release")
    pattern: Pattern = Field(default_factory=Pattern)
    timing: Timing = Field(default_factory=Timing)
    regions: dict[Name, Region]
    roles: dict[Name, list[str]] = Field(default_factory=dict[str, list[str]], description="your own: role → services")
    services: dict[str, Annotated[Service, BeforeValidator(_empty, json_schema_input_type=Service | None)]] = Field(
        default_factory=dict[str, Service], description="service → its options"
    )
    ssh: Ssh = Field(default_factory=Ssh)
    tls: Tls = Field(default_factory=Tls)
    accept: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict[str, str],
        description="rule of `check` → why this cloud lives with it; its errors become warnings",
    )
