"""The functions that are watched, with `prove`'s probes at a gentler rate, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fournines.cloud.model import Cloud
from fournines.cloud.names import suggest
from fournines.errors import UsageError
from fournines.prove.functions import carried
from fournines.prove.probes import PROBES, Probe


@dataclass(frozen=True, slots=True)
class Rate:
    """interval: seconds between two requests. cost: CPU seconds that one takes of the cloud, as `prove.probes` has them
    where it does, else estimated. usual: watched where nothing else is asked for."""

    interval: float
    cost: float
    usual: bool = True


#: None of them leaves anything behind. The rate of `validate` and `read_row` is what an outage's length is known by.
RATES = {
    "validate": Rate(0.2, 0.008),
    "list_projects": Rate(1.0, 0.015),
    "authenticate": Rate(1.0, 0.015),
    "authenticate_password": Rate(10.0, 0.3, usual=False),
    "read_row": Rate(0.2, 0.001),
    "write_row": Rate(0.5, 0.002),
    "publish": Rate(0.5, 0.002),
    "consume": Rate(0.5, 0.001),
    "list_servers": Rate(1.0, 0.03),
}
_MESSAGES = {"publish", "consume"}


def watched(name: str) -> Probe:
    """`prove`'s probe of that name at the rate of here."""
    return replace(PROBES[name], interval=RATES[name].interval)


def cost(names: Iterable[str]) -> float:
    """Of one core, of all hosts together: 0.08 are 8 %."""
    return sum(RATES[name].cost / RATES[name].interval for name in names)


def chosen(names: Iterable[str], cloud: Cloud, region: str) -> tuple[str, ...]:
    """`names`, of publish and consume both; the usual ones that the region has where none is named. Raises
    UsageError."""
    possible = [name for name in carried(cloud, region) if name in RATES]
    wanted = set(names)
    for name in wanted:
        if name not in RATES:
            raise UsageError(f"{name} is no function that is watched", next=suggest(name, RATES))
        if name not in possible:
            raise UsageError(f"{cloud.name} cannot do {name}", why="no host carries the services that it needs")
    if wanted & _MESSAGES:
        wanted |= _MESSAGES
    return tuple(n for n in possible if (n in wanted if wanted else RATES[n].usual))
