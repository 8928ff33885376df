"""What guard and observer of one host tell each other: datagrams between two root-only sockets, never waited for.

Each part of a datagram follows its length in 4 bytes. Guard to observer: a JSON document, then for each peer whose
observer has said something new "NAME HEARD ECHOED", and that; HEARD is when it came, ECHOED when this host sent the
heartbeat that it answered (`clock.now()`, or -inf). Observer to guard: a JSON document of what this host's guard must
know, and what the peers' observers are to have.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

RUN = Path("/run/fournines")
GUARD = RUN / "guard.sock"
OBSERVER = RUN / "observer.sock"
_LARGEST = 1 << 16
_LENGTH = struct.Struct("!I")


def bind(path: Path) -> socket.socket:
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        bound.bind(str(path))
    finally:
        os.umask(before)
    return bound


def send(by: socket.socket, to: Path, document: Mapping[str, Any], *more: bytes) -> bool:
    """False: the other one is not there, or does not keep up."""
    parts = (json.dumps(document, separators=(",", ":")).encode(), *more)
    packed = b"".join(_LENGTH.pack(len(part)) + part for part in parts)
    try:
        by.sendto(packed, str(to))
    except OSError:
        return False
    return True


def receive(by: socket.socket) -> tuple[dict[str, Any], list[bytes]] | None:
    """The next datagram; None: no more. ValueError when it is not one of these."""
    try:
        packed = by.recv(_LARGEST)
    except BlockingIOError:
        return None
    document, *more = _parts(packed)
    said: Any = json.loads(document)
    if not isinstance(said, dict):
        raise ValueError("not a document")
    return cast("dict[str, Any]", said), more


def _parts(packed: bytes) -> list[bytes]:
    found: list[bytes] = []
    while packed:
        if len(packed) < _LENGTH.size or len(packed) < (end := _LENGTH.size + _LENGTH.unpack_from(packed)[0]):
            raise ValueError("cut short")
        found.append(packed[_LENGTH.size : end])
        packed = packed[end:]
    return found or [b""]
