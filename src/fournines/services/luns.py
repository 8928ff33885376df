"""Disks that several hosts see, one of which at a time may use it: how they get their file system, and how they are
known.

The file system is made once, on the first host, with what belongs in it, and only on a disk that holds nothing
(`programs/lun.py`). It is known by its UUID, which follows from the names of cloud, region and LUN: a host that sees
another disk under the same name is found before anything is started there. Nothing but the cluster ever mounts it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable

from fournines.cloud.model import Cloud, Host, Lun
from fournines.services.cib import Operation, Primitive
from fournines.services.cluster_address import SLOW_MONITOR
from fournines.services.render import program
from fournines.services.resource import Directory, File, Package, Resource, Task
from fournines.services.service import Check
from fournines.timing import timers

PROGRAM = "/usr/lib/fournines/lun"
SETTINGS = "/etc/fournines/luns"
FILESYSTEM = "ext4"
#: An error that the kernel finds ends all writes: the next health check of what is on it fails, and it moves.
OPTIONS = "noatime,errors=remount-ro"


def resources(cloud: Cloud, host: Host, lun: Lun, fill: tuple[str, ...]) -> Iterable[Resource]:
    """fill: a command in which `DIRECTORY` stands for a folder; what it puts there, the file system begins with."""
    yield Package("e2fsprogs")
    # Of the cluster's agent: who uses a file system that is to be unmounted, and the file system's module.
    yield from (Package(name) for name in ("psmisc", "kmod"))
    yield File(PROGRAM, program("lun.py"), mode=0o755)
    yield Directory(SETTINGS)
    settings = {"device": lun.device, "uuid": identity(cloud, host.region, lun), "fill": fill}
    yield File(f"{SETTINGS}/{lun.name}.json", json.dumps(settings, indent=2) + "\n")
    if host.name == lun.hosts[0]:
        yield Task(
            name=f"the file system on LUN {lun.name}",
            check=f"{PROGRAM} state {lun.name}",
            script=f"{PROGRAM} prepare {lun.name}",
            timeout=600.0,
            python=True,
        )


def seen(host: Host, lun: Lun) -> Check:
    """This host sees that disk, and no other, under this name."""
    said = f"said=$({PROGRAM} state {lun.name})\n"
    return Check(f"LUN {lun.name} is seen", host.name, f'{said}[ "$said" = ok ] || {{ echo "$said"; exit 1; }}', 20)


def read_anew(cloud: Cloud, lun: Lun, name: str) -> Primitive:
    """What comes before the mount, and before the check of the file system that the mount's agent begins with."""
    t = timers(cloud)
    steps = (Operation("start", 0, t.cluster_timeout), Operation("stop", 0, t.cluster_timeout))
    return Primitive(name, "ocf:fournines:lun", {"lun": lun.name}, steps)


def mounted(cloud: Cloud, lun: Lun, name: str, at: str, *, start: float, stop: float) -> Primitive:
    """The mount, as the cluster manages it: Filesystem, from the package. start, stop: timeouts, in seconds."""
    t = timers(cloud)
    # The agent leaves ext4 to the kernel, which only replays the journal. `fsck -p` also repairs what the kernel has
    # marked, and refuses what needs a person; without such a mark it reads little more than the journal.
    checked = {"options": OPTIONS, "run_fsck": "force"}
    parameters = {"device": lun.device, "directory": at, "fstype": FILESYSTEM, **checked}
    steps = (
        Operation("start", 0, start),
        Operation("stop", 0, stop),
        Operation("monitor", SLOW_MONITOR * t.cluster_monitor, t.cluster_timeout),
    )
    return Primitive(name, "ocf:heartbeat:Filesystem", parameters, steps)


def identity(cloud: Cloud, region: str, lun: Lun) -> str:
    """The file system's UUID."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{lun.name}.{region}.{cloud.name}.fournines"))
