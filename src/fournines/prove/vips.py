"""Who holds a VIP, as its own network answers: an ARP probe every tenth of a second, and of two holders, who serves.

The probes go out with a MAC and without an IP of their own (RFC 5227), so that they teach no neighbour table anything:
else a client would follow the VIP even where the takeover's gratuitous ARP failed.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from fournines.prove.frames import ARP, IPV4, arp_probe, arp_reply, is_syn_ack, syn

INTERVAL_S = 0.1
#: A SYN answered later than this was not served during the overlap.
SYN_WAIT_S = 0.2
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISC = 263, 1, 1  # linux/if_packet.h; not in `socket`
PROBE_MAC = bytes.fromhex("02f09900c0de")  # locally administered

#: vip's name, MACs that answered in one interval, those of several that accepted a connection
Seen = Callable[[str, frozenset[str], frozenset[str]], None]


@dataclass(frozen=True, slots=True)
class Link:
    """The directly connected network that an address is on: device, its MAC, this machine's own address there."""

    device: str
    mac: bytes
    source: IPv4Address


async def link_to(address: IPv4Address) -> Link | None:
    """None when `address` is reached through a gateway, or not at all: ARP does not reach it then."""
    process = await asyncio.create_subprocess_exec(
        "ip", "-j", "route", "get", str(address), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    routes: list[dict[str, Any]] = json.loads(output or b"[]")
    if not routes or "gateway" in routes[0] or "dev" not in routes[0]:
        return None
    device = routes[0]["dev"]
    return Link(device, _mac(device), IPv4Address(routes[0]["prefsrc"]))


def _mac(device: str) -> bytes:
    return bytes.fromhex(Path(f"/sys/class/net/{device}/address").read_text().strip().replace(":", ""))


class VipWatch:
    """Watches one VIP until cancelled. `seen` is called with each interval's answer. Needs CAP_NET_RAW."""

    def __init__(self, name: str, vip: IPv4Address, port: int, link: Link, seen: Seen) -> None:
        self._name = name
        self._vip = vip
        self._port = port
        self._link = link
        self._seen = seen
        self._macs: set[str] = set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        with packet_socket(self._link.device, ARP) as wire:
            loop.add_reader(wire, self._receive, wire)
            try:
                while True:
                    self._macs.clear()
                    wire.send(arp_probe(PROBE_MAC, self._vip))
                    await asyncio.sleep(INTERVAL_S)
                    macs = frozenset(self._macs)
                    serving = await self._who_serves(macs) if len(macs) > 1 else frozenset[str]()
                    self._seen(self._name, macs, serving)
            finally:
                loop.remove_reader(wire)

    def _receive(self, wire: socket.socket) -> None:
        reply = arp_reply(wire.recv(128))
        if reply and reply[0] == self._vip:
            self._macs.add(reply[1])

    async def _who_serves(self, macs: frozenset[str]) -> frozenset[str]:
        """Of `macs`, those that answer a SYN to the VIP's port, each asked by its MAC."""
        loop = asyncio.get_running_loop()
        ports = dict(zip(random.sample(range(40000, 60000), len(macs)), sorted(macs), strict=True))
        served: set[str] = set()

        def receive(wire: socket.socket) -> None:
            port = is_syn_ack(wire.recv(256), self._vip, self._port)
            if port in ports:
                served.add(ports[port])

        with packet_socket(self._link.device, IPV4) as wire:
            loop.add_reader(wire, receive, wire)
            try:
                for port, mac in ports.items():
                    to = bytes.fromhex(mac.replace(":", ""))
                    wire.send(syn((self._link.mac, to), (self._link.source, port), (self._vip, self._port)))
                await asyncio.sleep(SYN_WAIT_S)
            finally:
                loop.remove_reader(wire)
        return frozenset(served)


def packet_socket(device: str, protocol: int) -> socket.socket:
    """Raw, not blocking, and promiscuous: the answers go to a MAC that is not the device's. Raises PermissionError."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(protocol))
    wire.bind((device, protocol))
    membership = struct.pack("@iHH8s", socket.if_nametoindex(device), _PROMISC, 0, b"")
    wire.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
    return wire


async def macs_of(addresses: Mapping[str, IPv4Address], link: Link) -> dict[str, str]:
    """MAC -> name, of those `addresses` (by name) that answer on `link` within one second."""
    loop = asyncio.get_running_loop()
    names = {address: name for name, address in addresses.items()}
    found: dict[str, str] = {}

    def receive(wire: socket.socket) -> None:
        reply = arp_reply(wire.recv(128))
        if reply and reply[0] in names:
            found[reply[1]] = names[reply[0]]

    with packet_socket(link.device, ARP) as wire:
        loop.add_reader(wire, receive, wire)
        try:
            for _ in range(10):
                for address in names:
                    wire.send(arp_probe(PROBE_MAC, address))
                await asyncio.sleep(INTERVAL_S)
                if len(found) == len(names):
                    break
        finally:
            loop.remove_reader(wire)
    return found
