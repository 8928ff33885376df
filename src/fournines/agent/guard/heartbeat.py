"""Who hears whom: authenticated UDP heartbeats between guards. `Links` is pure; the caller owns the socket and clock.

A datagram: HMAC-SHA256 (32 bytes) by the pair's own key over sender, receiver and the rest; protocol version; the
sender's nonce (16 random bytes a start) and sequence number; nonce and number of the newest heartbeat that it accepted
from the receiver (the echo), and of the newest one that it has not accepted yet (the challenge); a JSON document of the
guard's own; NUL; what the sender's observer says, opaque here.

A datagram counts only if it names this run's nonce with a recent number, as echo or as challenge, and is newer than the
last one: so nothing recorded earlier counts, and the time of *sending* of what it names is when this host was surely
heard. What does not count changes the challenge alone, never the echo: a replay of old datagrams, which carry a good
HMAC, takes no confirmation away from anybody.

Versions: a guard accepts its own, the one before and the one after, so that a cloud is updated host by host. The layout
may therefore only change by two versions at once, and documents only by keys that the other side may ignore.
"""

from __future__ import annotations

import hmac
import json
import os
import struct
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PROTOCOL = 2
_HEADER = struct.Struct("!B16sQ16sQ16sQ")
_MAC = 32
#: Send times kept: 12 s of heartbeats at 50 ms, far beyond any lease.
_SENT = 240
#: Bytes of one datagram: an Ethernet frame's 1,500 without the headers of IPv4 and UDP.
FRAME = 1472
NEVER = float("-inf")
_NOBODY = (bytes(16), 0)


@dataclass(frozen=True)
class Endpoint:
    """What a guard says of its own host, which can hold the VIP.

    balancer: its HAProxy answers. able: its keepalived runs, and could take the VIP. held: the VIP's addresses are
    there. granted: it has the majority's votes. starting: it still starts its daemons after a boot. drained: an
    operator wants it to carry nothing that another host can carry.
    """

    balancer: bool = False
    able: bool = False
    held: bool = False
    granted: bool = False
    starting: bool = False
    drained: bool = False


@dataclass(frozen=True)
class Said:
    """A guard's own document. vote: the host that should hold the VIP, "" nobody; the vote stands for `lasts` seconds
    after the sending of the heartbeat that it echoes. silent: peers that neither beat nor answer an echo request. deaf:
    it hears no majority of voters itself. lapses: grows when the votes for it have run out: from then on, it counts no
    vote that answers an earlier heartbeat of this run."""

    vote: str = ""
    lasts: float = 0.0
    silent: frozenset[str] = frozenset()
    deaf: bool = False
    young: bool = False
    endpoint: Endpoint | None = None
    lapses: int = 0

    def to_json(self) -> dict[str, Any]:
        said: dict[str, Any] = {"vote": self.vote, "lasts": self.lasts, "silent": sorted(self.silent)}
        said |= {flag: True for flag in ("deaf", "young") if getattr(self, flag)}
        if self.lapses:
            said["lapses"] = self.lapses
        if self.endpoint:
            said["endpoint"] = [name for name, value in vars(self.endpoint).items() if value]
        return said

    @staticmethod
    def from_json(said: Any) -> Said:
        """ValueError when it is not one. What a guard of the next version says beyond this is ignored."""
        try:
            endpoint = said.get("endpoint")
            made = Said(
                vote=said.get("vote", ""),
                lasts=float(said.get("lasts", 0.0)),
                silent=frozenset(said.get("silent", ())),
                deaf=bool(said.get("deaf", False)),
                young=bool(said.get("young", False)),
                endpoint=None if endpoint is None else Endpoint(**{n: n in endpoint for n in vars(Endpoint())}),
                lapses=said.get("lapses", 0),
            )
        except (AttributeError, TypeError) as error:
            raise ValueError(str(error)) from None
        names: tuple[Any, ...] = (made.vote, *made.silent)
        whole: Any = made.lapses
        if not isinstance(whole, int) or whole < 0:
            raise ValueError("not a guard's document")
        if not all(isinstance(name, str) and len(name) < 256 for name in names) or not 0 <= made.lasts <= 60:
            raise ValueError("not a guard's document")
        return made


@dataclass
class _Link:
    key: bytes = field(repr=False)
    nonce: bytes = b""  # of the sender's run that is accepted
    number: int = 0
    retired: deque[bytes] = field(default_factory=lambda: deque[bytes](maxlen=256))
    challenge: tuple[bytes, int] = _NOBODY
    heard: float = NEVER
    confirmed: float = NEVER
    said: Said = Said()
    payload: bytes = b""


