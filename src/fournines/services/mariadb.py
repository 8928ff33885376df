"""MariaDB with Galera: a quorum of nodes that all hold every committed row, written through one of them.

Why one writer: with several, Galera's optimistic certification makes APIs see deadlocks on commit, and Jepsen found
stale reads and lost updates with no fault at all. The writer is a row in the database itself, so that Galera's total
order makes every load balancer agree (`agent.observer`); a node that is not Primary and Synced is never it.

Why flush at every commit: with 0 (what two peers ship) a coordinated crash loses acknowledged transactions.

Why mariabackup for state transfer: rsync locks the donor's tables for the whole copy, and the donor may be the writer.
The account is Debian's `mysql@localhost` by unix_socket, so no password lies in a file.

Members know one another by certificates of an authority that signs for them alone, for replication and for state
transfer; and by address. Clients check the certificate of the node that they reach by the VIP.

Nodes are started in any order, together: `galera-start` asks the peers' observers which of them bootstraps.

A member more or less restarts no node: what names the members is in a file of its own, read at the next start, and who
may join is a table that all nodes share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from fournines.agent.observer.peers import ELECTED
from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import database_accounts, database_copies, database_tls, front_door, galera_tls
from fournines.services.capabilities import Frontend, Port, members
from fournines.services.database_access import PORT
from fournines.services.drop_in import drop_in
from fournines.services.options import operators
from fournines.services.render import ini, ms
from fournines.services.resource import File, Package, Resource, Task, Unit
from fournines.services.rotation import Rotation
from fournines.services.safeguard import Safeguard, below, is_set, per_host, unless, when
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed, iso8601
from fournines.timing import timers
from fournines.timing.timers import Timers

UNIT = "mariadb.service"
#: Of the observer: it answers 200 where the writer is.
WRITER_PORT, WRITER_PATH = 9200, "/database/writer"
CONFIG = "/etc/mysql/mariadb.conf.d/99-fournines.cnf"
MEMBERS = "/etc/mysql/mariadb.conf.d/98-fournines-members.cnf"
#: Digest of what this host's node was told about the members.
TOLD = "/var/lib/fournines/galera-members"
LONGEST_GROUP = 32
#: Of one controller of a whole cloud, at rest.
LEAST_CONNECTIONS = 250
#: 0 bytes of margin would be lost on a busy disk; 512 MiB of write sets let a node that was away for hours return by
#: incremental transfer.
GCACHE = "512M"
DATA = "/var/lib/mysql"


class Mariadb(Service):
    name: ClassVar[str] = "mariadb"
    pattern: ClassVar[HaPattern] = HaPattern.QUORUM
    roles: ClassVar[tuple[str, ...]] = ("database",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"database": "galera"}
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    rolling: ClassVar[Rolling] = "one-by-one"
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    #: Groups that MariaDB and MySQL read in other files.
    aliases: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "my.cnf": dict.fromkeys(("mysqld", "server", "mariadb", "galera", "mysqld_safe", "embedded"), "mariadbd")
    }
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        "my.cnf": tuple(
            Timed("mariadbd", "wsrep_provider_options", timer, iso8601, part)
            for part, timer in (
                ("evs.keepalive_period", "evs_keepalive"),
                ("evs.suspect_timeout", "evs_suspect"),
                ("evs.inactive_timeout", "evs_inactive"),
                ("evs.install_timeout", "evs_install"),
            )
        )
    }
    guarded: ClassVar[tuple[Safeguard, ...]] = tuple(
        Safeguard("my.cnf", "mariadbd", *rest[:-1], fatal=rest[-1])
        for rest in (
            (
                "wsrep_cluster_address",
                is_set,
                "without the other members' addresses a node that starts makes a database of "
                "its own: two that both take writes",
                "remove it: the addresses are those of the hosts",
                True,
            ),
            ("wsrep_on", when("false"), "nothing is replicated: each node is a database of its own", "remove it", True),
            ("wsrep_provider", is_set, "it is Galera's library; without, nothing is replicated", "remove it", True),
            (
                "wsrep_provider_options",
                is_set,
                "it replaces all timers, addresses and the size of the cache that fournines writes there",
                "the single variable: wsrep_provider_NAME, or timing.overrides",
                True,
            ),
            (
                "wsrep_provider_pc_ignore_*",
                when("true", "ON"),
                "both halves of a partition stay Primary and take writes",
                "remove it",
                True,
            ),
            ("wsrep_provider_pc_bootstrap", is_set, "a node that starts declares itself Primary", "remove it", True),
            ("wsrep_cluster_name", is_set, "a node of another name cannot join", "remove it", True),
            ("wsrep_node_*", per_host, "each node has its own", "remove it", True),
            ("bind_address", per_host, "each node has its own", "remove it", True),
            ("port", unless("3306"), "the load balancer and every service look at 3306", "remove it", True),
            ("skip_networking", when("true"), "nobody reaches it", "remove it", True),
            ("skip_grant_tables", when("true"), "everybody on the network is its administrator", "remove it", True),
            ("default_storage_engine", unless("InnoDB"), "Galera replicates InnoDB only", "remove it", True),
            ("binlog_format", unless("ROW", "2"), "Galera replicates rows", "remove it", True),
            ("innodb_autoinc_lock_mode", unless("2"), "Galera's appliers deadlock", "remove it", True),
            ("read_only", when("true"), "no service can write", "remove it", True),
            ("super_read_only", when("true"), "no service can write", "remove it", True),
            ("innodb_force_recovery", unless("0"), "it takes no writes", "remove it", True),
            ("innodb_read_only", when("true"), "it takes no writes", "remove it", True),
            (
                "wsrep_desync",
                when("true"),
                "the node falls behind, and the others no longer wait for it",
                "remove it",
                True,
            ),
            ("wsrep_reject_queries", unless("NONE"), "it refuses its clients", "remove it", True),
            (
                "require_secure_transport",
                when("false"),
                "root and every account that fournines did not make may sign in and read rows in the clear",
                "remove it: tls.internal decides",
                False,
            ),
            (
                "ssl*",
                is_set,
                "clients check the certificate that fournines made for each node, against the cloud's CA",
                "remove it: tls.internal decides",
                True,
            ),
            (
                "innodb_flush_log_at_trx_commit",
                unless("1"),
                "a power failure of all nodes loses commits that were acknowledged: up to a second of them",
                "1",
                False,
            ),
            (
                "innodb_doublewrite",
                when("false"),
                "a power failure in the middle of a page's write damages the database",
                "remove it",
                False,
            ),
            (
                "wsrep_sst_method",
                unless("mariabackup"),
                "the donor's tables are locked while it copies, and the donor may be the writer",
                "mariabackup",
                False,
            ),
            ("wsrep_osu_method", unless("TOI"), "an upgrade of tables reaches one node only", "remove it", False),
            (
                "max_connections",
                below(LEAST_CONNECTIONS),
                f"the pools of one host's services hold up to {LEAST_CONNECTIONS} connections: the others are refused",
                f"at least {LEAST_CONNECTIONS} a controller",
                False,
            ),
            (
                "max_connect_errors",
                below(1000),
                "a load balancer whose checks break off is locked out after so many",
                "remove it",
                False,
            ),
        )
    )
    ports: ClassVar[tuple[Port, ...]] = (
        Port(4567, "tcp", "its own members", "Galera replication"),
        Port(4568, "tcp", "its own members", "Galera incremental state transfer", always=False),
        Port(4444, "tcp", "its own members", "Galera state transfer", always=False),
    )

    def rotations(self) -> Mapping[str, Rotation]:
        return database_accounts.ROTATIONS

    def failover(self, cloud: Cloud) -> float:
        """The members agree on a view without the dead one; by the agents' election, or the load balancer's check."""
        t = timers(cloud)
        return t.evs_suspect + (t.evs_keepalive if t.database_check == "agent" else t.check_inter * t.check_fall)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        restart = (f"restart:{UNIT}",)
        for package in ("mariadb-server", "mariadb-backup", "galera-4", "socat"):
            yield Package(package)
        yield from galera_tls.certificates(cloud, host, (f"reload:{UNIT}",))
        yield galera_tls.step(cloud, CONFIG, UNIT)
        yield File(CONFIG, _config(cloud, host), triggers=restart)
        yield File(MEMBERS, _members(cloud, host))
        yield INSTALLED
        # No trigger: what it says matters at the next start, and none is worth a database restart now.
        yield from drop_in(UNIT, "mariadb/unit.conf.j2")
        yield Unit(UNIT, timeout=900)
        yield _allowed(cloud, host.region)
        yield from database_copies.resources(cloud, host.region)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield _accounts(cloud, host.region)
        if host.name in cloud.drained and timers(cloud).database_check == "agent":
            yield _elsewhere(host)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        nodes, members_all = len(cloud.hosts_of(self.name, host.region)), len(members(cloud, host.region, self.name))
        leaving = sum(h.leaving for h in cloud.regions[host.region].hosts)
        yield Check(
            "Galera is Primary and Synced with all members",
            host.name,
            # An arbitrator joins after the nodes that it arbitrates; a node that leaves stops last.
            primary_of(*range(nodes, members_all + leaving + 1)),
            within=180,
            unit=UNIT,
            alone=primary_of(),
        )

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        t = timers(cloud)
        # Pooled connections idle for up to the recycle time; shorter timeouts would cut them for nothing.
        idle = ms(max(t.client_timeout, t.server_timeout, 2.0 * t.db_pool_recycle))
        agent = t.database_check == "agent"
        return (
            Frontend(
                self.name,
                PORT,
                "tcp",
                check=WRITER_PATH if agent else "",
                check_port=WRITER_PORT if agent else 0,
                check_encrypts=agent,
                standby=not agent,
                moves=agent,
                # The agents say who the writer is, and tell their load balancers at once. That one of them does not
                # answer for a moment is no reason to cut every session (decision 83).
                patience=ELECTED if agent else 0.0,
                source="database clients",
                settings={
                    "timeout client": idle,
                    "timeout server": idle,
                    "maxconn": max(front_door.MAX_PER_FRONTEND, _connections(cloud, region.name)),
                    **(_soon_again(t) if agent else {}),
                },
            ),
        )


def _soon_again(t: Timers) -> dict[str, Any]:
    """There is one server that a new session may go to, the writer; one that is refused waits for the next writer.
    HAProxy tries the same server again after a second, or after `timeout connect` where that is less: each session that
    came while the writer moved waited for that second. More tries make up for the shorter ones: with `lan` a session
    waits up to 4.5 s where it is refused and 4.8 s where nothing answers, in place of 3 and 6 s."""
    often = 5
    return {"timeout connect": ms(t.connect_timeout / often), "retries": often * t.retries}


def group_name(cloud: Cloud, region: Region) -> str:
    """Galera's name of the cluster, of 32 bytes at most (gcomm's String<32>): beyond, joiners fail without saying why.
    Long names are cut, and told apart by their digest."""
    name = f"{cloud.name}-{region.name}"
    if len(name) <= LONGEST_GROUP:
        return name
    digest = hashlib.sha256(f"{cloud.name}/{region.name}".encode()).hexdigest()[:10]
    return f"{name[: LONGEST_GROUP - 11]}-{digest}"


def primary_of(*sizes: int) -> str:
    """Holds where the local node is Primary and Synced in a group of one of these sizes; without any: of any."""
    wanted = "|".join(map(str, sizes)) or "[0-9]+"
    return (
        "mariadb -N -e \"show status where variable_name in ('wsrep_cluster_size', 'wsrep_cluster_status',"
        " 'wsrep_local_state_comment')\" | cut -f2 | sort | tr '\\n' ' ' | grep -Eqx "
        f"'({wanted}) Primary Synced '"
    )


def group_options(cloud: Cloud, host: Host, certificates: str) -> str:
    """What every member of the group must have alike, an arbitrator too. `certificates`: its folder of them."""
    return _joined(_group_communication(timers(cloud), host) | galera_tls.replication(cloud, certificates))


def _config(cloud: Cloud, host: Host) -> str:
    region = cloud.region_of(host)
    server: dict[str, Any] = {
        "datadir": DATA,  # packages have another default from 11.8.6-5 on, and make an empty database there
        "bind_address": host.address,
        "port": PORT,
        "skip_name_resolve": "ON",
        "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_general_ci",
        "max_connect_errors": 1000000,
        "default_storage_engine": "InnoDB",
        "innodb_autoinc_lock_mode": 2,
        "innodb_flush_log_at_trx_commit": 1,
        "innodb_buffer_pool_size": "256M",
        "binlog_format": "ROW",
        "log_warnings": 2,
        "plugin_load_add": "wsrep_info",  # who is in a component that is not Primary: only it tells
        "wsrep_on": "ON",
        "wsrep_provider": "/usr/lib/galera/libgalera_smm.so",
        "wsrep_provider_options": f'"{_provider_options(cloud, host)}"',
        "wsrep_cluster_name": group_name(cloud, region),
        "wsrep_node_name": host.name,
        "wsrep_node_address": host.address,
        "wsrep_slave_threads": 4,
        "wsrep_sst_method": "mariabackup",
        "wsrep_sst_auth": "mysql:",
        **database_tls.server(cloud),
    }
    sections = {"mariadbd": server, **database_tls.local_clients(cloud)}
    return ini(sections, operators(cloud, "mariadb", "my.cnf"), true="ON", false="OFF")


def _members(cloud: Cloud, host: Host) -> str:
    """Read before CONFIG, so that the operator's options win."""
    nodes = cloud.hosts_of("mariadb", host.region)
    server = {
        "wsrep_cluster_address": "gcomm://" + ",".join(str(m.address) for m in nodes),
        # The first member is the usual writer: asked last. The comma at the end allows any other. Where the peers say
        # who is the writer, galera-start gives another order.
        "wsrep_sst_donor": "".join(f"{m.name}," for m in reversed(nodes) if m != host),
        "wsrep_allowlist": ",".join(_addresses(cloud, host.region)),
        "max_connections": _connections(cloud, host.region),
    }
    return ini({"mariadbd": server}, {})


