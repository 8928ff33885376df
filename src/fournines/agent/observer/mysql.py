"""What the local MariaDB says. A thread asks it five times a second, with hard timeouts: a frozen mysqld, whose socket
still accepts, costs this thread a second and the agent nothing."""

from __future__ import annotations

import logging
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pymysql
from pymysql.cursors import Cursor

from ..cgroup import Cgroup
from ..clock import now
from .config import Galera
from .writer import Health, Row

POLL = 0.2
#: The same of a node that nothing depends on just now: another one takes the writes, and no host is missing.
POLL_CALM = 0.4
#: Seconds for one answer. Longer than a stall of a busy host, short enough for `writer_patience`.
ANSWER = 0.7
#: Seconds for a command: a commit waits until Galera has removed a dead member from its view.
COMMAND = 10.0
#: Seconds that a mysqld which uses the CPU it gets may leave a question unanswered before another node takes the
#: writes: an election cuts every session, and the next node of a saturated host is as slow.
BUSY = 3.0
DONOR, JOINED, SYNCED = 2, 3, 4  # wsrep_local_state
#: Seconds that a view may take to form.
VIEW = 2.0
#: Seconds of CPU in one unanswered question that tell a busy mysqld from a frozen one.
WORKED = 0.01
_NO_TABLE = (1049, 1146)
_REFUSED = 2002, 2003
_SILENT = "timed out"  # in what PyMySQL says

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Status:
    """at: when mysqld answered last, by `clock.now()`. up False: it refuses. addresses: of its Primary component's
    members. component: while it is not Primary, the gcomm UUIDs of who it is connected with. evicted: it keeps a node
    out. busy: it has not answered the last question in time, and has used or wanted CPU meanwhile: slow, not frozen.
    pid: of the mysqld that answered last; 0: none has."""

    at: float = float("-inf")
    up: bool = False
    connected: bool = False
    primary: bool = False
    ready: bool = False
    state: int = 0
    cluster: str = ""
    seqno: int = -1
    node: str = ""
    addresses: tuple[str, ...] = ()
    component: frozenset[str] = frozenset()
    row: Row = field(default_factory=Row)
    receive_queue: int = 0
    flow_paused: float = 0.0
    evicted: bool = False
    error: str = ""
    busy: bool = False
    pid: int = 0

    @property
    def silent(self) -> bool:
        """It took the last question and has not answered: frozen or overloaded."""
        return _SILENT in self.error

    @property
    def synced(self) -> bool:
        return self.up and self.primary and self.ready and self.state == SYNCED


def health(status: Status, at: float, patience: float) -> Health:
    """`patience`: seconds without an answer after which a mysqld that uses no CPU is slow; a busy one has `BUSY`."""
    if not (status.up and status.primary and status.ready and status.state in (SYNCED, DONOR)):
        return Health.BAD
    if at - status.at > (max(patience, BUSY) if status.busy else patience):
        return Health.SLOW
    return Health.DONOR if status.state == DONOR else Health.GOOD


def connect(galera: Galera, timeout: float) -> pymysql.Connection[Cursor]:
    return pymysql.connect(
        unix_socket=galera.socket,
        user=galera.user,
        password=galera.password,
        connect_timeout=timeout,  # type: ignore[arg-type]  # seconds; PyMySQL takes fractions
        read_timeout=timeout,
        write_timeout=timeout,
        autocommit=True,
        ssl_disabled=True,  # a local socket; preparing TLS costs 15 ms of CPU a connection
        init_command="SET SESSION wsrep_sync_wait = 0, wsrep_dirty_reads = ON, lock_wait_timeout = 5",
    )


