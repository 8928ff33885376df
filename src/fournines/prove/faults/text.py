"""How faults are written.

    NAME@TARGET[/DURATION]               host.power_off@vip   network.isolate@writer/0.5s
    NAME@SERVICE[+TARGET][/DURATION]     service.freeze@keystone   service.kill@mariadb+writer (or :writer)
    FAULT and FAULT                      both at once
    FAULT then FAULT                     the second strikes while what the first one struck comes back

SERVICE is a service of the cloud, or one unit of it, such as `nova-conductor` or `guard`. A service fault without a
target strikes where it hurts: HAProxy and Keepalived on the VIP's holder, MariaDB on the writer, any other on `one`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from fournines.cloud.model import Cloud
from fournines.errors import ProveError
from fournines.prove.faults.catalogue import CATALOGUE, SETS
from fournines.prove.faults.strike import Strike
from fournines.prove.faults.target import DEFAULT_TARGET, TARGETS, subjects
from fournines.prove.model import TOGETHER, Fault

_FAULT = re.compile(r"(?P<name>[^@/\s]+)@(?P<subject>[^/\s]+)(?:/(?P<duration>\S+))?")
_JOINED = re.compile(r"\s+(and|then)\s+")
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


def parse(text: str, cloud: Cloud, *, duration: float | None = None) -> tuple[Fault, ...]:
    """Faults of a comma-separated list, in its order, each once; `each` and `all` stand for their sets.

    `duration` in seconds replaces the faults' own, and yields to a fault's suffix. Raises ProveError.
    """
    return tuple(dict.fromkeys(parse_one(fault, cloud, duration) for fault in spelled(text, cloud)))


def spelled(text: str, cloud: Cloud) -> tuple[str, ...]:
    """What a comma-separated list names, each as one would type it alone. Raises ProveError when it names nothing."""
    words = [w for w in (word.strip() for word in text.split(",")) if w]
    found = tuple(fault for word in words for fault in (SETS[word](cloud) if word in SETS else (word,)))
    if not found:
        raise ProveError(
            "no fault was named", next="--faults host.power_off@vip,service.freeze@keystone, or --faults each"
        )
    return found


def seconds(text: str) -> float:
    """`30`, `30s`, `500ms`, `2m`, `1h`. Raises ProveError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ProveError("a duration is not readable", where=text, next="write it as 500ms, 30s or 2m")
    return float(match["number"]) * _SECONDS[match["unit"]]


def parse_one(text: str, cloud: Cloud, duration: float | None = None) -> Fault:
    """A fault, or two that are joined. Raises ProveError."""
    first, *rest = _JOINED.split(text)
    parts = tuple(_single(part, cloud, duration) for part in (first, *rest[1::2]))
    joins = set(rest[::2])
    if not joins:
        return parts[0]
    if len(joins) > 1:
        raise ProveError("`and` and `then` cannot be mixed", where=text, next="name two faults, or several of one kind")
    join = joins.pop()
    lengths = [part.duration for part in parts]
    lasts = max(lengths) if join == TOGETHER else sum(lengths)
    return Fault(join, "", f" {join} ".join(map(str, parts)), lasts, parts=parts)


def _single(text: str, cloud: Cloud, duration: float | None) -> Fault:
    match = _FAULT.fullmatch(text)
    if match is None:
        raise ProveError(
            "a fault is not readable",
            where=text,
            next="write it as NAME@TARGET, such as host.power_off@vip; two as 'A and B' or 'A then B'",
        )
    kind = CATALOGUE.get(match["name"])
    if kind is None:
        raise _unknown("fault", match["name"], text, CATALOGUE)
    service, target = _subject(kind, match["subject"], text, cloud)
    if target not in TARGETS:
        places = [*TARGETS, *cloud.host_by_name, *(z for r in cloud.regions.values() for z in r.zones)]
        if target not in places:
            raise _unknown("target", target, text, places)
    lasts = duration if duration is not None else kind.duration
    if match["duration"] is not None:
        lasts = seconds(match["duration"])
        if not kind.duration:
            raise ProveError(
                f"{kind.name} has no duration: it heals by itself", where=text, next="leave out the suffix"
            )
        if not lasts:
            raise ProveError("a fault that lasts no time is none", where=text, next="write it as 500ms, 30s or 2m")
    return Fault(kind.name, service, target, lasts if kind.duration else 0.0, match["duration"] or "")


def _subject(kind: type[Strike], subject: str, text: str, cloud: Cloud) -> tuple[str, str]:
    """(service, target) of what follows the @."""
    if kind.subject == "host":
        return "", subject
    service, _, target = subject.replace(":", "+", 1).partition("+")
    known = subjects(cloud)
    if service not in known:
        raise _unknown("service", service, text, known)
    if kind.services and service not in kind.services:
        raise ProveError(
            f"{kind.name} does not know {service}", where=text, why=f"it strikes {', '.join(kind.services)}"
        )
    return service, target or DEFAULT_TARGET.get(service, "one")


def _unknown(noun: str, name: str, text: str, known: Iterable[str]) -> ProveError:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return ProveError(
        f"there is no {noun} {name!r}",
        where=text,
        why=f"known: {', '.join(names)}",
        next=f"did you mean {near[0]}?" if near else "",
    )
