"""ICMP echo requests (RFC 792), answered by a peer's kernel whatever its processes do."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator, Mapping

_REPLY, _REQUEST = 0, 8
_HEADER = struct.Struct("!BBHHH")


def request(identity: int, number: int) -> bytes:
    bare = _HEADER.pack(_REQUEST, 0, 0, identity, number)
    return _HEADER.pack(_REQUEST, 0, checksum(bare), identity, number)


def checksum(packet: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def is_reply(packet: bytes, identity: int) -> bool:
    """`packet`: as a raw socket gives it, with its IPv4 header."""
    start = 4 * (packet[0] & 15) if packet else 0
    if len(packet) < start + _HEADER.size:
        return False
    kind, _, _, who, _ = _HEADER.unpack_from(packet, start)
    return kind == _REPLY and who == identity


class Echo:
    """Asks peers, and hears who answers. OSError where raw sockets are not allowed."""

    def __init__(self, me: str, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses
        self._names = {address: name for name, address in addresses.items()}
        self._identity = os.getpid() & 0xFFFF
        self._number = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
        self.socket.bind((me, 0))

    def ask(self, name: str) -> None:
        self._number = (self._number + 1) & 0xFFFF
        with contextlib.suppress(OSError):  # no route, no neighbour: no answer
            self.socket.sendto(request(self._identity, self._number), (self._addresses[name], 0))

    def answers(self) -> Iterator[str]:
        """Names of those that have answered since the last call."""
        while True:
            try:
                packet, (address, _) = self.socket.recvfrom(1024)
            except BlockingIOError:
                return
            name = self._names.get(address)
            if name and is_reply(packet, self._identity):
                yield name
