"""The timers as they are after an operator's options: what `services.NAME.options` says goes before `timing:`.

Options of the tiers that all lean on (load balancer, database, bus, kernel) hold for everybody. Those of an OpenStack
service hold for it and its agents alone, and those of a section of the load balancer for what is behind that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fournines.cloud.model import Cloud
from fournines.cloud.source import Path
from fournines.services import openstack, registry
from fournines.services.capabilities import UWSGI, Frontend, ReadsOsloConfig, Registers
from fournines.services.haproxy import frontends
from fournines.services.service import Service
from fournines.services.timed import HasTimers, Timed
from fournines.timing.timers import Timers

_LISTEN = "listen "


@dataclass(frozen=True)
class Setting:
    """`timer` is `value` by the option at `path`. scope: "" for everybody, a family of services, a section of the load
    balancer (`listen NAME`)."""

    scope: str
    timer: str
    value: float
    path: Path


@dataclass(frozen=True)
class Unreadable:
    path: Path
    what: str


def timed(service: Service, file: str) -> tuple[Timed, ...]:
    """The options of `file` that are timers."""
    own = service.timed.get(file, ()) if isinstance(service, HasTimers) else ()
    shared = isinstance(service, ReadsOsloConfig) and service.namespaces.get(file, UWSGI) != UWSGI
    return (*own, *openstack.TIMED) if shared else own


def family(service: str) -> str:
    """`nova` of `nova_compute`: they answer one another."""
    return service.partition("_")[0]


def settings(cloud: Cloud) -> tuple[tuple[Setting, ...], tuple[Unreadable, ...]]:
    """Every timer that an option sets, and options of timers whose value is none."""
    found: list[Setting] = []
    wrong: list[Unreadable] = []
    services = registry()
    for name, config in cloud.services.items():
        service = services.get(name)
        if service is None:
            continue
        scope = family(name) if isinstance(service, ReadsOsloConfig | Registers) else ""
        for file, sections in config.options.items():
            known = timed(service, file)
            for section, options in sections.items():
                for option, written in options.items():
                    path: Path = ("services", name, "options", file, *([section] if section else []), option)
                    own = section if section.startswith(_LISTEN) else scope
                    for each in (k for k in known if k.fits(section, option)):
                        try:
                            found += [Setting(own, each.timer, value, path) for value in each.values(written)]
                        except ValueError as error:
                            wrong.append(Unreadable(path, f"{_short(written)} is not {error}"))
    return tuple(found), tuple(wrong)


def _short(written: Any) -> str:
    text = repr(written)
    return text if len(text) <= 40 else text[:40] + "…"


@dataclass(frozen=True)
class Variant:
    """The timers of one part of the cloud. options: where those that an option sets are set. foreign: timers that this
    part has nothing to do with: those of other OpenStack services alone."""

    timers: Timers
    options: Mapping[str, Path]
    foreign: frozenset[str]


def _carried() -> dict[str, frozenset[str]]:
    """Family of OpenStack services -> timers that its files carry."""
    found: dict[str, frozenset[str]] = {}
    for name, service in registry().items():
        if isinstance(service, ReadsOsloConfig | Registers):
            files = {
                *(service.timed if isinstance(service, HasTimers) else ()),
                *(service.namespaces if isinstance(service, ReadsOsloConfig) else ()),
            }
            own = {t.timer for file in files for t in timed(service, file)}
            found[family(name)] = found.get(family(name), frozenset()) | own
    return found


def variants(cloud: Cloud, base: Timers) -> Iterator[Variant]:
    """The timers as each part of the cloud has them."""
    carried = _carried()
    anybody = frozenset[str]().union(*carried.values())
    found, _ = settings(cloud)
    behind = _frontends(cloud)
    everybody = [s for s in found if not s.scope]
    for scope in dict.fromkeys(["", *(s.scope for s in found)]):
        applying, part = list(everybody), scope
        if scope in behind:
            part, frontend = behind[scope]
            applying += [s for s in found if s.scope == part]
            # What the section sets for itself is another matter: see `sessions`.
            own = [s for s in found if s.scope == scope and s.path[-1] not in frontend.settings]
        else:
            own = [s for s in found if s.scope == scope and scope]
        foreign = anybody - carried[part] if part in carried else frozenset[str]()
        for chosen in _choices([*applying, *own]):
            yield Variant(_applied(base, chosen), {s.timer: s.path for s in chosen.values()}, foreign)


def _choices(applying: Sequence[Setting]) -> Iterator[dict[str, Setting]]:
    """One setting a timer: the last of each, then every other one in its place."""
    last = {s.timer: s for s in applying}
    yield last
    for other in applying:
        if last[other.timer] is not other:
            yield {**last, other.timer: other}


def _applied(base: Timers, chosen: Mapping[str, Setting]) -> Timers:
    values: dict[str, Any] = {}
    for name, setting in chosen.items():
        whole = isinstance(getattr(base, name), int)
        values[name] = int(setting.value) if whole else setting.value
    return replace(base, **values)


def _frontends(cloud: Cloud) -> dict[str, tuple[str, Frontend]]:
    """Section -> (service, frontend); regions have the same ones."""
    found = (pair for region in cloud.regions.values() for pair in frontends(cloud, region))
    return {f"{_LISTEN}{frontend.name}": (family(service), frontend) for service, frontend in found}


def sessions(cloud: Cloud) -> Iterator[tuple[Path, float]]:
    """What options make of the time for which the load balancer lets a database session idle, and where."""
    found, _ = settings(cloud)
    for section, (_, frontend) in _frontends(cloud).items():
        if frontend.mode == "tcp":
            yield from ((s.path, s.value) for s in found if s.scope == section and s.path[-1] in frontend.settings)
