"""A unit's processes in a container, as the machine sees them: by the host's cgroup, with nobody on the host asked.

Of a virtual machine this machine sees none: its own kernel has to be asked.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fournines.errors import LabError
from fournines.lab import cgroup
from fournines.lab.nspawn import leader


@dataclass(frozen=True, slots=True)
class Process:
    """`pid` is the machine's. `started` in clock ticks since the machine booted. `state`: the letter of proc(5)."""

    pid: int
    started: int
    state: str


def of_unit(cloud: str, host: str, unit: str) -> tuple[Process, ...]:
    """Those of the unit's cgroup and below, zombies left out; () when there is no such group."""
    return tuple(process for process in _of_unit(cloud, host, unit) if process.state != "Z")


def _of_unit(cloud: str, host: str, unit: str) -> Iterator[Process]:
    group = _group(cgroup.of_host(cloud, host) / "payload", unit)
    for pid in cgroup.processes(group) if group else ():
        with contextlib.suppress(OSError):
            yield _process(pid)


def environment(cloud: str, host: str, unit: str, name: str) -> tuple[str, ...]:
    """The values of variable `name` in the unit's processes."""
    found: list[str] = []
    prefix = f"{name}=".encode()
    for process in of_unit(cloud, host, unit):
        with contextlib.suppress(OSError):
            variables = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            found += [v.removeprefix(prefix).decode(errors="replace") for v in variables if v.startswith(prefix)]
    return tuple(found)


def boot(cloud: str, host: str) -> str:
    """Tells this boot of the host from any other; "" while it has no PID 1."""
    try:
        process = _process(leader(cloud, host))
    except (LabError, OSError):
        return ""
    return f"{process.pid}@{process.started}"


def _process(pid: int) -> Process:
    """Raises OSError when it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Process(pid, int(fields[19]), fields[0])


def _group(payload: Path, unit: str) -> Path | None:
    known = _where(payload, unit)
    if known and known.is_dir():
        return known
    _where.cache_clear()
    return _where(payload, unit)


@lru_cache(maxsize=256)
def _where(payload: Path, unit: str) -> Path | None:
    """The unit's group, in whatever slice it is."""
    for directory, names, _ in os.walk(payload):
        if unit in names:
            return Path(directory) / unit
    return None
