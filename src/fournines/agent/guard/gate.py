"""The VIP's gate: the kernel drops what is sent to a VIP that this host has no right to serve just now.

An nftables set holds the VIPs that may be served, each with a timeout, so that the right ends by itself at the moment
the votes do: whatever has become of the guard, of keepalived or of their scheduling, and before another host may serve.
A lapse that ends in time costs a retransmission: no address moves and no connection breaks.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
from collections.abc import Collection

from .. import netlink
from ..clock import now
from .votes import MARGIN

TABLE = "fournines_vip"
_SET = "granted"
_NFTABLES, _NEW_ELEMENT, _DELETE_ELEMENT = 10, 12, 14  # linux/netfilter/nfnetlink.h, nf_tables.h
_CREATE, _NESTED = 0x400, 0x8000
_ENOENT = 2
#: Linux 6.12 and newer change the timeout of an element that is there, in 0.03 ms. Older ones need it deleted first,
#: which waits for a grace period of RCU, some 15 ms.
_UPDATES = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 12)

_RULES = """\
add table ip {table}
add set ip {table} vips {{ type ipv4_addr; }}
add set ip {table} {granted} {{ type ipv4_addr; flags timeout; }}
add chain ip {table} input {{ type filter hook input priority raw; policy accept; }}
flush chain ip {table} input
flush set ip {table} vips
add element ip {table} vips {{ {vips} }}
add rule ip {table} input ip daddr @vips ip daddr != @{granted} counter drop
"""


def build(vips: Collection[str]) -> None:
    """Makes the table, or brings it in step; what is granted stays so. OSError when the kernel refuses."""
    _nft(_RULES.format(table=TABLE, granted=_SET, vips=", ".join(sorted(vips))))


def remove() -> None:
    """For a cloud in which VRRP alone decides."""
    _nft(f"add table ip {TABLE}\ndelete table ip {TABLE}\n")


def _nft(script: str) -> None:
    try:
        done = subprocess.run(
            ["/usr/sbin/nft", "-f", "-"], input=script, text=True, capture_output=True, timeout=5, check=False
        )
    except subprocess.TimeoutExpired:
        raise OSError("nft does not end") from None
    if done.returncode:
        raise OSError(done.stderr.strip().partition("\n")[0])


def grant(vips: Collection[str], until: float) -> bool:
    """From now on, until then by `clock.now()`; what was granted before ends. False: this process was stopped on the
    way for longer than a voter allows for, and the gate is shut: the kernel counts from when it is told, so it would
    be open for as much longer."""
    began = now()
    if began < until:
        _open(vips, until - began)
        if now() - began <= MARGIN:
            return True
    revoke(vips)
    return False


def _open(vips: Collection[str], seconds: float) -> None:
    milliseconds = max(1, int(seconds * 1000))
    new = (_NEW_ELEMENT, _CREATE, _elements(vips, milliseconds))
    if _UPDATES:
        netlink.batch(_NFTABLES, socket.AF_INET, [new])
        return
    try:
        netlink.batch(_NFTABLES, socket.AF_INET, [(_DELETE_ELEMENT, 0, _elements(vips, 0)), new])
    except OSError as error:
        if error.errno != _ENOENT:
            raise
        netlink.batch(_NFTABLES, socket.AF_INET, [new])


def revoke(vips: Collection[str]) -> None:
    """Now. Of no effect where nothing is granted."""
    for vip in vips:
        try:
            netlink.batch(_NFTABLES, socket.AF_INET, [(_DELETE_ELEMENT, 0, _elements([vip], 0))])
        except OSError as error:
            if error.errno != _ENOENT:
                raise


def _elements(vips: Collection[str], milliseconds: int) -> bytes:
    """NFTA_SET_ELEM_LIST_TABLE, _SET and _ELEMENTS; of each element NFTA_SET_ELEM_KEY and, unless 0, _TIMEOUT."""
    lasts = _attribute(4, struct.pack("!Q", milliseconds)) if milliseconds else b""
    keys = (_nested(1, _attribute(1, socket.inet_aton(vip))) for vip in sorted(vips))
    found = b"".join(_nested(1, key + lasts) for key in keys)
    return _attribute(1, TABLE.encode() + b"\0") + _attribute(2, _SET.encode() + b"\0") + _nested(3, found)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)
