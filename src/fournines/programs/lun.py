"""A disk that several hosts see: what it holds, and its file system made where it holds nothing.

    lun state NAME      `ok`: its own file system, by UUID; `empty`; else what it holds
    lun prepare NAME    makes the file system, unless the disk holds anything
    lun ready NAME      before it is checked and mounted: forgets what the kernel has read of the disk, and exits 0 when
                        it holds its own file system

SETTINGS/NAME.json: {"device": path, "uuid": of the file system, "fill": command in which DIRECTORY stands for a folder
that it fills}
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/fournines/luns")
#: Of ext4's superblock: where it is, where its magic and its UUID are in it (ext4's layout, fs/ext4/ext4.h).
SUPERBLOCK, MAGIC_AT, UUID_AT = 1024, 0x38, 0x68
MAGIC = b"\x53\xef"
#: Bytes at the beginning and at the end of a disk that are looked at: partition tables, and what volume managers and
#: databases write first.
EDGE = 1 << 20


#: Writes out what is dirty of a block device, and forgets what was read of it (linux/fs.h).
BLKFLSBUF = 0x1261


def settings(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SETTINGS / f"{name}.json").read_text())
    return found


def state(device: str, wanted: str) -> str:
    path = Path(device)
    try:
        if not path.is_block_device():
            return f"{device} is no disk" if path.exists() else f"{device} is not there"
        with path.open("rb", buffering=0) as disk:
            start = disk.read(EDGE)
            size = disk.seek(0, os.SEEK_END)
            disk.seek(max(0, size - EDGE))
            end = disk.read(EDGE)
            # Another host may write these blocks next. Where something holds the disk open, the kernel would go on
            # answering with what was read here: `e2fsck`, before this host's next mount, would write that back.
            os.posix_fadvise(disk.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError as error:
        return f"{device} cannot be read: {error.strerror}"
    block = start[SUPERBLOCK:]
    if block[MAGIC_AT : MAGIC_AT + 2] == MAGIC:
        found = str(uuid.UUID(bytes=block[UUID_AT : UUID_AT + 16]))
        return "ok" if found == wanted else f"{device} holds another ext4 file system, {found}"
    if signature := _signature(device):
        return f"{device} holds {signature}"
    if start.strip(b"\0") or end.strip(b"\0"):
        return f"{device} holds data of an unknown kind"
    return "empty"


def _signature(device: str) -> str:
    """Of a file system, a partition table, a RAID or a volume manager; "" for none. Past every cache (libblkid)."""
    words = ["blkid", "--probe", "--output", "export", device]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 2):
        return f"what blkid cannot tell: exit status {done.returncode}"
    said: dict[str, str] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        said[key] = value
    return said.get("TYPE") or said.get("PTTYPE") or ""


def prepare(name: str) -> None:
    wanted = settings(name)
    device, identity = wanted["device"], wanted["uuid"]
    holds = state(device, identity)
    if holds == "ok":
        return
    if holds != "empty":
        sys.exit(
            f"LUN {name} is not empty: {holds}. Nothing was written to it. Next: another disk; or, if what it holds is "
            f"this cloud's own, tune2fs -U {identity} {device}; or, if it is worth nothing, wipefs --all {device} and "
            "zeros over its first MiB"
        )
    with tempfile.TemporaryDirectory(prefix="fournines-lun-", dir="/var/tmp") as folder:
        run([word.replace("DIRECTORY", folder) for word in wanted["fill"]])
        owner = Path(folder).stat()
        # With all that belongs in it, in one go: nobody has to mount it for that.
        options = f"root_owner={owner.st_uid}:{owner.st_gid}"
        run(["mke2fs", "-q", "-F", "-t", "ext4", "-U", identity, "-L", name, "-E", options, "-d", folder, device])


def ready(name: str) -> None:
    """Another host has written to it since this one read it. Where something holds the disk open the kernel goes on
    answering with what it has, and e2fsck writes that back."""
    wanted = settings(name)
    try:
        with Path(wanted["device"]).open("rb", buffering=0) as disk:
            fcntl.ioctl(disk, BLKFLSBUF, 0)
    except OSError as error:
        sys.exit(f"{wanted['device']} cannot be read anew: {error.strerror}")
    holds = state(wanted["device"], wanted["uuid"])
    if holds != "ok":
        sys.exit(holds)


def run(command: list[str]) -> None:
    """Raises SystemExit with what it said last."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-5:]
        sys.exit(f"{command[0]} ends with {done.returncode}: {' / '.join(said)}")


def main(words: list[str]) -> None:
    match words:
        case ["state", name]:
            wanted = settings(name)
            print(state(wanted["device"], wanted["uuid"]))
        case ["ready", name]:
            ready(name)
        case ["prepare", name]:
            prepare(name)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
