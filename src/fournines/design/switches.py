"""Which services of a function switch from one copy to the next, how long clients wait then, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fournines.cloud.model import Cloud
from fournines.design.condition import Component, Condition, Requirement
from fournines.design.failover import Switching
from fournines.design.reliability import YEAR, Reliability
from fournines.services import registry
from fournines.services.capabilities import failover
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
class SwitchGroup:
    """A service of which one copy does the work. own, host: seconds that clients wait when that copy's process, or what
    it stands on, is lost; host None: they wait for another group's switch, which is longer. coverage: share of switches
    that work by themselves; the others take `manual` seconds."""

    requirement: Requirement
    own: float
    host: float | None
    origin: Origin
    coverage: float
    manual: float

    @property
    def parts(self) -> tuple[Component, ...]:
        """What one copy stands on: all are alike."""
        first = self.requirement.copies[0]
        return (*first.parts, *first.alike)


@dataclass(frozen=True)
class Switch:
    """What switches of one service cost a function. seconds: one switch, by `origin`. a_year: how many.
    unavailability: the share of time lost."""

    service: str
    seconds: float
    origin: Origin
    a_year: float
    unavailability: float


class SwitchGroups:
    """`services` None: those that are shipped."""

    def __init__(
        self, cloud: Cloud, observed: Sequence[Observed] = (), services: Mapping[str, Service] | None = None
    ) -> None:
        self.cloud = cloud
        self.observed = {(o.function, o.service): o.seconds for o in observed}
        self.services = registry() if services is None else services

    def of(self, condition: Condition) -> Iterator[SwitchGroup]:
        """One for each service that fails over. A measured outage of a host counts once, with the slowest of them: what
        clients waited for was all of them together."""
        switching = [r for r in condition.requirements if r.total > 1 and self._fails_over(r)]
        slowest = max(switching, key=self._derived, default=None)
        for requirement in () if condition.missing else switching:
            yield self._group(condition.name, requirement, requirement is slowest)

    def _fails_over(self, requirement: Requirement) -> bool:
        service = self.services.get(requirement.name)
        return service is not None and failover(service, self.cloud) is not None

    def _derived(self, requirement: Requirement) -> float:
        return failover(self.services[requirement.name], self.cloud) or 0.0

    def _group(self, function: str, requirement: Requirement, slowest: bool) -> SwitchGroup:
        name, spec = requirement.name, self.cloud.design
        if name in spec.failover:
            seconds = spec.failover[name]
            return SwitchGroup(requirement, seconds, seconds, "stated", spec.coverage, spec.manual)
        seconds = self._derived(requirement)
        own, host = self.observed.get((function, name)), self.observed.get((function, ""))
        return SwitchGroup(
            requirement,
            own=seconds if own is None else own,
            host=seconds if host is None else host if slowest else None,
            origin="derived" if own is None and host is None else "measured",
            coverage=spec.coverage,
            manual=spec.manual,
        )


def cost(group: SwitchGroup, reliability: Reliability) -> Switch | None:
    """By the Markov chain of the group; None when it never fails."""
    requirement, parts = group.requirement, group.parts
    own = sum(reliability.figure(p).rate for p in parts if p.kind == "process")
    host = sum(reliability.figure(p).rate for p in parts if p.kind != "process") if group.host is not None else 0.0
    if own + host == 0:
        return None
    up = math.prod(1 - reliability.unavailability(p) for p in parts)
    fail, seconds = own + host, (own * group.own + host * (group.host or 0.0)) / (own + host)
    repair = fail * up / (1 - up)
    chain = Switching(requirement.total, requirement.least, fail, repair, seconds, group.coverage, group.manual)
    return Switch(requirement.name, seconds, group.origin, fail * YEAR, chain.cost())
