"""nf_tables, by nft(8) for rules and by netlink for elements of sets: no fork where time counts."""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Iterator

from . import netlink

_NFTABLES, _NEW_ELEMENT, _GET_ELEMENTS, _DELETE_ELEMENT = 10, 12, 13, 14  # linux/netfilter/nfnetlink.h, nf_tables.h
_CREATE, _NESTED, _KIND = 0x400, 0x8000, 0x3FFF
#: One change of a set: (message, flags, body).
Change = tuple[int, int, bytes]


def load(script: str) -> None:
    """All of `script`, as for `nft -f`, or none of it. OSError when the kernel refuses."""
    try:
        done = subprocess.run(
            ["/usr/sbin/nft", "-f", "-"], input=script, text=True, capture_output=True, timeout=5, check=False
        )
    except subprocess.TimeoutExpired:
        raise OSError("nft does not end") from None
    if done.returncode:
        raise OSError(done.stderr.strip().partition("\n")[0])


def added(table: str, name: str, keys: list[bytes], milliseconds: int) -> Change:
    """`keys` into the set, for so long."""
    return _NEW_ELEMENT, _CREATE, _elements(table, name, keys, milliseconds)


def deleted(table: str, name: str, keys: list[bytes]) -> Change:
    return _DELETE_ELEMENT, 0, _elements(table, name, keys, 0)


def change(changes: list[Change]) -> None:
    """All in one transaction, in tables of IPv4. OSError of the first that the kernel refuses."""
    netlink.batch(_NFTABLES, socket.AF_INET, changes)


def keys(table: str, name: str) -> Iterator[bytes]:
    """Of all elements that the set has now; each field of a key is padded to four bytes. OSError when there is none."""
    request = struct.pack("!BBH", socket.AF_INET, 0, 0) + _set(table, name)
    for message in netlink.dump(netlink.NETFILTER, _NFTABLES << 8 | _GET_ELEMENTS, request):
        for element in _inside(_inside_of(message[4:], 3), 1):  # NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_LIST_ELEM
            yield _inside_of(_inside_of(element, 1), 1)  # NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE


def _elements(table: str, name: str, keys: list[bytes], milliseconds: int) -> bytes:
    """NFTA_SET_ELEM_LIST_ELEMENTS; of each NFTA_SET_ELEM_KEY and, unless 0, _TIMEOUT and _EXPIRATION: without that one,
    Linux 6.12 and newer leave an element alone that is there with the same timeout."""
    lasts = b"".join(_attribute(kind, struct.pack("!Q", milliseconds)) for kind in (4, 5) if milliseconds)
    found = b"".join(_nested(1, _nested(1, _attribute(1, key)) + lasts) for key in keys)
    return _set(table, name) + _nested(3, found)


def _set(table: str, name: str) -> bytes:
    """NFTA_SET_ELEM_LIST_TABLE and _SET."""
    return _attribute(1, table.encode() + b"\0") + _attribute(2, name.encode() + b"\0")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)


def _inside(attributes: bytes, wanted: int) -> Iterator[bytes]:
    start = 0
    while start + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, start)
        if kind & _KIND == wanted:
            yield attributes[start + 4 : start + length]
        start += max(4, (length + 3) & ~3)


def _inside_of(attributes: bytes, wanted: int) -> bytes:
    return next(_inside(attributes, wanted), b"")
