"""What guard and observer of one host tell each other: datagrams between two root-only sockets, never waited for.

Guard to observer: a JSON document, then for each peer whose observer has said something new NUL, "NAME HEARD ECHOED",
NUL, that; HEARD is when it came, ECHOED when this host sent the heartbeat that it answered (`clock.now()`, or -inf).
Observer to guard: a JSON document of what this host's guard must know, NUL, and what the peers' observers are to have.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

RUN = Path("/run/fournines")
GUARD = RUN / "guard.sock"
OBSERVER = RUN / "observer.sock"
_LARGEST = 1 << 16


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
    packed = b"\0".join((json.dumps(document, separators=(",", ":")).encode(), *more))
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
    document, *more = packed.split(b"\0")
    said: Any = json.loads(document)
    if not isinstance(said, dict):
        raise ValueError("not a document")
    return cast("dict[str, Any]", said), more
