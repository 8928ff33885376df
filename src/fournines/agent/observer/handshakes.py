"""Who has just connected to a VIP, known to every load balancer without any process that runs in time.

The roster that the holder's observer tells (`clients`) misses what began after its last look: a client whose request
the holder's kernel acknowledged just before it died. So that kernel copies every SYN to the other load balancers
(nftables, `dup to`), and each notes it for a while and drops it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Collection

from .. import nftables

TABLE = "fournines_clients"
_SET = "handshakes"
#: Seconds for which one is known: until a roster has surely told of it, on a host without idle time too.
KEPT = 10
#: SYNs copied a second, and connections noted, at most: a flood of them costs no more.
COPIED, NOTED = 5000, 65536
#: Before conntrack and the host's firewall.
_PRIORITY = -310
#: As the set has them: VIP, its port, client, its port; ports in four bytes each.
_KEY = struct.Struct("!4s2sxx4s2sxx")

_RULES = """\
add table ip {table}
add set ip {table} vips {{ type ipv4_addr; }}
add set ip {table} {noted} {{ type ipv4_addr . inet_service . ipv4_addr . inet_service; flags dynamic,timeout; \
timeout {kept}s; size {size}; }}
add chain ip {table} arrives {{ type filter hook prerouting priority {priority}; policy accept; }}
add chain ip {table} handshake
flush chain ip {table} arrives
flush chain ip {table} handshake
flush set ip {table} vips
add element ip {table} vips {{ {vips} }}
add rule ip {table} arrives iif != lo ip daddr @vips tcp flags & (fin | syn | rst | ack) == syn goto handshake
add rule ip {table} handshake update @{noted} {{ ip daddr . tcp dport . ip saddr . tcp sport }}
add rule ip {table} handshake fib daddr type != local drop comment "a copy"
add rule ip {table} handshake limit rate over {copied}/second return
"""


async def note(vips: Collection[str], others: Collection[str]) -> None:
    """From now on; `others`: the addresses of the other load balancers. OSError when the kernel refuses."""
    script = _RULES.format(
        table=TABLE,
        noted=_SET,
        kept=KEPT,
        size=NOTED,
        priority=_PRIORITY,
        vips=", ".join(sorted(vips)),
        copied=COPIED,
    ) + "".join(f"add rule ip {TABLE} handshake dup to {other}\n" for other in sorted(others))
    await asyncio.to_thread(nftables.load, script)


def noted(vips: Collection[str]) -> frozenset[bytes]:
    """Connections (`clients`) to `vips` begun within the last `KEPT` seconds. OSError: the kernel does not tell."""
    wanted = {socket.inet_aton(vip) for vip in vips}
    found = (_KEY.unpack(key) for key in nftables.keys(TABLE, _SET) if len(key) == _KEY.size)
    return frozenset(vip_port + port + vip + client for vip, vip_port, client, port in found if vip in wanted)
