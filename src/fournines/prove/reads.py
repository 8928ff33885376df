"""The final reads: what every API backend and every Galera node shows of the acknowledged writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import aiohttp

from fournines.errors import FourninesError, HostError
from fournines.prove.admin import Keystone
from fournines.prove.history import Event
from fournines.prove.reach import Reach

#: A backend that was away may still be starting when the cloud is whole again. Seconds, and between two tries.
READ_WITHIN_S = 30.0
RETRY_S = 1.0

Read = Callable[[], Awaitable[list[str]]]


async def read_until_agreed(readers: Mapping[tuple[str, str], Read], now: Callable[[], float]) -> list[Event]:
    """`readers`: (kind, reader) -> its read. One event each: what it shows, or why it does not say.

    A request whose outcome is unknown may still be on its way in an overloaded backend: reads that differ are taken
    again, until they agree or `READ_WITHIN_S` has passed.
    """
    deadline = now() + READ_WITHIN_S
    while True:
        events = await asyncio.gather(*(_read(kind, who, read, now) for (kind, who), read in readers.items()))
        if _agree(events) or now() >= deadline:
            return list(events)
        await asyncio.sleep(RETRY_S)


def _agree(events: Iterable[Event]) -> bool:
    shown: dict[str, set[frozenset[str]]] = {}
    for event in events:
        if event.name == "read":
            shown.setdefault(event.data["kind"], set()).add(frozenset(event.data["values"]))
    return all(len(different) == 1 for different in shown.values())


async def _read(kind: str, reader: str, read: Read, now: Callable[[], float]) -> Event:
    deadline = now() + READ_WITHIN_S
    while True:
        try:
            async with asyncio.timeout(10.0):
                return Event("read", now(), {"kind": kind, "reader": reader, "values": await read()})
        except (aiohttp.ClientError, FourninesError, OSError, TimeoutError) as error:
            if now() >= deadline:
                why = f"{type(error).__name__}: {error}"
                return Event("unread", now(), {"kind": kind, "reader": reader, "why": why})
        await asyncio.sleep(RETRY_S)


def projects_of_backend(session: aiohttp.ClientSession, admin: Keystone, url: str, domain: str, prefix: str) -> Read:
    """Through one Keystone, past the load balancer. `url` such as http://198.18.0.11:5000/v3."""

    async def read() -> list[str]:
        headers = {"X-Auth-Token": await admin.logged_in()}
        async with session.get(f"{url}/projects?domain_id={domain}", headers=headers, raise_for_status=True) as answer:
            body: dict[str, Any] = await answer.json()
            return [p["name"] for p in body["projects"] if p["name"].startswith(prefix)]

    return read


def column_of_node(reach: Reach, host: str, query: str) -> Read:
    """The one column of `query` from the Galera node on `host`, past the load balancer, through its own socket.

    The node first applies everything that the cluster had committed when it was asked.
    """

    async def read() -> list[str]:
        done = await reach.run(host, "mariadb -N", stdin=f"SET SESSION wsrep_sync_wait = 1;\n{query};\n")
        if done.status:
            raise HostError("the node does not answer", where=host, why=done.stderr.strip())
        return done.stdout.splitlines()

    return read
