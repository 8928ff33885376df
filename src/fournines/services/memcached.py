"""memcached on every controller: a cache, so nothing is replicated and losing one must cost milliseconds.

That depends on the client: keystone uses oslo.cache's `memcache_pool`, whose socket timeout and dead-server retry work;
with the usual `dogpile.cache.pymemcache` neither is applied and one dead node froze every worker for 67 s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services.capabilities import Port
from fournines.services.drop_in import drop_in
from fournines.services.options import operators
from fournines.services.render import flat
from fournines.services.resource import File, Package, Resource, Unit
from fournines.services.safeguard import Safeguard, below, per_host, unless
from fournines.services.service import Check, HaPattern, Service

UNIT = "memcached.service"
PORT = 11211
#: Where what need not be shared is kept: nobody on the network reads or writes it.
LOCAL = "127.0.0.1"


class Memcached(Service):
    name: ClassVar[str] = "memcached"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        Safeguard(
            "memcached.conf",
            "",
            "-l",
            per_host,
            "each host has its own address, and no other should be open",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "memcached.conf", "", "-p", unless("11211"), "every service looks for it at 11211", "remove it", fatal=True
        ),
        Safeguard("memcached.conf", "", "-U", unless("0"), "anybody can use it to flood others, by UDP", "remove it"),
        Safeguard(
            "memcached.conf",
            "",
            "-m",
            below(64),
            "tokens fall out of the cache before they are asked for again",
            "at least 64",
        ),
        Safeguard(
            "memcached.conf", "", "-c", below(1024), "services wait for a connection to the cache", "at least 1024"
        ),
    )
    ports: ClassVar[tuple[Port, ...]] = (Port(PORT, "tcp", ("keystone",), "cache of the Keystones"),)
    dispensable: ClassVar[str] = "a cache: without it every request reads the database"

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        restart = (f"restart:{UNIT}",)
        settings = {"-l": f"{LOCAL},{host.address}", "-p": PORT, "-U": 0, "-u": "memcache", "-m": 256, "-c": 8192}
        yield Package("memcached")
        yield File(
            "/etc/memcached.conf",
            flat(settings, operators(cloud, self.name, "memcached.conf"), separator=" "),
            triggers=restart,
        )
        yield from drop_in(UNIT)
        yield Unit(UNIT)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield Check(
            "memcached answers",
            host.name,
            f'python3 -c \'import socket; s = socket.create_connection(("{host.address}", {PORT}), 2);'
            ' s.sendall(b"version\\r\\n"); assert s.recv(64).startswith(b"VERSION")\'',
            within=20,
            unit=UNIT,
        )


def servers(cloud: Cloud, region: str) -> str:
    """`address:port,…` of a region's members, as oslo.cache wants them."""
    return ",".join(f"{h.address}:{PORT}" for h in cloud.hosts_of("memcached", region))
