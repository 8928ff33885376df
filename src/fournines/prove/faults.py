"""Which faults there are, how they are written, and which hosts a target means.

    NAME@TARGET[/DURATION]               host.power_off@vip   network.isolate@writer/30s
    NAME@SERVICE[+TARGET][/DURATION]     service.freeze@keystone   service.kill@mariadb+writer (or :writer)

Targets: `one` (neither VIP holder nor writer, where there is such a host), `vip`, `writer`, `leader` (of the probe's
queue), `minority`, `majority`, `all`, or the name of a host or a zone. A service fault without a target strikes where
it hurts: HAProxy and Keepalived on the VIP's holder, MariaDB on the writer, any other service on `one`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from fournines.cloud.model import Cloud, Host
from fournines.errors import ProveError
from fournines.prove.model import Fault


@dataclass(frozen=True, slots=True)
class Kind:
    """`on`: what a target's host is struck through. `duration` in seconds until the heal; 0: it heals by itself."""

    name: str
    on: Literal["service", "power", "network"]
    duration: float
    what: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("service.kill", "service", 0.0, "SIGKILL to every process of the service's unit; systemd restarts it"),
        Kind("service.freeze", "service", 20.0, "SIGSTOP to every process of the service's unit, SIGCONT to heal"),
        Kind("host.power_off", "power", 20.0, "power off without warning, power on to heal"),
        Kind("host.reset", "power", 0.0, "power off and on at once, without warning"),
        Kind(
            "network.isolate", "network", 20.0, "the host's port of the management network is cut, and joined to heal"
        ),
    )
}
SERVICES = ("keystone", "haproxy", "mariadb", "rabbitmq", "memcached", "keepalived")
TARGETS = ("one", "vip", "writer", "leader", "minority", "majority", "all")
DEFAULT_TARGET = {"haproxy": "vip", "keepalived": "vip", "mariadb": "writer"}
#: The widest single event that must lose nothing: every database node killed within one second.
WIDEST = "service.kill@mariadb+all"

_FAULT = re.compile(r"(?P<name>[^@/\s]+)@(?P<subject>[^/\s]+)(?:/(?P<duration>\S+))?")
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


def parse(text: str, cloud: Cloud, *, duration: float | None = None) -> tuple[Fault, ...]:
    """Faults of a comma-separated list, in its order, each once; `each` and `all` stand for their sets.

    `duration` in seconds replaces the kinds' own, and yields to a fault's suffix. Raises ProveError.
    """
    words = [w for w in (word.strip() for word in text.split(",")) if w]
    spelled = [fault for word in words for fault in (_SET[word]() if word in _SET else (word,))]
    if not spelled:
        raise ProveError(
            "no fault was named", next="--faults host.power_off@vip,service.freeze@keystone, or --faults each"
        )
    return tuple(dict.fromkeys(_parse_one(fault, cloud, duration) for fault in spelled))


def seconds(text: str) -> float:
    """`30`, `30s`, `500ms`, `2m`. Raises ProveError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ProveError("a duration is not readable", where=text, next="write it as 500ms, 30s or 2m")
    return float(match["number"]) * _SECONDS[match["unit"]]


def _parse_one(text: str, cloud: Cloud, duration: float | None) -> Fault:
    match = _FAULT.fullmatch(text)
    if match is None:
        raise ProveError(
            "a fault is not readable", where=text, next="write it as NAME@TARGET, such as host.power_off@vip"
        )
    kind = KINDS.get(match["name"])
    if kind is None:
        raise _unknown("fault", match["name"], text, KINDS)
    service, target = _subject(kind, match["subject"], text)
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
    return Fault(kind.name, service, target, lasts if kind.duration else 0.0)


def _subject(kind: Kind, subject: str, text: str) -> tuple[str, str]:
    """(service, target) of what follows the @."""
    if kind.on != "service":
        return "", subject
    service, _, target = subject.replace(":", "+", 1).partition("+")
    if service not in SERVICES:
        raise _unknown("service", service, text, SERVICES)
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


def _each() -> Iterator[str]:
    """Every fault once, where it hurts most."""
    yield from ("host.power_off@vip", "host.power_off@writer", "host.power_off@one", "host.reset@vip")
    yield from ("network.isolate@vip", "network.isolate@writer")
    for service in SERVICES:
        yield from (f"service.kill@{service}", f"service.freeze@{service}")
    yield WIDEST


def _all() -> Iterator[str]:
    """Every fault in the targets vip, writer and one."""
    for target in ("vip", "writer", "one"):
        for kind in KINDS.values():
            if kind.on == "service":
                yield from (f"{kind.name}@{service}+{target}" for service in SERVICES)
            else:
                yield f"{kind.name}@{target}"
    yield WIDEST


_SET = {"each": _each, "all": _all}


@dataclass(frozen=True, slots=True)
class Standing:
    """Who is what at this moment; empty where nobody is, or it cannot be told."""

    vip: str = ""
    writer: str = ""
    leader: str = ""

    def roles(self, hosts: Iterable[str]) -> tuple[str, ...]:
        struck = set(hosts)
        return tuple(role for role in ("vip", "writer", "leader") if getattr(self, role) in struck)


def candidates(fault: Fault, cloud: Cloud, region: str) -> tuple[Host, ...]:
    """Hosts that the fault can strike: those with its service, or all that carry a part of the control plane."""
    if fault.service:
        return cloud.hosts_of(fault.service, region)
    return tuple(h for h in cloud.regions[region].hosts if h.services & set(SERVICES))


def aim(fault: Fault, hosts: Sequence[Host], standing: Standing) -> tuple[str, ...]:
    """Names of the hosts that `fault.target` means among `hosts`, in their order; empty when there is none."""
    names = [h.name for h in hosts]
    match fault.target:
        case "vip" | "writer" | "leader":
            wanted = {str(getattr(standing, fault.target))}
        case "one":
            free = [n for n in names if n not in (standing.vip, standing.writer)]
            wanted = set((free or [n for n in names if n != standing.vip] or names)[:1])
        case "all":
            wanted = set(names)
        case "minority":
            wanted = set(names[: (len(names) - 1) // 2])
        case "majority":
            wanted = set(names[: len(names) // 2 + 1])
        case place:
            wanted = {h.name for h in hosts if place in (h.name, h.zone.name)}
    return tuple(n for n in names if n in wanted)
