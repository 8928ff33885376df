"""Keystone's shared cache, sealed: what lies in memcached can be neither read nor made without the cloud's key.

python-memcached unpickles whatever a server sends: who can write to one memcached could run code in every Keystone.
Here only what was sealed with the key, for the name that it is asked by, is unpickled; anything else is as if it was
not there.

Named under `[cache] proxies` of oslo.cache, which imports it before anything is cached. It changes the classes of
`oslo_cache.memcache_pool` and not one region's backend, for Keystone gives its invalidation region no proxies.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from dogpile.cache.api import NO_VALUE
from dogpile.cache.proxy import ProxyBackend

KEY = Path("/etc/keystone/cache.key")
#: Before each name: a node that does not seal, as before an upgrade, neither finds nor breaks what others have sealed.
PREFIX = "sealed:"


class Sealed(ProxyBackend):
    """Hands everything on. Raises OSError or ValueError without a key: Keystone does not start."""

    def wrap(self, backend: Any) -> Any:
        _seal_all()
        return super().wrap(backend)


@cache
def _seal_all() -> None:
    pool, backend = (import_module(f"oslo_cache.{name}") for name in ("_memcache_pool", "backends.memcache_pool"))
    seal(backend.PooledMemcachedBackend, pool._MemcacheClient, Fernet(KEY.read_text().strip()))


class Refused:
    """In place of python-memcached's own unpickler."""

    def __init__(self, _file: Any) -> None:
        pass

    def load(self) -> Any:
        raise pickle.UnpicklingError("only what is sealed is unpickled")


def seal(backend: Any, client: Any, box: Fernet) -> None:
    """Every instance of these classes, made before or after."""
    get, get_multi, put, put_multi = backend.get, backend.get_multi, backend.set, backend.set_multi
    delete, delete_multi = backend.delete, backend.delete_multi

    def sealed(key: str, value: Any) -> bytes:
        return box.encrypt(pickle.dumps((key, value)))

    def opened(key: str, found: Any) -> Any:
        if not isinstance(found, bytes):
            return NO_VALUE
        try:
            # With the name inside: one that is copied to another, such as an administrator's token's, is not taken.
            name, value = pickle.loads(box.decrypt(found))  # noqa: S301  made by who has the key
        except InvalidToken:
            return NO_VALUE
        return value if name == key else NO_VALUE

    def sealed_get(self: Any, key: str) -> Any:
        return opened(key, get(self, PREFIX + key))

    def sealed_get_multi(self: Any, keys: Iterable[str]) -> list[Any]:
        asked = list(keys)
        found = get_multi(self, [PREFIX + key for key in asked])
        return [opened(key, value) for key, value in zip(asked, found, strict=True)]

    def sealed_set(self: Any, key: str, value: Any) -> None:
        put(self, PREFIX + key, sealed(key, value))

    def sealed_set_multi(self: Any, mapping: Mapping[str, Any]) -> None:
        put_multi(self, {PREFIX + key: sealed(key, value) for key, value in mapping.items()})

    def sealed_delete(self: Any, key: str) -> None:
        delete(self, PREFIX + key)

    def sealed_delete_multi(self: Any, keys: Iterable[str]) -> None:
        delete_multi(self, [PREFIX + key for key in keys])

    def refused(_self: Any) -> type[Refused]:
        return Refused

    def keep_refusing(_self: Any, _other: Any) -> None:
        """A client sets it on itself when it is made."""

    backend.get, backend.get_multi = sealed_get, sealed_get_multi
    backend.set, backend.set_multi = sealed_set, sealed_set_multi
    backend.delete, backend.delete_multi = sealed_delete, sealed_delete_multi
    client.unpickler = property(refused, keep_refusing)
