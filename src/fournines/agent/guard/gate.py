"""The VIP's gate: the kernel drops what is sent to a VIP that this host has no right to serve just now.

An nftables set holds the VIPs that may be served, each with a timeout, so that the right ends by itself at the moment
the votes do: whatever has become of the guard, of keepalived or of their scheduling, and before another host may serve.
A lapse that ends in time costs a retransmission: no address moves and no connection breaks.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection

from .. import nftables
from ..clock import now
from .votes import MARGIN

TABLE = "fournines_vip"
_SET = "granted"
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
    nftables.load(_RULES.format(table=TABLE, granted=_SET, vips=", ".join(sorted(vips))))


def remove() -> None:
    """For a cloud in which VRRP alone decides."""
    nftables.load(f"add table ip {TABLE}\ndelete table ip {TABLE}\n")


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
    keys = _keys(vips)
    new = nftables.added(TABLE, _SET, keys, max(1, int(seconds * 1000)))
    if _UPDATES:
        nftables.change([new])
        return
    try:
        nftables.change([nftables.deleted(TABLE, _SET, keys), new])
    except OSError as error:
        if error.errno != _ENOENT:
            raise
        nftables.change([new])


def revoke(vips: Collection[str]) -> None:
    """Now. Of no effect where nothing is granted."""
    for key in _keys(vips):
        try:
            nftables.change([nftables.deleted(TABLE, _SET, [key])])
        except OSError as error:
            if error.errno != _ENOENT:
                raise


def _keys(vips: Collection[str]) -> list[bytes]:
    return [socket.inet_aton(vip) for vip in sorted(vips)]
