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
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / "lock"
    with path.open("a+") as file:
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
