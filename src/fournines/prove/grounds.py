"""What a campaign needs on the cloud and takes away again: tables, queues, and a domain for its projects.

The account, its database and its vhost are part of every cloud (`services.agent`); what is in them is the campaign's.
What a killed run left behind is removed by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets as random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import aiomysql
import pymysql

from fournines.cloud.model import Cloud, Region
from fournines.errors import ProveError
from fournines.prove.admin import Keystone, Management
from fournines.prove.load.http import trusting
from fournines.prove.load.pinned import connector
from fournines.prove.load.spec import Broker, Database, Identity
from fournines.services import broker, bus, database_access, endpoints, tls
from fournines.timing import timers
from fournines.timing.timers import Timers

#: Name of the account, its database and its vhost.
ACCOUNT = "probe"
DOMAIN = "fournines-prove"

_CREATE_SQL = (
    "CREATE OR REPLACE TABLE probe (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,"
    " value VARCHAR(80) NOT NULL, KEY (value)) ENGINE=InnoDB",
    "CREATE OR REPLACE TABLE register (id TINYINT NOT NULL PRIMARY KEY, value VARCHAR(80) NOT NULL) ENGINE=InnoDB",
    "INSERT INTO register VALUES (1, '')",
    "CREATE OR REPLACE TABLE list (id INT NOT NULL PRIMARY KEY, items TEXT NOT NULL) ENGINE=InnoDB",
)
_REMOVE_SQL = ("DROP TABLE IF EXISTS probe, register, list",)

#: A statement that changes tables waits for every node: on a cluster that a fault has broken, for ever. Seconds.
STATEMENTS_S = 30.0

_mysql: Any = aiomysql  # ships no types
_Refusals = (aiohttp.ClientError, pymysql.MySQLError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Grounds:
    """`cafile`: PEM that the certificates of the VIPs and of the nodes are checked against. `domain`: id of the
    campaign's own. `timers`: of the campaign's own clients, the same under a baseline: what is compared is the cloud,
    not who asks."""

    cafile: str
    domain: str
    timers: Timers

    def identity(self, cloud: Cloud, region: Region) -> Identity:
        password = cloud.secrets.get("keystone.admin")
        url, addresses = endpoints.keystone_public(region), region.public_hosts
        return Identity(url, self.cafile, "admin", password, "admin", self.domain, addresses=addresses)

    def database(self, cloud: Cloud, region: Region) -> Database:
        t = self.timers
        return Database(
            host=str(database_access.address(cloud, region)),
            port=database_access.PORT,
            user=ACCOUNT,
            password=cloud.secrets.get(f"{ACCOUNT}.database"),
            schema=ACCOUNT,
            connect_timeout=t.db_connect_timeout,
            read_timeout=t.db_read_timeout,
            cafile=self.cafile if tls.encrypted(cloud) else "",
        )

    def broker(self, cloud: Cloud, region: Region, queue: str) -> Broker:
        t, login = self.timers, bus.account(cloud, ACCOUNT)
        return Broker(
            nodes=tuple(str(address) for address in broker.addresses(cloud, region)),
            port=broker.port(cloud),
            vhost=ACCOUNT,
            user=login.name,
            password=login.password,
            queue=queue,
            heartbeat=t.amqp_heartbeat,
            reconnect_delay=t.amqp_reconnect_delay,
            user_timeout=t.tcp_user_timeout,
            cafile=self.cafile if tls.encrypted(cloud) else "",
        )


@asynccontextmanager
async def grounds(cloud: Cloud, region: Region, cafile: str) -> AsyncGenerator[Grounds, None]:
    """Makes them, and removes them however the campaign ends. Raises ProveError when the cloud does not let it."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector(region.public_hosts), timeout=timeout) as session:
        admin, manager = Keystone(cloud, region, session, cafile), Management(cloud, region, session, ACCOUNT, cafile)
        try:
            made = await _make(cloud, admin, manager)
            await _sql(made.database(cloud, region), _CREATE_SQL)
        except _Refusals as error:
            raise ProveError(
                "the cloud does not let a campaign begin",
                where=endpoints.keystone_public(region),
                why=f"{type(error).__name__}: {error}",
                next="fournines status CLOUD",
            ) from error
        try:
            yield made
        finally:
            await _remove(admin, manager, made.database(cloud, region))


async def _make(cloud: Cloud, admin: Keystone, manager: Management) -> Grounds:
    await admin.log_in()
    await admin.remove_domains(DOMAIN)
    await manager.remove_queues()
    return Grounds(admin.cafile, await admin.create_domain(f"{DOMAIN}-{random.token_hex(4)}"), timers(cloud))


async def _remove(admin: Keystone, manager: Management, database: Database) -> None:
    """Each on its own: a cloud that a fault has broken keeps what it does not let go, and the next run removes it."""
    with contextlib.suppress(*_Refusals, ProveError):
        await admin.log_in()
        await admin.remove_domains(DOMAIN)
    with contextlib.suppress(*_Refusals, ProveError):
        await manager.remove_queues()
    with contextlib.suppress(*_Refusals):
        await _sql(database, _REMOVE_SQL)


async def _sql(database: Database, statements: tuple[str, ...]) -> None:
    connection = await _mysql.connect(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password,
        db=database.schema,
        connect_timeout=10,
        autocommit=True,
        ssl=trusting(database.cafile),
    )
    try:
        async with asyncio.timeout(STATEMENTS_S):
            cursor = await connection.cursor()
            for statement in statements:
                await cursor.execute(statement)
    finally:
        connection.close()
