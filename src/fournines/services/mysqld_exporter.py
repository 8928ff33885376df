"""Metrics of each MariaDB: connections, statements, locks, what Galera counts.

It signs in by the socket, as an account that the operating system vouches for: without a password, and without any
right. Status variables are everybody's to read; the list of processes, which would show every statement, is not read.
On every host with MariaDB of a region that is monitored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import mariadb, monitoring
from fournines.services.capabilities import Port
from fournines.services.render import HEADER
from fournines.services.resource import File, Package, Resource, Task
from fournines.services.service import Check, HaPattern, Service

UNIT = "prometheus-mysqld-exporter.service"
PORT = 9104
CLIENT = f"{monitoring.DIRECTORY}/mysqld.cnf"
_SOCKET = "/run/mysqld/mysqld.sock"
#: At once: one that hangs with the database must not take the connections of those whom it serves.
_MOST = 3
_ACCOUNT = f"`{monitoring.USER}`@`localhost`"
#: What `show grants` says when it is as wanted, and nothing else.
_GRANT = f"GRANT USAGE ON *.* TO {_ACCOUNT} IDENTIFIED VIA unix_socket WITH MAX_USER_CONNECTIONS {_MOST}"
#: Those that are on by default, and ask for a right or for a plugin.
_OFF = ("slave_status", "info_schema.innodb_cmp", "info_schema.innodb_cmpmem", "info_schema.query_response_time")


class MysqldExporter(Service):
    name: ClassVar[str] = "mysqld_exporter"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    beside: ClassVar[tuple[str, ...]] = ("mariadb",)
    reader: ClassVar[str] = monitoring.READER
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = ("node_exporter",)
    after: ClassVar[tuple[str, ...]] = ("mariadb",)
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    ports: ClassVar[tuple[Port, ...]] = (Port(PORT, "tcp", "the scrapers", "metrics of MariaDB"),)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield Package("prometheus-mysqld-exporter")
        if host == cloud.hosts_of(mariadb.Mariadb.name, host.region)[0]:
            yield _account()
        client = f"{HEADER}[client]\nuser = {monitoring.USER}\nsocket = {_SOCKET}\n"
        yield File(CLIENT, client, triggers=(f"restart:{UNIT}",))
        arguments = (
            f"--web.listen-address={host.address}:{PORT}",
            f"--web.config.file={monitoring.WEB}",
            f"--config.my-cnf={CLIENT}",
            *(f"--no-collect.{name}" for name in _OFF),
            "--log.level=warn",
        )
        yield from monitoring.daemon("prometheus-mysqld-exporter", UNIT, arguments)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield monitoring.refuses(host, "mysqld_exporter", PORT, UNIT)
        asked = f"runuser -u {monitoring.USER} -- mariadb --socket={_SOCKET} -NBe 'select 1' > /dev/null"
        yield Check("MariaDB lets mysqld_exporter in", host.name, asked, within=60, unit=mariadb.UNIT)


def _account() -> Task:
    """On one host of a cluster; the others have it from there."""
    return Task(
        name="mysqld_exporter's account in MariaDB",
        check=f"mariadb -NBe 'show grants for {_ACCOUNT}' 2>/dev/null || echo none",
        want=_GRANT,
        script="mariadb",
        stdin=(
            f"create user if not exists {_ACCOUNT} identified via unix_socket;\n"
            f"revoke all privileges, grant option from {_ACCOUNT};\n"
            f"alter user {_ACCOUNT} identified via unix_socket with max_user_connections {_MOST};\n"
        ),
    )
