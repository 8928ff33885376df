"""A client that is not on the lab's networks: behind a router, each in a network namespace of its own.

What the machine itself sees of a VIP's move is what a neighbour on the same network sees. The router has its own
neighbour cache and connection tracking, and the client behind it learns of a move only by way of these.

    client 192.0.2.2 ── 192.0.2.1 router, an address of the public network ── bridge
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Interface

from fournines.errors import LabError
from fournines.lab import state
from fournines.lab.shell import run

#: Between router and client, of the addresses for documentation: seen by nobody else, and no lab has them.
INSIDE, CLIENT = IPv4Interface("192.0.2.1/30"), IPv4Interface("192.0.2.2/30")
_MASQUERADE = """
table ip fournines {
  chain out { type nat hook postrouting priority 100; oifname "outside" masquerade; }
}
"""


@contextmanager
def behind_router(cloud: str, vip: IPv4Address, taken: Iterable[IPv4Address]) -> Generator[tuple[str, ...]]:
    """Yields what makes a command run at the client: its first words. `vip`: on the network that the router is attached
    to. `taken`: addresses that the router must not take. Raises LabError when it cannot be made."""
    lab = state.load(cloud)
    bridge = next((b for b in lab.bridges if vip in b.address.network), None)
    if bridge is None:
        raise LabError(f"No network of lab {cloud} holds {vip}", next="fournines lab status")
    used = {*taken, vip, bridge.address.ip, *(p.address.ip for h in lab.hosts for p in h.ports if p.address)}
    free = next((a for a in reversed(list(bridge.address.network.hosts())) if a not in used), None)
    if free is None:
        raise LabError(f"Network {bridge.network} of lab {cloud} has no free address for a router")
    remove(cloud)
    try:
        _make(cloud, bridge.device, IPv4Interface(f"{free}/{bridge.address.network.prefixlen}"))
        yield ("ip", "netns", "exec", _names(cloud)[1])
    finally:
        remove(cloud)


def _make(cloud: str, bridge: str, address: IPv4Interface) -> None:
    router, client, device = _names(cloud)
    run(["ip", "netns", "add", router])
    run(["ip", "netns", "add", client])
    outer = [
        f"link add {device} type veth peer name outside netns {router}",
        f'link set {device} addrgenmode none master {bridge} alias "fournines {cloud} router"',
        f"link set {device} up",
    ]
    inner = [
        f"link add inside type veth peer name outside netns {client}",
        f"address add {INSIDE} dev inside",
        f"address add {address} dev outside",
        *(f"link set {name} up" for name in ("lo", "inside", "outside")),
    ]
    behind = [
        f"address add {CLIENT} dev outside",
        *(f"link set {name} up" for name in ("lo", "outside")),
        f"route add default via {INSIDE.ip}",
    ]
    run(["ip", "-batch", "-"], stdin="\n".join(outer) + "\n")
    run(["ip", "-n", router, "-batch", "-"], stdin="\n".join(inner) + "\n")
    run(["ip", "-n", client, "-batch", "-"], stdin="\n".join(behind) + "\n")
    run(["ip", "netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1"])
    run(["ip", "netns", "exec", router, "nft", "-f", "-"], stdin=_MASQUERADE)


def remove(cloud: str) -> None:
    """Also what a killed run left. The kernel takes the cables along."""
    if shutil.which("ip") is None:
        return
    there = {line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line.strip()}
    router, client, _ = _names(cloud)
    for name in (client, router):
        if name in there:
            run(["ip", "netns", "delete", name])


def _names(cloud: str) -> tuple[str, str, str]:
    """Of the router's namespace, the client's, and the bridge's port."""
    digest = hashlib.sha256(f"{cloud}/router".encode()).hexdigest()[:8]
    return f"fnr-{digest}", f"fnc-{digest}", f"fnr-{digest}"
