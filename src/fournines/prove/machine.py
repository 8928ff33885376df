"""The machine that measures: how idle it was, and what it is. A saturated one measures only itself."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fournines.prove.history import Event
from fournines.prove.model import SATURATED_IDLE, Pressure, Span

#: How often the campaign samples, seconds.
SAMPLE_S = 0.5
_PRESSURES = ("cpu", "io", "memory")


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters since boot. Jiffies of all cores together; microseconds in which some task waited, 0 without PSI."""

    at: float
    idle: int
    total: int
    waited: tuple[int, int, int]


def read(at: float) -> Reading:
    """Of this machine, now; `at` is the caller's clock."""
    fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    cpu, io, memory = (_some(name) for name in _PRESSURES)
    return Reading(at, fields[3] + fields[4], sum(fields), (cpu, io, memory))


def _some(name: str) -> int:
    try:
        first = Path(f"/proc/pressure/{name}").read_text().splitlines()[0]
    except OSError:  # a kernel without PSI
        return 0
    return int(first.rpartition("total=")[2])


def sample(before: Reading, now: Reading) -> Event:
    """What happened in between, as shares 0..1."""
    span = max(now.at - before.at, 1e-6)
    waited = [min(1.0, (b - a) / 1e6 / span) for a, b in zip(before.waited, now.waited, strict=True)]
    idle = (now.idle - before.idle) / max(1, now.total - before.total)
    shares = {"idle": idle, **dict(zip(_PRESSURES, waited, strict=True))}
    return Event("machine", now.at, {name: round(share, 4) for name, share in shares.items()})


def pressure(samples: Iterable[Event], start: float, end: float) -> Pressure:
    """Means over the samples taken in (start, end]. Without any, an idle machine is not claimed: idle is 0."""
    chosen = [s for s in samples if start < s.at <= end]
    return Pressure(_mean(chosen, "idle"), *(_mean(chosen, name) for name in _PRESSURES))


def starved(samples: Iterable[tuple[float, float]], spans: Iterable[Span]) -> bool:
    """Whether the machine had no idle time in `spans`, or nobody knows. `samples`: (time, idle share since the one
    before)."""
    wanted = tuple(spans)
    shares = [idle for at, idle in samples if any(begin < at <= end + SAMPLE_S for begin, end in wanted)]
    return bool(wanted) and (not shares or sum(shares) / len(shares) < SATURATED_IDLE)


def _mean(samples: Sequence[Event], name: str) -> float:
    return sum(float(s.data[name]) for s in samples) / len(samples) if samples else 0.0


def describe() -> dict[str, str]:
    """For the report: cores, memory, kernel."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(os.cpu_count() or 0),
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
