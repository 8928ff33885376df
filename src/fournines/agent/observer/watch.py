"""Light looks at the local daemons, each with a deadline; every watcher writes one entry of `found`."""

from __future__ import annotations

import asyncio
import base64
import csv
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..clock import now
from . import luns, system
from .config import Config, Haproxy, Keystone, Rabbitmq

Found = dict[str, dict[str, Any]]


def trusting(cafile: str) -> ssl.SSLContext | None:
    """A client's context that trusts what is in `cafile` now, alone; without one, no TLS."""
    return _trusting(cafile, Path(cafile).stat().st_mtime_ns) if cafile else None


@lru_cache(maxsize=4)
def _trusting(cafile: str, _written: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cafile)


async def http_get(
    address: str, port: int, path: str, timeout: float, authorization: str = "", *, cafile: str = ""
) -> tuple[int, bytes]:
    """(status, body). HTTP/1.0, so that the body is never chunked. OSError or TimeoutError when it fails."""
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(address, port, ssl=trusting(cafile))
        try:
            login = f"Authorization: Basic {authorization}\r\n" if authorization else ""
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {address}\r\n{login}\r\n".encode())
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            return int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/") else 0, body
        finally:
            writer.close()


async def exchange(address: str, port: int, send: bytes, timeout: float, *, end: bytes = b"\n") -> bytes:
    """The answer to one line, until `end`."""
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(send)
            return await reader.readuntil(end)
        finally:
            writer.close()


_SERVER = ("status", "check_status", "check_desc", "check_duration", "lastchg", "scur", "weight")


def parse_stats(text: str) -> dict[str, dict[str, dict[str, str]]]:
    """`show stat` (HAProxy management guide, 9.1) as proxy -> server or FRONTEND/BACKEND -> the fields that matter."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in csv.DictReader(text.removeprefix("# ").splitlines()):
        if row.get("svname"):
            fields = {f: row.get(f) or "" for f in _SERVER}
            found.setdefault(row["pxname"], {})[row["svname"]] = fields
    return found


async def haproxy_backends(haproxy: Haproxy) -> dict[str, Any]:
    async with asyncio.timeout(1.5):
        reader, writer = await asyncio.open_unix_connection(haproxy.socket)
        try:
            writer.write(b"show stat\n")
            return {"proxies": parse_stats((await reader.read(-1)).decode())}
        finally:
            writer.close()


async def rabbitmq_state(address: str, rabbit: Rabbitmq) -> dict[str, Any]:
    """Nodes and alarms as this broker sees them, and every replicated queue with its members."""
    login = base64.b64encode(f"{rabbit.user}:{rabbit.password}".encode()).decode()

    async def ask(path: str) -> Any:
        status, body = await http_get(address, rabbit.management_port, path, 4.0, login, cafile=rabbit.cafile)
        if status != 200:
            raise OSError(f"management API answers {status}")
        return json.loads(body)

    nodes = await ask("/api/nodes?columns=name,running,mem_alarm,disk_free_alarm,partitions")
    queues = await ask("/api/queues?disable_stats=true&enable_queue_totals=false")
    return {
        "nodes": nodes,
        "queues": [
            {key: queue.get(key) for key in ("vhost", "name", "type", "leader", "members", "online", "state")}
            for queue in queues
            if queue.get("type") in ("quorum", "stream")
        ],
    }


async def broker_state(config: Config, rabbit: Rabbitmq) -> dict[str, Any]:
    """As `rabbitmq_state`; of a broker that moves, `elsewhere` on the hosts that do not have its disk."""
    if rabbit.lun and not luns.mounted(config.luns)[rabbit.lun]["mounted"]:
        return {"elsewhere": True, "nodes": [], "queues": []}
    return await rabbitmq_state(rabbit.address or config.address, rabbit)


#: Of memcached's general statistics (protocol.txt), those that metrics have.
_MEMCACHED = ("get_hits", "get_misses", "evictions", "curr_items", "bytes", "limit_maxbytes", "curr_connections")


def parse_memcached(text: str) -> dict[str, Any]:
    """`stats`: lines `STAT name value`, then END. Raises OSError: it is no such answer."""
    words = [line.split(maxsplit=2) for line in text.splitlines()]
    stats = {word[1]: word[2] for word in words if len(word) == 3 and word[0] == "STAT"}
    if "version" not in stats:
        raise OSError("does not answer")
    return {"version": stats["version"], "stats": {name: int(stats[name]) for name in _MEMCACHED if name in stats}}


async def memcached_state(address: str, port: int) -> dict[str, Any]:
    return parse_memcached((await exchange(address, port, b"stats\r\n", 1.0, end=b"END\r\n")).decode())


async def keystone_state(address: str, keystone: Keystone) -> dict[str, Any]:
    """Of one that moves, `elsewhere` on the hosts that are not to run it."""
    if keystone.moves and not await system.active(keystone.unit):
        return {"elsewhere": True}
    status, _ = await http_get(address, keystone.port, "/healthcheck", 2.0, cafile=keystone.cafile)
    if status != 200:
        raise OSError(f"answers {status}")
    return {}


@dataclass(frozen=True)
class Watcher:
    name: str
    every: float
    look: Callable[[], Awaitable[dict[str, Any]]]

    async def run(self, found: Found) -> None:
        """`found[name]`: {"ok": bool, "error": str, "at": seconds, …}. What was seen last stays when a look fails."""
        while True:
            began = now()
            try:
                found[self.name] = {"ok": True, "error": "", "at": began, **await self.look()}
            except Exception as error:  # whatever a daemon says, this look failed and the next one comes
                said = str(error) or type(error).__name__
                found[self.name] = {**found.get(self.name, {}), "ok": False, "error": said, "at": began}
            await asyncio.sleep(max(self.every - (now() - began), 0.1))


def watchers(config: Config) -> list[Watcher]:
    found: list[Watcher] = []
    if (haproxy := config.haproxy) is not None:
        found.append(Watcher("haproxy", 3.0, lambda: haproxy_backends(haproxy)))
    if (rabbit := config.rabbitmq) is not None:
        found.append(Watcher("rabbitmq", 5.0, lambda: broker_state(config, rabbit)))
    if (memcached := config.memcached) is not None:
        found.append(Watcher("memcached", 3.0, lambda: memcached_state(config.address, memcached.port)))
    if (keystone := config.keystone) is not None:
        found.append(Watcher("keystone", 3.0, lambda: keystone_state(config.address, keystone)))
    return found
