"""The observer's view of Galera: its own node, its peers' nodes as they report them, and the two decisions on them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..clock import now
from . import primary, system, writer
from .config import Config, Galera
from .galera_files import read_gvwstate
from .mysql import (
    COMMAND,
    DONOR,
    JOINED,
    SYNCED,
    Commander,
    Poller,
    Status,
    evict,
    health,
    make_primary,
    pardon,
    record_writer,
)
from .peers import Peers
from .primary import Action, Ballot, Choice, Kind, Report
from .views import ViewNotes
from .writer import Decision, Health, Node, Seen

log = logging.getLogger(__name__)

#: Seconds for which one report of galera-start, or one answer of mysqld, describes the node.
FRESH = 1.0
#: Seconds that a node which was let start has to become Synced. It may have to copy the whole database.
STARTING = 600.0
#: Seconds before an unfinished or lost compare-and-set is tried again.
CLAIM_AGAIN = 1.0
#: Seconds for which mysqld may run without its Galera provider connected: starting and stopping take less.
DISCONNECTED = 5.0
#: Seconds for which it may wait for a Primary component while nobody is Primary.
STRANDED = 2.0
#: Seconds after which a node that was evicted may come back. Its eviction has long formed the view by then.
PARDON = 3.0
#: Seconds for which a host must have been departed before its node is evicted: a cut that is shorter than that, and so
#: far shorter than Galera's own suspicion, leaves the database as it was.
EVICT_AFTER = 0.4
#: Seconds for which the others are told that this host's mysqld has ended: Galera suspects it by itself after that, and
#: the next one may have joined. And seconds for which what a peer says of it is taken for true.
ENDED_FOR = 1.0
ENDED_LASTS = 0.5
#: Seconds after which the guard's word no longer says what this host may do.
GUARD_LASTS = 0.3


class Lasting:
    """Whether something has held for `seconds` without a break; true once, then it begins again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None

    def holds(self, at: float, now: bool) -> bool:
        self._since = (at if self._since is None else self._since) if now else None
        if self._since is None or at - self._since <= self._seconds:
            return False
        self._since = None
        return True


