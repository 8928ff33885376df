"""Ethernet frames of the VIP watch: ARP probe and reply (RFC 826, 5227), TCP SYN and its answer. Pure bytes."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

ARP, IPV4 = 0x0806, 0x0800  # EtherTypes
_ARP_HEADER = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET = struct.Struct("!6s6sH")
_REQUEST, _REPLY = 1, 2
_TCP = 6
_SYN, _SYN_ACK = 0x02, 0x12


def arp_probe(mac: bytes, target: IPv4Address) -> bytes:
    """Who has `target`? Asked by `mac`, with no address of its own."""
    ethernet = _ETHERNET.pack(b"\xff" * 6, mac, ARP)
    return ethernet + _ARP_HEADER.pack(1, IPV4, 6, 4, _REQUEST, mac, bytes(4), bytes(6), target.packed)


def arp_reply(frame: bytes) -> tuple[IPv4Address, str] | None:
    """(address, MAC that has it) if `frame` is an ARP reply."""
    if len(frame) < _ETHERNET.size + _ARP_HEADER.size or frame[12:14] != ARP.to_bytes(2, "big"):
        return None
    *_, operation, mac, address, _target_mac, _target = _ARP_HEADER.unpack_from(frame, _ETHERNET.size)
    return (IPv4Address(address), mac.hex(":")) if operation == _REPLY else None


def syn(macs: tuple[bytes, bytes], source: tuple[IPv4Address, int], to: tuple[IPv4Address, int]) -> bytes:
    """A TCP SYN, delivered to the host with the second of `macs`, whoever else holds its address."""
    header = struct.pack("!HHIIBBHHH", source[1], to[1], 1, 0, 5 << 4, _SYN, 1024, 0, 0)
    pseudo = source[0].packed + to[0].packed + struct.pack("!BBH", 0, _TCP, len(header))
    header = header[:16] + _checksum(pseudo + header) + header[18:]
    packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(header), 0, 0, 64, _TCP, 0, source[0].packed, to[0].packed)
    packet = packet[:10] + _checksum(packet) + packet[12:]
    return _ETHERNET.pack(macs[1], macs[0], IPV4) + packet + header


def is_syn_ack(frame: bytes, vip: IPv4Address, port: int) -> int | None:
    """The local port that `frame` answers, if it is a SYN-ACK from `vip`:`port`."""
    packet = frame[_ETHERNET.size :]
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != _TCP or packet[12:16] != vip.packed:
        return None
    tcp = packet[(packet[0] & 0x0F) * 4 :]
    if len(tcp) < 14 or int.from_bytes(tcp[:2], "big") != port or tcp[13] & 0x3F != _SYN_ACK:
        return None
    return int.from_bytes(tcp[2:4], "big")


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")
