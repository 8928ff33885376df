"""What a running cloud takes, held against what the formulas of `capacity` predict of it.

They predict what a region must be able to carry: every pool full, every process there. So a formula holds while no more
than that is seen; how much less is what load has not asked for yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fournines.cloud.model import Cloud, Region
from fournines.design.capacity import BUS, DATABASE, SESSIONS, capacity, footprint
from fournines.services.rendered import Size


@dataclass(frozen=True)
class Usage:
    """Of one host, at one moment. resident: GiB of all processes together. database, sessions: (now, the most so far);
    bus: now. None: not here."""

    host: str
    size: Size
    resident: float
    database: tuple[int, int] | None
    bus: int | None
    sessions: tuple[int, int] | None


@dataclass(frozen=True)
class Observation:
    """`seen` now, `peak` the most so far (as `seen` where hosts do not remember). where: a host, or the region."""

    where: str
    what: str
    formula: str
    predicted: float
    seen: float
    peak: float

    @property
    def holds(self) -> bool:
        return self.peak <= self.predicted


def compared(cloud: Cloud, seen: Sequence[Usage]) -> tuple[Observation, ...]:
    """`seen`: of every host that carries more than what every host does. Formulas are computed for the size that these
    hosts have."""
    of_host = {u.host: u for u in seen}
    return tuple(c for region in cloud.regions.values() for c in _region(cloud, region, of_host))


def _region(cloud: Cloud, region: Region, of_host: Mapping[str, Usage]) -> Iterator[Observation]:
    here = [of_host[h.name] for h in region.hosts if h.name in of_host]
    if not here:
        return
    largest = Size(max(u.size.cores for u in here), max(u.size.memory for u in here))
    (limits,) = (c.limits for c in capacity(cloud, size=largest) if c.region == region.name)
    writer = max((u.database for u in here if u.database), default=None)
    holder = max((u.sessions for u in here if u.sessions), default=None)
    bus = sum(u.bus for u in here if u.bus is not None)
    found = {DATABASE: writer, SESSIONS: holder, BUS: (bus, bus)}
    for limit in limits:
        pair = found.get(limit.name)
        if pair:
            yield Observation(region.name, limit.name, limit.formula, limit.now, *pair)
    for usage in here:
        taken = footprint(cloud, cloud.host_by_name[usage.host], usage.size)
        yield Observation(usage.host, "memory, GiB", taken.formula, taken.memory, usage.resident, usage.resident)
