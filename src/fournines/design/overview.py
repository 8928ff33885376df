"""`design CLOUD`: everything that the analysis has to say of one cloud, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fournines.cloud.model import Cloud
from fournines.design.availability import Availability, availability
from fournines.design.cutsets import CutSets
from fournines.design.derive import conditions
from fournines.design.growth import Purchase, purchases
from fournines.design.reliability import Figure, Reliability
from fournines.design.switches import Observed
from fournines.design.targets import require_known
from fournines.design.weakness import Degraded, Weakness, degraded, singles, weaknesses


@dataclass(frozen=True)
class Overview:
    """never: (function, region, the services that no host of it carries). figures: what the probabilities rest on.
    coverage: share of switches that work by themselves; manual: seconds that the others take."""

    cloud: str
    hosts: int
    functions: tuple[str, ...]
    never: tuple[tuple[str, str, tuple[str, ...]], ...]
    availability: tuple[Availability, ...]
    purchases: tuple[Purchase, ...]
    weaknesses: tuple[Weakness, ...]
    degraded: tuple[Degraded, ...]
    figures: tuple[Figure, ...]
    coverage: float
    manual: float


def overview(cloud: Cloud, observed: Sequence[Observed] = ()) -> Overview:
    """Raises CloudFileError: a target of a function that nothing provides."""
    require_known(cloud)
    found = conditions(cloud)
    reliability = Reliability.of(cloud)
    cut_sets = CutSets(reliability)
    now = availability(cloud, found, observed)
    return Overview(
        cloud=cloud.name,
        hosts=len(cloud.hosts),
        functions=tuple(dict.fromkeys(c.name for c in found)),
        never=tuple((c.name, c.region, c.missing) for c in found if c.missing),
        availability=now,
        purchases=purchases(cloud, found, now, observed),
        weaknesses=(*singles(cloud, found), *weaknesses(found, cut_sets)),
        degraded=degraded(found, cut_sets),
        figures=reliability.used(found),
        coverage=cloud.design.coverage,
        manual=cloud.design.manual,
    )
