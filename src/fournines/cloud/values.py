"""The kinds of values that a cloud file holds: each is checked, explained and described to JSON Schema here.

Every check raises ValueError with a message that needs no context but the value's place.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic import WithJsonSchema as Json
from pydantic_core import CoreSchema, core_schema

from fournines.cloud.ranges import Start


class OutsideError(ValueError):
    """A value outside its bounds; `next`: what would be within."""

    def __init__(self, what: str, next: str) -> None:
        super().__init__(what)
        self.next = next


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
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address such as 198.18.0.100") from None


def _cidr(value: object) -> IPv4Network:
    text = _text(value, "198.18.0.0/24")
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        network = None
    if network is None or not text.partition("/")[2].isdigit():
        raise ValueError(f"{text!r} is not an IPv4 network with its prefix length, such as 198.18.0.0/24")
    if str(network.network_address) != text.partition("/")[0]:
        raise ValueError(f"{text!r} is an address in a network; the network is {network}")
    return network


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


#: Seconds in each unit of `span`. A year is 365 days, as in "52.6 minutes a year".
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "y": 31_536_000.0}


def span(value: object) -> float:
    """Seconds, from `30s`, `4h`, `90d` or `12y`; `never` is infinite. Raises ValueError."""
    if value == "never":
        return math.inf
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(ms|[smhdy])", value) if isinstance(value, str) else None
    if match:
        seconds = float(match[1]) * UNITS[match[2]]
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        seconds = float(value)
    else:
        raise ValueError(f"{value!r} is not a time such as 30s, 4h, 90d or 12y (a bare number means seconds)")
    if seconds <= 0:
        raise ValueError(f"a time between failures, or to repair, is above zero, not {value}")
    return seconds


def _between(value: object, low: str, high: str, *, never: bool = False) -> float:
    """`span`, within bounds: beyond these no figure of an availability is a number any more."""
    seconds = span(value)
    if math.isinf(seconds) and never:
        return seconds
    if not span(low) <= seconds <= span(high):
        raise OutsideError(
            f"{value} is outside {low}..{high}", f"from {low} to {high}" + (", or never" if never else "")
        )
    return seconds


def mttf(value: object) -> float:
    """Seconds, or infinite. Raises ValueError."""
    return _between(value, "1s", "1000000y", never=True)


def mttr(value: object) -> float:
    """Seconds; of any time to repair, or to wait. Raises ValueError."""
    return _between(value, "1ms", "100y")


def _share(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"a probability is a number from 0 to 1, not {value!r}")
    return float(value)


def _percent(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 100:
        raise ValueError(f"an availability is a percentage above 0 and below 100, such as 99.99, not {value!r}")
    return float(value)


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
_SPAN: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^(never|\d+(\.\d+)? ?(ms|[smhdy]))$"},
    ]
}
_REPAIR: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^\d+(\.\d+)? ?(ms|[smhdy])$"},
    ]
}
#: A mean time between failures.
Span = Annotated[float, BeforeValidator(mttf), Json(_SPAN)]
#: A time to repair, or to wait.
Repair = Annotated[float, BeforeValidator(mttr), Json(_REPAIR)]
Share = Annotated[float, BeforeValidator(_share), Json({"type": "number", "minimum": 0, "maximum": 1})]
Percent = Annotated[
    float, BeforeValidator(_percent), Json({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100})
]
Scalar = Annotated[Any, BeforeValidator(_scalar), Json({"type": _SCALARS})]
Option = Annotated[Any, Json({"type": [*_SCALARS, "array", "object", "null"]})]

CloudName = Annotated[
    str, Word("[a-z][a-z0-9-]{0,30}", "up to 31 lower-case letters, digits and dashes, a letter first")
]
Name = Annotated[str, Word("[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", "letters, digits, `_`, `.` and `-`, at most 63")]
Interface = Annotated[
    str, Word("[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", "an interface's name: at most 15 of A-Z a-z 0-9 _ . -")
]
DnsName = Annotated[
    str,
    Word(
        r"(?=.{1,253}$)(?![0-9.]+$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*",
        "a DNS name such as cloud.example.com, in lower case, without a dot at its end; no address, no wildcard",
    ),
]
HostPattern = Annotated[str, Word(r"[a-z0-9\[\]-]+", "a host name, or a range such as cmp[001-100]")]
