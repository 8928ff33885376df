"""A MariaDB on each of its hosts, one of them the primary: which one, Pacemaker decides. The others replicate from it.

Replication is semi-synchronous: a row is acknowledged once a replica has it (`AFTER_SYNC`, so that no other client saw
it before). Who may be promoted the agent decides (`programs/replica`), by a record in the cluster's configuration that
the primary writes before it acknowledges rows on other terms: a replica that may lack one is never promoted by itself.
When no replica answers, the primary waits, and goes on alone once the cluster has stopped or fenced them all; or after
`timing.database_alone`, if nobody knows what became of them.

A former primary that has transactions which its successor does not have becomes a copy of that one. Its old data are
kept aside (`programs/replica/rebuild.py`).

Clients connect to an address that moves with the primary (`vips.database`), past the load balancers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Address
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import (
    cluster_address,
    corosync,
    database_access,
    database_accounts,
    database_copies,
    database_tls,
    tls,
)
from fournines.services.capabilities import Port
from fournines.services.cib import Beside, Clone, Location, Managed, Operation, Order, Primitive
from fournines.services.database_access import PORT
from fournines.services.drop_in import drop_in
from fournines.services.mariadb import CONFIG, DATA, INSTALLED, UNIT, Mariadb
from fournines.services.options import operators
from fournines.services.render import ini
from fournines.services.resource import Directory, File, Package, Resource, Unit
from fournines.services.rotation import Rotation, TwoValid
from fournines.services.safeguard import Safeguard, is_set, unless
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.shared_group import AGENTS, FAILURES, FORGETS
from fournines.services.sysctl import sysctl
from fournines.timing import timers
from fournines.timing.fencing import KILLED_BEFORE

NAME = "database"
#: Of Pacemaker's: the copies, which of them is promoted, and the address beside that one.
SERVER, CLONE, ADDRESS = f"{NAME}-server", f"{NAME}-clone", f"{NAME}-address"
AGENT = "mariadb-replica"
CODE = "/usr/lib/fournines/replica"
SETTINGS = "/etc/fournines/replica.json"
#: Of members that know one another: who sends a copy, and who receives it.
GROUP = "mariadb_replica"
COPY_PORT = 4444
#: The account by which a replica reads the primary's binary log.
ACCOUNT = "replication"
SECRET = f"{ACCOUNT}.database"
#: Shell: whether the primary is on this host.
HERE = "[ -e /run/fournines/database-primary ]"
#: It waits for no replica: what it asks is whether this host's disk takes a write.
WRITES = (
    "mariadb -e 'set session sql_log_bin = 0; replace into fournines.health (id, seen) values (1, now(6))'"
    " && [ \"$(mariadb -N -e 'select @@global.read_only')\" = 0 ]"
)
#: Seconds, estimated, from the fence to the first answer: a replica applies what it has received, and is promoted; an
#: address starts. Seen on a machine without idle time alone, where the whole failover took 27 and 43.
PROMOTES = 2.0
#: Seconds for which the binary log is kept: who was away for longer becomes a copy.
KEPT = 3 * 86_400
#: Options that mean the same here as in a Galera node.
_ALIKE = (
    *("skip_networking", "skip_grant_tables", "super_read_only", "innodb_force_recovery", "innodb_read_only"),
    *("require_secure_transport", "ssl*", "innodb_flush_log_at_trx_commit", "innodb_doublewrite"),
    *("max_connections", "max_connect_errors", "port"),
)


class MariadbReplica(Service):
    name: ClassVar[str] = "mariadb_replica"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_PASSIVE
    roles: ClassVar[tuple[str, ...]] = ("database",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"database": "replica"}
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    rolling: ClassVar[Rolling] = "one-by-one"
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    clustered: ClassVar[tuple[str, ...]] = (UNIT,)
    entrances: ClassVar[tuple[Port, ...]] = (Port(PORT, "tcp", "database clients", "the database"),)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(PORT, "tcp", "its own members", "replication of the database"),
        Port(
            COPY_PORT, "tcp", "its own members", "a copy of the whole database, for a host that needs one", always=False
        ),
    )
    aliases: ClassVar[Mapping[str, Mapping[str, str]]] = Mariadb.aliases
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *(g for g in Mariadb.guarded if g.option in _ALIKE),
        *(
            Safeguard("my.cnf", "mariadbd", *rest, fatal=True)
            for rest in (
                (
                    "bind_address",
                    is_set,
                    "clients reach it at `vips.database`, replicas at its host's",
                    "vips.database",
                ),
                ("datadir", is_set, f"copies are put in {DATA}", "remove it"),
                ("wsrep_on", is_set, "it is no member of a Galera cluster", "pattern: {database: galera}"),
                ("read_only", is_set, "the agent says which host takes writes", "remove it"),
                ("server_id", is_set, "two hosts of one id replicate nothing from each other", "remove it"),
                ("rpl_semi_sync_*", is_set, "the agent says when commits wait for a replica", "timing.database_alone"),
                ("gtid_*", is_set, "who may be promoted is decided by GTIDs of one domain", "remove it"),
                ("log_bin*", is_set, "replicas read the binary log, and copies say up to where they go", "remove it"),
                ("log_slave_updates", is_set, "a replica that is promoted has no history to send", "remove it"),
                ("binlog_*_db", is_set, "what is not in the binary log is on the primary alone", "remove it"),
                ("replicate_*", is_set, "what a replica leaves out is lost when it is promoted", "remove it"),
                ("slave_skip_errors", is_set, "a replica goes on with other rows than the primary has", "remove it"),
                ("sync_binlog", unless("1"), "a power failure loses rows that were acknowledged", "remove it"),
                ("binlog_format", unless("ROW", "2"), "a replica may come to other rows than the primary", "remove it"),
                ("skip_slave_start", is_set, "the agent says who may follow whom", "remove it"),
                ("init_rpl_role", is_set, "a primary that crashed would throw acknowledged rows away", "remove it"),
            )
        ),
    )

    def rotations(self) -> Mapping[str, Rotation]:
        return {"database": TwoValid("the passwords of accounts in the database", _passwords)}

    def failover(self, cloud: Cloud) -> float:
        """Seconds until the others know that its host is gone and that it is off, and a replica was promoted."""
        return corosync.noticed(cloud) + corosync.FENCED + PROMOTES

    def address(self, cloud: Cloud, region: Region) -> IPv4Address:
        return database_access.address(cloud, region)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region, restart, t = cloud.region_of(host), (f"restart:{UNIT}",), timers(cloud)
        yield from (Package(name) for name in ("mariadb-server", "mariadb-backup", "socat"))
        if tls.encrypted(cloud):
            yield from tls.files(
                database_tls.CERTIFICATES,
                "mysql",
                (f"reload:{UNIT}",),
                server=tls.database_pem(cloud, host),
                member=tls.member_pem(cloud, host, GROUP),
                members=tls.member_ca(cloud, host.region, GROUP),
            )
        # The address that moves is listened on where it is not, too.
        yield from sysctl("61-fournines-database.conf", {"net.ipv4.ip_nonlocal_bind": 1}, {})
        yield File(CONFIG, _config(cloud, host), triggers=restart)
        start, stop = f"{t.database_start:g}s", f"{t.database_stop - KILLED_BEFORE:g}s"
        yield from drop_in(UNIT, "mariadb_replica/unit.conf.j2", start=start, stop=stop)
        yield INSTALLED
        yield Unit(UNIT, state="clustered")
        yield from _agent()
        yield File(SETTINGS, _settings(cloud, host), mode=0o600, secret=True)
        yield from database_copies.resources(cloud, region.name)

    def managed(self, cloud: Cloud, region: Region) -> Iterable[Managed]:
        hosts, t = cloud.hosts_of(self.name, region.name), timers(cloud)
        start, stop, look = t.database_start, t.database_stop, t.cluster_timeout
        steps = (
            Operation("start", 0, start),
            Operation("stop", 0, stop),
            Operation("promote", 0, start),
            Operation("demote", 0, stop),
            Operation("notify", 0, look),
            Operation("monitor", t.database_monitor, look, role="Promoted"),
            Operation("monitor", 1.5 * t.database_monitor, look, role="Unpromoted"),
        )
        failing = {"migration-threshold": str(FAILURES), "failure-timeout": f"{FORGETS}s", "priority": "20"}
        server = Primitive(SERVER, f"ocf:fournines:{AGENT}", {}, steps, failing)
        copies = {"promotable": "true", "promoted-max": "1", "clone-max": str(len(hosts)), "notify": "true"}
        yield Clone(CLONE, server, {**copies, "interleave": "true"})
        management = region.networks["management"]
        yield cluster_address.address(cloud, ADDRESS, self.address(cloud, region), management, hosts)
        yield Beside(ADDRESS, CLONE, promoted=True)
        yield Order(CLONE, ADDRESS, promoted=True)
        for other in cloud.hosts_of("pacemaker", region.name):
            if other not in hosts:
                yield Location(CLONE, other.name, "-INFINITY")

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        what = "the database takes writes, where the primary is"
        # Before there is a cluster it runs nowhere.
        yield Check(what, host.name, f"{HERE} || exit 0\n{WRITES}", within=60, unit=UNIT)


def _passwords(cloud: Cloud) -> Iterable[str]:
    return (*database_accounts.passwords(cloud), SECRET)


def _config(cloud: Cloud, host: Host) -> str:
    from fournines.services.rendered import connections  # it renders the services that import this module

    region = cloud.region_of(host)
    server: dict[str, Any] = {
        "datadir": DATA,
        "bind_address": f"{host.address},{database_access.address(cloud, region)}",
        "port": PORT,
        "skip_name_resolve": "ON",
        "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_general_ci",
        "max_connect_errors": 1000000,
        "max_connections": connections(cloud, region.name),
        "innodb_flush_log_at_trx_commit": 1,
        "innodb_buffer_pool_size": "256M",
        "log_warnings": 2,
        # Whoever starts it: it takes writes when the agent has promoted it.
        "read_only": "ON",
        "server_id": int(host.address),
        "report_host": host.name,
        "log_bin": "binlog",
        "relay_log": "relay",
        "log_slave_updates": "ON",
        "binlog_format": "ROW",
        "sync_binlog": 1,
        "binlog_expire_logs_seconds": KEPT,
        # Else a replica that is away keeps all of it, until the disk is full.
        "slave_connections_needed_for_purge": 0,
        "gtid_strict_mode": "ON",
        "skip_slave_start": "ON",
        "relay_log_recovery": "ON",
        "slave_parallel_threads": 4,
        # A primary that has lost power says nothing: its replicas look for it again after so long.
        "slave_net_timeout": math.ceil(2 * timers(cloud).database_monitor),
        "rpl_semi_sync_master_enabled": "OFF",
        "rpl_semi_sync_master_wait_point": "AFTER_SYNC",
        "rpl_semi_sync_master_wait_no_slave": "ON",
        "rpl_semi_sync_slave_enabled": "OFF",
        # A replica that leaves a dead primary tries to end its connection there.
        "rpl_semi_sync_slave_kill_conn_timeout": 1,
        **database_tls.server(cloud),
    }
    sections = {"mariadbd": server, **database_tls.local_clients(cloud)}
    return ini(sections, operators(cloud, "mariadb_replica", "my.cnf"), true="ON", false="OFF")


def _settings(cloud: Cloud, host: Host) -> str:
    """The shape is described in `programs/replica/settings.py`."""
    encrypted = tls.encrypted(cloud)
    certificates = {"certificate": "member", "authority": "members"}
    settings = {
        "host": host.name,
        "hosts": {h.name: str(h.address) for h in cloud.hosts_of("mariadb_replica", host.region)},
        "unit": UNIT,
        "datadir": DATA,
        "port": PORT,
        "user": ACCOUNT,
        "password": cloud.secrets.get(SECRET),
        "ca": tls.CA if encrypted else "",
        "alone": timers(cloud).database_alone,
        "copy": {
            "port": COPY_PORT,
            **{
                key: f"{database_tls.CERTIFICATES}/{file}.pem" if encrypted else ""
                for key, file in certificates.items()
            },
        },
    }
    return json.dumps(settings, indent=2) + "\n"


@cache
def _agent() -> tuple[Resource, ...]:
    folder = files("fournines.programs").joinpath("replica")
    sources = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".py"))
    script = files("fournines.services.scripts").joinpath(f"{AGENT}.sh").read_text(encoding="utf-8")
    return (
        Package("python3"),
        Directory(CODE),
        *(File(f"{CODE}/{name}", folder.joinpath(name).read_text()) for name in sources),
        Directory(AGENTS),
        File(f"{AGENTS}/{AGENT}", script, mode=0o755),
    )
