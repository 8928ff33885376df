"""A copy of this host's MariaDB: taken while it works, and restored beside it to be asked.

    database-copy take            a copy to stdout (mbstream, gzip); the node leaves Galera's flow control meanwhile
    database-copy verify          a copy from stdin, restored into a scratch instance and asked; JSON to stdout
    database-copy load            the same; then its databases take the place of those that the running MariaDB has

Settings: /etc/fournines/database-copy.json: {"databases": [NAME, …], "filled": [tables, as DATABASE.TABLE, that are
empty in no cloud that ever worked]}. JSON of `verify` and `load`: {"rows": {DATABASE.TABLE: rows}, "position": Galera's
UUID:SEQNO, "wrong": [what speaks against the copy]}. `load` changes nothing if anything does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

SETTINGS = Path("/etc/fournines/database-copy.json")
#: Beside /var/lib/mysql, as a rule on the same file system; MariaDB's user must reach it.
SCRATCH = Path("/var/lib/mysql-fournines-scratch")
DATA, SOCKET, LOG = SCRATCH / "data", SCRATCH / "socket", SCRATCH / "log"
POSITION = ("mariadb_backup_galera_info", "xtrabackup_galera_info")
START_S = 120.0
#: Whatever serves goes first.
GENTLY = ["nice", "-n", "10", "ionice", "-c", "3"]


def ask(statement: str, *, socket: Path | None = None) -> list[list[str]]:
    """Rows of fields. Without `socket`: of the running MariaDB."""
    where = ["--no-defaults", f"--socket={socket}"] if socket else []
    done = subprocess.run(["mariadb", *where, "-N", "-B"], input=statement, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.strip() or f"mariadb: exit status {done.returncode}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def grouped() -> bool:
    """Whether this is a node of Galera's."""
    return ask("select @@global.wsrep_on") == [["1"]]


@contextlib.contextmanager
def desynced() -> Generator[None]:
    """The group does not wait for this node, however far it falls behind; it catches up afterwards. One that is in no
    group goes on as it is."""
    if not grouped():
        yield
        return
    ((_, state),) = ask("show status like 'wsrep_local_state_comment'")
    if state != "Synced":
        sys.exit(f"this node is {state}, not Synced: its copy would not be whole")
    ask("set global wsrep_desync = on")
    try:
        yield
    finally:
        ask("set global wsrep_desync = off")


def take() -> None:
    """Raises SystemExit with the last lines of what mariadb-backup said."""
    target = Path("/run/fournines/database-copy")
    log = Path("/run/fournines/database-copy.log")
    shutil.rmtree(target, ignore_errors=True)
    command = ["mariadb-backup", "--backup", "--stream=mbstream", f"--target-dir={target}"]
    command += ["--galera-info"] if grouped() else []
    with desynced(), log.open("wb") as said:
        copy = subprocess.Popen([*GENTLY, *command], stdout=subprocess.PIPE, stderr=said)
        packed = subprocess.Popen([*GENTLY, "gzip", "-1"], stdin=copy.stdout)
        if copy.stdout:
            copy.stdout.close()  # so that mariadb-backup ends when gzip does
        broken = packed.wait() | copy.wait()
    shutil.rmtree(target, ignore_errors=True)
    if broken:
        sys.exit("\n".join(log.read_text(errors="replace").splitlines()[-5:]))


