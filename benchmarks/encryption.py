"""What TLS inside costs a client: tokens validated and rows written through the internal VIP of a running cloud.

    python -m benchmarks.encryption cloud.yaml
    python -m benchmarks.encryption cloud.yaml --keystone http://198.18.0.100:15000/v3 --plain-database

The second form measures another way to the same cloud (a Keystone without TLS beside the one with it, connections to
the database that do not ask for TLS), so that both can be taken in turns, on a machine whose load changes.

A run is `REQUESTS` requests, one after another; its figures are the median and the 99th of 100. Then as many of each of
`CLIENTS` clients at once, for requests a second: on a lab's machine clients and cloud share the cores. Printed: of the
runs, the median and the worst of each. Rows go to the database of account `probe`, which every cloud has.
"""

from __future__ import annotations

import argparse
import http.client
import json
import ssl
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlsplit

import pymysql

from fournines.cloud.model import Cloud, Region
from fournines.services import endpoints, load, mariadb, tls

REQUESTS = 100
CLIENTS = 4
TABLE = "encryption"


class Keystone:
    """Connections to `url`; a new one for every request unless `kept`."""

    def __init__(self, cloud: Cloud, url: str) -> None:
        self._parts = urlsplit(url)
        self._trust = ssl.create_default_context(cadata=tls.trusted(cloud))
        self._kept = self._connect()
        user = {"name": "admin", "domain": {"id": "default"}, "password": cloud.secrets.get("keystone.admin")}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        wanted = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        headers = {"Content-Type": "application/json"}
        self._token = self._ask(self._kept, "POST", json.dumps(wanted), headers, 201)

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=60, context=self._trust)
        return http.client.HTTPConnection(host, port, timeout=60)

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        body: str | None,
        headers: dict[str, str],
        status: int,
    ) -> str:
        connection.request(method, f"{self._parts.path}/auth/tokens", body, headers)
        with connection.getresponse() as answer:
            answer.read()
            if answer.status != status:
                raise RuntimeError(f"{self._parts.geturl()}: {answer.status} {answer.reason}")
            return answer.headers.get("X-Subject-Token", "")

    def validate(self, *, kept: bool) -> None:
        connection = self._kept if kept else self._connect()
        headers = {"X-Auth-Token": self._token, "X-Subject-Token": self._token}
        try:
            self._ask(connection, "GET", None, headers, 200)
        except http.client.RemoteDisconnected:  # idle while others were measured, for longer than it is kept
            connection.close()
            self._ask(connection, "GET", None, headers, 200)
        if not kept:
            connection.close()


class Rows:
    """One kept connection to the writer, and new ones."""

    def __init__(self, cloud: Cloud, region: Region, *, plain: bool) -> None:
        trust = None if plain else ssl.create_default_context(cadata=tls.internal_ca(cloud))
        self._where = {
            "host": str(region.vips.internal),
            "port": mariadb.PORT,
            "user": "probe",
            "password": cloud.secrets.get("probe.database"),
            "database": "probe",
            "autocommit": True,
            **({"ssl": trust} if trust else {"ssl_disabled": True}),
        }
        self._kept = pymysql.connect(**self._where)
        self._kept.cursor().execute(
            f"create table if not exists {TABLE} (id bigint auto_increment primary key, v char(80))"
        )

    def write(self) -> None:
        self._kept.cursor().execute(f"insert into {TABLE} (v) values (repeat('x', 80))")

    def connect(self) -> None:
        pymysql.connect(**self._where).close()

    def close(self) -> None:
        self._kept.cursor().execute(f"drop table if exists {TABLE}")
        self._kept.close()


def run(one: Callable[[], None]) -> tuple[float, float]:
    """Median and 99th of 100, milliseconds."""
    taken: list[float] = []
    for _ in range(REQUESTS):
        began = time.monotonic()
        one()
        taken.append(1000 * (time.monotonic() - began))
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def rate(clients: Sequence[Callable[[], None]]) -> float:
    """Requests a second, all `clients` at once."""

    def requests(one: Callable[[], None]) -> None:
        for _ in range(REQUESTS):
            one()

    began = time.monotonic()
    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(requests, clients))
    return REQUESTS * len(clients) / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encryption")
    parser.add_argument("cloud")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--keystone", metavar="URL", help="instead of the internal VIP's")
    parser.add_argument("--plain-database", action="store_true")
    asked = parser.parse_args()
    cloud = load(asked.cloud)
    region = next(iter(cloud.regions.values()))
    url = asked.keystone or endpoints.keystone_internal(cloud, region)
    plain = asked.plain_database or not tls.encrypted(cloud)
    identity = [Keystone(cloud, url) for _ in range(CLIENTS)]
    rows = [Rows(cloud, region, plain=plain) for _ in range(CLIENTS)]
    kinds: dict[str, list[Callable[[], None]]] = {
        "validate, connection kept": [partial(one.validate, kept=True) for one in identity],
        "validate, new connection": [partial(one.validate, kept=False) for one in identity],
        "write a row, connection kept": [one.write for one in rows],
        "connect to the database": [one.connect for one in rows],
    }
    try:
        for name, clients in kinds.items():
            runs = [run(clients[0]) for _ in range(asked.runs)]
            for figure, values in zip(("median", "p99"), zip(*runs, strict=True), strict=True):
                print(f"{name:30} {figure:10} {statistics.median(values):8.2f} ms, worst run {max(values):8.2f} ms")
            rates = [rate(clients) for _ in range(asked.runs)]
            print(f"{name:30} {CLIENTS} clients  {statistics.median(rates):8.1f} /s, worst run {min(rates):8.1f} /s")
    finally:
        for one in rows:
            one.close()


if __name__ == "__main__":
    main()