class Poller(threading.Thread):
    """`status` is replaced as a whole, so that any thread may read it."""

    def __init__(self, galera: Galera, observe: Callable[[Status, Cursor], None]) -> None:
        super().__init__(name="mysql-poll", daemon=True)
        self._galera = galera
        self._observe = observe
        self._connection: pymysql.Connection[Cursor] | None = None
        self._cgroup = Cgroup(galera.unit)
        self.status = Status()
        self.calm = False

    def run(self) -> None:
        while True:
            began = now()
            every = POLL_CALM if self.calm else POLL
            try:
                self._once()
            except Exception as error:  # an odd answer ends this look, not the thread
                self._drop()
                self.status = replace(self.status, error=f"{type(error).__name__}: {error}")
            time.sleep(max(every - (now() - began), POLL / 4))

    def _once(self) -> None:
        used = self._cgroup.cpu()
        try:
            if self._connection is None:
                self._connection = connect(self._galera, ANSWER)
            with self._connection.cursor() as cursor:
                status = replace(_ask(cursor, self.status.row), pid=_pid(self._connection))
                self.status = status
                self._observe(status, cursor)
        except (pymysql.Error, OSError) as error:
            self._drop()
            if _SILENT in str(error):  # what it said last stands, and ages
                self.status = replace(
                    self.status, error=str(error), busy=self._cgroup.wants_cpu() or self._worked(used)
                )
            elif not error.args or error.args[0] in _REFUSED or self.status.error:
                self.status = Status(error=str(error))
            else:  # the server went away under an open connection: refused or not, the next attempt tells
                self.status = replace(self.status, error=str(error))

    def _worked(self, before: float | None) -> bool:
        after = self._cgroup.cpu()
        return before is not None and after is not None and after - before > WORKED

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection._force_close()  # type: ignore[attr-defined]  # a polite close writes to a peer that may be frozen


def _pid(connection: pymysql.Connection[Cursor]) -> int:
    """Of the process that listens at the other end: SO_PEERCRED, unix(7)."""
    sock = cast(socket.socket, connection._sock)  # type: ignore[attr-defined]
    pid, _user, _group = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


_WANTED = (
    "wsrep_connected",
    "wsrep_ready",
    "wsrep_cluster_status",
    "wsrep_local_state",
    "wsrep_local_state_uuid",
    "wsrep_last_committed",
    "wsrep_gcomm_uuid",
    "wsrep_incoming_addresses",
    "wsrep_local_recv_queue",
    "wsrep_flow_control_paused",
    "wsrep_evs_evict_list",
)
_STATUS = f"SHOW GLOBAL STATUS WHERE Variable_name IN ({', '.join(repr(name) for name in _WANTED)})"


def _ask(cursor: Cursor, last_row: Row) -> Status:
    cursor.execute(_STATUS)
    said: dict[str, str] = dict(cursor.fetchall())  # type: ignore[arg-type]
    primary = said.get("wsrep_cluster_status") == "Primary"
    return Status(
        at=now(),
        up=True,
        connected=said.get("wsrep_connected") == "ON",
        primary=primary,
        ready=said.get("wsrep_ready") == "ON",
        state=int(said.get("wsrep_local_state", 0)),
        cluster=said.get("wsrep_local_state_uuid", ""),
        seqno=int(said.get("wsrep_last_committed", -1)),
        node=said.get("wsrep_gcomm_uuid", ""),
        addresses=tuple(a.rpartition(":")[0] for a in said.get("wsrep_incoming_addresses", "").split(",") if a),
        component=frozenset() if primary else _component(cursor),
        row=_row(cursor, last_row),
        receive_queue=int(said.get("wsrep_local_recv_queue", 0)),
        flow_paused=float(said.get("wsrep_flow_control_paused", 0)),
        evicted=bool(said.get("wsrep_evs_evict_list")),
    )


def _component(cursor: Cursor) -> frozenset[str]:
    """By the plugin wsrep_info: without a Primary component the status variables name no other member."""
    try:
        cursor.execute("SELECT uuid FROM information_schema.wsrep_membership")
    except pymysql.Error:
        return frozenset()
    return frozenset(str(uuid) for (uuid,) in cursor.fetchall())


