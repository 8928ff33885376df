"""The kernel's table of connections, and the segment that its clients get, byte for byte."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from fournines.agent import netlink
from fournines.agent.guard import vip
from fournines.agent.guard.echo import checksum
from fournines.agent.observer import tickle
from fournines.agent.observer.clients import UNKNOWN

VIPS = ("127.200.0.1", "127.200.0.2", "127.200.0.3")


def packed(client: socket.socket) -> bytes:
    (here, port), (vip, vip_port) = client.getsockname(), client.getpeername()
    return struct.pack("!HH", vip_port, port) + socket.inet_aton(vip) + socket.inet_aton(here)


@pytest.fixture
def clients() -> Iterator[list[socket.socket]]:
    """One of each of `VIPS`, in that order."""
    with ExitStack() as stack:
        found: list[socket.socket] = []
        for address in VIPS:
            listener = stack.enter_context(socket.create_server((address, 0)))
            found.append(stack.enter_context(socket.create_connection(listener.getsockname())))
            stack.enter_context(listener.accept()[0])
        yield found


@pytest.mark.parametrize("wanted", [(0,), (2,), (0, 1), (1, 0), (2, 0), (0, 1, 2)])
def test_the_connections_of_these_addresses_and_of_no_other(clients: list[socket.socket], wanted: list[int]) -> None:
    assert tickle.connected([VIPS[n] for n in wanted]).keys() == {packed(clients[n]) for n in wanted}


def test_what_a_connection_has_carried(clients: list[socket.socket]) -> None:
    clients[1].sendall(b"x" * 1234)
    assert tickle.connected(VIPS)[packed(clients[1])] == (0, 1234)
    assert tickle.connected(VIPS)[packed(clients[0])] == (0, 0)


def test_where_a_connection_is_after_all_that_it_carried() -> None:
    began = struct.pack("!II", 0xFFFFFFF0, 7)
    assert tickle.moved(began, 0x20, 1 << 33) == struct.pack("!II", 0x10, 7)


def test_a_client_that_has_sent_all_and_waits_is_connected(clients: list[socket.socket]) -> None:
    clients[0].shutdown(socket.SHUT_WR)
    assert packed(clients[0]) in tickle.connected(VIPS)


def test_who_has_closed_is_not_connected(clients: list[socket.socket]) -> None:
    gone = packed(clients[0])
    clients[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    clients[0].close()
    assert gone not in tickle.connected(VIPS)


def test_what_the_kernel_refuses_is_an_error() -> None:
    with pytest.raises(OSError, match="No such file"):
        list(netlink.dump(4, 20, bytes(2)))  # sock_diag, address family 0


def test_addresses_of_this_host() -> None:
    assert "127.0.0.1" in vip.local_addresses()


def test_a_segment_byte_for_byte() -> None:
    connection = struct.pack("!HH4s4s", 443, 50000, socket.inet_aton("198.18.1.100"), socket.inet_aton("203.0.113.9"))
    packet = tickle.segment(connection, UNKNOWN, 1)
    ip, tcp = packet[:20], packet[20:]
    assert ip == bytes.fromhex("45000000 00000000 40060000 c6120164 cb007109")  # zeros: the kernel's to fill in
    assert tcp[:16] == bytes.fromhex("01bb c350 80000000 00000000 5010 ffff")
    assert tcp[18:] == bytes(2)
    assert checksum(ip[12:] + struct.pack("!HH", 6, len(tcp)) + tcp) == 0
    known = tickle.segment(connection, struct.pack("!II", 0x01020304, 0x0A0B0C0D), 1)[20:]
    assert known[4:12] == bytes.fromhex("01020304 0a0b0c0d")


def test_one_round_of_four_is_behind_an_unknown_position() -> None:
    def sent(number: int) -> tuple[int, ...]:
        return struct.unpack("!II", tickle.segment(bytes(12), UNKNOWN, number)[24:32])

    half = 1 << 31
    for at in (0, 1, half - 1, half, half + 1, 2 * half - 1):
        for other in (0, half - 1, half, 2 * half - 1):
            rounds = [
                [(is_at - n) % (2 * half) <= half for is_at, n in zip((at, other), sent(r), strict=True)]
                for r in range(4)
            ]
            assert [True, True] in rounds
    assert tickle.ROUNDS == 4