def _addresses(cloud: Cloud, region: str) -> list[str]:
    return [str(m.address) for m in members(cloud, region, "mariadb")]


def _allowed(cloud: Cloud, region: str) -> Task:
    """Tells a node that runs what MEMBERS says, which it reads when it starts. Who may join it asks of a table
    (mysql.wsrep_allowlist), which the option of that name only fills at a start; the rows are replicated."""
    rows = ", ".join(f"('{address}')" for address in _addresses(cloud, region))
    own = operators(cloud, "mariadb", "my.cnf").get("mariadbd", {})
    statements = [
        f"insert ignore into mysql.wsrep_allowlist (ip) values {rows};",  # noqa: S608  # addresses of the cloud file
        f"delete from mysql.wsrep_allowlist where ip not in ({rows});",  # noqa: S608
        f"set global max_connections = {own.get('max_connections', _connections(cloud, region))};",
    ]
    told = hashlib.sha256("".join(statements).encode()).hexdigest()
    return Task(
        name="Galera lets its members in",
        check=f"cat {TOLD} 2>/dev/null || true",
        want=told,
        script=f"mariadb\necho {told} > {TOLD}",
        stdin="\n".join([*statements, ""]),
    )


def _connections(cloud: Cloud, region: str) -> int:
    from fournines.services.rendered import connections  # it renders the services that import this module

    return connections(cloud, region)


