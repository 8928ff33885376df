"""Availability of each function: the exact static part, and what switching costs on top, against the target."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fournines.cloud.model import Cloud
from fournines.design.condition import Component, Condition
from fournines.design.exact import Exact, Model, shape
from fournines.design.reliability import MINUTES_A_YEAR, Reliability
from fournines.design.switches import Observed, Switch, SwitchGroups, cost
from fournines.design.targets import target
from fournines.services.service import Service


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
    groups = SwitchGroups(cloud, observed, services)
    statics: dict[Hashable, tuple[float, tuple[Importance, ...]]] = {}
    found: list[Availability] = []
    for condition in conditions:
        alike = shape(condition)
        if alike not in statics:
            statics[alike] = (0.0, ()) if condition.missing else _static(Model(condition, reliability), importance)
        switches = tuple(s for s in (cost(g, reliability) for g in groups.of(condition)) if s)
        static, important = statics[alike]
        total = static * math.prod(1 - s.unavailability for s in switches)
        wanted = target(cloud, condition.name)
        found.append(Availability(condition.name, condition.region, total, static, switches, important, wanted))
    return tuple(found)


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
