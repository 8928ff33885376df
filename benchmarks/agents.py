"""What guard, observer and fallback cost on each host of the labs that are up: CPU seconds in a minute."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figure import Figure, busy_since, cpu_ticks
from fournines.lab import cgroup

MINUTE = 60.0
#: CPU seconds in a minute, of one host: 2.5 % of a core.
TARGET = 0.025 * MINUTE


def figures() -> Iterable[Figure]:
    before, ticks = _used(), cpu_ticks()
    if not before:
        raise RuntimeError("no lab is up whose hosts have agents: fournines lab up CLOUD --apply")
    time.sleep(MINUTE)
    after, busy = _used(), busy_since(ticks)
    for host, units in sorted(before.items()):
        spent = {unit: after[host][unit] - used for unit, used in units.items() if unit in after.get(host, {})}
        parts = ", ".join(f"{unit} {seconds / MINUTE:.2%}" for unit, seconds in sorted(spent.items()))
        total = sum(spent.values())
        yield Figure(f"agents of {host}", total, total, TARGET, busy, _resident(host), f"of a core: {parts}")


def _groups(host: str = "*/hosts/*") -> Iterable[Path]:
    return cgroup.top().glob(f"{host}/payload/fournines.slice/fournines-*.service")


def _used() -> dict[str, dict[str, float]]:
    """lab/host -> unit -> seconds of CPU since it started"""
    found: dict[str, dict[str, float]] = {}
    for group in _groups():
        lab, _, host, *_ = group.relative_to(cgroup.top()).parts
        stat = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
        unit = group.name.removeprefix("fournines-").removesuffix(".service")
        found.setdefault(f"{lab}/{host}", {})[unit] = int(stat["usage_usec"]) / 1e6
    return found


def _resident(host: str) -> float:
    """Megabytes that all of them have in memory."""
    lab, _, name = host.partition("/")
    pids = [pid for group in _groups(f"{lab}/hosts/{name}") for pid in cgroup.processes(group)]
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in pids) / 1e6
