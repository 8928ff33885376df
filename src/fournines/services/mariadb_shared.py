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
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Address
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Lun, Region
from fournines.cloud.roles import Component
from fournines.services import (
    cluster_address,
    corosync,
    database_access,
    database_accounts,
    database_copies,
    database_tls,
    luns,
    tls,
)
from fournines.services.capabilities import Port, Single
from fournines.services.cib import Group, Location, Managed, Operation, Primitive
from fournines.services.database_access import PORT
from fournines.services.drop_in import drop_in
from fournines.services.mariadb import CONFIG, UNIT, Mariadb
from fournines.services.options import operators
from fournines.services.render import ini
from fournines.services.resource import Directory, File, Package, Resource, Unit
from fournines.services.rotation import Rotation
from fournines.services.safeguard import Safeguard, is_set
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.timing import timers
from fournines.timing.fencing import KILLED_BEFORE

LUN = "database"
DATA = "/var/lib/mysql"
GROUP = "database"
AGENTS = "/usr/lib/ocf/resource.d/fournines"
#: Failures on one host after which the group goes to another, and seconds after which the cluster forgets them.
FAILURES, FORGETS = 2, 600
#: Seconds from the fence to the first answer: a mount with its journal, an address, InnoDB's recovery of little.
STARTS = 4.0
#: Runs here: the mount is where the group is.
HERE = f"mountpoint -q {DATA}"
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
    luns: ClassVar[Mapping[str, str]] = {LUN: DATA}
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
        """Until the others know that its host is gone and that it is off, and it has started on another one."""
        return corosync.noticed(cloud) + corosync.FENCED + STARTS

    def address(self, cloud: Cloud, region: Region) -> IPv4Address:
        """Before `check` has refused a cloud without one: the internal VIP."""
        return database_access.address(cloud, region)

    def singles(self, cloud: Cloud, region: Region) -> tuple[Single, ...]:
        lun = disk(region)
        if lun is None:
            return ()
        what = f"the database is on one LUN, {lun.device}"
        return (Single(what, "nothing works without it", "a disk array that is redundant itself", lun.entry),)

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
        yield Unit(UNIT, state="clustered")
        yield from _agent()
        yield from database_copies.resources(cloud, host.region)
        if (lun := disk(region)) is not None:
            yield from luns.resources(cloud, host, lun, _INSTALL)

    def managed(self, cloud: Cloud, region: Region) -> Iterable[Managed]:
        lun, hosts = disk(region), cloud.hosts_of(self.name, region.name)
        if lun is None:
            return
        t, management = timers(cloud), region.networks["management"]
        steps = (
            Operation("start", 0, t.database_start),
            Operation("stop", 0, t.database_stop),
            Operation("monitor", t.database_monitor, t.cluster_timeout),
        )
        failing = {"migration-threshold": str(FAILURES), "failure-timeout": f"{FORGETS}s"}
        members = (
            luns.mounted(cloud, lun, f"{GROUP}-disk", DATA),
            cluster_address.address(cloud, f"{GROUP}-address", self.address(cloud, region), management, hosts),
            Primitive(f"{GROUP}-server", "ocf:fournines:mariadb", {"unit": UNIT, "datadir": DATA}, steps, failing),
        )
        # It does not go back to where it was, and weighs more than the VIPs when two hosts would fence each other.
        yield Group(GROUP, members, {"resource-stickiness": "100", "priority": "20"})
        for other in cloud.hosts_of("pacemaker", region.name):
            if other not in hosts:
                yield Location(GROUP, other.name, "-INFINITY")

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        if (lun := disk(cloud.region_of(host))) is not None:
            yield luns.seen(host, lun)
        # Where the cluster runs it; nowhere yet, before there is a cluster.
        script = f"{HERE} || exit 0\n{WRITES}"
        yield Check("the database takes writes, where it runs", host.name, script, within=60, unit=UNIT)


def disk(region: Region) -> Lun | None:
    return region.luns.get(LUN)


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


@cache
def _agent() -> tuple[Resource, ...]:
    text = files("fournines.services.scripts").joinpath("mariadb.sh").read_text(encoding="utf-8")
    return Directory(AGENTS), File(f"{AGENTS}/mariadb", text, mode=0o755)
