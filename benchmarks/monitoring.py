"""What the role `monitoring` holds on each host of the labs that are up, and what it costs in a minute."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from benchmarks.figure import Figure, busy_since, cpu_ticks
from fournines.lab import cgroup

MINUTE = 60.0
#: MiB of a host of a cloud of five.
MOST_MIB = 600.0


def figures() -> Iterable[Figure]:
    """Raises RuntimeError without such a host."""
    before, ticks = {host: _cpu(host) for host in _hosts()}, cpu_ticks()
    if not before:
        raise RuntimeError("no lab is up with a host of the role monitoring: fournines lab up CLOUD --apply")
    time.sleep(MINUTE)
    busy = busy_since(ticks)
    for host, used in before.items():
        held = {group.name: sum(map(_pss, cgroup.processes(group))) for group in _groups(host)}
        parts = ", ".join(f"{name.removesuffix('.service')} {mib:.0f}" for name, mib in sorted(held.items()))
        spent = _cpu(host) - used
        note = f"MiB: {parts}; of a core {spent / MINUTE:.1%}"
        yield Figure(f"monitoring of {host}", spent, spent, None, busy, sum(held.values()), note, MOST_MIB)


def _hosts() -> list[str]:
    """lab/host"""
    found = cgroup.top().glob("*/hosts/*/payload/system.slice/prometheus.service")
    paths = (path.relative_to(cgroup.top()).parts for path in found)
    return sorted(f"{lab}/{host}" for lab, _, host, *_ in paths)


def _groups(host: str) -> list[Path]:
    """Its units: Prometheus, Alertmanager, the exporters."""
    lab, _, name = host.partition("/")
    return sorted(cgroup.top().glob(f"{lab}/hosts/{name}/payload/system.slice/prometheus*.service"))


def _cpu(host: str) -> float:
    stats = [dict(line.split() for line in (g / "cpu.stat").read_text().splitlines()) for g in _groups(host)]
    return sum(int(stat["usage_usec"]) for stat in stats) / 1e6


def _pss(pid: int) -> float:
    """MiB, pages that are shared counted in part."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return 0.0
