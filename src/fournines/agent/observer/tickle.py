"""Clients of a VIP that has moved learn at once that their connections are gone.

A client whose request the dead holder's kernel had acknowledged has nothing to send again, and hears nothing from the
new holder, which never knew of the connection. So the new holder sends it an ACK whose numbers cannot be right. The
client's kernel answers with an ACK of the right ones (RFC 9293, 3.10.7.4), to the VIP; the new holder's kernel knows no
such connection and resets it. A living connection takes no harm: it answers, and its peer ignores the answer.

Where the connection's position is known (`clients`), the ACK is that of a keepalive: one before what the client
expects. Firewalls and NATs that drop what no window holds (nf_conntrack) let it pass, then the answer and the reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Collection, Mapping

from ..clock import now
from ..guard.echo import checksum
from . import handshakes, sockets
from .clients import UNKNOWN, Roster, Told

log = logging.getLogger(__name__)

_IP = struct.Struct("!BBHHHBBH4s4s")
_TCP = struct.Struct("!HHIIBBHHH")
_PSEUDO = struct.Struct("!4s4sBBH")
_POSITION = struct.Struct("!II")
_NUMBERS = 0xFFFFFFFF
_ACK = 0x10

#: Times that each client is told, and seconds between: a switch or an ARP cache may still point to the old holder, and
#: an unknown position takes all of them (`segment`).
ROUNDS, PAUSE = 4, 1.0
#: Times that the host tells them which has lost the VIP: its own network may be what is broken.
ROUNDS_LOST = 10
#: Seconds between looks at the kernel's table, for connections that last: `handshakes` has the others. They cost 0.7 ms
#: with 100 connections, 15 ms with 10,000: at most a fiftieth of one CPU.
EVERY, REST = 0.5, 50
#: Seconds until a kernel that refused is asked again.
REFUSED = 60.0


def connected(vips: Collection[str]) -> dict[bytes, tuple[int, int]]:
    """The connections (`clients`) that this host has on `vips`, by sock_diag(7), and how many bytes of each the client
    has acknowledged and sent. OSError: the kernel does not tell."""
    # CLOSE_WAIT: the client has sent all, and waits.
    found = sockets.find(vips, "src", sockets.ESTABLISHED | sockets.CLOSE_WAIT, progress=True)
    return {said[4:12] + said[24:28]: sockets.progressed(said) for said in found}


def moved(position: bytes, acknowledged: int, received: int) -> bytes:
    """Where a connection is that began at `position` and has carried so many bytes since."""
    sequence, acknowledgement = _POSITION.unpack(position)
    return _POSITION.pack((sequence + acknowledged) & _NUMBERS, (acknowledgement + received) & _NUMBERS)


def segment(connection: bytes, position: bytes, number: int) -> bytes:
    """The ACK to the client of `connection` in round `number`, with its IPv4 header: the kernel adds length, identity
    and checksum. Of an unknown position: no window holds the sequence numbers of two rounds in succession, half of all
    numbers apart; and of four rounds, one has both numbers behind the connection's, which newer kernels' nf_conntrack
    (seen on Linux 6.18) takes for delayed and lets pass."""
    if position == UNKNOWN:
        sequence, acknowledgement = (number & 1) << 31, (number >> 1 & 1) << 31
    else:
        sequence, acknowledgement = _POSITION.unpack(position)
    vip_port, client_port, vip, client = struct.unpack("!HH4s4s", connection)

    def header(check: int) -> bytes:
        return _TCP.pack(vip_port, client_port, sequence, acknowledgement, _TCP.size // 4 << 4, _ACK, 0xFFFF, check, 0)

    pseudo = _PSEUDO.pack(vip, client, 0, socket.IPPROTO_TCP, _TCP.size)
    ip = _IP.pack(0x45, 0, 0, 0, 0, 64, socket.IPPROTO_TCP, 0, vip, client)
    return ip + header(checksum(pseudo + header(0)))


def send(connections: Mapping[bytes, bytes], number: int) -> None:
    """One round, to connections at their positions."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for connection, position in connections.items():
            with contextlib.suppress(OSError):  # no route, no neighbour: no such client any more
                raw.sendto(segment(connection, position, number), (socket.inet_ntoa(connection[8:]), 0))


def _begun(vips: frozenset[str]) -> dict[bytes, bytes]:
    try:
        return handshakes.noted(vips)
    except OSError:  # no table: this kernel refused it, which has been said
        return {}


class Tickle:
    """One host's part. `held`: the VIPs that are here now. `told`: clients that this host has told, in all."""

    def __init__(self, held: Callable[[], frozenset[str]]) -> None:
        self._held = held
        self._roster = Roster()
        self._others = Told()
        self._first: dict[bytes, bytes] = {}  # positions of the own host's connections when they began
        self.told = 0

    @property
    def known(self) -> int:
        """Connections of the VIPs that this agent knows of: its own host's, or their holder's."""
        return len(self._roster) if self._held() else len(self._others)

    def say(self, most: int) -> str:
        return self._roster.say(most)

    def hear(self, said: str) -> None:
        self._others.hear(now(), said)

    async def run(self) -> None:
        while True:
            began = now()
            try:
                held = self._held()
                if held:  # what was seen last is kept while the VIP is away: it may come back here
                    self._roster.see(await asyncio.to_thread(self._look, held))
            except OSError as error:
                log.warning("VIP: its clients are not known: %s", error)
                await asyncio.sleep(REFUSED)
            await asyncio.sleep(max(EVERY, REST * (now() - began)))

    def _look(self, held: frozenset[str]) -> dict[bytes, bytes]:
        now_connected = connected(held)
        first = {**self._first, **_begun(held)}
        self._first = {connection: first[connection] for connection in now_connected if connection in first}
        return {
            connection: moved(self._first[connection], *carried) if connection in self._first else UNKNOWN
            for connection, carried in now_connected.items()
        }

    async def taken_over(self, vips: frozenset[str]) -> None:
        """`vips` have just come to this host: from another one, or back after they were nowhere for a while. The
        clients that it had itself wait as well: what the kernel drops when an address goes is told to no other end."""
        await self._tell(vips, ROUNDS)

    async def lost(self, vips: frozenset[str]) -> None:
        """`vips` have just left this host, which was perhaps cut off from the others: then they do not know who came in
        its last moments. The answer to what this host sends goes to the new holder, which resets the connection."""
        await self._tell(vips, ROUNDS_LOST)

    async def _tell(self, vips: frozenset[str], rounds: int) -> None:
        # What was told of a connection is newer than how it began; but a position is better than none.
        connections = await asyncio.to_thread(_begun, vips)
        for known in (self._others.take(vips), self._roster.take(vips)):
            connections |= {c: at for c, at in known.items() if at != UNKNOWN or c not in connections}
        if not connections:
            return
        log.info("VIP: tells %d clients that their connections are gone", len(connections))
        self.told += len(connections)
        for number in range(rounds):
            try:
                await asyncio.to_thread(send, connections, number)
            except OSError as error:  # raw sockets are not allowed
                log.warning("VIP: cannot tell its clients: %s", error)
                return
            await asyncio.sleep(PAUSE)
