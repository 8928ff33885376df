"""What a restore does to a cloud: who is stopped while the databases are replaced, and what must be forgotten after.

The databases of services are replaced, table by table, through the node that takes the writes: cluster, accounts and
the secrets of the cloud stay as they are, and `apply` then makes true what the older data say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fournines.cloud.model import Cloud
from fournines.services import keystone, memcached, passive
from fournines.services.capabilities import UsesDatabase, present
from fournines.services.service import HaPattern


@dataclass(frozen=True)
class Stops:
    """host -> units that write to the databases, in the order in which they stop. moving: those that a cluster would
    start again, there or on another host."""

    units: Mapping[str, tuple[str, ...]]
    moving: frozenset[str] = frozenset()

    def script(self, host: str) -> str:
        withdrawn = [passive.withdrawn(unit) for unit in self.units[host] if unit in self.moving]
        return "\n".join(("set -e", *withdrawn, f"systemctl stop {' '.join(self.units[host])}"))


def stops(cloud: Cloud) -> Stops:
    """Of all services with a database: but the agent, which has one for `prove` alone."""
    found: dict[str, tuple[str, ...]] = {}
    for region in cloud.regions.values():
        writing = [s for s in present(cloud, region.name) if isinstance(s, UsesDatabase) and _is_client(s.pattern)]
        for host in region.hosts:
            units = [unit for s in reversed(writing) if s.name in host.services for unit in s.units_in(cloud)]
            if units:
                found[host.name] = tuple(units)
    return Stops(found, frozenset(passive.movable(cloud)))


def _is_client(pattern: HaPattern) -> bool:
    return pattern is not HaPattern.PER_HOST


#: What hosts remember of the data that were there before: tokens and their projects, and which password was set.
FORGET = f"systemctl try-restart {memcached.UNIT}\nrm -f {keystone.ADMIN_MARK}"
