"""Frames of the VIP watch, against the bytes that a kernel or a switch would send."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address

import pytest

from fournines.prove.frames import arp_probe, arp_reply, is_syn_ack, syn

VIP = IPv4Address("198.18.1.100")
CLIENT = IPv4Address("198.18.1.1")
HOST_MAC = bytes.fromhex("020000000011")
OWN_MAC = bytes.fromhex("02f09900c0de")


def reply(operation: int = 2) -> bytes:
    """As host 198.18.1.100 at 02:00:00:00:00:11 sends it, padded by the device to 60 bytes."""
    ethernet = OWN_MAC + HOST_MAC + b"\x08\x06"
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + HOST_MAC + VIP.packed + OWN_MAC + bytes(4)
    return (ethernet + arp).ljust(60, b"\0")


def test_a_probe_asks_for_the_vip_without_an_address_of_its_own() -> None:
    frame = arp_probe(OWN_MAC, VIP)
    assert frame[:14] == b"\xff" * 6 + OWN_MAC + b"\x08\x06"
    assert frame[20:22] == b"\0\1"  # request
    assert frame[28:32] == bytes(4)  # RFC 5227: no sender address, so that no cache learns from it
    assert frame[38:42] == VIP.packed


def test_a_reply_says_who_has_the_vip() -> None:
    assert arp_reply(reply()) == (VIP, "02:00:00:00:00:11")


@pytest.mark.parametrize("frame", [reply(operation=1), b"", reply()[:30], b"\0" * 60, arp_probe(OWN_MAC, VIP)])
def test_anything_else_is_no_reply(frame: bytes) -> None:
    assert arp_reply(frame) is None


def test_a_syn_is_valid_tcp_for_one_host() -> None:
    frame = syn((OWN_MAC, HOST_MAC), (CLIENT, 40000), (VIP, 5000))
    assert frame[:6] == HOST_MAC
    packet, tcp = frame[14:34], frame[34:]
    assert _sum(packet) == 0xFFFF
    assert _sum(CLIENT.packed + VIP.packed + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp)) + tcp) == 0xFFFF
    assert struct.unpack("!HH", tcp[:4]) == (40000, 5000)
    assert tcp[13] == 0x02


def answer(flags: int, source: IPv4Address = VIP, port: int = 5000) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", port, 40000, 7, 2, 5 << 4, flags, 1024, 0, 0)
    packet = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0) + source.packed + CLIENT.packed
    return OWN_MAC + HOST_MAC + b"\x08\x00" + packet + tcp


def test_a_syn_ack_names_the_port_that_asked() -> None:
    assert is_syn_ack(answer(0x12), VIP, 5000) == 40000


@pytest.mark.parametrize(
    "frame", [answer(0x14), answer(0x10), answer(0x12, CLIENT), answer(0x12, VIP, 80), b"", answer(0x12)[:40]]
)
def test_a_reset_or_anybody_elses_answer_serves_nobody(frame: bytes) -> None:
    assert is_syn_ack(frame, VIP, 5000) is None


def _sum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total
