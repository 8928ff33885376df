"""Taking a host's load away before work on it, and giving it back: an entry in `Cloud.maintenance`, which every service
then follows in what it wants on the hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fournines.cloud.maintenance import Maintenance
from fournines.cloud.model import Cloud, Host
from fournines.errors import PlanError
from fournines.health.cluster import RegionState
from fournines.health.problems import STALE
from fournines.services import registry
from fournines.services.capabilities import members, voters
from fournines.services.service import HaPattern, Service

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def drained(cloud: Cloud, host: Host, reason: str, now: float, seen: RegionState) -> Cloud:
    """`cloud` with `host` drained. now: seconds since the epoch. seen: the region at this moment.

    Of a host that is drained already the entry stays, so that an interrupted drain is continued. Raises PlanError when
    what is left could not serve.
    """
    if others := sorted(name for name in cloud.drained if name != host.name and name in cloud.host_by_name):
        raise PlanError(
            "one host is drained at a time",
            where=host.name,
            why=f"{others[0]} is drained since {cloud.maintenance[others[0]].since}: "
            f"{cloud.maintenance[others[0]].reason}",
            next=f"fournines undrain {cloud.source} {others[0]}",
        )
    entry = cloud.maintenance.get(host.name)
    if entry and entry.drained and reason in ("", entry.reason):
        return cloud
    if missing := list(lacking(cloud, host, seen)):
        raise PlanError(
            f"without {host.name} the cloud could not serve",
            where=host.name,
            why="\n        ".join(missing),
            next=f"fournines status {cloud.source} says what to fix first",
        )
    return with_entry(
        cloud, host, Maintenance(True, reason or "no reason given", stamp(now, entry), entry.boot if entry else "")
    )


def undrained(cloud: Cloud, host: Host, now: float) -> Cloud:
    """`cloud` with `host` serving again; unchanged where that was asked for already, so that it is continued. Raises
    PlanError when the host was never drained."""
    entry = cloud.maintenance.get(host.name)
    if entry is None:
        raise PlanError(
            f"{host.name} is not drained", where=host.name, next=f"fournines status {cloud.source} says who is"
        )
    if not entry.drained:
        return cloud
    return with_entry(cloud, host, Maintenance(False, entry.reason, stamp(now, entry)))


def with_entry(cloud: Cloud, host: Host, entry: Maintenance) -> Cloud:
    return replace(cloud, maintenance={**cloud.maintenance, host.name: entry})


def stamp(now: float, before: Maintenance | None) -> str:
    """`now`, seconds since the epoch, in UTC; but later than `before`, whatever the clocks say: the newest counts."""
    return later(now, before.since if before else "")


def later(now: float, since: str) -> str:
    """As `stamp`; since: what it must be later than, "" for nothing."""
    moment = datetime.fromtimestamp(int(now), UTC)
    if since:
        moment = max(moment, datetime.strptime(since, _FORMAT).replace(tzinfo=UTC) + timedelta(seconds=1))
    return moment.strftime(_FORMAT)


def lacking(cloud: Cloud, host: Host, seen: RegionState) -> Iterator[str]:
    """What would be missing if `host` carried nothing, a line each."""
    for service in registry().values():
        if service.name not in host.services or service.pattern is HaPattern.PER_HOST:
            continue
        every = members(cloud, host.region, service.name)
        unhealthy = {h.name: why for h in every if h != host and (why := _unhealthy(cloud, service, h, seen))}
        well = len(every) - 1 - len(unhealthy)
        if service.pattern is HaPattern.QUORUM and 2 * well <= len(every):
            yield f"{service.name} would have {well} of {len(every)} members, no majority{_listed(unhealthy)}"
        elif well < 1:
            yield f"nobody else could serve {service.name}{_listed(unhealthy)}"
    if host in (voting := voters(cloud, host.region)):
        silent = {h.name: why for h in voting if h != host and (why := _silent(h, seen))}
        left = len(voting) - len(silent) - 1
        if len(voting) > 2 and 2 * left <= len(voting):
            yield f"{left} of {len(voting)} would vote for the VIP, no majority{_listed(silent)}"


def _listed(unhealthy: dict[str, str]) -> str:
    return "".join(f"; {name}: {why}" for name, why in unhealthy.items())


def _silent(host: Host, seen: RegionState) -> str:
    state = seen.states.get(host.name)
    if state is None:
        return next((u.what for u in seen.unknown if u.host == host.name), "it was not asked")
    return f"its observer has said nothing for {state.age:.0f} s" if state.age > STALE else ""


def _unhealthy(cloud: Cloud, service: Service, host: Host, seen: RegionState) -> str:
    """Why `host` does not count as a copy of `service` that works; "" if it does."""
    if silent := _silent(host, seen):
        return silent
    if host.name in seen.drained:
        return "drained"
    state = seen.states[host.name]
    for unit in service.units_in(cloud):
        if (active := state.units.get(unit, "active")) != "active":
            return f"{unit} is {active}"
    return state.unhealthy(service.name)