def _group_communication(t: Timers, host: Host) -> dict[str, str]:
    return {
        "evs.keepalive_period": _iso(t.evs_keepalive),
        "evs.inactive_check_period": _iso(t.evs_keepalive / 2),
        "evs.suspect_timeout": _iso(t.evs_suspect),
        "evs.inactive_timeout": _iso(t.evs_inactive),
        "evs.install_timeout": _iso(t.evs_install),
        # A new view waits for the slowest member's join message, and for its repetition where the first one came too
        # early: at 0.3 s a node that joined cost commits 0.44 to 0.71 s, at 0.1 s, Galera's least, 0.1 to 0.65 s.
        "evs.join_retrans_period": _iso(max(0.1, t.evs_keepalive / 3)),
        "gmcast.listen_addr": f"tcp://{host.address}:4567",
    }


def _provider_options(cloud: Cloud, host: Host) -> str:
    options = {
        **_group_communication(timers(cloud), host),
        "ist.recv_addr": f"{host.address}:4568",
        "gcache.size": GCACHE,
        # For gvwstate.dat, which tells after a crash who was in the last Primary view. galera-start reads it, and
        # removes it before mysqld starts, so that Galera's own use of it never contradicts galera-start's decision.
        "pc.recovery": "TRUE",
        **galera_tls.replication(cloud, database_tls.CERTIFICATES),
    }
    return _joined(options)


