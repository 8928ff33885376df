"""Faults of disks: full, or frozen. What is filled or frozen is a small file system that is made for it and mounted
over the directory: never the host's own, nor the machine's.

The service is moved onto it before the strike, and back to heal: stopped, its data moved, started again. Until it is
moved back its data is in one place only, `$kept.image`; after a power failure the host comes up without it, and the
heal moves it back, unless the service has state again by then.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path
from typing import ClassVar

from fournines.errors import ProveError
from fournines.prove.faults.data import DIRECTORIES
from fournines.prove.faults.powers import Powers
from fournines.prove.faults.service import UnitFault
from fournines.prove.faults.strike import Scripted, Strike, not_seen, until

ROOT = "root file system"
#: What the service still finds on the small file system. Bytes.
MARGIN = 64 << 20
BLOCK = 4096
#: How one knows that the service serves again.
SERVES = {
    "mariadb": "mariadb -N -e \"SHOW STATUS LIKE 'wsrep_local_state_comment'\" | grep -q Synced",
    "rabbitmq": "rabbitmqctl -q --timeout 20 await_startup",
}
MOVE_S = 240.0


class Small(Scripted, UnitFault):
    subject = "service"
    costs = "freeze"
    services = tuple(DIRECTORIES)
    each = ("mariadb+one", "rabbitmq+one")

    @property
    def place(self) -> str:
        return DIRECTORIES[self.fault.service]

    async def prepare(self) -> None:
        if self.fault.target == "writer":
            raise ProveError(
                "a writer that is moved onto another disk is the writer no longer", where=self.fault.service
            )
        for host in self.hosts:  # one after another: each serves again before the next one leaves
            await self._move(host)

    async def _move(self, host: str) -> None:
        used = int((await self.script(host, "look", f"du -s -B1 --apparent-size {self.place} | cut -f1")).strip() or 0)
        image = await empty_file_system(used + used // 16 + MARGIN)  # with ext4's own tables
        body = f"""
