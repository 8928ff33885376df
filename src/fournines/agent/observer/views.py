"""Keeps, through a crash, what galera-start will need: the last Primary view, and where in history it begins."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pymysql.cursors import Cursor

from .galera_files import View, read_gvwstate
from .mysql import Status

PATH = Path("/var/lib/fournines/galera-view.json")


@dataclass(frozen=True)
class Note:
    """view: its id. seqno: wsrep seqno at which it begins. node: this node's gcomm UUID, Synced in that view."""

    view: str = ""
    seqno: int = -1
    node: str = ""


def read_note(path: Path = PATH) -> Note:
    try:
        return Note(**json.loads(path.read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return Note()


class ViewNotes:
    """Called by the poller each time mysqld answers. `saved`: this node's UUID and last Primary view, from disk."""

    def __init__(self, datadir: Path, path: Path = PATH) -> None:
        self._datadir = datadir
        self._path = path
        self.note = read_note(path)
        self.saved: tuple[str, View] | None = None

    def observe(self, status: Status, cursor: Cursor) -> None:
        self.saved = saved = read_gvwstate(self._datadir)
        if saved is None or not status.synced:
            return
        node, view = saved
        if (view.id, node) == (self.note.view, self.note.node):
            return
        # MariaDB's own record of the view in progress, by the same UUIDs; not yet this one: next time.
        cursor.execute("SELECT node_uuid FROM mysql.wsrep_cluster_members")
        members = frozenset(str(uuid) for (uuid,) in cursor.fetchall())
        cursor.execute("SELECT view_seqno FROM mysql.wsrep_cluster")
        row = cursor.fetchone()
        if row is None or members != view.members or read_gvwstate(self._datadir) != saved:
            return
        self.note = Note(view.id, int(row[0]), node)
        _sync(self._datadir / "gvwstate.dat")
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(vars(self.note)))
        _sync(fresh)
        fresh.replace(self._path)
        _sync(self._path.parent)


def _sync(path: Path) -> None:
    """Galera renames gvwstate.dat into place without fsync: after a power cut it could be the view before."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
