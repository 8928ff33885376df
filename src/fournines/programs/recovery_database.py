"""Runs on a host: what `fournines recover` does to its MariaDB. Each may be repeated.

primary STAMP    its component becomes the Primary one, by the word of a person who knows that no other can exist
aside STAMP      its data directory goes to /var/lib/mysql.kept-STAMP, so that it takes a copy from the others
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

UNIT = "mariadb.service"
DATA = Path("/var/lib/mysql")
COPIES = Path("/var/lib/fournines/recovered")
#: What Galera and the agent remember of the last Primary view: a new one replaces it.
STATE = (DATA / "grastate.dat", DATA / "gvwstate.dat", Path("/var/lib/fournines/galera-view.json"))
GALERA_START = "/usr/lib/fournines/agent/galera-start"
#: Seconds for a component to become Primary once it was told to, and for a node that is stopped to start first.
FORMS, STARTS = 20.0, 150.0


def main(words: list[str]) -> None:
    match words:
        case ["primary", stamp]:
            primary(stamp)
        case ["aside", stamp]:
            aside(stamp)
        case _:
            sys.exit(__doc__)


def status() -> str:
    """`Primary`, `non-Primary`, …; "" where mysqld does not answer."""
    ask = "show global status like 'wsrep_cluster_status'"
    words = ["mariadb", "--connect-timeout=5", "-N", "-B", "-e", ask]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=15, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.split()[1] if done.returncode == 0 and len(done.stdout.split()) > 1 else ""


def primary(stamp: str) -> None:
    """Of a node that runs: from where it stands, with all that it holds. Of one that is stopped: by galera-start, which
    still waits ten seconds for peers that know of a Primary component."""
    now = status()
    if now == "Primary":
        return
    keep(stamp)
    if now:
        command("mariadb", "-e", "set global wsrep_provider_pc_bootstrap = on")
        if formed(FORMS):
            return
        sys.exit(f"its component does not become Primary: it is {status() or 'silent'}; journalctl -u mariadb -n 50")
    command(GALERA_START, "--accept-loss")
    command("systemctl", "reset-failed", UNIT)
    command("systemctl", "restart", "--no-block", UNIT)
    if not formed(STARTS):
        sys.exit("MariaDB does not start as a Primary component: journalctl -u mariadb -n 50 says why")


def formed(within: float) -> bool:
    deadline = time.monotonic() + within
    while status() != "Primary":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def keep(stamp: str) -> None:
    target = COPIES / stamp
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in STATE:
        if path.exists() and not (target / path.name).exists():
            shutil.copy2(path, target / path.name)


def aside(stamp: str) -> None:
    """What is moved stays as it is. A directory that is empty by now was moved before."""
    command("systemctl", "stop", UNIT)
    target = DATA.with_name(f"{DATA.name}.kept-{stamp}")
    if not target.exists() and DATA.exists() and any(DATA.iterdir()):
        if os.path.ismount(DATA):
            sys.exit(f"{DATA} is a file system of its own: copy it elsewhere, empty it, then the same command again")
        DATA.rename(target)
    DATA.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(DATA, "mysql", "mysql")


def command(*words: str) -> None:
    """Raises SystemExit with what it said."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {(done.stderr or done.stdout).strip() or f'exit status {done.returncode}'}")


if __name__ == "__main__":
    main(sys.argv[1:])
