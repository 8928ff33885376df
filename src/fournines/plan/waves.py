"""Which hosts move at once: one failure domain at a time, and never so many that a quorum is lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fournines.cloud.model import Cloud, Host
from fournines.services.service import Rolling, Service

_STRICTNESS: tuple[Rolling, ...] = ("together", "first-alone", "by-zone", "one-by-one")


def strictest(rollings: Iterable[Rolling]) -> Rolling:
    return _STRICTNESS[max(map(_STRICTNESS.index, rollings), default=0)]


def at_most(cloud: Cloud, service: Service, region: str) -> int:
    """Hosts of `region` that may be away at once: the rest is still a majority. Alone or in two: one."""
    return max(1, (len(cloud.hosts_of(service.name, region)) - 1) // 2)


def waves(hosts: Sequence[Host], rolling: Rolling, limit: int) -> list[tuple[str, ...]]:
    """`hosts` of one region, in file order. `limit` is for `by-zone`."""
    if rolling == "together":
        return [tuple(h.name for h in hosts)] if hosts else []
    if rolling == "first-alone":
        return [tuple(h.name for h in part) for part in (hosts[:1], hosts[1:]) if part]
    if rolling == "one-by-one":
        return [(h.name,) for h in hosts]
    zones: dict[str, list[str]] = {}
    for host in hosts:
        zones.setdefault(host.zone.name, []).append(host.name)
    return [tuple(names[i : i + limit]) for names in zones.values() for i in range(0, len(names), limit)]