def _joined(options: Mapping[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in options.items())


def _iso(seconds: float) -> str:
    return f"PT{seconds:g}S"


#: The package makes the system tables, but not again on a disk that was replaced or an image that was stripped.
INSTALLED = Task(
    name="mariadb data directory",
    check=f"test -d {DATA}/mysql && echo ok",
    script=(
        "mariadb-install-db --user=mysql --auth-root-authentication-method=socket --skip-test-db --skip-log-bin"
        " > /run/fournines/mariadb-install-db.log 2>&1 || { cat /run/fournines/mariadb-install-db.log >&2; exit 1; }"
    ),
)


def _elsewhere(host: Host) -> Task:
    """The observers elect another writer as soon as the host says that it is drained, if another one is Synced."""
    said = f"$(curl -s -m 2 -o /dev/null -w '%{{http_code}}' http://{host.address}:{WRITER_PORT}{WRITER_PATH})"
    return Task(
        name="another host takes the writes",
        check=f"if [ \"{said}\" = 200 ]; then echo 'this host takes the writes'; else echo ok; fi",
        script=(
            f'for _ in $(seq 60); do [ "{said}" = 200 ] || exit 0; sleep 0.5; done\n'
            "echo 'no other host has taken the writes: see fournines status' >&2\nexit 1"
        ),
    )


def _accounts(cloud: Cloud, region: str) -> Task:
    wanted = database_accounts.wanted(cloud, region)
    return Task(
        name="databases and their accounts",
        check=wanted.check,
        # systemd calls mariadbd started before the group has let it in.
        script=f"for _ in $(seq 120); do {primary_of()} < /dev/null && break; sleep 0.5; done\nmariadb",
        stdin=wanted.statements,
    )
