"""A client that waits for its answer while the VIP moves to another host: real kernels' TCP, in network namespaces.

No lab: a client, two hosts and a bridge, each in a namespace of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from fournines.agent.observer import handshakes, sever
from fournines.agent.observer.clients import A_BEAT, Roster
from fournines.agent.observer.tickle import Tickle, moved

VIP, PORT = "198.19.250.100", 5000
HOSTS = {"client": "198.19.250.1", "old": "198.19.250.11", "new": "198.19.250.12"}
#: A client elsewhere, and "client" as its router: it translates addresses and drops what no connection's window holds.
FAR = "far"
_NAT = """
table ip nat {
  chain forward { type filter hook forward priority 0; policy accept; ct state invalid drop; }
  chain out { type nat hook postrouting priority 100; oifname "eth0" masquerade; }
}
"""
_CLONE_NEWNET = 0x40000000
T = TypeVar("T")


def space(name: str) -> str:
    return f"test-tickle-{name}"


def ip(where: str, *words: str) -> str:
    return subprocess.check_output(["ip", "-n", space(where), *words], text=True)


def inside(where: str, act: Callable[[], T]) -> T:
    """What `act` returns in that namespace. Its sockets stay there."""

    def enter() -> None:
        with Path("/run/netns", space(where)).open() as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    with ThreadPoolExecutor(1, initializer=enter) as thread:
        return thread.submit(act).result()


def _remove() -> None:
    for name in ("fabric", *HOSTS, FAR):
        subprocess.run(["ip", "netns", "del", space(name)], stderr=subprocess.DEVNULL, check=False)


@pytest.fixture
def fabric() -> Iterator[None]:
    """The bridge and the hosts; `old` holds the VIP."""
    _remove()
    try:
        for name in ("fabric", *HOSTS):
            subprocess.check_call(["ip", "netns", "add", space(name)])
        ip("fabric", "link", "add", "bridge", "type", "bridge")
        ip("fabric", "link", "set", "bridge", "up")
        for name, address in HOSTS.items():
            ip("fabric", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", space(name))
            ip("fabric", "link", "set", name, "master", "bridge", "up")
            ip(name, "address", "add", f"{address}/24", "dev", "eth0")
            ip(name, "link", "set", "lo", "up")
            ip(name, "link", "set", "eth0", "up")
        ip("old", "address", "add", f"{VIP}/32", "dev", "eth0")
        yield
    finally:
        _remove()


@pytest.fixture
def nat(fabric: None) -> None:
    subprocess.check_call(["ip", "netns", "add", space(FAR)])
    ip(FAR, "link", "add", "eth0", "type", "veth", "peer", "name", "inside", "netns", space("client"))
    ip("client", "address", "add", "198.19.251.1/24", "dev", "inside")
    ip("client", "link", "set", "inside", "up")
    ip(FAR, "address", "add", "198.19.251.2/24", "dev", "eth0")
    ip(FAR, "link", "set", "lo", "up")
    ip(FAR, "link", "set", "eth0", "up")
    ip(FAR, "route", "add", "default", "via", "198.19.251.1")
    inside("client", lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))
    inside("client", lambda: subprocess.run(["nft", "-f", "-"], input=_NAT, text=True, check=True))


@dataclass(frozen=True)
class Waiting:
    """`client` has sent a request that `server`'s kernel has acknowledged."""

    client: socket.socket
    server: socket.socket


@pytest.fixture
def waiting(fabric: None) -> Iterator[Waiting]:
    with asks("client") as found:
        yield found


@contextlib.contextmanager
def asks(where: str, before: int = 0) -> Iterator[Waiting]:
    """A client there, after so many bytes in both directions."""
    with inside("old", lambda: socket.create_server((VIP, PORT))) as listener:
        client = inside(where, lambda: socket.create_connection((VIP, PORT), 5))
        server, _ = listener.accept()
    with client, server:
        for sender, receiver in ((client, server), (server, client)):
            for _ in range(before // 10_000):
                sender.sendall(b"x" * 10_000)
                assert len(receiver.recv(10_000, socket.MSG_WAITALL)) == 10_000
        client.sendall(b"GET /")
        assert server.recv(100) == b"GET /"
        while any(fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4))):
            time.sleep(0.01)
        yield Waiting(client, server)


