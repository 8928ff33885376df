"""Who is connected to the VIP: what its holder tells the other agents, a few connections with each heartbeat. Pure.

A connection is 12 bytes in network order: the VIP's port, the client's port, the VIP, the client's address. Its
position is 8: the number of the last byte that the client has acknowledged, and that of the next byte which is expected
of it, as of the last look. `UNKNOWN` where this host did not see the connection begin.
"""

from __future__ import annotations

import socket
from base64 import b64decode, b64encode
from collections.abc import Mapping
from itertools import islice

UNKNOWN = bytes(8)
#: Of a connection with its position.
SIZE = 12 + len(UNKNOWN)
#: Connections told at once, at most, however much room a heartbeat has: 800 a second.
A_BEAT = 80
#: Connections known in all. 20 s of heartbeats tell them once.
MOST = 16_384
#: Seconds after which one that was not told again is taken for closed.
FORGOTTEN = 60.0


class Roster:
    """The holder's side. New connections go first, for most requests are over within a few heartbeats; then all others
    in turn, for a heartbeat may be lost and an agent may have just started."""

    def __init__(self) -> None:
        self._new: dict[bytes, None] = {}
        self._turn: dict[bytes, None] = {}  # next one first
        self._at: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._turn)

    def see(self, connected: Mapping[bytes, bytes]) -> None:
        """`connected`: all that are open now, and where. Of more than `MOST`, some are left out."""
        known = self._new.keys() | self._turn.keys()
        for gone in known - connected.keys():
            self._new.pop(gone, None)
            self._turn.pop(gone, None)
        self._new.update(dict.fromkeys(islice(connected.keys() - known, MOST - len(self))))
        self._at = {connection: connected[connection] for connection in (*self._new, *self._turn)}

    @staticmethod
    def fitting(room: int) -> int:
        """How many connections `say` can tell in `room` bytes."""
        return max(0, min(A_BEAT, room // 4 * 3 // SIZE))

    def take(self, vips: frozenset[str]) -> dict[bytes, bytes]:
        """The connections to `vips`, which are forgotten with that, and their positions."""
        taken = [c for c in self._at if socket.inet_ntoa(c[4:8]) in vips]
        for connection in taken:
            self._new.pop(connection, None)
            self._turn.pop(connection, None)
        return {connection: self._at.pop(connection) for connection in taken}

    def say(self, most: int) -> str:
        """What the next heartbeat tells, at most so many, for `Told.hear`."""
        chosen = list(islice(self._new, most))
        chosen += islice(self._turn, most - len(chosen))
        for connection in chosen:
            self._new.pop(connection, None)
            self._turn.pop(connection, None)
        self._turn.update(dict.fromkeys(chosen))
        return b64encode(b"".join(connection + self._at[connection] for connection in chosen)).decode()


class Told:
    """The other agents' side. Times are `clock.now()`."""

    def __init__(self) -> None:
        self._last: dict[bytes, tuple[float, bytes]] = {}  # the one told longest ago first

    def __len__(self) -> int:
        return len(self._last)

    def hear(self, at: float, said: str) -> None:
        """`said`: of `Roster.say`. ValueError when it is not."""
        packed = b64decode(said)
        for start in range(0, len(packed) - SIZE + 1, SIZE):
            connection, position = packed[start : start + 12], packed[start + 12 : start + SIZE]
            self._last.pop(connection, None)
            self._last[connection] = at, position
        while self._last:
            oldest = next(iter(self._last))
            if len(self._last) <= MOST and at - self._last[oldest][0] <= FORGOTTEN:
                break
            del self._last[oldest]

    def take(self, vips: frozenset[str]) -> dict[bytes, bytes]:
        """The connections to `vips`, which are forgotten with that, and their positions."""
        taken = [c for c in self._last if socket.inet_ntoa(c[4:8]) in vips]
        return {connection: self._last.pop(connection)[1] for connection in taken}
