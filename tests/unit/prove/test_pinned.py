"""Our own clients find the public VIP by its name without the DNS, and verify the name."""

from __future__ import annotations

import asyncio
import http.server
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from fournines.prove.load.attempt import Attempt
from fournines.prove.load.http import Client
from fournines.smoke.pinned import pin
from samples.certificates import make

NAME = "cloud.invalid"  # RFC 2606: no DNS ever knows it
AUTHORITY = make("Example Root", ca=True)


class _Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.headers["Host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(directory: Path, name: str) -> Generator[int, None, None]:
    """The port of a server on 127.0.0.1 that has a certificate for `name`."""
    leaf = make(name, AUTHORITY)
    (directory / "server.pem").write_bytes(leaf.pem.encode() + leaf.key())
    (directory / "ca.pem").write_text(AUTHORITY.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def by_requests(directory: Path, port: int) -> str:
    with pin(requests.Session(), {NAME: "127.0.0.1"}) as session:
        session.trust_env = False
        return session.get(f"https://{NAME}:{port}/", verify=str(directory / "ca.pem"), timeout=5).text


def by_aiohttp(directory: Path, port: int) -> str:
    async def ask() -> str:
        client = Client(str(directory / "ca.pem"), {NAME: "127.0.0.1"})
        await client.open()
        try:
            async with client.answer(Attempt("fresh", 0.0), "GET", f"https://{NAME}:{port}/", 200) as answer:
                return await answer.text()
        finally:
            await client.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("ask", [by_requests, by_aiohttp])
def test_the_name_is_asked_for_at_the_vips_address(tmp_path: Path, ask: object) -> None:
    with served(tmp_path, NAME) as port:
        assert ask(tmp_path, port) == f"{NAME}:{port}"  # type: ignore[operator]


@pytest.mark.parametrize("ask", [by_requests, by_aiohttp])
def test_a_certificate_for_another_name_is_refused(tmp_path: Path, ask: object) -> None:
    with served(tmp_path, "other.invalid") as port, pytest.raises(Exception, match=r"(?i)hostname|certificate"):
        ask(tmp_path, port)  # type: ignore[operator]