def power_off_and_move(neighbour: str = "client") -> None:
    """`old` loses power; `new` takes the address over, and `neighbour` learns where it is, as of keepalived's ARP."""
    ip("old", "link", "set", "eth0", "down")
    ip("new", "address", "add", f"{VIP}/32", "dev", "eth0")
    [link] = json.loads(ip("new", "-json", "link", "show", "eth0"))
    ip(neighbour, "neigh", "replace", VIP, "lladdr", link["address"], "dev", "eth0")


def test_the_old_holders_own_clients_hear_of_it_at_once(fabric: None) -> None:
    with inside("old", lambda: socket.create_server((VIP, PORT))) as listener:
        client = inside("old", lambda: socket.create_connection((VIP, PORT)))
        assert client.getsockname()[0] == VIP
        server, _ = listener.accept()
        with client, server:
            ip("old", "address", "del", f"{VIP}/32", "dev", "eth0")
            server.sendall(b"an answer that goes astray")
            client.settimeout(1.0)
            with pytest.raises(TimeoutError):
                client.recv(1)
            inside("old", lambda: asyncio.run(sever.cut([VIP], "src")))
            with pytest.raises(ConnectionAbortedError):
                client.recv(1)
        ip("old", "address", "add", f"{VIP}/32", "dev", "eth0")
        inside("old", lambda: socket.create_connection((VIP, PORT)).close())  # the listener stayed


def heir_of(holder: str) -> Tickle:
    """Another host's observer, which has heard all that the one of `holder` told in its life."""
    told_by, heir = Tickle(lambda: frozenset({VIP})), Tickle(frozenset[str])

    async def look() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await told_by.run()

    inside(holder, lambda: asyncio.run(look()))
    heir.hear(told_by.say(A_BEAT))
    assert heir.known == told_by.known == 1
    return heir


def take_over(host: str, heir: Tickle) -> None:
    inside(host, lambda: asyncio.run(heir.taken_over(frozenset({VIP}))))
    assert heir.told == 1


@pytest.fixture
def copied(fabric: None) -> None:
    """Both load balancers' kernels note who connects."""
    for name, other in (("old", "new"), ("new", "old")):
        inside(name, lambda other=other: asyncio.run(handshakes.note([VIP], [HOSTS[other]])))


def test_a_client_younger_than_any_look_hears_of_it_within_a_second(copied: None, waiting: Waiting) -> None:
    connection = struct.pack("!HH", PORT, waiting.client.getsockname()[1])
    connection += socket.inet_aton(VIP) + socket.inet_aton(HOSTS["client"])
    for name in ("old", "new"):
        assert inside(name, lambda: handshakes.noted([VIP])).keys() == {connection}
        assert inside(name, lambda: handshakes.noted(["198.19.250.101"])) == {}
    heir = Tickle(frozenset[str])  # it has heard nothing
    power_off_and_move()
    with inside("new", lambda: socket.create_server((VIP, PORT))), ThreadPoolExecutor(1) as beside:
        telling = beside.submit(take_over, "new", heir)
        waiting.client.settimeout(1.0)
        with pytest.raises(ConnectionResetError):
            waiting.client.recv(1)
        telling.result()


def test_a_client_that_came_while_the_holder_was_cut_off_from_the_others(copied: None, waiting: Waiting) -> None:
    """The holder itself tells it, once it has lost the VIP and its network is back."""
    inside("new", lambda: subprocess.check_call(["nft", "flush", "set", "ip", handshakes.TABLE, handshakes.SET]))
    holder = Tickle(frozenset[str])
    power_off_and_move()
    ip("old", "address", "del", f"{VIP}/32", "dev", "eth0")
    ip("old", "link", "set", "eth0", "up")
    waiting.client.settimeout(3.0)
    telling = asyncio.wait_for(holder.lost(frozenset({VIP})), 1.5)
    with inside("new", lambda: socket.create_server((VIP, PORT))), ThreadPoolExecutor(1) as beside:
        told = beside.submit(inside, "old", lambda: asyncio.run(_ended(telling)))
        with pytest.raises(ConnectionResetError):
            waiting.client.recv(1)
        told.result()


