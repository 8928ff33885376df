"""The final reads: what every API backend and every copy of the database shows of the acknowledged writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import aiohttp

from fournines.errors import FourninesError, HostError
from fournines.prove.admin import Keystone
from fournines.prove.history import Event
from fournines.prove.load.http import trusting
from fournines.prove.project import PREFIX
from fournines.prove.reach import Reach
from fournines.prove.site import Site
from fournines.prove.written import KINDS, LISTS, LISTS_QUERY, Listing
from fournines.services import endpoints

#: A backend that was away may still be starting when all is redundant again. Seconds, and between two tries.
READ_WITHIN_S = 30.0
RETRY_S = 1.0
#: Entries of a list asked for at once. An API gives no more than its own maximum (Keystone: 1000).
PAGE = 500

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


def readers(site: Site, session: aiohttp.ClientSession, prefix: str) -> Iterator[tuple[tuple[str, str], Read]]:
    """(kind, reader) -> its read, of every kind that was written: each backend of its API, each database node.

    `prefix` begins the names of what was written.
    """
    own, region = site.project, site.region
    admin = Keystone(site.cloud, region, session, site.grounds.cafile, PREFIX if own else "admin")
    ids = {"domain": site.grounds.domain, "project": own.id if own else ""}
    for kind in KINDS.values():
        if kind.function not in site.functions:
            continue
        if kind.listing:
            for host in site.cloud.hosts_of(kind.listing.service, region.name):
                url = endpoints.backend(site.cloud, host, kind.listing.port, kind.listing.path.format(**ids))
                read = names_of_backend(session, admin, url, kind.listing, prefix)
                yield (kind.name, f"{kind.listing.service} on {host.name}"), read
        if kind.query:
            query = f"{kind.query.format(**ids)} LIKE '{prefix}%'"  # ids of Keystone's, and this campaign's own prefix
            for reader, read in _databases(site, query):
                yield (kind.name, reader), read
    if "write_row" in site.functions:
        for reader, read in _databases(site, LISTS_QUERY):
            yield (LISTS, reader), read


def _databases(site: Site, query: str) -> Iterator[tuple[str, Read]]:
    """Each node has all rows; of a database that moves there is one, on whichever host."""
    copies = (h for name in ("mariadb", "mariadb_replica") for h in site.cloud.hosts_of(name, site.region.name))
    for host in copies:
        yield f"database on {host.name}", column_of_node(site.reach, host.name, query)
    if moving := [h.name for h in site.cloud.hosts_of("mariadb_shared", site.region.name)]:
        yield "database", column_of_any(site.reach, moving, query)


def names_of_backend(session: aiohttp.ClientSession, admin: Keystone, url: str, listing: Listing, prefix: str) -> Read:
    """Through one backend, past the load balancer: `url` such as https://198.18.0.11:5000/v3/projects?domain_id=default.
    All pages: the last one is the one with nothing new."""
    ask = partial(session.get, url, ssl=trusting(admin.cafile) or True, raise_for_status=True)

    async def read() -> list[str]:
        headers = {"X-Auth-Token": await admin.logged_in()}
        names: dict[str, str] = {}
        new, last = True, ""
        while new:
            page = {"limit": str(PAGE), **({"marker": last} if last else {})}
            async with ask(headers=headers, params=page) as answer:
                body: dict[str, Any] = await answer.json()
            found = {str(one["id"]): str(one[listing.name] or "") for one in body[listing.field]}
            new = bool(found.keys() - names.keys())
            names |= found
            last = next(reversed(found), "")
        return [name for name in names.values() if name.startswith(prefix)]

    return read


def column_of_any(reach: Reach, hosts: Sequence[str], query: str) -> Read:
    """The one column of `query` from the database that runs on one of `hosts`, through its own socket."""

    async def read() -> list[str]:
        silent: dict[str, str] = {}
        for host in hosts:
            try:
                done = await reach.run(host, "mariadb -N", stdin=f"{query};\n")
            except HostError as error:
                silent[host] = error.what
                continue
            if not done.status:
                return done.stdout.splitlines()
            silent[host] = done.stderr.strip()
        why = "; ".join(f"{host}: {said}" for host, said in silent.items())
        raise HostError("the database runs on none of its hosts", where=", ".join(hosts), why=why)

    return read


def column_of_node(reach: Reach, host: str, query: str) -> Read:
    """The one column of `query` from the database on `host`, past the load balancer, through its own socket.

    A Galera node first applies everything that the cluster had committed when it was asked. A replica of a primary is
    asked again until it has applied all of it (`read_until_agreed`).
    """

    async def read() -> list[str]:
        done = await reach.run(host, "mariadb -N", stdin=f"SET SESSION wsrep_sync_wait = 1;\n{query};\n")
        if done.status:
            raise HostError("the node does not answer", where=host, why=done.stderr.strip())
        return done.stdout.splitlines()

    return read
