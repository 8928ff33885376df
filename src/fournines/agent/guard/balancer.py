"""Does the local HAProxy answer? One connection at a time, never waited for."""

from __future__ import annotations

import contextlib
import socket

#: Seconds between questions.
EVERY = 0.25
#: Seconds for one answer, and of silence after which the load balancer counts as dead. A refusal counts twice in a row.
PATIENCE = 1.2
_REQUEST = b"GET /alive HTTP/1.0\r\n\r\n"


class Balancer:
    """The caller waits until `connection` is readable and then calls `answer`, and calls `ask` every `EVERY` seconds.
    Times are `clock.now()`."""

    def __init__(self, address: str, port: int, at: float) -> None:
        self._where = (address, port)
        self._answered = at
        self._asked = at
        self._refused = 0
        self.connection: socket.socket | None = None

    def alive(self, at: float) -> bool:
        return self._refused < 2 and at - self._answered <= PATIENCE

    def ask(self, at: float) -> socket.socket | None:
        """A new connection that waits for its answer; None: one still waits, or the question was refused at once."""
        if self.connection is not None:
            if at - self._asked <= PATIENCE:
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
