"""What the kernel tells and does by netlink(7): no fork, and no text to read."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence

_HEADER = struct.Struct("=IHHII")
_DONE, _ERROR = 3, 2
_DUMP, _COMMAND = 0x301, 0x005  # NLM_F_REQUEST with NLM_F_DUMP or NLM_F_ACK
_BUFFER = 1 << 17
NETFILTER, _BATCH_BEGIN, _BATCH_END = 12, 0x10, 0x11


def dump(protocol: int, kind: int, request: bytes) -> Iterator[bytes]:
    """Bodies of the messages that answer `request` of type `kind`. OSError when the kernel refuses or is silent."""
    return _ask(protocol, kind, _DUMP, request)


def command(protocol: int, kind: int, request: bytes) -> None:
    """OSError, of what the kernel says, when it does not carry `request` out."""
    for _ in _ask(protocol, kind, _COMMAND, request):
        pass


def batch(subsystem: int, family: int, commands: Sequence[tuple[int, int, bytes]]) -> None:
    """One transaction of nfnetlink: all of `commands` (message, flags, body) or none. OSError of the first refusal."""
    generic = struct.pack("!BBH", family, 0, 0)
    begin = struct.pack("!BBH", socket.AF_UNSPEC, 0, subsystem)
    messages = [(_BATCH_BEGIN, 0x1, begin)]
    messages += [(subsystem << 8 | kind, 0x1 | flags, generic + body) for kind, flags, body in commands]
    kind, flags, body = messages[-1]
    messages[-1] = kind, flags | 0x4, body  # NLM_F_ACK: the last one's answer ends the transaction's
    messages.append((_BATCH_END, 0x1, begin))
    packed = b"".join(
        _HEADER.pack(_HEADER.size + len(body), kind, flags, number, 0) + body
        for number, (kind, flags, body) in enumerate(messages)
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as netlink:
        netlink.settimeout(1)
        netlink.send(packed)
        _, found, _, _, _ = _HEADER.unpack_from(answer := netlink.recv(_BUFFER))
        code = -struct.unpack_from("=i", answer, _HEADER.size)[0] if found == _ERROR else 0
        if code:
            raise OSError(code, os.strerror(code))


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
