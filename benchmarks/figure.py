"""One measured figure, and the machine while it was taken."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Figure:
    """`seconds` of wall clock, `cpu_seconds` of the process itself; `target`: wall clock that it must reach, None where
    none is set. `cpu_busy`: share of the machine's processors in use meanwhile, 0..1, by whomever: near 1, `seconds`
    says more about the machine than about the code. `target_mb`: that `peak_mb` must not exceed.
    """

    name: str
    seconds: float
    cpu_seconds: float
    target: float | None
    cpu_busy: float
    peak_mb: float
    note: str = ""
    target_mb: float | None = None

    @property
    def missed(self) -> bool:
        slow = self.target is not None and self.seconds > self.target
        return slow or (self.target_mb is not None and self.peak_mb > self.target_mb)


def fournines(*words: str) -> list[str]:
    """The command line of one run of the command in this tree."""
    return [sys.executable, "-c", "from fournines.cli.main import main; main()", *words]


def measure(name: str, command: Sequence[str], *, target: float | None = None, note: str = "", runs: int = 1) -> Figure:
    """The median of `runs` whole processes. Raises `RuntimeError` with what it said when one fails."""
    taken = sorted((_once(command) for _ in range(runs)), key=lambda t: t[0])
    seconds, cpu, busy, peak = taken[len(taken) // 2]
    return Figure(name, seconds, cpu, target, busy, peak, note)


def _once(command: Sequence[str]) -> tuple[float, float, float, float]:
    """Wall-clock seconds, own processor seconds, busy share of the machine, peak resident megabytes."""
    before, began = cpu_ticks(), time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds, busy = time.monotonic() - began, busy_since(before)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}\n{said[-2000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, busy, usage.ru_maxrss / 1024


def busy_since(before: list[int]) -> float:
    """Share of the machine's processors in use since `before`, of `cpu_ticks`."""
    after = cpu_ticks()
    total = sum(after) - sum(before)
    idle = (after[3] + after[4]) - (before[3] + before[4])
    return 1 - idle / total if total else 0.0


def cpu_ticks() -> list[int]:
    """Ticks since boot: user, nice, system, idle, iowait, …"""
    return [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
