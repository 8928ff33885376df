"""All faults there are, and the sets of them that have a name."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.prove.faults import (
    agent,
    bus,
    compute,
    data,
    database,
    disk,
    host,
    load,
    network,
    operation,
    power_loss,
    service,
    storm,
    trust,
    world,
)
from fournines.prove.faults.strike import Strike
from fournines.prove.faults.target import subjects

FAMILIES = (
    service,
    agent,
    host,
    network,
    load,
    data,
    disk,
    power_loss,
    database,
    bus,
    storm,
    compute,
    trust,
    world,
    operation,
)

CATALOGUE: dict[str, type[Strike]] = {kind.name: kind for family in FAMILIES for kind in family.FAMILY}


#: Those that nobody has to name.
DRAWN: dict[str, type[Strike]] = {name: kind for name, kind in CATALOGUE.items() if kind.drawn}


def drawn(cloud: Cloud) -> tuple[type[Strike], ...]:
    """Of those, the ones that strike what the cloud has."""
    known = subjects(cloud)
    return tuple(kind for kind in DRAWN.values() if not kind.carrier or kind.carrier in known)


def each(cloud: Cloud) -> Iterator[str]:
    """Every fault where it hurts most, as the user would write it; of services, those that the cloud has."""
    known = subjects(cloud)
    for kind in drawn(cloud):
        for subject in kind.each:
            if kind.subject == "host" or subject.partition("+")[0] in known:
                yield f"{kind.name}@{subject}"


def every(cloud: Cloud) -> Iterator[str]:
    """Every fault of every service in the targets vip, writer and one, and those of `each` beside them."""
    services = tuple(dict.fromkeys(owner for owner, _ in subjects(cloud).values()))
    for target in ("vip", "writer", "one"):
        for kind in drawn(cloud):
            of_kind = tuple(name for name in services if name in (kind.services or services))
            names = of_kind if kind.subject == "service" else ("",)
            yield from (f"{kind.name}@{'+'.join(filter(None, (name, target)))}" for name in names)
    yield from each(cloud)


SETS = {"each": each, "all": every}
