"""Disks that several hosts see: one sparse file each, and for each host a loop device of its own over it.

Of its own, because one kernel has one superblock for one device: two hosts that mounted the same one would corrupt
nothing, and nobody would see it. With direct I/O, so that no host reads what it has kept of an earlier look. Each host
opens the file by a hard link in its own folder, by which the kernel tells whose device a loop is.

The device lives for as long as a process or a mount of its host does (`launch.sh`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from fournines.errors import LabError
from fournines.lab.shell import run
from fournines.lab.state import LABS, Lab, LabHost

#: Bytes; what is not written takes no room.
SIZE = 8 << 30
#: Seconds until the kernel has let go of the file systems of a host that was killed.
RELEASED = 20.0
#: FS_IOC_SHUTDOWN of ext4 and xfs (linux/fs.h), without writing the journal: as if the power were gone.
_SHUTDOWN, _WITHOUT_JOURNAL = 0x8004587D, 2
_BLOCKS = Path("/sys/block")


def of_host(lab: Lab, host: LabHost) -> list[str]:
    """Words for `launch.sh`: each disk's file, made where it is missing, and its device in the host."""
    words: list[str] = []
    for lun in host.luns:
        file, link = lab.directory / "luns" / lun.file, _folder(lab.cloud, host.name) / lun.file
        file.parent.mkdir(exist_ok=True)
        link.parent.mkdir(exist_ok=True)
        if not file.exists():
            with file.open("xb") as disk:
                disk.truncate(SIZE)
        if not (link.exists() and link.samefile(file)):
            link.unlink(missing_ok=True)
            link.hardlink_to(file)
        words += [str(link), lun.device]
    return words


def attached(cloud: str, host: str) -> bool:
    """Whether anything of `host` may still write to a disk that others see."""
    return bool(_loops(cloud, host))


def mounted(cloud: str, host: str, leader: int) -> tuple[str, ...]:
    """Where `host` has such disks mounted. leader: the machine's id of the host's PID 1. Raises OSError: it ended."""
    numbers = {(loop / "dev").read_text().strip() for loop in _loops(cloud, host)}
    lines = Path(f"/proc/{leader}/mountinfo").read_text().splitlines() if numbers else []
    return tuple(where for _, _, number, _, where, *_ in map(str.split, lines) if number in numbers)


def lose_power(cloud: str, host: str, leader: int) -> None:
    """What `host` has not yet written to its disks is lost, and nothing more is written: a kernel whose processes are
    killed would still write it out."""
    for where in mounted(cloud, host, leader):
        _shut_down(Path(f"/proc/{leader}/root{where}"))


def _shut_down(mount: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # unmounted just now
        descriptor = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_JOURNAL))
        finally:
            os.close(descriptor)


def release(cloud: str, host: str = "*") -> None:
    """Returns when the kernel has let go of the disks of `host`, which is off. Raises LabError: it does not."""
    deadline = time.monotonic() + RELEASED
    while left := _loops(cloud, host):
        for loop in left:
            with contextlib.suppress(LabError):  # gone just now
                run(["losetup", "--detach", f"/dev/{loop.name}"])
        if time.monotonic() > deadline:
            raise LabError(
                f"{host} of lab {cloud} is off, and the kernel does not let go of its disk",
                where=", ".join(f"/dev/{loop.name}" for loop in left),
                why="something still has it mounted or open",
                next="findmnt; fuser -v on that device",
            )
        time.sleep(0.02)


def _folder(cloud: str, host: str) -> Path:
    return LABS / cloud / "hosts" / host / "luns"


def _loops(cloud: str, host: str) -> list[Path]:
    """Entries of /sys/block; host `*`: of all."""
    return [block for block, file in _backed() if file.match(str(_folder(cloud, host) / "*"))]


def _backed() -> Iterator[tuple[Path, Path]]:
    for block in _BLOCKS.glob("loop*"):
        with contextlib.suppress(OSError):
            yield block, Path((block / "loop/backing_file").read_text().strip().removesuffix(" (deleted)"))
