"""This host's MariaDB: what it says, and what it is told, as root by its local socket. `parse` is pure."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field

from . import gtid
from .settings import Settings

#: Milliseconds of `rpl_semi_sync_master_timeout`: without an end (a year), and next to nothing. MariaDB goes on without
#: an acknowledgement by itself when it has passed: it is never left to that, for the record must say so first.
FOR_EVER, NOT_AT_ALL = 31_536_000_000, 1
#: Seconds that a question may take on a busy host.
PATIENCE = 15.0
#: The replica's table is written by who is promoted; that of health by each host for itself.
TABLES = """create database if not exists fournines;
create table if not exists fournines.replication
    (id tinyint primary key, term int, host varchar(255), lineage char(32)) engine = InnoDB;
create table if not exists fournines.health (id tinyint primary key, seen timestamp(6)) engine = InnoDB;
"""
#: Not in the binary log: a row that waits for a replica says nothing of this host's disk.
HEALTH = "set session sql_log_bin = 0; replace into fournines.health (id, seen) values (1, now(6));"
_VARIABLES = (
    *("read_only", "gtid_binlog_pos", "gtid_slave_pos", "gtid_binlog_state", "rpl_semi_sync_slave_enabled"),
    *("rpl_semi_sync_master_enabled", "rpl_semi_sync_master_timeout"),
)
_STATUS = ("status", "clients", "wait_sessions", "yes_tx", "no_times")
_FOLLOWS = (
    *("master_host", "slave_io_running", "slave_sql_running", "gtid_io_pos", "seconds_behind_master"),
    *("last_io_errno", "last_sql_errno", "last_io_error", "last_sql_error"),
)
_SEMI = ", ".join(f"'rpl_semi_sync_master_{name}'" for name in _STATUS)
_TOLD = "select ''told'', term, host, lineage from fournines.replication"
_ASK = f"""{"".join(f"select '{name}', @@global.{name};" for name in _VARIABLES)}
select lower(variable_name), variable_value from information_schema.global_status where variable_name in ({_SEMI});
select 'follower', host from information_schema.processlist where command like 'Binlog Dump%';
set @known = (select count(*) from information_schema.tables
    where table_schema = 'fournines' and table_name = 'replication');
