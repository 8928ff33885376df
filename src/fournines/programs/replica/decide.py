"""Who may be promoted, when rows may be acknowledged without a replica, who may follow. Pure.

The rule: **each row that a client was told is written is on the primary, and on one of `Record.sync` while
`Record.complete` says so.** So

- `complete` is taken back in the record before the primary stops waiting for acknowledgements, never after it;
- it is given only when a member of `sync` has all of the primary's binary log and every commit since waits for one;
- whoever acknowledges is in `sync` before it begins to. A server is in it as one process: one that was started again
  has lost what waited in its relay log;
- the last primary has everything. A replica may be promoted if the record is complete, every member of `sync` can be
  asked, and none of them has received more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from . import gtid
from .record import Record, Seen

#: Promotion scores: of who was promoted last, and of a replica that has all.
LAST, REPLICA = 1000, 100


@dataclass(frozen=True)
class Semi:
    """The primary's semi-synchronous replication. waits: commits wait for an acknowledgement without an end. on: they
    do now. clients: replicas that acknowledge. waiting: commits that wait. acknowledged, switched_off: how often since
    the server's start. followers: the cloud's hosts that read its binary log. position: the end of that."""

    waits: bool
    on: bool
    clients: int
    waiting: int
    acknowledged: int
    switched_off: int
    followers: frozenset[str]
    position: str


@dataclass(frozen=True)
class Memory:
    """What the primary keeps between two looks. armed: the end of the binary log when every commit had begun to wait,
    "" before; off: `Semi.switched_off` then. stalled: since when nobody acknowledges. partial: since when the record
    is not complete."""

    armed: str = ""
    off: int = -1
    acknowledged: int = 0
    stalled: float | None = None
    partial: float | None = None


@dataclass(frozen=True)
class Step:
    """record: to be written before anything else is done, if it is another one. mode: then, `wait` for
    acknowledgements, go on `alone`, or neither."""

    record: Record
    mode: Literal["", "wait", "alone"] = ""
    memory: Memory = field(default_factory=Memory)


def known(record: Record | None, seen: Mapping[str, Seen]) -> Record | None:
    """The record, or what hosts of the same database know of a later promotion: then the record is an old one, of a
    configuration that was restored."""
    latest = max((s for s in seen.values() if s.lineage), key=lambda s: s.term, default=None)
    if record and latest and latest.lineage == record.lineage and latest.term > record.term:
        return Record(latest.term, latest.primary, latest.lineage)
    return record


def barred(me: str, record: Record | None, seen: Mapping[str, Seen], hosts: Sequence[str]) -> str:
    """Why `me` must not be promoted; "" if it may. seen: what each host that can be asked says, this one included.
    hosts: all that may have the database, in the cloud file's order."""
    return next(_against(me, known(record, seen), seen, hosts), "")


def _against(me: str, record: Record | None, seen: Mapping[str, Seen], hosts: Sequence[str]) -> Iterator[str]:
    own = seen.get(me)
    if own is None or not own.run:
        yield "its server does not run"
    elif record is None:
        yield from _unfounded(me, seen, hosts)
    elif own.lineage != record.lineage:
        yield "its data are those of another database" if own.lineage else "it has no copy of the database"
    elif record.primary != me:
        yield from _behind(own, record, seen)


def _behind(own: Seen, record: Record, seen: Mapping[str, Seen]) -> Iterator[str]:
    """Of a replica."""
    if not record.complete:
        yield f"{record.primary} has acknowledged rows that no replica may have"
    elif record.sync.get(own.host) != own.run:
        yield f"it was not known to have what {record.primary} acknowledged"
    for host, run in record.sync.items():
        other = seen.get(host)
        if other is None or other.run != run:
            yield f"{host} may have rows that it lacks, and cannot be asked"
        elif gtid.lacks(own.received, other.received):
            yield f"{host} has got further"


def _unfounded(me: str, seen: Mapping[str, Seen], hosts: Sequence[str]) -> Iterator[str]:
    """Before the first promotion; or the cluster's configuration was made anew."""
    if missing := [host for host in hosts if host not in seen]:
        yield f"the database has no primary yet, and {', '.join(missing)} cannot be asked"
    if len({s.lineage for s in seen.values() if s.lineage}) > 1:
        yield "the hosts have different databases"
    latest = max(seen.values(), key=lambda s: s.term)
    first = latest.primary if latest.term else hosts[0]
    if me != first:
        yield f"{first} is the first"