async def _ended(act: Coroutine[object, object, None]) -> None:
    with contextlib.suppress(TimeoutError):
        await act


def test_a_copy_is_answered_by_nobody(copied: None, waiting: Waiting) -> None:
    """Whoever notes it neither answers nor sends it on, though it may route."""
    inside("new", lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))

    def resets() -> int:
        counters = [line.split() for line in Path("/proc/thread-self/net/snmp").read_text().splitlines()]
        [names, values] = [words for words in counters if words[0] == "Tcp:"]
        return int(values[names.index("OutRsts")])

    with inside("old", lambda: socket.create_server((VIP, PORT + 1))) as listener:
        for _ in range(3):
            with inside("client", lambda: socket.create_connection((VIP, PORT + 1), 5)), listener.accept()[0]:
                pass
        assert inside("new", resets) == 0
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert len(inside("new", lambda: handshakes.noted([VIP]))) == 4


def test_a_client_of_a_dead_holder_that_nobody_tells_waits(waiting: Waiting) -> None:
    power_off_and_move()
    with inside("new", lambda: socket.create_server((VIP, PORT))):
        waiting.client.settimeout(3.0)
        with pytest.raises(TimeoutError):
            waiting.client.recv(1)


def test_a_client_of_a_dead_holder_hears_of_it_within_a_second(waiting: Waiting) -> None:
    heir = heir_of("old")
    power_off_and_move()
    with inside("new", lambda: socket.create_server((VIP, PORT))), ThreadPoolExecutor(1) as beside:
        telling = beside.submit(take_over, "new", heir)
        waiting.client.settimeout(1.0)
        with pytest.raises(ConnectionResetError):
            waiting.client.recv(1)
        telling.result()


@pytest.mark.parametrize(("known", "before"), [("told", 0), ("told", 8_000_000), ("noted", 0)])
def test_a_client_behind_a_nat_that_drops_invalid_segments(copied: None, nat: None, known: str, before: int) -> None:
    """Told of: wherever the connection is by now. Noted from its SYN-ACK alone: as long as that is within a window."""
    with asks(FAR, before) as waiting:
        heir = heir_of("old") if known == "told" else Tickle(frozenset[str])
        hears_of_it(waiting, heir, ConnectionResetError)


def test_a_nat_lets_nothing_pass_at_a_wrong_position(copied: None, nat: None) -> None:
    """What the test above would find without the right ones. One ahead: what lags behind, newer kernels let pass."""
    with asks(FAR) as waiting:
        heir, told_by = Tickle(frozenset[str]), Roster()
        noted = inside("old", lambda: handshakes.noted([VIP]))
        told_by.see({connection: moved(position, 1 << 30, 1 << 30) for connection, position in noted.items()})
        heir.hear(told_by.say(A_BEAT))
        hears_of_it(waiting, heir, TimeoutError)


def hears_of_it(waiting: Waiting, heir: Tickle, expected: type[OSError]) -> None:
    power_off_and_move("client")
    waiting.client.settimeout(1.0)
    with inside("new", lambda: socket.create_server((VIP, PORT))), ThreadPoolExecutor(1) as beside:
        telling = beside.submit(take_over, "new", heir)
        with pytest.raises(expected):
            waiting.client.recv(1)
        telling.result()


def test_a_load_balancer_that_routes_passes_its_clients_connections_on(copied: None, nat: None) -> None:
    """What it forwards is no copy."""
    ip("new", "address", "add", "198.19.252.1/24", "dev", "eth0")
    ip("old", "route", "add", "198.19.251.0/24", "via", HOSTS["new"])
    inside("new", lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))
    ip("new", "route", "add", "198.19.251.0/24", "via", HOSTS["client"])
    inside("client", lambda: subprocess.check_call(["nft", "delete", "table", "ip", "nat"]))
    with asks(FAR) as waiting:
        waiting.server.sendall(b"200")
        assert waiting.client.recv(3) == b"200"


def test_a_living_connection_takes_no_harm(waiting: Waiting) -> None:
    take_over("old", heir_of("old"))  # the VIP came back to where it was
    waiting.server.sendall(b"200")
    assert waiting.client.recv(10) == b"200"
    waiting.client.sendall(b"more")
    assert waiting.server.recv(10) == b"more"
