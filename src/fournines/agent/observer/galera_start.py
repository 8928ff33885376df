"""Run by mariadb.service before mariadbd: join or bootstrap? Asks this host's observer, which asks its peers.

Writes /run/fournines/galera.env with GALERA_NEW_CLUSTER (--wsrep-new-cluster or nothing), GALERA_RECOVER (the start
position recovered from InnoDB, or nothing) and GALERA_DONOR (whom to ask for a copy, or nothing). Waits for as long as
nobody can tell; why is in the journal.

    galera-start                   wait for the decision
    galera-start --accept-loss     marks that the next start may bootstrap without the members that are missing, and
                                   so lose what only they acknowledged; then `systemctl restart mariadb`
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .config import Galera, load
from .galera_files import Saved, View, allow_bootstrap, parse_recovered, read_grastate, read_gvwstate
from .primary import Kind, Report
from .server import SOCKET
from .views import Note, read_note

ENVIRONMENT = Path("/run/fournines/galera.env")
FORCE = Path("/var/lib/fournines/galera.accept-loss")
#: Well below `database.FRESH`, so that one lost exchange does not make the report stale.
ASK_EVERY = 0.3
#: Seconds for which the operator's consent waits for the peers all the same: one of them may be Primary.
FORCE_AFTER = 10.0
#: Seconds for InnoDB's own recovery.
RECOVER_WITHIN = 3600


def report(saved: Saved, position: tuple[str, int] | None, view: tuple[str, View] | None, note: Note) -> Report:
    """What the stopped node knows. position: recovered from InnoDB, None where nothing had to be recovered."""
    cluster, seqno = position if position is not None else (saved.cluster, saved.seqno)
    clean = position is None
    node, last_view = view if view is not None else ("", None)
    return Report(
        kind=Kind.STOPPED,
        cluster=cluster,
        seqno=seqno if cluster else -1,
        node=node,
        view=last_view,
        view_seqno=note.seqno if last_view is not None and (note.view, note.node) == (last_view.id, node) else -1,
        clean=clean,
        last=clean and saved.safe_to_bootstrap and bool(cluster),
    )


def environment(action: str, stopped: Report, donors: str) -> str:
    """donors: members, the one asked first in front; "" where nobody is known to take the writes."""
    position = f"--wsrep_start_position={stopped.cluster}:{stopped.seqno}" if stopped.cluster else ""
    new = "--wsrep-new-cluster" if action == "bootstrap" else ""
    donor = f"--wsrep_sst_donor={donors}" if donors and action == "join" else ""
    return f"GALERA_NEW_CLUSTER={new}\nGALERA_RECOVER={position}\nGALERA_DONOR={donor}\n"


def donors(members: Sequence[str], me: str, writer: str) -> str:
    """Whom a joiner asks for a copy, in this order: the one that takes the writes last, for a donor may fall behind.
    The comma at the end allows any other."""
    if writer not in members or writer == me:
        return ""
    return "".join(f"{name}," for name in reversed(members) if name not in (me, writer)) + f"{writer},"


def to_recover(saved: Saved, datadir: Path) -> bool:
    """Whether InnoDB knows more than grastate.dat: after a crash, and where that file is gone beside a database. Taken
    for a new node, such a one would be overwritten, or with all of them gone the first one, however old, be followed.

    In a file that is there without a UUID there is nothing to recover: a state transfer was cut short."""
    if not (datadir / "grastate.dat").exists():
        return (datadir / "ibdata1").exists()
    return bool(saved.cluster) and saved.seqno < 0


def recover(galera: Galera) -> tuple[str, int]:
    """Cluster UUID and seqno of the last transaction on disk. InnoDB is opened, recovered and closed (1 to 3 s)."""
    argv = ["/usr/sbin/mariadbd", "--user=mysql", f"--datadir={galera.datadir}", "--wsrep-recover"]
    # Through a pipe: what it says decides who bootstraps, so nobody else may have a hand in it.
    done = subprocess.run([*argv, "--skip-log-error"], timeout=RECOVER_WITHIN, check=False, stderr=subprocess.PIPE)
    text = done.stderr.decode(errors="replace")
    position = parse_recovered(text)
    if position is None:
        sys.exit(f"mariadbd --wsrep-recover found no position (exit {done.returncode}):\n{text[-2000:]}")
    return position


def ask(stopped: Report, force: bool) -> dict[str, str]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.settimeout(2.0)
        agent.connect(str(SOCKET))
        agent.sendall(json.dumps({"report": stopped.to_json(), "force": force}).encode() + b"\n")
        with agent.makefile() as answer:
            return json.loads(answer.readline())


def decide(stopped: Report, force: bool) -> tuple[str, str]:
    """Asks until the answer is join or bootstrap; with it who takes the writes, "" where nobody is known to."""
    began, said = time.monotonic(), ""
    while True:
        try:
            answer = ask(stopped, force and time.monotonic() - began > FORCE_AFTER)
        except (OSError, ValueError) as error:
            answer = {"action": "wait", "why": f"this host's observer does not answer: {error}"}
        if answer["why"] != said:
            said = answer["why"]
            print(f"{answer['action']}: {said}", flush=True)
        if answer["action"] in ("join", "bootstrap"):
            return answer["action"], answer.get("writer", "")
        time.sleep(ASK_EVERY)


def main() -> None:
    if sys.argv[1:] == ["--accept-loss"]:
        FORCE.touch()
        return
    config = load()
    galera = config.galera
    if galera is None:
        sys.exit("this host has no database in /etc/fournines/observer.json")
    datadir = Path(galera.datadir)
    saved = read_grastate(datadir)
    stopped = report(
        saved, recover(galera) if to_recover(saved, datadir) else None, read_gvwstate(datadir), read_note()
    )
    print(f"position {stopped.cluster or 'none'}:{stopped.seqno}", flush=True)
    action, writer = decide(stopped, FORCE.exists())
    # A Primary component that this node's memory knows nothing of exists, or is about to: the memory must not be used
    # again should mysqld die before it has a new one.
    (datadir / "gvwstate.dat").unlink(missing_ok=True)
    if action == "bootstrap":
        allow_bootstrap(datadir)
    FORCE.unlink(missing_ok=True)
    ENVIRONMENT.write_text(environment(action, stopped, donors(galera.members, config.host, writer)))


if __name__ == "__main__":
    main()
