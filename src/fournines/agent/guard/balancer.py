"""Does the local HAProxy answer? One connection at a time, never waited for."""

from __future__ import annotations

import contextlib
import socket
from typing import Protocol

#: Seconds between questions.
EVERY = 0.25
#: Seconds of silence after which the load balancer counts as dead if it does nothing meanwhile. A refusal counts twice
#: in a row.
PATIENCE = 1.2
#: The same of one that works: on a host without idle time it is slow. A VIP that moves cuts everybody's connections,
#: and all connect anew, to a host that may be as slow.
BUSY_PATIENCE = 4.0
#: Seconds without CPU, neither used nor wanted, after which a silent one does not work: more than two of `EVERY`, for
#: it is looked at that often.
IDLE = 0.6
_REQUEST = b"GET /alive HTTP/1.0\r\n\r\n"


class Idle(Protocol):
    """For how long the load balancer has neither used nor wanted CPU (`cgroup.Idleness`)."""

    def seconds(self, now: float) -> float: ...


class Balancer:
    """The caller waits until `connection` is readable and then calls `answer`, and calls `ask` every `EVERY` seconds.
    Times are `clock.now()`."""

    def __init__(self, address: str, port: int, idle: Idle, at: float) -> None:
        self._where = (address, port)
        self._idle = idle
        self._idle_for = 0.0
        self._answered = at
        self._asked = at
        self._refused = 0
        self.connection: socket.socket | None = None

    def alive(self, at: float) -> bool:
        silent = at - self._answered
        return self._refused < 2 and (silent <= PATIENCE or (silent <= BUSY_PATIENCE and self._idle_for < IDLE))

    def ask(self, at: float) -> socket.socket | None:
        """A new connection that waits for its answer; None: one still waits, or the question was refused at once."""
        self._idle_for = self._idle.seconds(at)
        if self.connection is not None:
            if at - self._asked <= BUSY_PATIENCE:
                return None
            self.close()
        self._asked = at
        asking = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            # To an address of this host, so the kernel connects, or refuses, before it returns.
            with contextlib.suppress(BlockingIOError):
                asking.connect(self._where)
            asking.send(_REQUEST)
        except BlockingIOError:
            asking.close()  # its backlog is full: as good as silent
            return None
        except OSError:
            self._refused += 1
            asking.close()
            return None
        self.connection = asking
        return asking

    def answer(self, at: float) -> None:
        """`connection` is readable."""
        assert self.connection is not None
        try:
            said = self.connection.recv(256)
        except OSError:
            said = b""
        if said.startswith(b"HTTP/") and said.split(b" ", 2)[1:2] == [b"200"]:
            self._answered, self._refused = at, 0
        else:
            self._refused += 1
        self.close()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
