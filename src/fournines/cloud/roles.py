"""Roles are sets of services. What a host carries follows from its roles, and from what its region places elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: On every host, whatever its roles.
EVERYWHERE = frozenset({"base", "agent"})

SHIPPED: Mapping[str, frozenset[str]] = {
    "endpoint": frozenset({"haproxy", "keepalived"}),
    "controller": frozenset({"haproxy", "keepalived", "mariadb", "rabbitmq", "memcached", "keystone"}),
    "database": frozenset({"mariadb"}),
    "messaging": frozenset({"rabbitmq"}),
    "network": frozenset(),
    "storage": frozenset(),
    "compute": frozenset(),
}

SERVICES = frozenset[str]().union(EVERYWHERE, *SHIPPED.values())


def placed(roles: Mapping[str, frozenset[str]], used: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """The services of each role in a region whose hosts have the roles `used`.

    A controller carries everything that no other used role carries: give one host the role `database`, and the
    controllers have none.
    """
    elsewhere = frozenset[str]().union(*(roles[r] for r in used if r != "controller"))
    return {name: (s - elsewhere if name == "controller" else s) | EVERYWHERE for name, s in roles.items()}
