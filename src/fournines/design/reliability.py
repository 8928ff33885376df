"""How often each kind of component fails, and for how long: the one table that all figures of `design` begin with.

Every entry is an assumption until the operator replaces it (`design.failures` of the cloud file); its source says how
good a one. Failure and repair are taken as independent between components, and as exponential where a formula needs it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from fournines.cloud.model import Cloud
from fournines.cloud.values import UNITS
from fournines.design.condition import Component, Condition

HOUR, DAY, YEAR = UNITS["h"], UNITS["d"], UNITS["y"]
#: Of an availability's complement, in minutes a year.
MINUTES_A_YEAR = YEAR / 60


@dataclass(frozen=True, slots=True)
class Figure:
    """Mean times in seconds. `assumed`: not stated by the operator. `source`: where an assumption comes from."""

    name: str
    mttf: float
    mttr: float
    source: str
    assumed: bool = True

    @property
    def unavailability(self) -> float:
        return 0.0 if math.isinf(self.mttf) else self.mttr / (self.mttf + self.mttr)

    @property
    def rate(self) -> float:
        """Failures a second."""
        return 1 / self.mttf


_DEAN = "J. Dean, LADIS 2009, a new cluster's first year"
_UNSEEN = "not counted until stated: the cloud file does not say how it is built"
DEFAULTS = {
    figure.name: figure
    for figure in (
        Figure("region", math.inf, 12 * HOUR, _UNSEEN),
        Figure("network", math.inf, 1 * HOUR, _UNSEEN),
        Figure("power", 5 * YEAR, 6 * HOUR, f"{_DEAN}: one power distribution unit, six hours to come back"),
        Figure("switch", 12 * YEAR, 4 * HOUR, "Singh et al., CCR 2021: 2 % fail within three months; repair assumed"),
        Figure("zone", 10 * YEAR, 6 * HOUR, f"{_DEAN}: racks vanish for one to six hours; frequency assumed"),
        Figure("host", 1 * YEAR, 4 * HOUR, f"{_DEAN}: a thousand machines of some thousands; repair assumed"),
        Figure("process", 90 * DAY, 90.0, "systemd restarts it in seconds; one crash in fifty takes an hour"),
    )
}


@dataclass(frozen=True)
class Reliability:
    """The figures of one cloud: the table, with the operator's own laid over it."""

    own: dict[str, Figure]

    @classmethod
    def of(cls, cloud: Cloud) -> Reliability:
        process = _laid_over(DEFAULTS["process"], "process", cloud)
        names = {"process", *cloud.design.failures}
        return cls({name: _laid_over(DEFAULTS.get(name, process), name, cloud) for name in names})

    def figure(self, component: Component) -> Figure:
        return self.own.get(component.service) or self.own.get(component.kind) or DEFAULTS[component.kind]

    def unavailability(self, component: Component) -> float:
        return self.figure(component).unavailability

    def with_perfect(self, component: Component) -> Reliability:
        """As if what is like `component` (its service's processes, or its kind) never failed."""
        name = component.service or component.kind
        return Reliability({**self.own, name: replace(self.figure(component), name=name, mttf=math.inf)})

    def used(self, conditions: Iterable[Condition]) -> tuple[Figure, ...]:
        """What the figures of `conditions` rest on, in the table's order, services last."""
        parts = {p.key: p for c in conditions for p in (*c.components, *_alike(c))}
        found = {f.name: f for f in (self.figure(p) for p in parts.values())}
        order = [*DEFAULTS, *sorted(found.keys() - DEFAULTS.keys())]
        return tuple(found[name] for name in order if name in found)


def _laid_over(below: Figure, name: str, cloud: Cloud) -> Figure:
    mttf, mttr = cloud.design.failures.get(name, (None, None))
    if mttf is None and mttr is None:
        return Figure(name, below.mttf, below.mttr, below.source, below.assumed)
    whole = mttf is not None and mttr is not None
    source = "stated in the cloud file" if whole else f"stated in part; {below.source}"
    return Figure(name, mttf or below.mttf, mttr or below.mttr, source, assumed=not whole)


def _alike(condition: Condition) -> Iterable[Component]:
    return (p for r in condition.requirements for c in r.copies for p in c.alike)


def spell(seconds: float) -> str:
    """`90 d`, `4 h`, `1.5 s`; for people."""
    if math.isinf(seconds):
        return "never"
    unit, size = next(((u, s) for u, s in reversed(UNITS.items()) if seconds >= s), ("s", 1.0))
    return f"{seconds / size:.3g} {unit}"
