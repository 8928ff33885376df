"""Clients of a VIP that has moved learn at once that their connections are gone.

A client whose request the dead holder's kernel had acknowledged has nothing to send again, and hears nothing from the
new holder, which never knew of the connection. So the new holder sends it an ACK whose numbers cannot be right. The
client's kernel answers with an ACK of the right ones (RFC 9293, 3.10.7.4), to the VIP; the new holder's kernel knows no
such connection and resets it. A living connection takes no harm: it answers, and its peer ignores the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Collection

from . import netlink
from .clients import Roster, Told
from .clock import now
from .echo import checksum

log = logging.getLogger(__name__)

_SOCK_DIAG, _BY_FAMILY, _BYTECODE = 4, 20, 1
_JUMP, _SOURCE = 1, 7  # linux/inet_diag.h: INET_DIAG_BC_JMP, INET_DIAG_BC_S_COND
_STATES = 1 << 1 | 1 << 8  # ESTABLISHED; CLOSE_WAIT: its client has sent all, and waits

_IP = struct.Struct("!BBHHHBBH4s4s")
_TCP = struct.Struct("!HHIIBBHHH")
_PSEUDO = struct.Struct("!4s4sBBH")
_ACK = 0x10

#: Times that each client is told, and seconds between: a switch or an ARP cache may still point to the old holder.
ROUNDS, PAUSE = 3, 1.0
#: Looks at the kernel's table cost 0.7 ms with 100 connections, 15 ms with 10,000: at most a twentieth of one CPU.
REST = 20
#: Seconds until a kernel that refused is asked again.
REFUSED = 60.0


def connected(vips: Collection[str]) -> frozenset[bytes]:
    """The connections (`clients`) that this host has on `vips`, by sock_diag(7). OSError: the kernel does not tell."""
    only = _own_address_in(vips)
    request = struct.pack("=BBxxI48xHH", socket.AF_INET, socket.IPPROTO_TCP, _STATES, 4 + len(only), _BYTECODE) + only
    # In struct inet_diag_msg both ports are at 4, the own address at 8, the peer's at 24.
    return frozenset(said[4:12] + said[24:28] for said in netlink.dump(_SOCK_DIAG, _BY_FAMILY, request))


def _own_address_in(addresses: Collection[str]) -> bytes:
    """The kernel's filter program (linux/inet_diag.h), so that it copies nobody else's connections. An operation has
    the distances to go on a match and on none; its end accepts, beyond it rejects."""
    program = b""
    for address in addresses:
        accept = struct.pack("=BBH", _JUMP, 4, 4 + len(program)) if program else b""
        condition = struct.pack("=BBxxi4s", socket.AF_INET, 32, -1, socket.inet_aton(address))
        program = struct.pack("=BBH", _SOURCE, 16, 20) + condition + accept + program
    return program


def segment(connection: bytes, sequence: int) -> bytes:
    """The ACK to the client of `connection`, with its IPv4 header: the kernel adds length, identity and checksum."""
    vip_port, client_port, vip, client = struct.unpack("!HH4s4s", connection)

    def header(check: int) -> bytes:
        return _TCP.pack(vip_port, client_port, sequence, 0, _TCP.size // 4 << 4, _ACK, 0xFFFF, check, 0)

    pseudo = _PSEUDO.pack(vip, client, 0, socket.IPPROTO_TCP, _TCP.size)
    ip = _IP.pack(0x45, 0, 0, 0, 0, 64, socket.IPPROTO_TCP, 0, vip, client)
    return ip + header(checksum(pseudo + header(0)))


def send(connections: Collection[bytes], number: int) -> None:
    """One round. No window holds the sequence numbers of two rounds in succession, half of all numbers apart."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for connection in connections:
            with contextlib.suppress(OSError):  # no route, no neighbour: no such client any more
                raw.sendto(segment(connection, (number & 1) << 31), (socket.inet_ntoa(connection[8:]), 0))


class Tickle:
    """One agent's part. `held`: the VIPs that are here now; `every`: seconds between looks at their clients, at least.
    `told`: clients that this agent has told, in all."""

    def __init__(self, held: Callable[[], frozenset[str]], every: float) -> None:
        self._held = held
        self._every = every
        self._roster = Roster()
        self._others = Told()
        self.told = 0

    @property
    def known(self) -> int:
        """Connections of the VIPs that this agent knows of: its own host's, or their holder's."""
        return len(self._roster) if self._held() else len(self._others)

    def say(self) -> str:
        return self._roster.say()

    def hear(self, said: str) -> None:
        self._others.hear(now(), said)

    async def run(self) -> None:
        while True:
            began = now()
            try:
                held = self._held()
                self._roster.see(await asyncio.to_thread(connected, held) if held else frozenset())
            except OSError as error:
                log.warning("VIP: its clients are not known: %s", error)
                await asyncio.sleep(REFUSED)
            await asyncio.sleep(max(self._every, REST * (now() - began)))

    async def taken_over(self, vips: frozenset[str]) -> None:
        """`vips` have just come to this host."""
        connections = self._others.take(vips)
        if not connections:
            return
        log.info("VIP: tells %d clients that their connections are gone", len(connections))
        self.told += len(connections)
        for number in range(ROUNDS):
            try:
                await asyncio.to_thread(send, connections, number)
            except OSError as error:  # raw sockets are not allowed
                log.warning("VIP: cannot tell its clients: %s", error)
                return
            await asyncio.sleep(PAUSE)
