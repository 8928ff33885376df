"""Roles are sets of services. What a host carries follows from its roles, from what its region places elsewhere, and
from the components that the cloud wants.

This layer knows no service: the catalogue, which `services` makes of its modules, is handed in as data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

Component = Literal["core", "compute", "full"]
#: The smallest first; each has what those before it have.
COMPONENTS: tuple[Component, ...] = get_args(Component)
SHIPPED = ("endpoint", "controller", "database", "messaging", "network", "storage", "compute", "witness", "monitoring")
#: Where no host of a region has one of these roles, its controllers stand in.
STOOD_IN = ("endpoint", "database", "messaging", "network", "storage")
#: Among a service's roles: it is on every host, whatever the host's roles.
EVERY_HOST = "*"


@dataclass(frozen=True)
class Entry:
    """roles: of SHIPPED, or EVERY_HOST. component: the smallest set that has the service. needs: services without which
    it is nothing. per_host: it belongs to its host, so that another host's copy takes no controller's away. mechanism:
    tier of `pattern:` -> its value in the clouds that have the service. beside: it is also on every host that carries
    one of these, in regions where `reader` is, or where somebody outside reads."""

    roles: tuple[str, ...]
    component: Component = "full"
    needs: tuple[str, ...] = ()
    per_host: bool = False
    mechanism: Mapping[str, str] = field(default_factory=dict[str, str])
    beside: tuple[str, ...] = ()
    reader: str = ""


Catalogue = Mapping[str, Entry]


def chosen(catalogue: Catalogue, pattern: Mapping[str, object]) -> Catalogue:
    """The services that a cloud of this pattern may have, and of what they need, those."""
    there = {n for n, e in catalogue.items() if all(pattern.get(tier) == value for tier, value in e.mechanism.items())}
    return {
        name: replace(entry, needs=tuple(need for need in entry.needs if need in there))
        for name, entry in catalogue.items()
        if name in there
    }


def family(service: str) -> str:
    """`nova` of `nova` and `nova_compute`."""
    return service.partition("_")[0]


def selectable(catalogue: Catalogue) -> frozenset[str]:
    """What `components:` may name."""
    return frozenset({*COMPONENTS, *catalogue, *map(family, catalogue)})


def selected(names: Iterable[str], catalogue: Catalogue) -> frozenset[str]:
    """The services that `names` (sets, families, services) stand for, with all that those need."""
    names = set(names)
    largest = max((COMPONENTS.index(c) for c in COMPONENTS if c in names), default=-1)
    todo = [
        name
        for name, entry in catalogue.items()
        if EVERY_HOST in entry.roles or names & {name, family(name)} or COMPONENTS.index(entry.component) <= largest
    ]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += catalogue[name].needs
    return frozenset(found)


def shipped(catalogue: Catalogue) -> Mapping[str, frozenset[str]]:
    """Role -> services; controllers with all that they may stand in for."""
    roles = {role: _of(role, catalogue) for role in SHIPPED}
    return {**roles, "controller": roles["controller"].union(*(roles[r] for r in STOOD_IN))}


def placed(
    own: Mapping[str, frozenset[str]],
    catalogue: Catalogue,
    used: Iterable[str],
    wanted: frozenset[str],
    *,
    outside: bool = False,
) -> Mapping[str, frozenset[str]]:
    """The services of each role in a region whose hosts have the roles `used`; `own` are the operator's roles. outside:
    some `reader` is on no host of the region.

    A controller carries what no other used role carries: give one host the role `database`, and the controllers have
    none.
    """
    used = set(used)
    elsewhere = frozenset[str]().union(*(s for role, s in own.items() if role in used))
    elsewhere -= {name for name in elsewhere if catalogue[name].per_host}
    roles = {role: _of(role, catalogue) for role in SHIPPED}
    standing_in = frozenset[str]().union(*(roles[r] for r in STOOD_IN if r not in used))
    roles["controller"] = (roles["controller"] | standing_in) - elsewhere
    everywhere = _of(EVERY_HOST, catalogue)
    carried = {name: (services | everywhere) & wanted for name, services in {**own, **roles}.items()}
    there = frozenset[str]().union(*(s for role, s in carried.items() if role in used))
    read = {n: e for n, e in catalogue.items() if e.reader and n in wanted and (outside or e.reader in there)}
    return {
        role: services | {name for name, entry in read.items() if services.intersection(entry.beside)}
        for role, services in carried.items()
    }


def _of(role: str, catalogue: Catalogue) -> frozenset[str]:
    return frozenset(name for name, entry in catalogue.items() if role in entry.roles)
