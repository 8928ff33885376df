"""Keystone's shared cache, sealed: what lies in memcached can be neither read nor made without the cloud's key.

A proxy for oslo.cache (`[cache] proxies`). python-memcached unpickles whatever a server sends: who can write to one
memcached could run code in every Keystone. Here only what was sealed with the key, for the name that it is asked by, is
unpickled; anything else is as if it was not there.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from dogpile.cache.api import NO_VALUE
from dogpile.cache.proxy import ProxyBackend

KEY = Path("/etc/keystone/cache.key")


class Refused:
    """In place of python-memcached's own unpickler."""

    def __init__(self, _file: Any) -> None:
        pass

    def load(self) -> Any:
        raise pickle.UnpicklingError("only what is sealed is unpickled")


class Sealed(ProxyBackend):
    """Around `oslo_cache.memcache_pool` only. OSError, ValueError: no key. AttributeError: another backend."""

    def wrap(self, backend: Any) -> Any:
        self._box = Fernet(KEY.read_text().strip())
        backend.client_pool._arguments["unpickler"] = Refused
        return super().wrap(backend)

    def get(self, key: str) -> Any:
        return self._opened(key, self.proxied.get(key))

    def get_multi(self, keys: Iterable[str]) -> list[Any]:
        asked = list(keys)
        return [self._opened(key, sealed) for key, sealed in zip(asked, self.proxied.get_multi(asked), strict=True)]

    def set(self, key: str, value: Any) -> None:
        self.proxied.set(key, self._sealed(key, value))

    def set_multi(self, mapping: Mapping[str, Any]) -> None:
        self.proxied.set_multi({key: self._sealed(key, value) for key, value in mapping.items()})

    def _sealed(self, key: str, value: Any) -> bytes:
        return self._box.encrypt(pickle.dumps((key, value)))

    def _opened(self, key: str, sealed: Any) -> Any:
        if not isinstance(sealed, bytes):
            return NO_VALUE
        try:
            # With the name inside: one that is copied to another, such as an administrator's token's, is not taken.
            name, value = pickle.loads(self._box.decrypt(sealed))  # noqa: S301  made by who has the key
        except InvalidToken:
            return NO_VALUE
        return value if name == key else NO_VALUE
