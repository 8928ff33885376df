"""A host's database becomes a copy of the primary's: received, prepared, and put in its place; the old data are kept.

The primary sends (`mariadb-backup`, by TLS between members) once it sees that this host waits. Until the copy is whole
and prepared the old data stay where they are.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from . import crm, server
from .record import Seen
from .settings import Settings

#: Beside the data directory, as a rule on the same file system; MariaDB's user must reach the copy.
COPY, ASIDE = Path("/var/lib/mysql-fournines-copy"), Path("/var/lib/mysql-fournines-aside")
#: Sets of old data that are kept, the latest ones.
KEPT = 3
#: Seconds: between two words that this host waits, for a start, and without a byte of the copy.
AGAIN, START, SILENCE = 2.0, 600.0, 60
#: From 11.1 on, and before.
POSITIONS = ("mariadb_backup_binlog_info", "xtrabackup_binlog_info")
GENTLY = ("nice", "-n", "10", "ionice", "-c", "3")
BUILD, SEND = "fournines-database-build", "fournines-database-send"


def begin(name: str, *words: str) -> None:
    """A transient unit, which outlives the action of the agent that began it. One at a time."""
    subprocess.run(["systemctl", "reset-failed", f"{name}.service"], capture_output=True, check=False)
    command = ["systemd-run", "--quiet", "--collect", f"--unit={name}", "--setenv=PYTHONPATH=/usr/lib/fournines"]
    subprocess.run([*command, "/usr/bin/python3", "-m", "replica", *words], capture_output=True, check=False)


def runs(name: str) -> bool:
    return server.unit(f"{name}.service").active in ("active", "activating", "deactivating")


def end() -> None:
    for name in (BUILD, f"{SEND}-*"):
        subprocess.run(["systemctl", "stop", f"{name}.service"], capture_output=True, check=False)


def build(settings: Settings) -> None:
    """Raises SystemExit with why not."""
    with contextlib.suppress(server.ServerError):
        # It acknowledges nothing any more: from the next word on it counts as a server that has ended.
        server.ask("stop slave;\nset global rpl_semi_sync_slave_enabled = off;\n")
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(mode=0o700)
    try:
        receive(settings)
        if not (COPY / "ibdata1").exists():
            sys.exit("what came is no whole copy of a database")
        run(*GENTLY, "mariadb-backup", "--prepare", f"--target-dir={COPY}")
        position = copied(COPY)
        run("chown", "-R", "mysql:mysql", str(COPY))
        run("systemctl", "stop", settings.unit)
        exchange(Path(settings.datadir))
    finally:
        shutil.rmtree(COPY, ignore_errors=True)
    run("systemctl", "start", settings.unit, timeout=START)
    # So that whoever follows this server later finds where its binary log begins.
    server.ask(
        f"reset master;\nset global gtid_binlog_state = {server.quoted(position)};\n"
        f"set global gtid_slave_pos = {server.quoted(position)};\n"
    )


def receive(settings: Settings) -> None:
    """The primary is asked until it has begun."""
    copy, here = settings.copy, settings.hosts[settings.host]
    heard = f"{copy.port},bind={here},reuseaddr"
    if copy.certificate:
        source = f"openssl-listen:{heard},cert={copy.certificate},cafile={copy.authority},verify=1"
    else:
        source = f"tcp-listen:{heard}"
    commands = [
        ["socat", "-u", "-T", str(SILENCE), source, "stdio"],
        ["gzip", "-dc"],
        ["mbstream", "-x", "-C", str(COPY)],
    ]
    chain: list[subprocess.Popen[bytes]] = []
    for command in commands:
        before = chain[-1].stdout if chain else None
        last = command[0] == "mbstream"
        chain.append(subprocess.Popen([*GENTLY, *command], stdin=before, stdout=None if last else subprocess.PIPE))
        if before:
            before.close()
    word = Seen(settings.host, state="building")
    while chain[0].poll() is None:
        crm.tell(word)
        time.sleep(AGAIN)
    if any(process.wait() for process in chain):
        sys.exit("the copy broke off")


def send(settings: Settings, host: str) -> None:
    """Raises SystemExit with the last lines of what mariadb-backup said."""
    copy, there = settings.copy, f"{settings.hosts[host]}:{settings.copy.port}"
    if copy.certificate:
        verified = f"cert={copy.certificate},cafile={copy.authority},verify=1,commonname={host}"
        target = f"openssl-connect:{there},{verified}"
    else:
        target = f"tcp-connect:{there}"
    folder, log = Path(f"/run/fournines/send-{host}"), Path(f"/run/fournines/send-{host}.log")
    shutil.rmtree(folder, ignore_errors=True)
    backup = ["mariadb-backup", "--backup", "--stream=mbstream", f"--target-dir={folder}"]
    with log.open("wb") as said:
        source = subprocess.Popen([*GENTLY, *backup], stdout=subprocess.PIPE, stderr=said)
        packed = subprocess.Popen([*GENTLY, "gzip", "-1"], stdin=source.stdout, stdout=subprocess.PIPE)
        sent = subprocess.Popen([*GENTLY, "socat", "-u", "stdio", target], stdin=packed.stdout)
        for process in (source, packed):
            if process.stdout:
                process.stdout.close()
        broken = sent.wait() | packed.wait() | source.wait()
    shutil.rmtree(folder, ignore_errors=True)
    if broken:
        sys.exit("\n".join(log.read_text(errors="replace").splitlines()[-5:]))


def copied(folder: Path) -> str:
    """The GTIDs up to which a copy has everything: the last word of its file, "" for an empty history."""
    found = next((folder / name for name in POSITIONS if (folder / name).exists()), None)
    if found is None:
        sys.exit("the copy does not say up to where it goes")
    words = found.read_text().split()
    return words[2] if len(words) > 2 else ""


def exchange(data: Path) -> None:
    """The copy takes the place of what is in `data`, which may be a mount point. Data of the cloud's go to ASIDE; those
    that the package made are worth nothing."""
    old = list(data.iterdir())
    if (data / "fournines").is_dir():
        ASIDE.mkdir(mode=0o700, exist_ok=True)
        place = ASIDE / time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
        place.mkdir(mode=0o700)
        for entry in old:
            shutil.move(entry, place / entry.name)
        for former in sorted(ASIDE.iterdir())[:-KEPT]:
            shutil.rmtree(former, ignore_errors=True)
    else:
        for entry in old:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    for entry in COPY.iterdir():
        shutil.move(entry, data / entry.name)
    os.sync()


def run(*argv: str, timeout: float | None = None) -> None:
    """Raises SystemExit with the last lines of what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout)
    if done.returncode:
        said = (done.stderr or done.stdout).splitlines()[-5:]
        sys.exit("\n".join([f"{argv[0]}: exit status {done.returncode}", *said]))
