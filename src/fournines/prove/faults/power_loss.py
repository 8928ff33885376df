"""A power loss as a disk sees it: of what a service wrote, only what it had flushed is left.

SIGKILL alone, and the loss of a lab host's power, keep what the kernel has not written yet. So a service that answers
before it flushes looks as safe as one that flushes first.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from fournines.prove.faults.disk import MOUNT, MOVE_S, SERVES, Small
from fournines.prove.faults.strike import Strike, not_seen

#: Until the copy is made, the service ended and started on it. Seconds.
STRIKE_S = 120.0
#: Nobody starts the unit. Not the condition alone: systemd does not look at it when it restarts by itself.
HOLD = r"[Service]\nRestart=no\n[Unit]\nConditionPathExists=/fournines-held\n"
FLUSHED, UNFLUSHED = ".fournines-flushed", ".fournines-unflushed"


class PowerLoss(Small):
    """The file system of the service lies in a file. What has not been flushed is in the kernel's memory and not in
    that file. So a copy of the file, made once the service is killed, is what a power loss would have left; it takes
    the file's place. A copy that the kernel wrote to meanwhile is made again: it would be of two moments.

    Killed, not stopped: what stands still for seconds is taken for hung by the host's observer, which kills it, and
    systemd starts it again on the old disk, where it acknowledges what the copy does not have. While the copy is made
    a drop-in in /run keeps anybody from starting the unit.
    """

    name = "disk.power_loss"
    what = "the service ends at one instant, and of what it wrote only what it had flushed (fsync) is left"
    until = "the service is started at once, and is back on its own disk when it serves again"
    seen = (
        "none of the unit's processes from before is left; a file that was flushed is there, one that was not is empty "
        "or gone"
    )
    duration = 0.0
    costs = "kill"
    each = ("mariadb+all", "rabbitmq+all")

    @property
    def held(self) -> PurePosixPath:
        # After all others by its name, whatever directory they are in: it has the last word.
        return PurePosixPath(f"/run/systemd/system/{self.unit}.d/zz-fournines-power-loss.conf")

    async def strike_host(self, host: str) -> None:
        body = f"""
mountpoint -q {self.place} || exit 1
echo flushed > {self.place}/{FLUSHED} && sync {self.place}/{FLUSHED} || exit 1
echo unflushed > {self.place}/{UNFLUSHED}
mkdir -p {self.held.parent} && printf '{HOLD}' > {self.held} || exit 1
systemctl daemon-reload
systemctl kill --kill-whom=all -s KILL {self.unit} || exit 1
for i in $(seq 20); do
    cp --sparse=always "$kept.image" "$kept.left" && cmp -s "$kept.image" "$kept.left" && left=yes && break
done
systemctl stop {self.unit}
rm -f {self.held}; systemctl daemon-reload
[ "$left" ] || {{ echo "the kernel wrote to the disk during each of twenty copies" >&2; exit 1; }}
{MOUNT}
umount {self.place} && mv "$kept.left" "$kept.image" && mount_image {self.place} || exit 1
systemctl reset-failed {self.unit} 2>/dev/null; systemctl start --no-block {self.unit}
"""
        await self.script(host, "strike", body, timeout=STRIKE_S)

    async def verify_host(self, host: str) -> str:
        evidence = await self.gone(host)
        body = f"cd {self.place} && echo $(cat {FLUSHED} 2>/dev/null) $(cat {UNFLUSHED} 2>/dev/null)"
        left = (await self.script(host, "look", body)).split()
        if left != ["flushed"]:
            raise not_seen("the disk has not lost what was not flushed", host, f"it has {' and '.join(left)}")
        return f"{evidence}, and with them what was not flushed"

    async def heal(self) -> tuple[str, ...]:
        """One host after another, each when the one before serves again: moving back is no second outage."""
        unhealed: list[str] = []
        for host in self.hosts:
            unhealed += await self.heal_everywhere(self._move_back, [host])
        return tuple(unhealed)

    async def heal_host(self, host: str) -> None:
        await self.script(host, "heal", f"rm -f {self.held}; systemctl daemon-reload")
        await super().heal_host(host)

    async def _move_back(self, host: str) -> None:
        await self._serves(host)
        await self.heal_host(host)
        await self._serves(host)

    async def _serves(self, host: str) -> None:
        """Waits for it. One that does not serve is moved back all the same: what it has is all that is left."""
        body = f"for i in $(seq 120); do {SERVES[self.fault.service]} && exit 0; sleep 1; done; exit 0"
        await self.script(host, "heal", body, timeout=MOVE_S)


FAMILY: tuple[type[Strike], ...] = (PowerLoss,)
