"""Nova's console proxy, which knows the compute that it hands a user to.

Nova calls `ssl.wrap_socket`, which Python no longer has. eventlet's, in its place, mistakes the demand for a
certificate for another option, and takes any (2025.1 on Python 3.12 and newer). Here the certificate must be of one of
the authorities in `vencrypt_ca_certs`, and of the address that is connected to.
"""

from __future__ import annotations

import ssl
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any


def verified(sock: Any, *, keyfile: str | None, certfile: str | None, ca_certs: str, **_: Any) -> ssl.SSLSocket:
    """In place of `ssl.wrap_socket`. Raises ssl.SSLError, which Nova expects."""
    context = ssl.create_default_context(cafile=ca_certs)
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    return context.wrap_socket(sock, server_hostname=sock.getpeername()[0])


def main() -> None:
    import_module("nova.cmd")  # eventlet's sockets, before anything else takes one
    scheme: Any = import_module("nova.console.rfb.authvencrypt")
    scheme.ssl = SimpleNamespace(**{**vars(ssl), "wrap_socket": verified})
    sys.exit(import_module("nova.cmd.novncproxy").main())


if __name__ == "__main__":
    main()
