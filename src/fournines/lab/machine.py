"""What this machine can do, found by trying: a kernel's configuration file may be missing, a trial is not.

A fault that needs what is not there is not measured; a lab that needs it is refused, with what to do.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fournines.errors import LabError
from fournines.lab import cgroup
from fournines.lab.state import HOME


@dataclass(frozen=True, slots=True)
class Capability:
    """`essential`: without it there is no lab. `why`: what the trial said, when it is not there."""

    name: str
    present: bool
    essential: bool
    why: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class _Trial:
    """`script` runs in mount and network namespaces of its own, so that it leaves nothing."""

    name: str
    essential: bool
    script: str
    next: str


_KERNEL = "use a kernel that has it (Debian's and Ubuntu's do; a container's host may have to load the module)"
_TRIALS = (
    _Trial("systemd-nspawn", True, "command -v systemd-nspawn", "sudo apt-get install systemd-container"),
    _Trial("ssh", True, "command -v ssh && command -v ssh-keygen", "sudo apt-get install openssh-client"),
    _Trial("veth", True, "ip link add name x0 type veth peer name x1", _KERNEL),
    _Trial("bridge", True, "ip link add name x0 type bridge", _KERNEL),
    _Trial(
        "overlayfs",
        True,
        "d=$(mktemp -d trial.XXXXXX); trap 'umount $d/m; rm -rf $d' EXIT; mkdir $d/l $d/u $d/w $d/m;"
        " mount -t overlay -o lowerdir=$d/l,upperdir=$d/u,workdir=$d/w overlay $d/m",
        "set FOURNINES_HOME to a directory on ext4, xfs or btrfs",
    ),
    _Trial(
        "loop devices",
        False,
        "f=$(mktemp trial.XXXXXX); trap 'rm -f $f' EXIT; truncate -s 1M $f;"
        " losetup --detach $(losetup --find --show --direct-io=on $f)",
        _KERNEL,
    ),
    _Trial("nftables", False, "nft add table inet x", _KERNEL),
    _Trial(
        "packet filter at a port",
        False,
        "ip link add name x0 type veth peer name x1; printf %s 'table netdev x { chain y {"
        " type filter hook egress device x0 priority 0; numgen random mod 100 < 20 counter drop; }; }' | nft -f -",
        _KERNEL,
    ),
    _Trial("netem", False, "ip link set lo up && tc qdisc add dev lo root netem delay 1ms", _KERNEL),
    _Trial("tbf", False, "ip link set lo up && tc qdisc add dev lo root tbf rate 1mbit burst 9k latency 9ms", _KERNEL),
    _Trial("tap", False, "ip tuntap add dev x0 mode tap", _KERNEL),
    _Trial("qemu", False, "command -v qemu-system-x86_64", "sudo scripts/bootstrap.sh vm"),
    _Trial("device-mapper", False, "test -e /dev/mapper/control", _KERNEL),
    _Trial("drbd", False, "test -e /proc/drbd || modprobe -n drbd", _KERNEL),
)


def require_root() -> None:
    if os.geteuid() != 0:
        raise LabError(
            "A lab needs root",
            why="it makes network devices, mounts and cgroups",
            next="run the same command with sudo",
        )


@cache
def capabilities() -> tuple[Capability, ...]:
    """All that a lab or a fault may ask for. Needs root; takes about 0.2 s, once a process."""
    require_root()
    HOME.mkdir(parents=True, exist_ok=True)
    found = [_try(trial) for trial in _TRIALS]
    return (*found, _cgroup_kill())


def has(name: str) -> bool:
    """Whether the machine has the capability called `name`, such as `netem`."""
    return any(c.present for c in capabilities() if c.name == name)


def require_capability(name: str, what: str) -> None:
    """Raises LabError when this machine has no `name`, which `what` needs."""
    for capability in capabilities():
        if capability.name == name and not capability.present:
            raise LabError(f"This machine cannot run {what}: no {name}", why=capability.why, next=capability.next)


def require(needs: Sequence[int]) -> None:
    """Raises LabError for the first thing missing without which there is no lab of hosts with these needs of memory
    (bytes)."""
    require_root()
    for capability in capabilities():
        if capability.essential and not capability.present:
            raise LabError(
                f"This machine cannot run a lab: no {capability.name}", why=capability.why, next=capability.next
            )
    available = available_memory()
    if available < sum(needs):
        raise LabError(
            f"{len(needs)} hosts need {sum(needs) / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB are available",
            next="take other labs down (fournines lab status), or use a cloud file with fewer hosts",
        )


def available_memory() -> int:
    """Bytes that could be used without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


def _try(trial: _Trial) -> Capability:
    try:
        done = subprocess.run(
            ["unshare", "--mount", "--net", "sh", "-ec", trial.script],
            cwd=HOME,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Capability(trial.name, False, trial.essential, str(error), trial.next)
    if done.returncode == 0:
        return Capability(trial.name, True, trial.essential)
    why = (done.stderr.strip().splitlines() or ["not found"])[-1]
    return Capability(trial.name, False, trial.essential, why, trial.next)


def _cgroup_kill() -> Capability:
    """Linux 5.14; the file is in every group but the root."""
    name = "cgroup v2 with cgroup.kill"
    trial = cgroup.mount() / f"fournines-trial-{os.getpid()}"
    try:
        trial.mkdir()
    except OSError as error:
        return Capability(name, False, True, str(error), "give the container a writable cgroup namespace")
    present = (trial / "cgroup.kill").exists()
    trial.rmdir()
    return Capability(name, present, True, "" if present else "the kernel is older than 5.14", "use a newer kernel")
