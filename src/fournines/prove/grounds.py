"""What a campaign needs on the cloud and takes away again: a schema and its account, a vhost and its account, a domain.

All names begin with `fournines`, so that what a killed run left behind is found and removed by the next one.
"""

from __future__ import annotations

import contextlib
import secrets as random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from fournines.cloud.model import Cloud, Region
from fournines.errors import HostError, ProveError
from fournines.prove.admin import Keystone, Management
from fournines.prove.load.spec import Broker, Database, Identity
from fournines.prove.reach import Reach
from fournines.services import keystone, mariadb, rabbitmq
from fournines.timing import timers

SCHEMA = "fournines_prove"
VHOST = "fournines_prove"
DOMAIN = "fournines-prove"

#: The trigger keeps row and register in one statement, so that no lock outlives a connection that is cut.
_CREATE_SQL = """
CREATE DATABASE IF NOT EXISTS fournines_prove;
USE fournines_prove;
CREATE OR REPLACE TABLE probe (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, value VARCHAR(80) NOT NULL, KEY (value)
) ENGINE=InnoDB;
CREATE OR REPLACE TABLE register (id TINYINT NOT NULL PRIMARY KEY, value VARCHAR(80) NOT NULL) ENGINE=InnoDB;
INSERT INTO register VALUES (1, '');
CREATE OR REPLACE TRIGGER probe_register AFTER INSERT ON probe
  FOR EACH ROW UPDATE register SET value = NEW.value WHERE id = 1;
CREATE OR REPLACE USER fournines_prove@'%' IDENTIFIED BY 'PASSWORD';
GRANT SELECT, INSERT, UPDATE ON fournines_prove.* TO fournines_prove@'%';
GRANT SELECT (id, name, domain_id) ON keystone.project TO fournines_prove@'%';
"""
_REMOVE_SQL = "DROP DATABASE IF EXISTS fournines_prove; DROP USER IF EXISTS fournines_prove@'%';"


@dataclass(frozen=True, slots=True)
class Grounds:
    """`cafile`: PEM that the public VIP's certificate is checked against. `domain`: id of the campaign's own."""

    cafile: str
    domain: str
    password: str = field(repr=False)

    def identity(self, cloud: Cloud, region: Region) -> Identity:
        password = cloud.secrets.get("keystone.admin")
        return Identity(keystone.public_url(region), self.cafile, "admin", password, "admin", self.domain)

    def database(self, cloud: Cloud, region: Region) -> Database:
        t = timers(cloud)
        vip = str(region.vips.internal)
        return Database(vip, mariadb.PORT, SCHEMA, self.password, SCHEMA, t.db_connect_timeout, t.db_read_timeout)

    def broker(self, cloud: Cloud, region: Region, queue: str) -> Broker:
        t = timers(cloud)
        return Broker(
            nodes=tuple(str(h.address) for h in cloud.hosts_of("rabbitmq", region.name)),
            port=rabbitmq.PORT,
            vhost=VHOST,
            user=VHOST,
            password=self.password,
            queue=queue,
            heartbeat=t.amqp_heartbeat,
            reconnect_delay=t.amqp_reconnect_delay,
            user_timeout=t.tcp_user_timeout,
        )


@asynccontextmanager
async def grounds(cloud: Cloud, region: Region, reach: Reach, cafile: str) -> AsyncGenerator[Grounds, None]:
    """Makes them, and removes them however the campaign ends. Raises ProveError when the cloud does not let it."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        admin, manager = Keystone(cloud, region, session, cafile), Management(cloud, region, session, VHOST)
        try:
            yield await _make(cloud, region, admin, manager, reach)
        finally:
            await _remove(cloud, region, admin, manager, reach)


async def _make(cloud: Cloud, region: Region, admin: Keystone, manager: Management, reach: Reach) -> Grounds:
    password = random.token_urlsafe(24)
    try:
        await admin.log_in()
        await admin.remove_domains(DOMAIN)
        domain = await admin.create_domain(f"{DOMAIN}-{random.token_hex(4)}")
        await manager.create(password)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ProveError(
            "the cloud does not let a campaign begin",
            where=keystone.public_url(region),
            why=str(error) or type(error).__name__,
            next="fournines status CLOUD",
        ) from error
    await _sql(cloud, region, reach, _CREATE_SQL.replace("PASSWORD", password))
    return Grounds(admin.cafile, domain, password)


async def _remove(cloud: Cloud, region: Region, admin: Keystone, manager: Management, reach: Reach) -> None:
    """Each on its own: a cloud that a fault has broken keeps what it does not let go, and the next run removes it."""
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, ProveError):
        await admin.log_in()
        await admin.remove_domains(DOMAIN)
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, ProveError):
        await manager.remove()
    with contextlib.suppress(HostError, ProveError):
        await _sql(cloud, region, reach, _REMOVE_SQL)


async def _sql(cloud: Cloud, region: Region, reach: Reach, statements: str) -> None:
    host = cloud.hosts_of("mariadb", region.name)[0].name
    done = await reach.run(host, "mariadb", stdin=statements, timeout=30.0)
    if done.status:
        raise ProveError("the database refused a request of the campaign", where=host, why=done.stderr.strip())
