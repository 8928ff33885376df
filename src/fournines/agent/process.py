"""This process as systemd and the scheduler see it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket

_MCL_CURRENT, _MCL_FUTURE = 1, 2


def notify(message: str) -> None:
    """sd_notify(3); nothing when systemd does not ask."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + path[1:] if path.startswith("@") else path)
        sock.send(message.encode())


def prefer() -> str:
    """Real-time priority where the host allows it, else what niceness it allows."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
        return "real-time"
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, -20)
        return f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"


def lock_memory() -> str:
    """mlockall(2): a page that has to be read back from disk under memory pressure is a stall of unknown length."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) == 0:
        return "memory locked"
    return f"memory not locked: {os.strerror(ctypes.get_errno())}"
