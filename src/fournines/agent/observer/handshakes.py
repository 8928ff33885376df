"""Who has just connected to a VIP, known to every load balancer without any process that runs in time.

The roster that the holder's observer tells (`clients`) misses what began after its last look: a client whose request
the holder's kernel acknowledged just before it died. So that kernel copies every SYN-ACK to the other load balancers
(nftables, `dup to`), and each notes it for a while and drops it. It has the sequence numbers of both ends, too: a
firewall or a NAT on the way to the client lets only segments pass whose numbers are plausible.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Collection

from .. import nftables

TABLE = "fournines_clients"
SET = "positions"
#: Seconds for which one is known: until a roster has surely told of it, on a host without idle time too.
KEPT = 10
#: SYN-ACKs copied a second, and connections noted, at most: a flood of them costs no more.
COPIED, NOTED = 5000, 65536
#: Before conntrack and the host's firewall.
_PRIORITY = -310
#: As the set has them: VIP, its port, client, its port, ports in four bytes each; the two numbers of the SYN-ACK.
_KEY = struct.Struct("!4s2sxx4s2sxx8s")

#: A copy is known by its time to live: no router passes it on, and what a load balancer routes for others is none.
_RULES = """\
add table ip {table}
add set ip {table} vips {{ type ipv4_addr; }}
add set ip {table} {noted} {{ typeof ip saddr . tcp sport . ip daddr . tcp dport . tcp sequence . tcp ackseq; \
flags dynamic,timeout; timeout {kept}s; size {size}; }}
add chain ip {table} leaves {{ type filter hook output priority {priority}; policy accept; }}
add chain ip {table} arrives {{ type filter hook prerouting priority {priority}; policy accept; }}
add chain ip {table} accepted
flush chain ip {table} leaves
flush chain ip {table} arrives
flush chain ip {table} accepted
flush set ip {table} vips
add element ip {table} vips {{ {vips} }}
add rule ip {table} leaves oif != lo ip saddr @vips ip ttl != 1 {syn_ack} goto accepted
add rule ip {table} accepted {note}
add rule ip {table} accepted limit rate over {copied}/second return
add rule ip {table} accepted ip ttl set 1 {copies} ip ttl set 64
add rule ip {table} arrives ip saddr @vips ip ttl 1 {syn_ack} {note} drop
"""
_SYN_ACK = "tcp flags & (fin | syn | rst | ack) == (syn | ack)"
_NOTE = f"update @{SET} {{ ip saddr . tcp sport . ip daddr . tcp dport . tcp sequence . tcp ackseq }}"


async def note(vips: Collection[str], others: Collection[str]) -> None:
    """From now on; `others`: the addresses of the other load balancers. OSError when the kernel refuses."""
    script = _RULES.format(
        table=TABLE,
        noted=SET,
        kept=KEPT,
        size=NOTED,
        priority=_PRIORITY,
        vips=", ".join(sorted(vips)),
        syn_ack=_SYN_ACK,
        note=_NOTE,
        copied=COPIED,
        copies=" ".join(f"dup to {other}" for other in sorted(others)),
    )
    await asyncio.to_thread(nftables.load, script)


def noted(vips: Collection[str]) -> dict[bytes, bytes]:
    """Connections (`clients`) to `vips` begun within the last `KEPT` seconds, with their positions then. OSError: the
    kernel does not tell."""
    wanted = {socket.inet_aton(vip) for vip in vips}
    found = (_KEY.unpack(key) for key in nftables.keys(TABLE, SET) if len(key) == _KEY.size)
    return {
        vip_port + port + vip + client: position for vip, vip_port, client, port, position in found if vip in wanted
    }
