"""The public VIP by its name, for requests: the name is verified, its address comes from the cloud file. The DNS may
not know it yet, or may lead to something else that stands before the cloud.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter


class Pinned(HTTPAdapter):
    """`addresses`: name -> address; other hosts are found as usual."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)
        super().__init__()

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        name = host["host"]
        if name in self._addresses:
            return {**host, "host": self._addresses[name]}, {**pool, "server_hostname": name, "assert_hostname": name}
        return host, pool

    def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
        request.headers["Host"] = urlsplit(request.url or "").netloc


def pin(session: requests.Session, addresses: Mapping[str, str]) -> requests.Session:
    """`session`, which finds each of the names at its address."""
    if addresses:
        session.mount("https://", Pinned(addresses))
    return session
