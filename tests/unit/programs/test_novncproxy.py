"""The console proxy's side of VeNCrypt: which computes it takes for the one that it asked for."""

from __future__ import annotations

import socket
import ssl
import threading
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from fournines.programs.novncproxy import verified
from fournines.services import pki


class Authority:
    def __init__(self, name: str) -> None:
        self.key = pki.new_key()
        self.pem = pki.sign_ca(name, self.key)

    def signs(self, address: str, *, client: bool = False) -> str:
        key = pki.new_key()
        return pki.sign(pki.Subject(("host",), (IPv4Address(address),), client=client), key, self.pem, self.key) + key


@pytest.fixture
def proxies() -> Authority:
    return Authority("proxies")


@pytest.fixture
def computes() -> Authority:
    return Authority("computes")


def asked(tmp_path: Path, server: str, proxies: Authority, computes: Authority) -> bytes:
    """What a proxy hears of a compute at 127.0.0.1 that shows `server`, and takes certificates of proxies alone."""
    paths = {"server": server, "client": proxies.signs("127.0.0.9", client=True), "computes": computes.pem}
    for name, pem in paths.items():
        (tmp_path / f"{name}.pem").write_text(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(cadata=proxies.pem)
    context.verify_mode = ssl.CERT_REQUIRED

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.sendall(b"hello")
            except (ssl.SSLError, ConnectionError):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with socket.create_connection(listener.getsockname(), 5) as tcp:
                client = str(tmp_path / "client.pem")
                # As Nova calls it.
                with verified(
                    tcp,
                    keyfile=client,
                    certfile=client,
                    server_side=False,
                    cert_reqs=ssl.CERT_REQUIRED,
                    ca_certs=str(tmp_path / "computes.pem"),
                ) as secure:
                    return secure.recv(10)
        finally:
            thread.join(10)


def test_the_compute_that_was_asked_for_is_taken(tmp_path: Path, proxies: Authority, computes: Authority) -> None:
    assert asked(tmp_path, computes.signs("127.0.0.1"), proxies, computes) == b"hello"


def test_another_authority_s_is_refused(tmp_path: Path, proxies: Authority, computes: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        asked(tmp_path, Authority("nobody").signs("127.0.0.1"), proxies, computes)


def test_a_compute_at_another_s_address_is_refused(tmp_path: Path, proxies: Authority, computes: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        asked(tmp_path, computes.signs("127.0.0.2"), proxies, computes)
