"""One MariaDB on a disk that several hosts see (a LUN), on one of them at a time: which one, Pacemaker decides.

Mount, address and database are one group, started in this order on one host. Before it starts anywhere else, the host
that had it is known to be off (fencing) or has stopped it: two that mount one file system destroy it. A host that has
lost the majority stops the group; one that cannot be fenced is waited for, and the database is down meanwhile.

Its health is a row that the cluster writes every two seconds: what a database answers from memory says nothing of its
disk. Clients connect to an address that moves with it (`vips.database`), past the load balancers.

What is committed is on the LUN (`innodb_flush_log_at_trx_commit=1`): after a crash the next start recovers it. The LUN
itself is one: its own redundancy is its controllers' and disks'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import database_access, database_accounts, database_copies, database_tls, tls
from fournines.services.capabilities import Port, Single
from fournines.services.cib import Managed
from fournines.services.database_access import PORT
from fournines.services.drop_in import drop_in
from fournines.services.mariadb import CONFIG, UNIT, Mariadb
from fournines.services.options import operators
from fournines.services.render import ini
from fournines.services.resource import File, Package, Resource
from fournines.services.rotation import Rotation
from fournines.services.safeguard import Safeguard, is_set
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.shared_group import SharedGroup
from fournines.timing import timers
from fournines.timing.fencing import KILLED_BEFORE

DATA = "/var/lib/mysql"
GROUP = SharedGroup(
    name="database",
    service="mariadb_shared",
    does="database",
    data=DATA,
    unit=UNIT,
    agent="mariadb",
    # More than the VIPs.
    priority=20,
    # A mount with its journal, an address, InnoDB's recovery of little.
    starts=4.0,
)
WRITES = "mariadb -e 'replace into fournines.health (id, seen) values (1, now(6))'"
_INSTALL = (
    *("mariadb-install-db", "--no-defaults", "--user=mysql", "--datadir=DIRECTORY"),
    *("--auth-root-authentication-method=socket", "--skip-test-db", "--skip-log-bin"),
)
#: Options that mean the same here as in a Galera node.
_ALIKE = (
    *("skip_networking", "skip_grant_tables", "read_only", "super_read_only", "innodb_force_recovery"),
    *("innodb_read_only", "require_secure_transport", "ssl*", "innodb_flush_log_at_trx_commit", "innodb_doublewrite"),
    *("max_connections", "max_connect_errors"),
)


class MariadbShared(Service):
    name: ClassVar[str] = "mariadb_shared"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_PASSIVE
    roles: ClassVar[tuple[str, ...]] = ("database",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"database": "shared"}
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    rolling: ClassVar[Rolling] = "one-by-one"
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    clustered: ClassVar[tuple[str, ...]] = (UNIT,)
    luns: ClassVar[Mapping[str, str]] = {GROUP.name: DATA}
    entrances: ClassVar[tuple[Port, ...]] = (Port(PORT, "tcp", "database clients", "the database"),)
    aliases: ClassVar[Mapping[str, Mapping[str, str]]] = Mariadb.aliases
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *(g for g in Mariadb.guarded if g.option in _ALIKE),
        *(
            Safeguard("my.cnf", "mariadbd", *rest, fatal=True)
            for rest in (
                ("bind_address", is_set, "clients reach it at `vips.database`, which moves with it", "vips.database"),
                ("port", is_set, "every service looks at 3306", "remove it"),
                ("datadir", is_set, f"its data would not be on the LUN, which is mounted at {DATA}", "remove it"),
                ("innodb_*_home_dir", is_set, "a part of its data would not be on the LUN", "remove it"),
                ("innodb_data_file_path", is_set, "a part of its data may not be on the LUN", "remove it"),
                ("wsrep_on", is_set, "it is no member of a Galera cluster", "pattern: {database: galera}"),
            )
        ),
    )

    def rotations(self) -> Mapping[str, Rotation]:
        return database_accounts.ROTATIONS

    def failover(self, cloud: Cloud) -> float:
        return GROUP.failover(cloud)

    def address(self, cloud: Cloud, region: Region) -> IPv4Address:
        return GROUP.address(region)

    def singles(self, cloud: Cloud, region: Region) -> tuple[Single, ...]:
        return GROUP.singles(region)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region, restart = cloud.region_of(host), (f"restart:{UNIT}",)
        yield from (Package(name) for name in ("mariadb-server", "mariadb-backup"))
        if tls.encrypted(cloud):
            pem = tls.database_pem(cloud, host)
            yield from tls.files(database_tls.CERTIFICATES, "mysql", (f"reload:{UNIT}",), server=pem)
        yield File(CONFIG, _config(cloud, region), triggers=restart)
        t = timers(cloud)
        start, stop = f"{t.database_start:g}s", f"{t.database_stop - KILLED_BEFORE:g}s"
        yield from drop_in(UNIT, "mariadb_shared/unit.conf.j2", datadir=DATA, start=start, stop=stop)
        yield from GROUP.resources(cloud, host, _INSTALL)
        yield from database_copies.resources(cloud, host.region)

    def managed(self, cloud: Cloud, region: Region) -> Iterable[Managed]:
        return GROUP.managed(cloud, region)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        return GROUP.checks(cloud, host, "the database takes writes, where it runs", WRITES)


def _config(cloud: Cloud, region: Region) -> str:
    from fournines.services.rendered import connections  # it renders the services that import this module

    server: dict[str, Any] = {
        "bind_address": database_access.address(cloud, region),
        "port": PORT,
        "datadir": DATA,
        # Of the file system's own.
        "ignore_db_dirs": "lost+found",
        "skip_name_resolve": "ON",
        "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_general_ci",
        "max_connect_errors": 1000000,
        "max_connections": connections(cloud, region.name),
        "innodb_flush_log_at_trx_commit": 1,
        "innodb_buffer_pool_size": "256M",
        "log_warnings": 2,
        **database_tls.server(cloud),
    }
    sections = {"mariadbd": server, **database_tls.local_clients(cloud)}
    return ini(sections, operators(cloud, "mariadb_shared", "my.cnf"), true="ON", false="OFF")
