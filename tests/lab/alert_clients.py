"""Those who ask while alerts are tried, and who is notified."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import ssl
import threading
from collections.abc import Iterator
from typing import Any

from fournines.cloud.model import Cloud
from fournines.services import tls

#: How many there are.
CLIENTS = 20
#: Where Alertmanager's notifications go: nobody listens there while the fault lasts.
HOOK_PORT = 8999


@contextlib.contextmanager
def clients(cloud: Cloud) -> Iterator[None]:
    """Some that keep their connection to Keystone and ask each second, whatever they are answered."""
    stop = threading.Event()
    context = ssl.create_default_context(cadata=tls.trusted(cloud))
    address = str(next(iter(cloud.regions.values())).vips.public)

    def ask() -> None:
        while not stop.is_set():
            made = http.client.HTTPSConnection(address, 5000, timeout=5, context=context)
            try:
                while not stop.wait(1.0):
                    made.request("GET", "/v3")
                    made.getresponse().read()
            except (OSError, http.client.HTTPException):
                stop.wait(1.0)
            finally:
                made.close()

    asking = [threading.Thread(target=ask, daemon=True) for _ in range(CLIENTS)]
    for thread in asking:
        thread.start()
    try:
        yield
    finally:
        stop.set()


class _Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def hook(address: str) -> Iterator[None]:
    """Whom Alertmanager notifies."""
    with http.server.ThreadingHTTPServer((address, HOOK_PORT), _Hook) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