class Database:
    def __init__(self, config: Config, galera: Galera, peers: Peers) -> None:
        self._config = config
        self._galera = galera
        self._peers = peers
        self._names = {p.address: p.name for p in config.peers}
        self._notes = ViewNotes(Path(galera.datadir))
        self._poller = Poller(galera, self._notes.observe)
        self._commander = Commander(galera)
        # Of its own: a commit that waits for the dead would keep it waiting. Several hosts may depart at once.
        self._evictor = Commander(galera, most=len(galera.members))
        self._evicting: float | None = None
        self._departed: dict[str, float] = {}  # since when, of those that are not evicted yet
        self._ran = ("", 0)  # this host's node and its process, as they were last seen together
        self._gone: float | None = None  # since when there is no such process, nor an answer of the next one
        self._left: dict[str, str] = {}  # by peer, its last node of those that ended which nothing is left to do about
        self._deposed = False
        self.starting = False
        self.drained = False
        self._ballot = Ballot()
        self._claim = 0
        self._waiting: tuple[float, Report] | None = None
        self._released: tuple[float, Kind] | None = None
        self._claimed = (0, float("-inf"))
        self.choice: Choice = Choice("", frozenset(), "")
        self.decision: Decision = Decision("", False, 0, "no answer from mysqld yet")

    def answers(self) -> bool:
        """mysqld answers, if only to refuse."""
        return not self.status.silent

    def start(self) -> None:
        self._poller.start()
        self._commander.start()
        self._evictor.start()

    @property
    def status(self) -> Status:
        return self._poller.status

    # What peers are told, and what they say

    def body(self, at: float) -> dict[str, Any]:
        """This node's part of the heartbeat."""
        nodes = self._nodes(at)
        mine = nodes[self._config.host]
        return {
            "writer": replace(mine, sees=writer.able(nodes), deaf=self._deaf(self._seen(at))).to_json(),
            "galera": replace(self.report(at), vote=self._ballot.vote).to_json(),
            "acting": self.decision.acting,
            "node": self.status.node,
            "ended": self._ran[0] if self._gone is not None and at - self._gone <= ENDED_FOR else "",
        }

    def _node(self, at: float) -> Node:
        status = self.status
        healthy = Health.BAD if self._gone is not None else health(status, at, self._config.writer_patience)
        return Node(healthy, status.cluster, status.row, self._claim, starting=self.starting, drained=self.drained)

    def report(self, at: float) -> Report:
        if self._waiting and at - self._waiting[0] <= FRESH:
            return self._waiting[1]
        status = self.status
        fresh = status.up and at - status.at <= FRESH
        if fresh and status.primary and status.state in (DONOR, JOINED, SYNCED):
            return Report(Kind.PRIMARY, status.cluster, status.seqno)
        if self._released and at - self._released[0] <= STARTING:
            return Report(self._released[1])
        if not fresh or status.primary:
            return Report(Kind.UNKNOWN)
        note, saved = self._notes.note, self._notes.saved
        if not status.node or note.node != status.node or saved is None:
            return Report(Kind.UNKNOWN)
        return Report(
            kind=Kind.RUNNING,
            cluster=status.cluster,
            seqno=status.seqno,
            node=status.node,
            view=saved[1],
            view_seqno=note.seqno if note.view == saved[1].id else -1,
            component=status.component,
        )

    def _members(self, status: Status) -> frozenset[str]:
        return frozenset(self._names[a] for a in status.addresses if a in self._names)

    # The writer

    def write_decision(self, at: float) -> Decision:
        """Evaluated at the moment it is asked for: an observer that was stopped for a while must not tell what was."""
        if self._peers.others and not self._peers.acquainted(at, GUARD_LASTS):
            return self._by_record(at)
        return writer.decide(self._seen(at))

    def _by_record(self, at: float) -> Decision:
        """While this host's guard is silent or has just started, and nobody is heard, the replicated row stands: a
        successor records itself there, which this node sees as long as it is in contact; a node that is not cannot
        commit."""
        me = self._config.host
        if self._node(at).health is Health.GOOD and self.status.row.host == me:
            return Decision(me, True, 0, "")
        return Decision("", False, 0, "this host's guard does not say whom it hears")

    def _seen(self, at: float) -> Seen:
        return Seen(
            me=self._config.host,
            order=self._galera.members,
            view=self._members(self.status),
            nodes=self._nodes(at),
            confirmed=self._peers.confirmed(at, self._config.writer_patience / 2),
            deposed=self._deposed,
        )

    def _deaf(self, seen: Seen) -> bool:
        """It hears too few of its view to act, or to go on acting."""
        recorded = self.status.row.host == seen.me
        return bool(seen.view) and 2 * seen.reached + recorded <= len(seen.view)

    def _nodes(self, at: float) -> dict[str, Node]:
        """This host's own, and those of peers heard within `writer_patience`."""
        nodes = {self._config.host: self._node(at)}
        for name in self._peers.heard(at, self._config.writer_patience):
            if (said := self._peers.body(name).get("writer")) is not None:
                with contextlib.suppress(ValueError):  # it says nothing that can be understood: it is not heard
                    nodes[name] = Node.from_json(said)
        return nodes

    # Once a heartbeat

    def tick(self, at: float) -> None:
        status = self.status
        if status.synced:
            self._released = None
        if status.node and status.pid:
            self._ran = status.node, status.pid
        if not self._ran[1] or Path(f"/proc/{self._ran[1]}").exists():
            self._gone = None
        elif self._gone is None:  # the poller would learn of it at its next question, 0.4 s later
            self._gone = at
        seen = self._seen(at)
        self._deposed = self._deaf(seen) or (self._deposed and bool(seen.unheard))
        decision = self.write_decision(at)
        if decision != self.decision:
            log.info("writer: %s %s", decision.writer or "nobody", f"({decision.why})" if decision.why else "")
        self.decision = decision
        self._claim = decision.claim
        if decision.claim and (decision.claim != self._claimed[0] or at - self._claimed[1] > CLAIM_AGAIN):
            self._claimed = (decision.claim, at)
            self._commander.submit(record_writer(self._config.host, decision.claim))
        self._poller.calm = bool(decision.writer) and not decision.acting and not self._peers.departed
        self._evict(at)
        self._pardon(at)
        if self._act(at) is Action.BOOTSTRAP and self.report(at).kind is Kind.RUNNING:
            self._commander.submit(make_primary)

    def _evict(self, at: float) -> None:
        """Without this, no commit succeeds until Galera suspects the nodes by itself: those of departed hosts, and at
        once those whose own host says that their process has ended, and which had not left. A restarted node is another
        one to Galera."""
        here = self._members(self.status) if self.status.primary else frozenset[str]()
        for name in self._peers.heard(at, ENDED_LASTS):
            node = str(self._peers.body(name).get("ended", ""))
            if not node or node == self._left.get(name):
                continue
            if name not in here or self._evictor.submit(evict(node, self._config.address_of(name))):
                self._left[name] = node
        gone = self._peers.departed & set(self._galera.members)
        self._departed = {name: self._departed.get(name, at) for name in gone}
        for name, since in self._departed.items():
            node = self._peers.body(name).get("node")
            if not node or at - since < EVICT_AFTER or name not in here:
                continue
            if self._evictor.submit(evict(str(node), self._config.address_of(name))):
                self._departed[name] = at + 2 * COMMAND  # once; should that fail, Galera's own suspicion remains

    def _pardon(self, at: float) -> None:
        if not self.status.evicted:
            self._evicting = None
        elif self._evicting is None or (at - self._evicting > PARDON and self._evictor.submit(pardon)):
            self._evicting = at

    def _act(self, at: float) -> Action:
        reports = self._reports(at)
        choice = primary.choose(self._galera.members, reports)
        if choice != self.choice and any(r.kind in (Kind.RUNNING, Kind.STOPPED) for r in reports.values()):
            log.info("no Primary component: %s", choice.why)
        self.choice = choice
        return self._ballot.action(at, self._config.host, choice, reports)

    def _reports(self, at: float) -> dict[str, Report]:
        reports = {self._config.host: self.report(at)}
        for name in self._peers.current(at, primary.VOTE_LASTS):
            if (said := self._peers.body(name).get("galera")) is not None:
                with contextlib.suppress(ValueError):
                    reports[name] = Report.from_json(said)
        return reports

    # galera-start on this host

    def waiting(self, said: Mapping[str, Any]) -> dict[str, str]:
        """`said`: galera-start's report of the stopped node, and "force": the operator accepts to lose what only absent
        members hold. Answers {"action": wait, join or bootstrap; "why"; "writer": as the peers have recorded it}."""
        at = now()
        self._released = None
        self._waiting = (at, Report.from_json(said["report"]))
        action = self._act(at)
        if said.get("force") and action is Action.WAIT and not self._somebody_starts(at):
            log.warning("galera-start: bootstraps because the operator says so")
            action = Action.BOOTSTRAP
        if action in (Action.BOOTSTRAP, Action.JOIN):
            self._waiting = None
            self._released = (at, Kind.STARTING if action is Action.BOOTSTRAP else Kind.JOINING)
        record = max((node.row for node in self._nodes(at).values()), key=lambda row: row.epoch)
        return {"action": action.value, "why": self.choice.why, "writer": record.host}

    def _somebody_starts(self, at: float) -> bool:
        return any(r.kind is Kind.STARTING for r in self._reports(at).values())

    async def restart_stuck(self) -> None:
        """What nothing else ends. A mysqld that runs and has lost its provider, as a failed state transfer or an
        inconsistency leaves it, refuses every query for ever. One that waits to be let into a Primary component that
        there is none of any more gives up after half a minute (Galera's pc.wait_prim_timeout), and until then keeps
        from the others what it knows, which they wait for."""
        disconnected, stranded = Lasting(DISCONNECTED), Lasting(STRANDED)
        while True:
            at, status = now(), self.status
            if disconnected.holds(at, status.up and at - status.at <= FRESH and not status.connected):
                await self._end("its Galera provider is disconnected", kill=False)
            if stranded.holds(at, self.stranded(at)):
                await self._end("it waits for a Primary component, and there is none", kill=True)
            await asyncio.sleep(0.5)

    def stranded(self, at: float) -> bool:
        """galera-start has let it join, it is in no Primary view yet, and nobody is Primary or about to be."""
        if self.report(at).kind is not Kind.JOINING or read_gvwstate(Path(self._galera.datadir)) is not None:
            return False
        return not any(r.kind in (Kind.PRIMARY, Kind.STARTING) for r in self._reports(at).values())

    async def _end(self, why: str, *, kill: bool) -> None:
        """`kill`: it has not started yet, and so does not stop when it is asked to; its unit starts it again."""
        unit = self._galera.unit
        try:
            if kill:
                log.warning("kills %s: %s", unit, why)
                await system.kill(unit)
            elif await system.active(unit):
                log.warning("restarts %s: %s", unit, why)
                await system.restart(unit)
        except (OSError, TimeoutError) as error:
            log.warning("%s: %s", unit, error)

    # For people

    def state(self, at: float) -> dict[str, Any]:
        status = self.status
        return {
            "answered": None if status.at == float("-inf") else round(at - status.at, 3),
            "error": status.error,
            "health": self._node(at).health.value,
            "kind": self.report(at).kind.value,
            "primary": status.primary,
            "ready": status.ready,
            "local_state": status.state,
            "cluster": status.cluster,
            "seqno": status.seqno,
            "members": sorted(self._members(status)),
            "size": len(status.addresses),
            "receive_queue": status.receive_queue,
            "flow_paused": status.flow_paused,
            "recorded": {"host": status.row.host, "epoch": status.row.epoch},
            "writer": self.decision.writer,
            "acting": self.decision.acting,
            "why_not_writer": self.decision.why,
            "choice": {"chosen": self.choice.chosen, "why": self.choice.why, "missing": self.choice.missing},
        }
