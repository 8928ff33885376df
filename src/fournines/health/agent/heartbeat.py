"""Who hears whom: authenticated UDP heartbeats. `Links` is pure; the caller owns the socket and the clock.

A datagram: 32 bytes HMAC-SHA256 over receiver's name and the rest; the sender's nonce (16 random bytes a start) and
sequence number; the nonce and number it last had from the receiver; its name; a JSON body.

The echo makes it replay-safe and mutual at once: a datagram counts only if it echoes this run's nonce and is newer than
the last one, and the time of *sending* of what it echoes is when this host was surely heard.
"""

from __future__ import annotations

import hmac
import json
import os
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_HEADER = struct.Struct("!16sQ16sQB")
_MAC = 32
#: Of the header, and of what a body must hold. Another one is not heard: additions to the body need no new one.
_VERSION = 1
#: Send times kept: 12 s of heartbeats at 50 ms, far beyond any lease.
_SENT = 240
NEVER = float("-inf")


@dataclass
class _Link:
    nonce: bytes = b""  # of the sender's run that is accepted
    number: int = 0
    retired: set[bytes] = field(default_factory=set[bytes])
    echo: tuple[bytes, int] = (bytes(16), 0)  # newest authentic datagram, accepted or not
    heard: float = NEVER
    confirmed: float = NEVER
    body: dict[str, Any] = field(default_factory=dict[str, Any])


class Links:
    """All of one agent's links. `secret` is the region's; times are `clock.now()`."""

    def __init__(self, me: str, peers: Sequence[str], secret: str) -> None:
        self._me = me
        self._key = secret.encode()
        self._nonce = os.urandom(16)
        self._number = 0
        self._sent: deque[float] = deque(maxlen=_SENT)
        self._links = {name: _Link() for name in peers if name != me}
        #: Given up by all: not heard any more, however short a time ago they were.
        self.departed: frozenset[str] = frozenset()

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(self._links)

    def heard(self, now: float, within: float) -> frozenset[str]:
        """Peers whose heartbeat arrived in the last `within` seconds."""
        return frozenset(n for n, link in self._links.items() if now - link.heard <= within) - self.departed

    def confirmed(self, now: float, within: float) -> frozenset[str]:
        """Peers that heard a heartbeat which this host sent in the last `within` seconds."""
        return frozenset(n for n, link in self._links.items() if now - link.confirmed <= within)

    def age(self, name: str, now: float) -> float | None:
        """Seconds since `name` was heard; None: never."""
        heard = self._links[name].heard
        return None if heard == NEVER else now - heard

    def body(self, name: str) -> dict[str, Any]:
        """What `name` said last, {} before it said anything."""
        return self._links[name].body

    def beat(self, now: float, body: dict[str, Any]) -> dict[str, bytes]:
        """One datagram a peer."""
        self._number += 1
        self._sent.append(now)
        tail = self._me.encode() + b"\0" + json.dumps(body, separators=(",", ":")).encode()
        out: dict[str, bytes] = {}
        for name, link in self._links.items():
            packet = _HEADER.pack(self._nonce, self._number, *link.echo, _VERSION) + tail
            out[name] = self._mac(name, packet) + packet
        return out

    def receive(self, now: float, datagram: bytes) -> str:
        """The sender's name when the datagram is authentic, new and an answer to this run; else ""."""
        mac, packet = datagram[:_MAC], datagram[_MAC:]
        if len(packet) < _HEADER.size or not hmac.compare_digest(mac, self._mac(self._me, packet)):
            return ""
        nonce, number, echo_nonce, echo_number, version = _HEADER.unpack_from(packet)
        if version != _VERSION:
            return ""
        name, _, body = packet[_HEADER.size :].partition(b"\0")
        link = self._links.get(name.decode())
        if link is None or nonce in link.retired or (nonce == link.nonce and number <= link.number):
            return ""
        link.echo = (nonce, number)
        if echo_nonce != self._nonce:
            return ""
        if nonce != link.nonce:
            link.retired.add(link.nonce)
        link.nonce, link.number, link.heard = nonce, number, now
        link.body = json.loads(body)
        behind = self._number - echo_number
        if 0 <= behind < len(self._sent):
            link.confirmed = max(link.confirmed, self._sent[-1 - behind])
        return name.decode()

    def _mac(self, receiver: str, packet: bytes) -> bytes:
        return hmac.digest(self._key, receiver.encode() + b"\0" + packet, "sha256")
