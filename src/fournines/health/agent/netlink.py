"""What the kernel tells and does by netlink(7): no fork, and no text to read."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

_HEADER = struct.Struct("=IHHII")
_DONE, _ERROR = 3, 2
_DUMP, _COMMAND = 0x301, 0x005  # NLM_F_REQUEST with NLM_F_DUMP or NLM_F_ACK
_BUFFER = 1 << 17


def dump(protocol: int, kind: int, request: bytes) -> Iterator[bytes]:
    """Bodies of the messages that answer `request` of type `kind`. OSError when the kernel refuses or is silent."""
    return _ask(protocol, kind, _DUMP, request)


def command(protocol: int, kind: int, request: bytes) -> None:
    """OSError, of what the kernel says, when it does not carry `request` out."""
    for _ in _ask(protocol, kind, _COMMAND, request):
        pass


def _ask(protocol: int, kind: int, flags: int, request: bytes) -> Iterator[bytes]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as netlink:
        netlink.settimeout(1)
        netlink.send(_HEADER.pack(_HEADER.size + len(request), kind, flags, 1, 0) + request)
        while True:
            data = netlink.recv(_BUFFER)
            start = 0
            while start < len(data):
                length, found, _, _, _ = _HEADER.unpack_from(data, start)
                body = data[start + _HEADER.size : start + length]
                if found == _ERROR:
                    if code := -struct.unpack_from("=i", body)[0]:
                        raise OSError(code, os.strerror(code))
                    return  # an acknowledgement
                if found == _DONE:
                    return
                yield body
                start += (length + 3) & ~3
