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
from fournines.agent.observer.clients import A_BEAT
from fournines.agent.observer.tickle import Tickle

VIP, PORT = "198.19.250.100", 5000
HOSTS = {"client": "198.19.250.1", "old": "198.19.250.11", "new": "198.19.250.12"}
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
    for name in ("fabric", *HOSTS):
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


@dataclass(frozen=True)
class Waiting:
    """`client` has sent a request that `server`'s kernel has acknowledged."""

    client: socket.socket
    server: socket.socket


@pytest.fixture
def waiting(fabric: None) -> Iterator[Waiting]:
    with inside("old", lambda: socket.create_server((VIP, PORT))) as listener:
        client = inside("client", lambda: socket.create_connection((VIP, PORT), 5))
        server, _ = listener.accept()
    with client, server:
        client.sendall(b"GET /")
        assert server.recv(100) == b"GET /"
        while any(fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4))):
            time.sleep(0.01)
        yield Waiting(client, server)


def power_off_and_move() -> None:
    """`old` loses power; `new` takes the address over, and the client learns where it is, as of keepalived's ARP."""
    ip("old", "link", "set", "eth0", "down")
    ip("new", "address", "add", f"{VIP}/32", "dev", "eth0")
    [link] = json.loads(ip("new", "-json", "link", "show", "eth0"))
    ip("client", "neigh", "replace", VIP, "lladdr", link["address"], "dev", "eth0")


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
        assert inside(name, lambda: handshakes.noted([VIP])) == {connection}
        assert inside(name, lambda: handshakes.noted(["198.19.250.101"])) == frozenset()
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
    inside("new", lambda: subprocess.check_call(["nft", "flush", "set", "ip", handshakes.TABLE, "handshakes"]))
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


def test_a_living_connection_takes_no_harm(waiting: Waiting) -> None:
    take_over("old", heir_of("old"))  # the VIP came back to where it was
    waiting.server.sendall(b"200")
    assert waiting.client.recv(10) == b"200"
    waiting.client.sendall(b"more")
    assert waiting.server.recv(10) == b"more"
