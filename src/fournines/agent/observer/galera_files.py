"""What Galera leaves on disk: grastate.dat (position), gvwstate.dat (last Primary view). Parsing is pure.

Formats: galera/src/saved_state.cpp and gcomm/src/view.cpp of Galera 26.4. gvwstate.dat is written when a Primary view
is installed (pc.recovery, the default) and removed by a clean shutdown, so after a crash it names the members of the
last Primary view that this node took part in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

NO_UUID = "00000000-0000-0000-0000-000000000000"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Saved:
    """`cluster` "": no state at all. `seqno` -1: not known, the node did not stop cleanly."""

    cluster: str
    seqno: int
    safe_to_bootstrap: bool


@dataclass(frozen=True)
class View:
    """A Primary view: its identifier, and its members' gcomm UUIDs (a new one each time mysqld starts)."""

    id: str
    members: frozenset[str]


def parse_grastate(text: str) -> Saved:
    values = dict(re.findall(r"^(\w+):\s*(\S+)\s*$", text, re.MULTILINE))
    cluster = values.get("uuid", NO_UUID)
    return Saved(
        cluster="" if cluster == NO_UUID else cluster,
        seqno=int(values.get("seqno", -1)),
        safe_to_bootstrap=values.get("safe_to_bootstrap") == "1",
    )


def parse_gvwstate(text: str) -> tuple[str, View] | None:
    """This node's own gcomm UUID and the view. None: the file is cut short (power was lost while it was written)."""
    mine = re.search(rf"^my_uuid:\s*({_UUID})$", text, re.MULTILINE)
    view = re.search(rf"^view_id:\s*\d+\s+({_UUID})\s+(\d+)$", text, re.MULTILINE)
    members = re.findall(rf"^member:\s*({_UUID})\s", text, re.MULTILINE)
    if not (mine and view and members and "#vwend" in text):
        return None
    return mine[1], View(f"{view[1]}:{view[2]}", frozenset(members))


def parse_recovered(log: str) -> tuple[str, int] | None:
    """Cluster UUID and seqno from what `mariadbd --wsrep-recover` logs; None where it logged none."""
    found = re.findall(rf"WSREP: Recovered position:\s*({_UUID}):(-?\d+)", log)
    if not found:
        return None
    cluster, seqno = found[-1]
    return ("" if cluster == NO_UUID else cluster), int(seqno)


def read_grastate(datadir: Path) -> Saved:
    try:
        return parse_grastate((datadir / "grastate.dat").read_text())
    except FileNotFoundError:
        return Saved("", -1, False)


def read_gvwstate(datadir: Path) -> tuple[str, View] | None:
    try:
        return parse_gvwstate((datadir / "gvwstate.dat").read_text())
    except FileNotFoundError:
        return None


def allow_bootstrap(datadir: Path) -> None:
    """Galera refuses --wsrep-new-cluster unless grastate.dat calls it safe; `primary` has decided that it is."""
    path = datadir / "grastate.dat"
    if path.exists():
        text = re.sub(r"^safe_to_bootstrap:.*$", "safe_to_bootstrap: 1", path.read_text(), flags=re.MULTILINE)
        path.write_text(text)
