"""What the cluster knows of the database, and what each host says of its own server. Pure.

Both are short texts, `key=value;key=value`, for they are values of Pacemaker's attributes.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Record:
    """Of all hosts, kept in the cluster's configuration, written by the primary alone.

    term: counts promotions. primary: who was promoted last. lineage: of the database, made with it. sync: host -> run
    of every server that may have been the one that acknowledged a row in this term. complete: each row that a client
    was told is written, is on one of them at least.
    """

    term: int
    primary: str
    lineage: str
    sync: dict[str, str] = field(default_factory=dict[str, str])
    complete: bool = False

    @property
    def text(self) -> str:
        sync = ",".join(f"{host}/{run}" for host, run in sorted(self.sync.items()))
        return _joined(term=self.term, primary=self.primary, lineage=self.lineage, sync=sync, complete=self.complete)


@dataclass(frozen=True)
class Seen:
    """Of one host. run: of its server's process, another one after each start; "" while none runs. state: `primary`,
    `replica`, `idle` (it follows nobody), `building`. applied, received: positions, the second with what waits in its
    relay log. history: its binary log's state. lineage, term, primary: the last promotion that its own data know of."""

    host: str
    run: str = ""
    state: str = "idle"
    applied: str = ""
    received: str = ""
    history: str = ""
    lineage: str = ""
    term: int = 0
    primary: str = ""

    @property
    def text(self) -> str:
        return _joined(**{name: value for name, value in vars(self).items() if name != "host"})


def record(text: str) -> Record | None:
    """None for what is none."""
    said = _parts(text)
    try:
        entries = (entry.partition("/") for entry in said["sync"].split(",") if entry)
        sync = {host: run for host, _, run in entries}
        return Record(int(said["term"]), said["primary"], said["lineage"], sync, said["complete"] == "yes")
    except (KeyError, ValueError):
        return None


def seen(host: str, text: str) -> Seen | None:
    """None for what is none."""
    said = _parts(text)
    try:
        return Seen(host, **{**said, "term": int(said["term"])})  # pyright: ignore[reportArgumentType]
    except (KeyError, TypeError, ValueError):
        return None


def _joined(**values: object) -> str:
    words = {True: "yes", False: "no"}
    return ";".join(f"{k}={words[v] if isinstance(v, bool) else v}" for k, v in values.items())


def _parts(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";") if part)
    return {name: value for name, _, value in pairs}
