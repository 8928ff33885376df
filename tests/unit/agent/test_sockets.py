"""Connections are found by either end, and ended: those that are open, and those that wait for an answer."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack

import pytest

from fournines.agent.observer import sockets

DEAD, ALIVE = "127.200.1.1", "127.200.1.2"
root = pytest.mark.skipif(os.geteuid() != 0, reason="the kernel ends connections for root only")


def error_of(client: socket.socket) -> int:
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@root
def test_connections_to_one_address_end_and_others_stay() -> None:
    with ExitStack() as stack:
        clients: dict[str, socket.socket] = {}
        for address in (DEAD, ALIVE):
            listener = stack.enter_context(socket.create_server((address, 0)))
            clients[address] = stack.enter_context(socket.create_connection(listener.getsockname()))
            stack.enter_context(listener.accept()[0])
        assert sockets.destroy([DEAD], "dst", sockets.SYN_SENT) == 0
        assert sockets.destroy([DEAD], "dst", sockets.CONNECTED) == 1
        with pytest.raises(ConnectionAbortedError):
            clients[DEAD].recv(1)
        clients[ALIVE].sendall(b"x")
        assert error_of(clients[ALIVE]) == 0
        assert len([*sockets.find([ALIVE], "src", sockets.ESTABLISHED)]) == 1  # the accepted end


@root
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_connect_that_nothing_answers_ends(family: socket.AddressFamily) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((DEAD, 0), backlog=0))
        host, port = listener.getsockname()
        address = (host, port) if family == socket.AF_INET else (f"::ffff:{host}", port, 0, 0)
        clients: list[socket.socket] = []
        while not [*sockets.find([DEAD], "dst", sockets.SYN_SENT, family)]:  # a full queue drops what comes
            assert len(clients) < 10
            clients.append(stack.enter_context(socket.socket(family)))
            clients[-1].setblocking(False)
            assert clients[-1].connect_ex(address) == errno.EINPROGRESS
        assert sockets.destroy([ALIVE], "dst", sockets.SYN_SENT) == 0
        assert sockets.destroy([DEAD], "dst", sockets.SYN_SENT) == 1
        assert error_of(clients[-1]) == errno.ECONNABORTED
        assert error_of(clients[0]) == 0


def test_an_end_that_came_first_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(sockets.netlink, "command", gone)
    with socket.create_server((DEAD, 0)) as listener, socket.create_connection(listener.getsockname()):
        assert sockets.destroy([DEAD], "dst", sockets.CONNECTED) == 0