def run(command: list[str]) -> None:
    """It reads our input. Raises SystemExit with the last lines of what it said."""
    done = subprocess.run([*GENTLY, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").splitlines()[-5:]
        sys.exit("\n".join([f"{command[0]}: exit status {done.returncode}", *said]))


@contextlib.contextmanager
def scratch() -> Generator[str]:
    """The copy that comes by stdin, running, without a network. Yields its position."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(mode=0o700)
    DATA.mkdir(mode=0o700)
    try:
        run(["sh", "-c", f"set -e; gzip -dc | mbstream -x -C {DATA}"])
        if not (DATA / "ibdata1").exists():
            sys.exit("this is no whole copy of a MariaDB")
        run(["mariadb-backup", "--prepare", f"--target-dir={DATA}"])
        found = [DATA / name for name in POSITION if (DATA / name).exists()]
        position = found[0].read_text().split()[0] if found else ""
        run(["chown", "-R", "mysql:mysql", str(SCRATCH)])
        with started():
            yield position
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)


@contextlib.contextmanager
def started() -> Generator[None]:
    options = [f"--datadir={DATA}", f"--socket={SOCKET}", "--skip-networking", "--innodb-buffer-pool-size=64M"]
    options += [f"--pid-file={SCRATCH}/pid", f"--log-error={LOG}", "--user=mysql", "--skip-log-bin"]
    daemon = subprocess.Popen([*GENTLY, "mariadbd", "--no-defaults", *options], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S
        while not SOCKET.exists():
            if daemon.poll() is not None or time.monotonic() > deadline:
                said = LOG.read_text(errors="replace").splitlines() if LOG.exists() else []
                sys.exit("\n".join(["the restored copy does not start", *said[-5:]]))
            time.sleep(0.2)
        yield
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()


def tables(databases: Iterable[str], socket: Path | None) -> list[str]:
    names = ", ".join(f"'{name}'" for name in databases)
    query = (
        "select table_schema, table_name from information_schema.tables"  # noqa: S608 - names of our own
        f" where table_type = 'BASE TABLE' and table_schema in ({names})"
    )
    return [f"{database}.{table}" for database, table in ask(query, socket=socket)]


def quoted(table: str) -> str:
    database, _, name = table.partition(".")
    return f"`{database}`.`{name}`"


def count(names: Iterable[str], socket: Path | None) -> dict[str, int]:
    query = "".join(f"select '{name}', count(*) from {quoted(name)};\n" for name in names)  # noqa: S608
    return {name: int(rows) for name, rows in ask(query, socket=socket)} if query else {}


def examined(settings: dict[str, Any]) -> tuple[dict[str, int], list[str]]:
    """Rows of each table of the copy, and what speaks against it."""
    names = tables(settings["databases"], SOCKET)
    present = {name.partition(".")[0] for name in names}
    wrong = [f"{name} has no tables" for name in settings["databases"] if name in settings["needed"] - present]
    checked = ask("".join(f"check table {quoted(name)} quick;\n" for name in names), socket=SOCKET) if names else []
    wrong += [f"{row[0]}: {row[3]}" for row in checked if row[2] != "note" and row[3] != "OK"]
    rows = count(names, SOCKET)
    wrong += [f"{name} is empty" for name in settings["filled"] if not rows.get(name)]
    return rows, wrong


def load(databases: list[str]) -> None:
    """As one dump: every table is made anew. Without table locks, which Galera does not replicate."""
    dump = ["mariadb-dump", "--no-defaults", f"--socket={SOCKET}", "--single-transaction", "--skip-add-locks"]
    dump += ["--skip-disable-keys", "--add-drop-database", "--routines", "--events", "--databases", *databases]
    source = subprocess.Popen(dump, stdout=subprocess.PIPE)
    target = subprocess.run(["mariadb"], stdin=source.stdout, stderr=subprocess.PIPE, text=True, check=False)
    if source.stdout:
        source.stdout.close()
    if source.wait() or target.returncode:
        sys.exit(f"the databases are loaded in part; do it again. {target.stderr.strip()}")


def restored(action: str) -> None:
    settings = json.loads(SETTINGS.read_text())
    settings["needed"] = {name.partition(".")[0] for name in settings["filled"]}
    with scratch() as position:
        rows, wrong = examined(settings)
        if action == "load" and not wrong:
            databases = sorted({name.partition(".")[0] for name in rows})
            load(databases)
            now = count(tables(databases, None), None)
            wrong = [f"{name}: {now.get(name)} rows of {rows[name]}" for name in rows if now.get(name) != rows[name]]
    print(json.dumps({"rows": rows, "position": position, "wrong": wrong}))


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    sys.exit("interrupted")


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    os.umask(0o077)
    action = sys.argv[1]
    if action == "take":
        take()
    else:
        restored(action)


if __name__ == "__main__":
    main()
