"""Fills the kernel's table of connections in this network namespace, or takes out what it filled in.

    fill_conntrack fill SECONDS     entries that nobody may evict, and that end by themselves after so long
    fill_conntrack empty            those that it made

By ctnetlink (linux/netfilter/nfnetlink_conntrack.h): entries of TCP between addresses of 192.0.2.0/24, with a mark.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

MARK = 0x464E4645
COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")
MOST = Path("/proc/sys/net/netfilter/nf_conntrack_max")
NFNL_SUBSYS_CTNETLINK, NEW, DELETE = 1, 0, 2
REQUEST, CREATE, ACK = 1, 0x400, 4
TUPLE_ORIG, TUPLE_REPLY, STATUS, PROTOINFO, TIMEOUT, MARK_ATTRIBUTE, MARK_MASK = 1, 2, 3, 4, 7, 8, 21
NESTED = 0x8000
ASSURED_CONFIRMED_SEEN = 2 | 4 | 8  # IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED
ESTABLISHED = 3
BATCH = 500
FIRST, LAST = 1024, 65535


def attribute(kind: int, content: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(content), kind) + content + b"\0" * (-len(content) % 4)


def nested(kind: int, *inner: bytes) -> bytes:
    return attribute(kind | NESTED, b"".join(inner))


def message(kind: int, flags: int, *attributes: bytes) -> bytes:
    body = struct.pack("=BBH", socket.AF_INET, 0, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), NFNL_SUBSYS_CTNETLINK << 8 | kind, REQUEST | flags, 0, 0) + body


def tuple_of(kind: int, source: str, sport: int, destination: str, dport: int) -> bytes:
    ip = nested(1, attribute(1, socket.inet_aton(source)), attribute(2, socket.inet_aton(destination)))
    tcp = nested(
        2,
        attribute(1, bytes([socket.IPPROTO_TCP])),
        attribute(2, struct.pack("!H", sport)),
        attribute(3, struct.pack("!H", dport)),
    )
    return nested(kind, ip, tcp)


def entry(host: int, port: int, seconds: int) -> bytes:
    client, server = f"192.0.2.{host}", "192.0.2.254"
    return message(
        NEW,
        CREATE,
        tuple_of(TUPLE_ORIG, client, port, server, 9),
        tuple_of(TUPLE_REPLY, server, 9, client, port),
        attribute(STATUS, struct.pack("!I", ASSURED_CONFIRMED_SEEN)),
        attribute(TIMEOUT, struct.pack("!I", seconds)),
        nested(PROTOINFO, nested(1, attribute(1, bytes([ESTABLISHED])))),
        attribute(MARK_ATTRIBUTE, struct.pack("!I", MARK)),
    )


def entries(seconds: int) -> Iterator[bytes]:
    for host in range(1, 254):
        for port in range(FIRST, LAST + 1):
            yield entry(host, port, seconds)


def speaker() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER


def fill(seconds: int) -> None:
    """Full, and with something to spare, for others' entries that end meanwhile."""
    most, batch = int(MOST.read_text()), list[bytes]()
    with speaker() as netlink:
        for one in entries(seconds):
            batch.append(one)
            if len(batch) == BATCH:
                with contextlib.suppress(BlockingIOError):  # answers to what was refused are not read
                    netlink.send(b"".join(batch))
                batch.clear()
                if int(COUNT.read_text()) >= most:
                    return


def empty() -> None:
    mark = (attribute(MARK_ATTRIBUTE, struct.pack("!I", MARK)), attribute(MARK_MASK, struct.pack("!I", 0xFFFFFFFF)))
    with speaker() as netlink:
        netlink.settimeout(20)
        netlink.send(message(DELETE, ACK, *mark))
        code = struct.unpack_from("=i", netlink.recv(4096), 16)[0]
        if code:
            raise OSError(-code, "the entries are not taken out")


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]))
    else:
        empty()
