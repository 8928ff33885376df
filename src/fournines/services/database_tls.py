"""TLS between MariaDB and its clients."""

from __future__ import annotations

from typing import Any

from fournines.cloud.model import Cloud
from fournines.services import tls

CERTIFICATES = "/etc/mysql/fournines"


def server(cloud: Cloud) -> dict[str, Any]:
    """Of clients. The agent and other root programs of the host use the local socket, which counts as secure."""
    if not tls.encrypted(cloud):
        return {"ssl": False}  # by default 11.4 and newer make a certificate that nobody can check
    return {
        "ssl_ca": tls.CA,
        "ssl_cert": f"{CERTIFICATES}/server.pem",
        "ssl_key": f"{CERTIFICATES}/server.pem",
        "require_secure_transport": tls.required(cloud),
    }


def local_clients(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Sections for the host's own clients: the agent, checks, and the donor's mariadb-backup. From 11.4 on they insist
    on TLS over the local socket too, and a donor that may not sign in has every joiner start again for ever."""
    return {} if tls.encrypted(cloud) else {"client": {"ssl": False}}


def transport(cloud: Cloud) -> str:
    """What an account must come by: after `REQUIRE` in SQL."""
    return "ssl" if tls.required(cloud) else "none"
