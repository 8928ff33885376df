"""`design CLOUD`: everything that the analysis has to say of one cloud, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fournines.cloud.model import Cloud
from fournines.design.cutsets import CutSets
from fournines.design.derive import conditions
from fournines.design.reliability import Figure, Reliability
from fournines.design.targets import require_known
from fournines.design.weakness import Degraded, Weakness, degraded, weaknesses
from fournines.services.service import Service


@dataclass(frozen=True)
class Overview:
    """never: (function, region, the services that no host of it carries). figures: what the probabilities rest on."""

    cloud: str
    hosts: int
    functions: tuple[str, ...]
    never: tuple[tuple[str, str, tuple[str, ...]], ...]
    weaknesses: tuple[Weakness, ...]
    degraded: tuple[Degraded, ...]
    figures: tuple[Figure, ...]


def overview(cloud: Cloud, services: Mapping[str, Service] | None = None) -> Overview:
    """Raises CloudFileError: a target of a function that nothing provides."""
    require_known(cloud)
    found = conditions(cloud, services)
    reliability = Reliability.of(cloud)
    cut_sets = CutSets(reliability)
    return Overview(
        cloud=cloud.name,
        hosts=len(cloud.hosts),
        functions=tuple(dict.fromkeys(c.name for c in found)),
        never=tuple((c.name, c.region, c.missing) for c in found if c.missing),
        weaknesses=weaknesses(found, cut_sets),
        degraded=degraded(found, cut_sets),
        figures=reliability.used(found),
    )