def score(me: str, record: Record | None, seen: Mapping[str, Seen], hosts: Sequence[str]) -> int:
    """0: it must not be promoted."""
    if barred(me, record, seen, hosts):
        return 0
    record = known(record, seen)
    return LAST if record is None or record.primary == me else REPLICA


def apart(mine: Seen, primary: Seen) -> str:
    """Why this host's data cannot follow the primary's; "" if they can."""
    if not mine.lineage:
        return "it has no copy of the database"
    if mine.lineage != primary.lineage:
        return "its data are those of another database"
    if own := gtid.strangers(mine.applied, primary.history):
        return f"it has transactions that {primary.host} does not have: {own}"
    return ""


def lead(
    me: str,
    record: Record,
    seen: Mapping[str, Seen],
    semi: Semi,
    memory: Memory,
    *,
    now: float,
    patience: float,
    quorate: bool,
    stopped: frozenset[str] = frozenset(),
) -> Step:
    """What the primary does next.

    now, patience: seconds; patience 0: it never goes on alone while a replica's fate is unknown. quorate: this part of
    the cluster has the majority. stopped: hosts whose server the cluster has stopped, or which it has fenced.
    """
    sync = _sync(me, record, seen, stopped)
    ended = any(sync.get(host) != run for host, run in record.sync.items())
    complete = record.complete and not ended and semi.on and semi.waits
    stalled = semi.waits and (not semi.clients or (semi.waiting > 0 and semi.acknowledged == memory.acknowledged))
    since = (now if memory.stalled is None else memory.stalled) if stalled else None
    memory = replace(memory, acknowledged=semi.acknowledged, stalled=since)
    if ended or not (semi.waits and semi.on):
        memory = replace(memory, armed="")
    mode: Literal["", "wait", "alone"] = ""
    if not sync:
        # All who might have acknowledged have ended: nobody is promoted who lacks a row.
        complete, mode = False, "alone" if semi.waits else ""
    elif since is not None:
        waited = now - since
        if complete and patience and waited >= patience / 2 and quorate:
            complete = False
        partial = now - memory.partial if memory.partial is not None else 0.0
        # Half of it after the record was taken back: a part of the cluster that had been cut off from the majority when
        # it wrote that knows so by now.
        if not record.complete and patience and quorate and waited >= patience and partial >= patience / 2:
            mode = "alone"
    elif not complete:
        if not semi.waits:
            # One that acknowledges, or that has everything: else commits would wait for one that hangs.
            mode = "wait" if semi.clients and (semi.on or _has(semi.position, sync, seen)) else ""
        elif semi.on and (not memory.armed or memory.off != semi.switched_off):
            memory = replace(memory, armed=semi.position, off=semi.switched_off)
        elif semi.on and _all_known(sync, semi):
            complete = _has(memory.armed, sync, seen)
    partial_since = None if complete else now if memory.partial is None or record.complete else memory.partial
    return Step(replace(record, sync=sync, complete=complete), mode, replace(memory, partial=partial_since))


def _sync(me: str, record: Record, seen: Mapping[str, Seen], stopped: frozenset[str]) -> dict[str, str]:
    """All that may acknowledge: those that are there; and of those that cannot be asked the process that could, until
    the cluster has stopped or fenced it."""
    unseen = {host: run for host, run in record.sync.items() if host not in seen and host not in stopped}
    there = {s.host: s.run for s in seen.values() if s.state == "replica" and s.run}
    return {host: run for host, run in {**unseen, **there}.items() if host != me and host not in stopped}


def _has(position: str, sync: Mapping[str, str], seen: Mapping[str, Seen]) -> bool:
    """Whether one of `sync` has all up to `position`."""
    return any(not gtid.lacks(seen[host].received, position) for host in sync if host in seen)


def _all_known(sync: Mapping[str, str], semi: Semi) -> bool:
    """Nobody acknowledges who is not in `sync`."""
    return semi.followers <= sync.keys() and 0 < semi.clients <= len(semi.followers)
