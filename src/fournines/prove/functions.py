"""Which functions a cloud has, of those that can be probed, and which of them are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from fournines.cloud.model import Cloud
from fournines.cloud.names import suggest
from fournines.design.derive import functions
from fournines.errors import UsageError
from fournines.prove.probes import PROBES
from fournines.services import registry

#: Two ends of one thing: neither can be probed alone.
_MESSAGES = {"publish", "consume"}


def carried(cloud: Cloud, region: str) -> tuple[str, ...]:
    """Those that the region can do: the core's, and each other one whose service, and all that it needs, is there. Not
    what needs a client elsewhere."""
    declared = functions(registry())

    def there(name: str) -> bool:
        if name not in declared:
            return True
        function, provider = declared[name]
        return all(cloud.hosts_of(service, region) for service in (provider.name, *function.needs))

    return tuple(name for name, probe in PROBES.items() if there(name) and not probe.routed)


def chosen(names: Iterable[str], cloud: Cloud, region: str) -> tuple[str, ...]:
    """`names` in the probes' order, of publish and consume both; all that the region can do where none is named.

    Raises UsageError.
    """
    possible, wanted = carried(cloud, region), set(names)
    for name in wanted:
        if name not in PROBES:
            raise UsageError(f"there is no function {name}", next=suggest(name, PROBES))
        if name not in possible:
            raise UsageError(f"{cloud.name} cannot do {name}", why="no host carries the services that it needs")
    if wanted & _MESSAGES:
        wanted |= _MESSAGES
    return tuple(name for name in possible if not wanted or name in wanted)
