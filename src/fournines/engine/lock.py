"""One run at a time: on this machine by a lock in the cloud's state directory, on the hosts by `ManagedHost.lock`."""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from fournines.errors import LockedError


def owner() -> str:
    """Who this run is, for whoever finds it in the way."""
    since = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return f"{getpass.getuser()}@{socket.gethostname()} pid {os.getpid()} since {since}"


@contextmanager
def local_lock(state_dir: Path) -> Generator[None]:
    """Raises `LockedError` when another process of this machine holds the same cloud."""
    path = state_dir / "lock"
    try:
        _make(state_dir)
        file = path.open("a+")
    except OSError as error:
        raise LockedError(
            "this cloud cannot be locked",
            where=str(path),
            why=error.strerror or str(error),
            next="run as a user who may write there",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise LockedError(
                "another run holds this cloud",
                where=str(path),
                why=file.read().strip() or "it does not say who it is",
                next="wait for it to end, or stop it: the lock ends with its process",
            ) from error
        file.truncate(0)
        file.write(owner())
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(state_dir: Path) -> str | None:
    """Who holds the lock of `local_lock` now; None: nobody. The kernel's table is read, nothing is locked."""
    path = state_dir / "lock"
    try:
        inode = f":{path.stat().st_ino}"  # the device is another one there on overlays and btrfs
        locked = any(f"{inode} " in line and " FLOCK " in line for line in Path("/proc/locks").read_text().splitlines())
        return (path.read_text().strip() or None) if locked else None
    except OSError:
        return None


def _make(directory: Path) -> None:
    """Made by root, a directory belongs to whom its parent belongs to: `sudo fournines apply` locks nobody out."""
    if directory.exists():
        return
    _make(directory.parent)
    directory.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        parent = directory.parent.stat()
        os.chown(directory, parent.st_uid, parent.st_gid)