set @told = if(@known, '{_TOLD}', 'do 0');
execute immediate @told;
select 'follows', {", ".join(_FOLLOWS)} from information_schema.slave_status;
"""  # noqa: S608 - names of our own


class ServerError(Exception):
    """What the client said."""


@dataclass(frozen=True)
class Follower:
    """Of a server that follows another one. receives, applies: `Yes`, `No`, `Connecting`, `Preparing`."""

    of: str
    receives: str
    applies: str
    received: str
    lag: float | None
    error: str
    errno: int

    @property
    def well(self) -> bool:
        return self.receives == "Yes" and self.applies == "Yes"


@dataclass(frozen=True)
class Answer:
    """What the server says of itself. waits: see FOR_EVER. followers: addresses."""

    read_only: bool
    applied: str
    received: str
    history: str
    position: str
    acknowledges: bool
    waits: bool
    on: bool
    clients: int
    waiting: int
    acknowledged: int
    switched_off: int
    followers: frozenset[str]
    term: int = 0
    primary: str = ""
    lineage: str = ""
    follows: Follower | None = None


def parse(text: str) -> Answer:
    """Of `_ASK`. KeyError: it is not whole."""
    said: dict[str, str] = {}
    followers: set[str] = set()
    told: list[str] = ["0", "", ""]
    follows: Follower | None = None
    for line in text.splitlines():
        name, _, value = line.partition("\t")
        if name == "follower":
            followers.add(value.rpartition(":")[0])
        elif name == "told":
            told = value.split("\t")
        elif name == "follows":
            follows = _follower(value.split("\t"))
        else:
            said[name] = value
    binlog = said["gtid_binlog_pos"]
    applied = gtid.merged(binlog, said["gtid_slave_pos"])
    semi = {name: said.get(f"rpl_semi_sync_master_{name}", "0") for name in _STATUS}
    enabled = said["rpl_semi_sync_master_enabled"] == "1"
    return Answer(
        read_only=said["read_only"] == "1",
        applied=applied,
        received=gtid.merged(applied, follows.received if follows else ""),
        history=said["gtid_binlog_state"],
        position=binlog,
        acknowledges=said["rpl_semi_sync_slave_enabled"] == "1",
        waits=enabled and int(said["rpl_semi_sync_master_timeout"]) >= FOR_EVER,
        on=enabled and semi["status"] == "ON",
        clients=int(semi["clients"]),
        waiting=int(semi["wait_sessions"]),
        acknowledged=int(semi["yes_tx"]),
        switched_off=int(semi["no_times"]),
        followers=frozenset(followers),
        term=int(told[0]),
        primary=told[1],
        lineage=told[2],
        follows=follows,
    )


def _follower(values: list[str]) -> Follower:
    of = dict(zip(_FOLLOWS, values, strict=True))
    lag = of["seconds_behind_master"]
    return Follower(
        of=of["master_host"],
        receives=of["slave_io_running"],
        applies=of["slave_sql_running"],
        received=of["gtid_io_pos"],
        lag=None if lag == "NULL" else float(lag),
        error=of["last_io_error"] or of["last_sql_error"],
        errno=int(of["last_io_errno"]) or int(of["last_sql_errno"]),
    )


def ask(statements: str, *, patience: float = PATIENCE) -> str:
    """What it answers. Raises ServerError."""
    command = ["mariadb", "--batch", "--skip-column-names", "--connect-timeout=5"]
    try:
        done = subprocess.run(command, input=statements, capture_output=True, text=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired:
        raise ServerError(f"no answer within {patience:g} s") from None
    if done.returncode:
        raise ServerError(done.stderr.strip() or f"mariadb: exit status {done.returncode}")
    return done.stdout


def look() -> Answer:
    """Raises ServerError."""
    try:
        return parse(ask(_ASK))
    except (KeyError, ValueError) as error:
        raise ServerError(f"what it answers cannot be read: {error}") from None


@dataclass(frozen=True)
class Unit:
    """Of systemd. run: another one after each start."""

    active: str
    run: str = field(default="")


def unit(name: str) -> Unit:
    done = subprocess.run(
        ["systemctl", "show", "-p", "ActiveState,InvocationID", name], capture_output=True, text=True, check=False
    )
    said = {name: value for name, _, value in (line.partition("=") for line in done.stdout.splitlines())}
    active = said.get("ActiveState", "")
    return Unit(active, said.get("InvocationID", "")[:12] if active == "active" else "")


def promoted(term: int, host: str, lineage: str) -> str:
    """Who was promoted, for all copies to know."""
    row = f"{term}, {quoted(host)}, {quoted(lineage)}"
    return f"replace into fournines.replication (id, term, host, lineage) values (1, {row});\n"  # noqa: S608


def wait() -> str:
    """Commits wait for an acknowledgement from now on. Enabled anew: where nothing is written nobody acknowledges
    anything, by which MariaDB would know that somebody does."""
    return _waits(FOR_EVER)


def alone() -> str:
    """They do not, and those that wait go on; a replica that has caught up acknowledges nevertheless."""
    return _waits(NOT_AT_ALL)


def _waits(milliseconds: int) -> str:
    return (
        f"set global rpl_semi_sync_master_timeout = {milliseconds};\n"
        "set global rpl_semi_sync_master_enabled = off;\nset global rpl_semi_sync_master_enabled = on;\n"
    )


def acknowledge() -> str:
    """What is received is acknowledged from now on. Only the receiving thread begins anew: what waits in the relay log
    stays there."""
    return "stop slave io_thread;\nset global rpl_semi_sync_slave_enabled = on;\nstart slave;\n"


def follow(settings: Settings, host: str) -> str:
    """It follows `host`, and acknowledges nothing yet. What is in its relay log goes."""
    tls = f", master_ssl = 1, master_ssl_ca = {quoted(settings.ca)}, master_ssl_verify_server_cert = 1"
    return (
        "stop slave;\nset global rpl_semi_sync_slave_enabled = off;\nset global rpl_semi_sync_master_enabled = off;\n"
        # Of a former primary, with what it wrote itself.
        "set global gtid_slave_pos = @@global.gtid_current_pos;\n"
        f"change master to master_host = {quoted(settings.hosts[host])}, master_port = {settings.port}, "
        f"master_user = {quoted(settings.user)}, master_password = {quoted(settings.password)}, "
        f"master_connect_retry = 1, master_use_gtid = slave_pos{tls if settings.ca else ', master_ssl = 0'};\n"
        "start slave;\n"
    )


def drained(received: str, patience: float) -> str:
    """Receives no more, and applies all that it has received. Answers 0 when it has, -1 when that takes longer."""
    return (
        f"stop slave io_thread;\nstart slave sql_thread;\nselect master_gtid_wait({quoted(received)}, {patience:g});\n"
    )


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