def _row(cursor: Cursor, last: Row) -> Row:
    try:
        cursor.execute("SELECT host, epoch FROM fournines.writer WHERE id = 1")
    except pymysql.Error as error:
        return Row() if error.args and error.args[0] in _NO_TABLE else last
    found: Any = cursor.fetchone()
    return Row(found[0], int(found[1])) if found else Row()


Command = Callable[[Cursor], None]


class Commander(threading.Thread):
    """Runs commands one after another, each on a connection of its own. Of those that wait, `most` are kept."""

    def __init__(self, galera: Galera, most: int = 1) -> None:
        super().__init__(name="mysql-command", daemon=True)
        self._galera = galera
        self._most = most
        self._waiting: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._running = False

    @property
    def busy(self) -> bool:
        return self._running or not self._waiting.empty()

    def submit(self, command: Command) -> bool:
        """False: it has enough to do, and the command is dropped."""
        if self._waiting.qsize() + self._running >= self._most:
            return False
        self._waiting.put(command)
        return True

    def run(self) -> None:
        while True:
            command = self._waiting.get()
            self._running = True
            try:
                connection = connect(self._galera, COMMAND)
                try:
                    with connection.cursor() as cursor:
                        command(cursor)
                finally:
                    connection._force_close()  # type: ignore[attr-defined]
            except Exception as error:  # whoever asked will ask again; the thread serves the next one
                log.warning("%s: %s", command.__name__, error or type(error).__name__)
                time.sleep(POLL)
            finally:
                self._running = False


def record_writer(host: str, epoch: int) -> Command:
    """Compare and set: takes effect only if the recorded epoch is still the one before."""

    def record_writer(cursor: Cursor) -> None:
        try:
            changed = _compare_and_set(cursor, host, epoch)
        except pymysql.ProgrammingError as error:
            if error.args[0] not in _NO_TABLE:
                raise
            cursor.execute("CREATE DATABASE IF NOT EXISTS fournines")
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS fournines.writer (id tinyint NOT NULL PRIMARY KEY,"
                " host varchar(255) NOT NULL, epoch bigint NOT NULL) ENGINE = InnoDB"
            )
            changed = _compare_and_set(cursor, host, epoch)
        log.info("writer: recorded %s at epoch %d: %s", host, epoch, "done" if changed else "another was faster")

    return record_writer


def _compare_and_set(cursor: Cursor, host: str, epoch: int) -> int:
    changed = cursor.execute(
        "UPDATE fournines.writer SET host = %s, epoch = %s WHERE id = 1 AND epoch = %s", (host, epoch, epoch - 1)
    )
    if not changed and epoch == 1:
        changed = cursor.execute("INSERT IGNORE INTO fournines.writer (id, host, epoch) VALUES (1, %s, 1)", (host,))
    return changed


def make_primary(cursor: Cursor) -> None:
    """`SET GLOBAL wsrep_provider_options` is read-only in 11.8, where each option is a variable of its own. Galera
    ignores it in a component that is Primary already."""
    log.warning("makes its component Primary")
    cursor.execute("SET GLOBAL wsrep_provider_pc_bootstrap = ON")


def evict(node: str, address: str) -> Command:
    """Forms a view without `node`, a gcomm UUID, now instead of after `evs.suspect_timeout`. Once that view is there
    the eviction is lifted: a node that was only cut off comes back as it is, where an evicted one must be restarted."""

    def evict(cursor: Cursor) -> None:
        log.warning("Galera: goes on without %s", address)
        cursor.execute("SET GLOBAL wsrep_provider_evs_evict = %s", (node,))
        until = now() + VIEW
        while now() < until:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'wsrep_incoming_addresses'")
            row: Any = cursor.fetchone()
            if row and address not in [a.rpartition(":")[0] for a in row[1].split(",")]:
                break
            time.sleep(VIEW / 100)
        pardon(cursor)

    return evict


def pardon(cursor: Cursor) -> None:
    """An evicted node is kept out for good, until it restarts. One that was only cut off may come back as it is."""
    cursor.execute("SET GLOBAL wsrep_provider_evs_evict = ''")
