"""Availability of each function: the exact static part, and what switching costs on top, against the target."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fournines.cloud.model import Cloud
from fournines.design.condition import Component, Condition, Requirement
from fournines.design.exact import Exact, Model, shape
from fournines.design.failover import Switching
from fournines.design.reliability import MINUTES_A_YEAR, YEAR, Reliability
from fournines.design.targets import target
from fournines.services import registry
from fournines.services.capabilities import FailsOver
from fournines.services.service import Service

Origin = Literal["measured", "stated", "derived"]


@dataclass(frozen=True)
class Observed:
    """An outage that `prove` measured: clients of `function` waited `seconds`, at most, when `service` lost one process
    ("": when a host was lost, with all that it did)."""

    function: str
    service: str
    seconds: float


@dataclass(frozen=True)
class Switch:
    """What switches of one service cost a function. seconds: one switch, by `origin`. a_year: how many.
    unavailability: the share of time lost."""

    service: str
    seconds: float
    origin: Origin
    a_year: float
    unavailability: float


@dataclass(frozen=True)
class Importance:
    """Alike components of one kind. birnbaum: the probability that a certain one decides, at most. criticality: the
    chance that, while too few copies are up, a certain one is down and decides. minutes: a year's, that the function
    would gain if none of them ever failed."""

    what: str
    count: int
    birnbaum: float
    criticality: float
    minutes: float


@dataclass(frozen=True)
class Availability:
    """Of a function in a region, 0..1. static: too few copies. switches: on top. target: in per cent."""

    function: str
    region: str
    availability: float
    static: float
    switches: tuple[Switch, ...]
    importance: tuple[Importance, ...]
    target: float | None

    @property
    def minutes(self) -> float:
        """A year's, in which it does not work."""
        return (1 - self.availability) * MINUTES_A_YEAR

    @property
    def met(self) -> bool | None:
        return None if self.target is None else 100 * self.availability >= self.target


def availability(
    cloud: Cloud,
    conditions: Iterable[Condition],
    observed: Sequence[Observed] = (),
    services: Mapping[str, Service] | None = None,
    *,
    importance: bool = True,
) -> tuple[Availability, ...]:
    """`importance`: whether to say of each kind of component what it contributes; it takes most of the time."""
    reliability = Reliability.of(cloud)
    switching = _Switching(cloud, reliability, observed, registry() if services is None else services)
    statics: dict[Hashable, tuple[float, tuple[Importance, ...]]] = {}
    found: list[Availability] = []
    for condition in conditions:
        alike = shape(condition)
        if alike not in statics:
            statics[alike] = (0.0, ()) if condition.missing else _static(Model(condition, reliability), importance)
        found.append(_with_switches(condition, *statics[alike], switching, target(cloud, condition.name)))
    return tuple(found)


def _with_switches(
    condition: Condition,
    static: float,
    importance: tuple[Importance, ...],
    switching: _Switching,
    target: float | None,
) -> Availability:
    switches = () if condition.missing else tuple(switching.of(condition))
    total = static * math.prod(1 - s.unavailability for s in switches)
    return Availability(condition.name, condition.region, total, static, switches, importance, target)


def _static(model: Model, importance: bool) -> tuple[float, tuple[Importance, ...]]:
    if not importance:
        return model.availability(model.reliability), ()
    static = model.solve()
    return static.availability, tuple(_importance(model, static))


def _importance(model: Model, static: Exact) -> Iterable[Importance]:
    """The greatest gain first."""
    condition, reliability = model.condition, model.reliability
    lost, birnbaum = 1 - static.availability, static.birnbaum
    alike: dict[str, list[Component]] = {}
    for component in condition.components:
        alike.setdefault(component.service or component.kind, []).append(component)
    found: list[Importance] = []
    for what, members in alike.items():
        weight = {c.key: birnbaum.get(c.key, 0.0) * reliability.unavailability(c) for c in members}
        if lost > 0 and any(weight.values()):
            share = max(weight.values()) / lost
            highest = max(birnbaum[c.key] for c in members)
            gained = lost - (1 - model.availability(reliability.with_perfect(members[0])))
            found.append(Importance(what, len(members), highest, share, gained * MINUTES_A_YEAR))
    return sorted(found, key=lambda i: -i.minutes)


class _Switching:
    def __init__(
        self, cloud: Cloud, reliability: Reliability, observed: Sequence[Observed], services: Mapping[str, Service]
    ) -> None:
        self.cloud = cloud
        self.reliability = reliability
        self.observed = {(o.function, o.service): o.seconds for o in observed}
        self.services = services

    def of(self, condition: Condition) -> Iterable[Switch]:
        """One for each service that fails over. A measured outage of a host counts once, with the slowest of them: what
        clients waited for was all of them together."""
        groups = [r for r in condition.requirements if r.total > 1 and isinstance(self.services.get(r.name), FailsOver)]
        slowest = max(groups, key=self._derived, default=None)
        for requirement in groups:
            switch = self._switch(condition, requirement, requirement is slowest)
            if switch:
                yield switch

    def _derived(self, requirement: Requirement) -> float:
        service = self.services[requirement.name]
        return service.failover(self.cloud) if isinstance(service, FailsOver) else 0.0

    def _switch(self, condition: Condition, requirement: Requirement, slowest: bool) -> Switch | None:
        name, spec = requirement.name, self.cloud.design
        parts = [*requirement.copies[0].parts, *requirement.copies[0].alike]
        own = sum(self.reliability.figure(p).rate for p in parts if p.kind == "process")
        host = sum(self.reliability.figure(p).rate for p in parts if p.kind != "process")
        seconds = spec.failover.get(name, self._derived(requirement))
        of_own, of_host = (seconds,) * 2
        origin: Origin = "stated" if name in spec.failover else "derived"
        if name not in spec.failover:
            if (condition.name, name) in self.observed:
                origin, of_own = "measured", self.observed[condition.name, name]
            if (condition.name, "") in self.observed:
                origin, of_host = "measured", self.observed[condition.name, ""]
                host = host if slowest else 0.0
        if own + host == 0:
            return None
        up = math.prod(1 - self.reliability.unavailability(p) for p in parts)
        fail, mean = own + host, (own * of_own + host * of_host) / (own + host)
        repair = fail * up / (1 - up)
        group = Switching(requirement.total, requirement.least, fail, repair, mean, spec.coverage, spec.manual)
        return Switch(name, mean, origin, fail * YEAR, group.cost())
