"""A lab's processes, held by cgroup: found, counted and killed without a process id that may be someone else's by now.

<cgroup2>/fournines/<cloud>/hosts/<host>/{payload,supervisor}      made by systemd-nspawn below the host's group
<cgroup2>/fournines/<cloud>/redfish
<cpu, memory>/fournines:<cloud>:hosts:<host>                       where cgroup v1 has these: the same processes, for
                                                                   their share of the CPU and a limit of their memory
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fournines.errors import LabError


@cache
def mount() -> Path:
    """Where cgroup v2 is mounted: /sys/fs/cgroup, or below it where v1 is there too. Raises LabError when nowhere."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise LabError(
        "cgroup v2 is not mounted",
        next="boot with systemd.unified_cgroup_hierarchy=1, or mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
    )


def top() -> Path:
    return mount() / "fournines"


def of_lab(cloud: str) -> Path:
    return top() / cloud


def of_host(cloud: str, host: str) -> Path:
    return top() / cloud / "hosts" / host


def of_redfish(cloud: str) -> Path:
    return top() / cloud / "redfish"


def make(group: Path) -> None:
    """Makes `group`, with every controller that its parents may pass on (none where v1 has them all)."""
    group.mkdir(parents=True, exist_ok=True)
    for parent in reversed(group.relative_to(mount()).parents):
        controllers = (mount() / parent / "cgroup.controllers").read_text().split()
        for controller in controllers:
            # A controller that cannot be passed on costs the hosts their accounting, nothing else.
            with contextlib.suppress(OSError):
                (mount() / parent / "cgroup.subtree_control").write_text(f"+{controller}")


#: Of each second and CPU, what the real-time processes of one host may use (kernel: scheduler/sched-rt-group.rst):
#: guard, keepalived and corosync need some 0.03 s. The kernel gives 0.95 s to all groups together.
_REAL_TIME_US = 100_000


def make_shares(group: Path) -> list[Path]:
    """Groups of the cpu and memory controllers for the processes of host `group`, where cgroup v1 has these.

    Without one of cpu all processes of all hosts would compete one by one, and a host that boots some thirty would take
    the CPU from the others, which is not what separate machines do. With cgroup v2 `make` has passed the controllers
    on. None of cpu when its real-time budget is spent, too: more than nine hosts.
    """
    return [share for share in (_make_cpu_share(group), _make_memory_share(group)) if share]


def _make_cpu_share(group: Path) -> Path | None:
    controller = _version_1_controller("cpu")
    if controller is None:
        return None
    share = controller / _flat(group)
    share.mkdir(exist_ok=True)
    real_time = share / "cpu.rt_runtime_us"
    if real_time.exists():  # CONFIG_RT_GROUP_SCHED: no real-time process may enter without a budget
        try:
            real_time.write_text(str(_REAL_TIME_US))
        except OSError:
            share.rmdir()
            return None
    return share


def _make_memory_share(group: Path) -> Path | None:
    controller = _version_1_controller("memory")
    if controller is None:
        return None
    share = controller / _flat(group)
    share.mkdir(exist_ok=True)
    return share


@dataclass(frozen=True, slots=True)
class Memory:
    """Where the kernel keeps account of a host's memory. `limit`, `usage`: files, bytes. `events`: the file with the
    count of processes that the kernel has ended for want of memory. `unlimited`: what takes the limit away."""

    limit: Path
    usage: Path
    stat: Path
    events: Path
    unlimited: str


def memory(group: Path) -> Memory | None:
    """Of host `group`; None where no controller of memory is, or the host runs without its group."""
    controller = _version_1_controller("memory")
    if controller is None:
        names, at, unlimited = ("memory.max", "memory.current", "memory.stat", "memory.events"), group, "max"
    else:
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "memory.oom_control")
        at, unlimited = controller / _flat(group), "-1"
    limit, usage, stat, events = (at / name for name in names)
    found = Memory(limit, usage, stat, events, unlimited)
    return found if found.limit.exists() else None


def _flat(group: Path) -> str:
    """One level: of nested groups each would need shares and budgets of its own, as large as the sum of those below."""
    return ":".join(group.relative_to(mount()).parts)


def populated(group: Path) -> bool:
    """Whether any process lives in `group` or below."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text()
    except OSError:
        return False


def processes(group: Path) -> list[int]:
    """Ids of all processes in `group` and below."""
    pids: list[int] = []
    for directory, _, _ in os.walk(group):
        with contextlib.suppress(OSError):
            pids += [int(p) for p in (Path(directory) / "cgroup.procs").read_text().split()]
    return pids


def destroy(group: Path, timeout: float = 10.0) -> None:
    """SIGKILL to everything in `group` and below, at one instant; returns when all of it and the group are gone.

    Raises LabError when something survives `timeout` seconds (a process stuck in the kernel).
    """
    deadline = time.monotonic() + timeout
    # Again and again: a launcher whose parent was killed may still move in, until it notices.
    while not _removed(group):
        if time.monotonic() > deadline:
            raise LabError(
                "Processes survive SIGKILL",
                where=str(group),
                why=f"process ids {processes(group)}",
                next="look at dmesg",
            )
        with contextlib.suppress(OSError):
            (group / "cgroup.kill").write_text("1")
        time.sleep(0.002)


def _removed(group: Path) -> bool:
    """Removes `group` with all below it, in every hierarchy, unless a process is in it."""
    name = group.relative_to(mount())
    for hierarchy in (mount(), *_version_1()):
        for directory, _, _ in os.walk(hierarchy / name, topdown=False):
            try:
                Path(directory).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False
    return all(_removed_share(share) for share in _shares(group))


def _shares(group: Path) -> list[Path]:
    """Groups that `make_shares` made for `group` and for hosts below it."""
    name = _flat(group)
    controllers = [c for c in map(_version_1_controller, ("cpu", "memory")) if c]
    below = (s for controller in controllers for s in controller.iterdir() if s.is_dir())
    return [s for s in below if s.name == name or s.name.startswith(f"{name}:")]


def _removed_share(share: Path) -> bool:
    try:
        share.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@cache
def _version_1_controller(name: str) -> Path | None:
    """Where cgroup v1 has the controller of that name, if it has it."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup" and name in options.split(","):
            return Path(where)
    return None


@cache
def _version_1() -> tuple[Path, ...]:
    """Mounts of cgroup v1, where there are any: systemd-nspawn repeats a host's groups in the one named systemd."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return tuple(Path(where) for _, where, kind, *_ in mounts if kind == "cgroup")