class Links:
    """All of one guard's links. `keys`: a pair's key by the peer's name. Times are `clock.now()`."""

    def __init__(self, me: str, keys: Mapping[str, str], protocol: int = PROTOCOL) -> None:
        self._me = me
        self._protocol = protocol
        self._nonce = os.urandom(16)
        self._number = 0
        self._sent: deque[float] = deque(maxlen=_SENT)
        self._links = {name: _Link(bytes.fromhex(key)) for name, key in keys.items()}
        #: Datagrams that did not count, by reason.
        self.dropped: dict[str, int] = {}

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(self._links)

    def heard_at(self, name: str) -> float:
        return self._links[name].heard

    def confirmed_at(self, name: str) -> float:
        """When the newest heartbeat was sent that `name` is known to have heard."""
        return self._links[name].confirmed

    def heard(self, now: float, within: float) -> frozenset[str]:
        """Peers whose heartbeat arrived in the last `within` seconds."""
        return frozenset(n for n, link in self._links.items() if now - link.heard <= within)

    def confirmed(self, now: float, within: float) -> frozenset[str]:
        """Peers that heard a heartbeat which this host sent in the last `within` seconds."""
        return frozenset(n for n, link in self._links.items() if now - link.confirmed <= within)

    def age(self, name: str, now: float) -> float | None:
        """Seconds since `name` was heard; None: never."""
        heard = self._links[name].heard
        return None if heard == NEVER else now - heard

    def said(self, name: str) -> Said:
        """What `name`'s guard said last."""
        return self._links[name].said

    def run(self, name: str) -> bytes:
        """Tells the runs of `name`'s guard apart; b"": it was never heard."""
        return self._links[name].nonce

    def payload(self, name: str) -> bytes:
        """What `name`'s observer said last; b"": nothing since its guard started."""
        return self._links[name].payload

    def room(self, said: Said) -> int:
        """Bytes that a payload beside `said` may have."""
        return FRAME - _MAC - _HEADER.size - len(_document(said)) - 1

    def beat(self, now: float, said: Said, payload: bytes = b"") -> dict[str, bytes]:
        """One datagram a peer. A payload that does not fit is left out."""
        self._number += 1
        self._sent.append(now)
        document = _document(said)
        if len(payload) > self.room(said):
            payload = b""
        tail = document + b"\0" + payload
        out: dict[str, bytes] = {}
        for name, link in self._links.items():
            echo = (link.nonce, link.number) if link.nonce else _NOBODY
            packet = _HEADER.pack(self._protocol, self._nonce, self._number, *echo, *link.challenge) + tail
            out[name] = _mac(link.key, self._me, name, packet) + packet
        return out

    def receive(self, now: float, sender: str, datagram: bytes) -> float | None:
        """None: the datagram, which came from `sender`'s address, does not count. Else when the heartbeat was sent that
        it echoes, from which its sender's vote stands; NEVER when it only answers a challenge, of which its sender's
        promises know nothing."""
        result = self._receive(now, self._links[sender], sender, datagram)
        if isinstance(result, str):
            self.dropped[result] = self.dropped.get(result, 0) + 1
            return None
        return result

    def _receive(self, now: float, link: _Link, sender: str, datagram: bytes) -> float | str:
        mac, packet = datagram[:_MAC], datagram[_MAC:]
        if len(packet) <= _HEADER.size or not hmac.compare_digest(mac, _mac(link.key, sender, self._me, packet)):
            return "not authentic"
        version, nonce, number, *named = _HEADER.unpack_from(packet)
        if abs(version - PROTOCOL) > 1:
            return f"protocol {version}"
        if nonce in link.retired or (nonce == link.nonce and number <= link.number):
            return "old"
        echoed, challenged = self._sent_at(*named[:2]), self._sent_at(*named[2:])
        if max(echoed, challenged) == NEVER:
            link.challenge = (nonce, number)
            return "unanswered"
        document, _, payload = packet[_HEADER.size :].partition(b"\0")
        try:
            said = Said.from_json(json.loads(document))
        except (ValueError, RecursionError):
            return "malformed"
        if nonce != link.nonce:
            if link.nonce:
                link.retired.append(link.nonce)
            link.payload = b""
        if nonce == link.challenge[0]:
            link.challenge = _NOBODY
        link.nonce, link.number, link.heard, link.said = nonce, number, now, said
        link.payload = payload or link.payload
        link.confirmed = max(link.confirmed, echoed, challenged)
        return echoed

    def _sent_at(self, nonce: bytes, number: int) -> float:
        behind = self._number - number
        if nonce != self._nonce or not 0 <= behind < len(self._sent):
            return NEVER
        return self._sent[-1 - behind]


def pair_name(names: Iterable[str]) -> str:
    """What a pair's key is derived from, the same on both hosts."""
    return "|".join(sorted(names))


def overhear(sender: str, receiver: str, key: str, datagram: bytes) -> Said | None:
    """What `sender`'s guard says to `receiver` in a datagram that the two did not have to agree on: good for a
    bystander that has the pair's key. None: not authentic."""
    mac, packet = datagram[:_MAC], datagram[_MAC:]
    if not hmac.compare_digest(mac, _mac(bytes.fromhex(key), sender, receiver, packet)):
        return None
    try:
        return Said.from_json(json.loads(packet[_HEADER.size :].partition(b"\0")[0]))
    except ValueError:
        return None


def _document(said: Said) -> bytes:
    return json.dumps(said.to_json(), separators=(",", ":")).encode()


def _mac(key: bytes, sender: str, receiver: str, packet: bytes) -> bytes:
    return hmac.digest(key, f"{sender}\0{receiver}\0".encode() + packet, "sha256")
