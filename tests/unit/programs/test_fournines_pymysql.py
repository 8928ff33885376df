"""A server without TLS where TLS is required is refused, and sent nothing: it may be whoever stands in the path."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest
from pymysql.constants import CLIENT

from fournines.programs import fournines_pymysql
from fournines.services import database_access, pki
from fournines.services.resource import File

PASSWORD = "the-password-itself"
_CAPABILITIES = CLIENT.PROTOCOL_41 | CLIENT.SECURE_CONNECTION | CLIENT.PLUGIN_AUTH | CLIENT.CONNECT_WITH_DB


def _packet(number: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


def _greeting(capabilities: int) -> bytes:
    low, high = capabilities & 0xFFFF, capabilities >> 16
    rest = struct.pack("<HBHHB10s", low, 33, 2, high, 21, b"")
    return (
        b"\x0a11.8.3-MariaDB\0" + struct.pack("<I8sx", 1, b"saltsalt") + rest + b"saltsaltsalt\0mysql_native_password\0"
    )


class Between:
    """Greets as a database without TLS, then asks for the password as it is. `heard`: what clients have said."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.heard = b""
        self.ended = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self.listener, self.listener.accept()[0] as client:
            client.settimeout(5)
            client.sendall(_packet(0, _greeting(_CAPABILITIES)))
            self.heard += client.recv(4096)
            if self.heard:
                client.sendall(_packet(2, b"\xfemysql_clear_password\0"))
                self.heard += client.recv(4096)
        self.ended.set()


@pytest.fixture
def between() -> Iterator[Between]:
    yield Between()


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text(pki.sign_ca("nobody", pki.new_key()))
    return path


def _url(between: Between, query: str) -> str:
    return f"mysql+pymysql://nova:{PASSWORD}@127.0.0.1:{between.port}/nova?charset=utf8mb4{query}"


def test_a_server_without_tls_is_sent_nothing(between: Between, authority: Path) -> None:
    url = _url(between, f"&plugin={fournines_pymysql.NAME}&ssl_ca={authority}")
    with pytest.raises(pymysql.OperationalError, match="speaks no TLS") as refused:
        fournines_pymysql.at(url, connect_timeout=3, read_timeout=5)
    assert refused.value.args[0] == 2026
    assert between.ended.wait(5)
    assert between.heard == b""


def test_an_engine_of_sqlalchemy_is_refused_alike(
    between: Between, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening: list[Any] = []
    event = SimpleNamespace(listen=lambda *said: listening.append(said))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setitem(sys.modules, "sqlalchemy", SimpleNamespace(event=event))
    monkeypatch.setitem(sys.modules, "sqlalchemy.event", event)
    fournines_pymysql.Plugin(None, {}).engine_created("engine")
    ((engine, name, connect),) = listening
    assert (engine, name) == ("engine", "do_connect")
    arguments = {"host": "127.0.0.1", "port": between.port, "user": "nova", "password": PASSWORD}
    with pytest.raises(pymysql.OperationalError, match="speaks no TLS"):
        connect(None, None, [], {**arguments, "ssl": {"ca": str(authority)}})
    assert between.ended.wait(5)
    assert between.heard == b""


def test_without_tls_it_is_pymysql(between: Between) -> None:
    """And shows what is at stake: whoever asks gets the password."""
    with pytest.raises(pymysql.OperationalError):
        fournines_pymysql.at(_url(between, ""), connect_timeout=3, read_timeout=5)
    assert between.ended.wait(5)
    assert PASSWORD.encode() in between.heard


def test_what_is_placed_is_what_urls_name() -> None:
    assert database_access.NAME == fournines_pymysql.NAME
    placed = {r.path: r.content for r in database_access.resources() if isinstance(r, File)}
    (entry,) = (text for path, text in placed.items() if path.endswith("/entry_points.txt"))
    assert f"{fournines_pymysql.NAME} = {fournines_pymysql.__name__.rpartition('.')[2]}:Plugin" in entry
