"""The resource agent: what Pacemaker asks of this host's copy of the database.

`decide.py` decides; here it is done. What the last look saw is in STATE, which the observer tells and the next look
goes on from.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from . import crm, decide, gtid, rebuild, server
from .decide import Memory, Semi
from .record import Record, Seen
from .server import Answer, ServerError, Unit
from .settings import Settings

STATE = Path("/run/fournines/replica.json")
#: While this host has the primary.
PRIMARY = Path("/run/fournines/database-primary")
SUCCESS, GENERIC, UNIMPLEMENTED, INSTALLED, NOT_RUNNING, PROMOTED, FAILED_PROMOTED = 0, 1, 3, 5, 7, 8, 9
#: Errors of the receiving thread after which only a copy helps: the primary has thrown away what is asked for, or has
#: another history (ER_MASTER_FATAL_ERROR_READING_BINLOG).
LOST = (1236,)
#: Seconds: a replica that is to be promoted applies what it has received; a primary that is demoted is followed to its
#: end; a replica that is to follow another primary applies what it has received of the last one.
APPLIES, FOLLOWED, CHANGES = 240.0, 5.0, 5.0


@dataclass
class Agent:
    settings: Settings

    @property
    def me(self) -> str:
        return self.settings.host

    # What Pacemaker asks for

    def start(self) -> int:
        STATE.unlink(missing_ok=True)
        PRIMARY.unlink(missing_ok=True)
        if not Path(self.settings.datadir, "mysql").is_dir():
            # The last copy was cut off while it took the old data's place.
            rebuild.begin(rebuild.BUILD, "rebuild")
        else:
            run("systemctl", "reset-failed", self.settings.unit)
            if run("systemctl", "start", self.settings.unit).returncode:
                return reason(f"it does not start: journalctl -u {self.settings.unit} says why", GENERIC)
            # Until Pacemaker's own timeout ends it.
            while (answer := self._answer()) is None:
                if server.unit(self.settings.unit).active not in ("active", "activating", "reloading"):
                    return reason(f"it has ended: journalctl -u {self.settings.unit} says why", GENERIC)
                time.sleep(0.3)
            if not answer.read_only:
                server.ask("set global read_only = on;")
        # The first score: whom the cluster promotes when it has nobody yet, it decides with what is said by then.
        self.monitor()
        return SUCCESS

    def stop(self) -> int:
        rebuild.end()
        # Its score stays: a primary that is started again where it was is promoted again, before any replica.
        PRIMARY.unlink(missing_ok=True)
        # Killed by systemd when it does not stop in time: a crash, from which the next start recovers.
        run("systemctl", "stop", self.settings.unit)
        crm.silence()
        STATE.unlink(missing_ok=True)
        if server.unit(self.settings.unit).active in ("inactive", "failed"):
            return SUCCESS
        return reason("it does not stop", GENERIC)

    def monitor(self) -> int:
        if rebuild.runs(rebuild.BUILD):
            self._note(None, Seen(self.me), problem="", state="building")
            crm.promote_by(0)
            return SUCCESS
        unit = self._settled()
        if unit.active != "active":
            return SUCCESS if self._unbuilt() else NOT_RUNNING
        try:
            answer = server.look()
            act = self._serve if answer.read_only else self._lead
            try:
                return act(crm.read(), answer, unit)
            except crm.ClusterError as error:
                # It says nothing against the server; nothing is decided without the cluster.
                print(error, file=sys.stderr)
                return SUCCESS if answer.read_only else PROMOTED
        except ServerError as error:
            return reason(str(error), GENERIC)

    def _settled(self) -> Unit:
        """Once nothing is on its way: somebody may restart the unit, by hand or for a new configuration."""
        while (unit := server.unit(self.settings.unit)).active in ("activating", "deactivating", "reloading"):
            time.sleep(0.2)
        return unit

    def promote(self) -> int:
        try:
            answer, unit = server.look(), server.unit(self.settings.unit)
            if not answer.read_only:
                return SUCCESS
            word = self._word(answer, unit)
            crm.tell(word)
            known = crm.read()
            everybody = {**crm.words(), self.me: word}
            if why := decide.barred(self.me, known, everybody, tuple(self.settings.hosts)):
                crm.promote_by(0)
                return reason(f"it must not be promoted: {why}", GENERIC)
            if answer.follows:
                applied = server.ask(server.drained(answer.received, APPLIES), patience=APPLIES + 10).split()
                if applied[-1:] != ["0"]:
                    return reason("it does not apply what it has received: show slave status", GENERIC)
            self._take_over(decide.known(known, everybody), word)
        except (ServerError, crm.ClusterError) as error:
            return reason(str(error), GENERIC)
        return SUCCESS

    def demote(self) -> int:
        PRIMARY.unlink(missing_ok=True)
        if server.unit(self.settings.unit).active not in ("active", "reloading"):
            return SUCCESS
        try:
            server.ask(_CLIENTS_END)
            server.ask("set global read_only = on;", patience=30)
            end = server.look().position
            deadline = time.monotonic() + FOLLOWED
            # What nobody has received yet would have to be taken back from here later: a copy of the whole database.
            while time.monotonic() < deadline and not any(
                not gtid.lacks(s.received, end) for s in crm.words().values() if s.state == "replica"
            ):
                time.sleep(0.2)
            server.ask("set global rpl_semi_sync_master_enabled = off;")
        except ServerError as error:
            return reason(str(error), GENERIC)
        return SUCCESS

    def notify(self) -> int:
        """What the cluster does on other hosts: nothing that fails here keeps it from that."""
        kind, operation, stopped = (notified(name) for name in ("type", "operation", "stop_uname"))
        try:
            unit, answer = server.unit(self.settings.unit), server.look()
            if kind == "pre" and operation == "promote":
                # Who is promoted compares.
                crm.tell(self._word(answer, unit), everywhere=True)
            elif kind == "post" and operation in ("promote", "start") and answer.read_only:
                self._serve(crm.read(), answer, unit)
            elif kind == "post" and operation == "stop" and not answer.read_only:
                self._lead(crm.read(), answer, unit, frozenset(stopped.split()) - {self.me})
        except (ServerError, crm.ClusterError) as error:
            print(error, file=sys.stderr)
        return SUCCESS

    # The primary

    def _take_over(self, known: Record | None, word: Seen) -> None:
        """The record first: from then on nobody else may be promoted. Raises ServerError, ClusterError."""
        lineage = known.lineage if known else word.lineage or uuid.uuid4().hex
        term = max(known.term if known else 0, word.term) + 1
        crm.write(Record(term, self.me, lineage))
        server.ask(
            "stop slave;\nreset slave all;\nset global rpl_semi_sync_slave_enabled = off;\n"
            + server.alone()
            + "set global read_only = off;\n"
            + server.TABLES
            + server.promoted(term, self.me, lineage)
        )
        PRIMARY.touch()
        crm.promote_by(decide.LAST)
        crm.tell(self._word(server.look(), server.unit(self.settings.unit)))

    def _lead(self, known: Record | None, answer: Answer, unit: Unit, stopped: frozenset[str] = frozenset()) -> int:
        word = self._word(answer, unit)
        crm.tell(word)
        everybody = {**crm.words(), self.me: word}
        if known is None or known.lineage != word.lineage or known.term < word.term:
            # The configuration of the cluster was made anew, or an old one restored.
            known = Record(word.term, self.me, word.lineage)
            crm.write(known)
        if known.primary != self.me:
            server.ask("set global read_only = on;", patience=10)
            PRIMARY.unlink(missing_ok=True)
            return reason(f"{known.primary} is the primary since: this one takes no writes any more", FAILED_PROMOTED)
        memory = self._memory()
        semi = self._semi(answer)
        step = decide.lead(
            self.me,
            known,
            everybody,
            semi,
            memory,
            now=time.monotonic(),
            patience=self.settings.alone,
            quorate=memory.stalled is None or crm.quorate(),
            stopped=stopped,
        )
        problem = ""
        try:
            if step.record != known:
                crm.write(step.record)
            if step.mode:
                server.ask(server.wait() if step.mode == "wait" else server.alone())
            memory = step.memory
        except crm.ClusterError as error:
            # Nothing has changed but what it remembers of the stall.
            memory, problem = replace(memory, stalled=step.memory.stalled), str(error)
        for host in everybody.values():
            if host.state == "building" and not rebuild.runs(f"{rebuild.SEND}-{host.host}"):
                rebuild.begin(f"{rebuild.SEND}-{host.host}", "send", host.host)
        PRIMARY.touch()
        crm.promote_by(decide.LAST)
        self._note(answer, word, problem=problem, record=step.record, memory=memory, state="primary")
        # Its disk takes a write.
        server.ask(server.HEALTH)
        return PROMOTED

    def _semi(self, answer: Answer) -> Semi:
        followers = frozenset(name for a in answer.followers if (name := self.settings.name_of(a)))
        return Semi(
            answer.waits,
            answer.on,
            answer.clients,
            answer.waiting,
            answer.acknowledged,
            answer.switched_off,
            followers,
            answer.position,
        )

    # A replica

    def _serve(self, known: Record | None, answer: Answer, unit: Unit) -> int:
        word = self._word(answer, unit)
        crm.tell(word)
        everybody = {**crm.words(), self.me: word}
        primary = next((s for s in everybody.values() if s.state == "primary" and s.host != self.me), None)
        problem = ""
        if primary:
            problem = self._follow(known, answer, word, primary)
        elif answer.follows and not answer.follows.well:
            problem = answer.follows.error
        PRIMARY.unlink(missing_ok=True)
        crm.promote_by(decide.score(self.me, known, everybody, tuple(self.settings.hosts)))
        why = decide.barred(self.me, known, everybody, tuple(self.settings.hosts))
        self._note(answer, word, problem=problem, record=known, why=why, state=word.state)
        return SUCCESS

    def _follow(self, known: Record | None, answer: Answer, word: Seen, primary: Seen) -> str:
        """Brings it behind `primary`; what is in the way."""
        address, follows = self.settings.hosts[primary.host], answer.follows
        if follows and follows.of == address:
            if follows.errno in LOST and follows.receives == "No":
                rebuild.begin(rebuild.BUILD, "rebuild")
                return f"is rebuilt: {follows.error}"
            if follows.errno and "No" in (follows.receives, follows.applies):
                server.ask("start slave;")
                return follows.error
            if known and known.sync.get(self.me) == word.run and not answer.acknowledges:
                server.ask(server.acknowledge())
            elif not (follows.receives == follows.applies == "Yes"):
                server.ask("start slave;")
            return "" if follows.well else follows.error
        if why := decide.apart(word, primary):
            rebuild.begin(rebuild.BUILD, "rebuild")
            return f"is rebuilt from {primary.host}: {why}"
        if follows:
            # What it has received and not applied would be lost.
            server.ask(server.drained(answer.received, CHANGES))
        server.ask(server.follow(self.settings, primary.host))
        return ""

    def _unbuilt(self) -> bool:
        """Whether the copy broke off and left nothing that could start; it is begun again."""
        if self._state().get("state") != "building":
            return False
        rebuild.begin(rebuild.BUILD, "rebuild")
        return True

    # What it knows, and what it tells

    def _answer(self) -> Answer | None:
        try:
            return server.look()
        except ServerError:
            return None

    def _word(self, answer: Answer, unit: Unit) -> Seen:
        state = "replica" if answer.follows else "idle"
        return Seen(
            self.me,
            run=unit.run,
            state=state if answer.read_only else "primary",
            applied=answer.applied,
            received=answer.received,
            history="" if answer.read_only else answer.history,
            lineage=answer.lineage,
            term=answer.term,
            primary=answer.primary,
        )

    def _state(self) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads(STATE.read_text())
        except (OSError, ValueError):
            return {}
        return said

    def _memory(self) -> Memory:
        return Memory(**self._state().get("memory", {}))

    def _note(
        self,
        answer: Answer | None,
        word: Seen,
        *,
        state: str,
        problem: str,
        record: Record | None = None,
        memory: Memory | None = None,
        why: str = "",
    ) -> None:
        """The shape is described in `agent.observer.replica`."""
        follows = answer.follows if answer else None
        said = {
            "at": time.time(),
            "state": state,
            "position": word.received,
            "applied": word.applied,
            "term": record.term if record else 0,
            "primary": record.primary if record else "",
            "complete": bool(record and record.complete),
            "sync": sorted(record.sync) if record else [],
            "waits": bool(answer and answer.waits and answer.on),
            "clients": answer.clients if answer else 0,
            "waiting": answer.waiting if answer else 0,
            "acknowledges": bool(answer and answer.acknowledges),
            "receives": follows.receives if follows else "",
            "applies": follows.applies if follows else "",
            "lag": follows.lag if follows else None,
            "problem": problem,
            "why": why,
            "aside": aside(),
            "memory": asdict(memory) if memory else {},
        }
        fresh = STATE.with_suffix(".new")
        STATE.parent.mkdir(exist_ok=True)
        fresh.write_text(json.dumps(said))
        fresh.replace(STATE)


#: All sessions but those of replication. What waits for an acknowledgement ends without one.
_CLIENTS_END = """delimiter //
begin not atomic
    declare continue handler for sqlexception begin end;
    for client in (select id from information_schema.processlist
        where user not in ('system user', 'event_scheduler') and id != connection_id()
        and command not like 'Binlog Dump%') do
        execute immediate concat('kill connection ', client.id);
    end for;
end//
delimiter ;
"""


def notified(name: str) -> str:
    """What Pacemaker tells of the operations on other hosts."""
    return os.environ.get(f"OCF_RESKEY_CRM_meta_notify_{name}", "")


def aside() -> list[str]:
    """Old data of this host's that a copy took the place of."""
    return sorted(str(entry) for entry in rebuild.ASIDE.iterdir()) if rebuild.ASIDE.is_dir() else []


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def reason(text: str, code: int) -> int:
    """`text` where Pacemaker shows it."""
    print(f"ocf-exit-reason:{text}", file=sys.stderr)
    return code
