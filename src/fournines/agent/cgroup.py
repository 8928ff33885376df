"""A systemd service's processes as one: its cgroup, v2 alone or beside v1 (cgroup v2 documentation)."""

from __future__ import annotations

import contextlib
from pathlib import Path


class Cgroup:
    def __init__(self, unit: str) -> None:
        root = Path("/sys/fs/cgroup")
        base = root if (root / "cgroup.controllers").exists() else root / "unified"
        self._path = base / "system.slice" / unit

    def running(self) -> bool:
        return bool(self._pids())

    def cpu(self) -> float | None:
        """Seconds of CPU used since it started; None: it does not run."""
        if not self.running():
            return None
        try:
            stat = dict(line.split() for line in (self._path / "cpu.stat").read_text().splitlines())
        except OSError:
            return None
        return int(stat["usage_usec"]) / 1e6

    def wants_cpu(self) -> bool:
        """A process of it is running or waits for a CPU: what it does not do, it is kept from."""
        return any(_state(pid) == "R" for pid in self._pids())

    def stopped(self) -> bool:
        """All its processes are stopped by a signal (`T` in ps), or frozen: none goes on by itself. As a rule the first
        one is not, and is all that is read."""
        pids = self._pids()
        return bool(pids) and (all(_state(pid) == "T" for pid in pids) or self._frozen())

    def _pids(self) -> list[str]:
        try:
            return (self._path / "cgroup.procs").read_text().split()
        except OSError:
            return []

    def _frozen(self) -> bool:
        try:
            return "frozen 1" in (self._path / "cgroup.events").read_text()
        except OSError:
            return False

    def kill(self) -> None:
        """Also what is stopped or frozen; systemd starts it again."""
        with contextlib.suppress(OSError):
            (self._path / "cgroup.kill").write_text("1")
        with contextlib.suppress(OSError):
            (self._path / "cgroup.freeze").write_text("0")


class Idleness:
    """For how long a unit neither used nor wanted CPU: what is slow works, what hangs does not. Exact only if asked
    more often than the unit works at all."""

    def __init__(self, cgroup: Cgroup) -> None:
        self._cgroup = cgroup
        self._used: tuple[float | None, float] = (None, 0.0)  # CPU; when it was seen to change

    def seconds(self, now: float) -> float:
        used = self._cgroup.cpu()
        if used != self._used[0] or self._cgroup.wants_cpu():
            self._used = (used, now)
        return now - self._used[1]


def _state(pid: str) -> str:
    """proc_pid_stat(5); "" when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