[ ! -e "$kept.image" ] || exit 0
base64 -d | tar -xzSf - -C "${{kept%/*}}" && mv "${{kept%/*}}/image" "$kept.image" || exit 1
[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
{MOUNT}
mkdir -p "$kept.at" && mount_image "$kept.at" || exit 1
systemctl stop {self.unit} || exit 1
cp -a --sparse=always {self.place}/. "$kept.at"/ || {{ systemctl start --no-block {self.unit}; exit 1; }}
find "$kept.at" -type f -size +1M -exec sh -c 'fallocate -l $(stat -c %s "$1") "$1"' - {{}} \\;
rm -rf "$kept.at/lost+found"; chown --reference={self.place} "$kept.at"; chmod --reference={self.place} "$kept.at"
find {self.place} -mindepth 1 -delete
umount "$kept.at" && mount_image {self.place} || exit 1
systemctl start {self.unit} || exit 1
for i in $(seq 120); do {SERVES[self.fault.service]} && exit 0; sleep 1; done; exit 1
"""
        await self.script(host, "prepare", body, stdin=image, timeout=MOVE_S)

    async def heal_host(self, host: str) -> None:
        body = f"""
[ -e "$kept.image" ] || exit 0
systemctl stop fournines-thaw-{self.fault.service}.service 2>/dev/null
mountpoint -q {self.place} && fsfreeze -u {self.place} 2>/dev/null
rm -f {self.place}/fournines-full* {self.place}/.fournines-*
{MOUNT}
systemctl stop {self.unit} || exit 1
if mountpoint -q {self.place}; then umount {self.place} || exit 1; fi
if [ -z "$(ls -A {self.place})" ]; then
    mkdir -p "$kept.at" && {{ mountpoint -q "$kept.at" || mount_image "$kept.at"; }} || exit 1
    rm -f "$kept.at"/fournines-full* "$kept.at"/.fournines-*
    cp -a --sparse=always "$kept.at"/. {self.place}/ || exit 1
    rm -rf {self.place}/lost+found
fi
! mountpoint -q "$kept.at" || umount "$kept.at" || exit 1
rmdir "$kept.at" 2>/dev/null; rm -f "$kept.image" "$kept.left"
systemctl reset-failed {self.unit} 2>/dev/null; systemctl start --no-block {self.unit}
"""
        await self.script(host, "heal", body, timeout=MOVE_S)


class Full(Small):
    name = "disk.full"
    what = "the service's data is on a small file system, and that is full"
    until = "the service is back on its own disk after 20 s"
    seen = "a file that is written there ends in ENOSPC"

    async def strike_host(self, host: str) -> None:
        body = f"""
mountpoint -q {self.place} || exit 1
# What is allocated late makes room again once it is written.
for size in 1M 64k 16k 4k; do
    dd if=/dev/zero of={self.place}/fournines-full.$size bs=$size 2>/dev/null; sync -f {self.place}
done; true
"""
        await self.script(host, "strike", body, timeout=60)

    async def verify_host(self, host: str) -> str:
        return await no_space(self, host, self.place)


class Frozen(Small):
    """It thaws by itself a minute after it should have: what waits for a frozen disk cannot be killed."""

    name = "disk.freeze"
    what = "the service's data is on a small file system, and that is frozen (fsfreeze): who writes there waits"
    until = "it thaws after 20 s, and the service is back on its own disk"
    seen = "a file that is written there is not done within 2 s"

    async def strike_host(self, host: str) -> None:
        body = (
            f"mountpoint -q {self.place} || exit 1\n"
            f"systemd-run --quiet --collect --unit=fournines-thaw-{self.fault.service}.service sh -c "
            f'\'trap "fsfreeze -u {self.place}; exit" TERM; fsfreeze -f {self.place}; '
            f"sleep {self.fault.duration + 60:g} & wait; fsfreeze -u {self.place}'"
        )
        await self.script(host, "strike", body)

    async def verify_host(self, host: str) -> str:
        async def waits() -> bool:
            body = f"touch {self.place}/.fournines & sleep 2; kill -0 $! 2>/dev/null && echo waits; true"
            return "waits" in await self.script(host, "look", f"({body}) 2>&1 < /dev/null")

        if not await until(waits):
            raise not_seen("the disk takes what is written", host, self.place)
        return f"{host}: {self.place} takes nothing"


class FullLog(Scripted):
    name = "disk.full_log"
    what = "/var/log is a small file system of its own, and that is full; the journal is restarted on it"
    until = "/var/log is what it was after 20 s"
    seen = "a file that is written there ends in ENOSPC"
    costs = "freeze"
    each = ("vip",)

    async def strike_host(self, host: str) -> None:
        body = (
            "mountpoint -q /var/log || mount -t tmpfs -o size=256k,mode=755 fournines-full /var/log || exit 1\n"
            "dd if=/dev/zero of=/var/log/full bs=4k 2>/dev/null; systemctl restart systemd-journald; true"
        )
        await self.script(host, "strike", body)

    async def verify_host(self, host: str) -> str:
        return await no_space(self, host, "/var/log")

    async def heal_host(self, host: str) -> None:
        body = (
            'grep -q "^fournines-full /var/log " /proc/mounts || exit 0\n'
            "umount -l /var/log || exit 1\nsystemctl restart systemd-journald"
        )
        await self.script(host, "heal", body)


class FullRoot(Scripted):
    name = "disk.full_root"
    what = "the host's root file system is full"
    until = "what fills it is removed after 20 s"
    seen = "a file that is written there ends in ENOSPC"
    costs = "freeze"
    each = ("vip",)
    FILLER: ClassVar[str] = "/fournines-full"

    @classmethod
    def lacking(cls, by: Powers) -> str:
        return by.refused.get(ROOT, "")

    async def strike_host(self, host: str) -> None:
        body = (
            f"fallocate -l $(df -B1 --output=avail / | tail -1) {self.FILLER} 2>/dev/null\n"
            f"dd if=/dev/zero of={self.FILLER}.rest bs=64k 2>/dev/null; true"
        )
        await self.script(host, "strike", body, timeout=60)

    async def verify_host(self, host: str) -> str:
        return await no_space(self, host, "/")

    async def heal_host(self, host: str) -> None:
        await self.script(host, "heal", f"rm -f {self.FILLER} {self.FILLER}.rest")


async def no_space(strike: Scripted, host: str, place: str) -> str:
    path = f"{place.rstrip('/')}/fournines-try"
    body = f"LC_ALL=C dd if=/dev/zero of={path} bs=64k count=2 2>&1; rm -f {path}"
    said = await strike.script(host, "look", body)
    if "No space left" not in said:
        raise not_seen(f"{place} is not full", host, said.strip()[-200:])
    return f"{host}: no space left on {place}"


async def empty_file_system(size: int) -> str:
    """A tar archive of a sparse file `image` with ext4 of so many bytes on it, compressed, in base64: a host may have
    no mkfs. Raises ProveError where this machine has none."""
    with tempfile.TemporaryDirectory() as directory:
        with (Path(directory) / "image").open("wb") as file:
            file.truncate(-(-size // BLOCK) * BLOCK)  # a loop device leaves off what is no whole block
        make = "mkfs.ext4 -q -F -m 0 -J size=8 -E lazy_itable_init=1 image && tar -czSf image.tar.gz image"
        made = await asyncio.create_subprocess_exec(
            "sh", "-c", make, cwd=directory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await made.communicate()
        if made.returncode:
            raise ProveError("no file system can be made here", where="mkfs.ext4", why=said.decode()[-200:])
        return base64.b64encode((Path(directory) / "image.tar.gz").read_bytes()).decode()


#: Hosts in a lab share the loop devices, and have no nodes of them: whoever comes first has one.
#: Not `mount -o loop`: it looks among the loop devices in use for one of a file of that name, finds in a lab that of
#: another host, and mounts a device that is not there. One that is detached while it is mounted goes with the mount.
#: noinit_itable: else the kernel writes to it in the background for as long as it is mounted.
MOUNT = """
mount_image() {
    for i in 1 2 3 4 5; do
        loop=$(losetup -f | cut -d' ' -f1)
        [ -e "$loop" ] || mknod "$loop" b 7 "${loop#/dev/loop}"
        if losetup "$loop" "$kept.image"; then
            mount -o noinit_itable "$loop" "$1" && mounted=yes || mounted=
            losetup -d "$loop"
            [ -z "$mounted" ] || return 0
        fi
        sleep 0.2
    done
    return 1
}
"""

FAMILY: tuple[type[Strike], ...] = (Full, Frozen, FullLog, FullRoot)
