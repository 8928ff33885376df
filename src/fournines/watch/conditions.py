"""Conditions of this moment, from what the agents say and what clients notice. Pure."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator

from fournines.health.cluster import Cluster, RegionState
from fournines.health.openstack import UNITS
from fournines.health.problems import CERTIFICATE_DAYS, DAY
from fournines.health.snapshot import HostState
from fournines.watch.decide import Condition


def conditions(
    seen: Cluster,
    region: str,
    out: Iterable[str],
    full: Iterable[Condition],
    alerts: Iterable[Condition] = (),
    *,
    now: float | None = None,
) -> tuple[frozenset[Condition], frozenset[str]]:
    """All that there are in `region`, and the hosts of which nothing is known. `out`: functions; `full`: log file
    systems. Of a host on which an operator works there is nothing. When no host answers, that is this machine's."""
    at = time.time() if now is None else now
    found = {Condition("outage", "", function, f"{function} is not answered well") for function in out} | set(alerts)
    unknown: set[str] = set()
    for state in (r for r in seen.regions if r.region.name == region):
        unknown |= {u.host for u in state.unknown}
        if state.states:
            found |= set(_of(state, at))
            found |= {c for c in full if c.host in state.states}
    return frozenset(found), frozenset(unknown)


def _of(state: RegionState, now: float) -> Iterator[Condition]:
    left_alone = {name for name, entry in state.maintenance.items() if entry.drained or entry.boot}
    for unknown in state.unknown:
        if unknown.host not in left_alone:
            text = f"{unknown.host} {unknown.what}" + (f": {unknown.why}" if unknown.why else "")
            yield Condition("host.unreachable", unknown.host, "", text)
    for name, said in state.states.items():
        if name in left_alone:
            continue
        if not said.starting:
            for unit, active in said.units.items():
                if active not in ("active", "reloading"):
                    short = unit.removesuffix(".service")
                    yield Condition("daemon.down", name, short, f"{short} of {name} is {active}")
            yield from _late(state, name, said)
        for path, ends in said.certificates.items():
            if ends is not None and ends - now < CERTIFICATE_DAYS * DAY:
                days = max(0.0, (ends - now) / DAY)
                yield Condition("certificate.ends", name, path, f"{path} of {name} ends in {days:.0f} days")


def _late(state: RegionState, name: str, said: HostState) -> Iterator[Condition]:
    """Daemons of the host that run and no longer report to Nova or Neutron. Where the control plane does not serve,
    that is no fault of theirs."""
    reports = () if state.openstack is None or state.served() else state.openstack.reports
    for report in reports:
        unit = UNITS.get(report.kind, report.kind)
        active = said.units.get(f"{unit}.service") == "active"
        if report.host == name and report.enabled and not report.up and active:
            yield Condition("daemon.down", name, unit, f"{unit} of {name} has not reported for {report.age:.0f} s")


#: Of `/var/log`: percent used, and what fills it where that is too much. POSIX df; du in KiB.
FULL_PERCENT = 90
DISK_SCRIPT = (
    'used=$(df -P /var/log | awk \'NR==2 {sub(/%/, "", $5); print $5}\'); echo "$used"; '
    f'[ "$used" -lt {FULL_PERCENT} ] || '
    "nice -n 19 timeout 20 du -xk --max-depth=2 /var/log 2>/dev/null | sort -rn | head -n 4"
)


def log_full(host: str, said: str) -> Collection[Condition]:
    """From what `DISK_SCRIPT` printed there."""
    first, *biggest = said.splitlines() or [""]
    if not first.isdigit() or int(first) < FULL_PERCENT:
        return ()
    sizes = (line.split("\t", 1) for line in biggest)
    named = ", ".join(
        f"{path} {int(size) // 1024} MiB" for size, path in (s for s in sizes if len(s) == 2) if size.isdigit()
    )
    text = f"/var/log of {host} is {first} % full" + (f": {named}" if named else "")
    return (Condition("log.full", host, "", text),)
