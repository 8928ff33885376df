"""The watch itself: probes and agents in, seconds and incidents on disk out. It outlives whatever it watches."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fournines.health.cluster import Cluster
from fournines.health.document import document
from fournines.logs.collect import Logs, Query
from fournines.logs.times import clock
from fournines.watch import control
from fournines.watch.control import Alive, Sent, Word
from fournines.watch.functions import watched
from fournines.watch.incidents import MOST_CHANGES, Incidents, logs_line
from fournines.watch.ledger import Ledger, replace_file
from fournines.watch.now import EVERY_S, FILE
from fournines.watch.outages import Began, Ended, Judged, Key, Out, Outages, Transition, Well
from fournines.watch.recording import Recording
from fournines.watch.seconds import Judge
from fournines.watch.spec import WatchSpec

#: Logs are of so much before an incident and after it. Of a long one: its beginning and its end. Seconds.
AROUND_S, LONG_S, BEGINNING_S = 30.0, 300.0, 120.0
#: Lines of a host's journal in one window.
MOST_LINES = 5000
#: A host that does not answer when the logs are collected is asked again, so often and so far apart.
RETRIES, RETRY_S = 30, 60.0
#: Incidents whose logs were not collected, as of a watch that was killed, get them within so much. Seconds.
LATE_S = 6 * 3600.0
#: Only the newest can be without an end or without logs.
RECOVERED = 10
FOLD_S, RESTART_S, LOOK_S = 3600.0, 1.0, 0.25

Collect = Callable[[Sequence[str], Query], Awaitable[Logs]]
Words = Callable[[WatchSpec], AsyncGenerator[Word]]


@dataclass(frozen=True)
class Hands:
    """What the watch needs of the world. seen: what the agents say now. hosts: names of those with logs. collect: of
    these. say: a line for whoever looks on. words: the prober."""

    seen: Callable[[], Cluster]
    hosts: Callable[[], Sequence[str]]
    collect: Collect
    say: Callable[[str], None]
    words: Words = control.words
    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


class Watch:
    """Of one region. `directory`: what is kept."""

    def __init__(self, spec: WatchSpec, directory: Path, hands: Hands) -> None:
        self._spec = spec
        self._directory = directory
        self._hands = hands
        self._ledger = Ledger(directory)
        self._incidents = Incidents(directory)
        self._judges: dict[Key, Judge] = {
            (f, c): Judge(watched(f), c, announced=f != "consume")
            for f in spec.functions
            for c in watched(f).connections
        }
        self._outages = Outages(tuple(self._judges))
        self._recording = Recording()
        self._id = ""
        self._told: tuple[object, ...] = ()
        self._changes = 0
        self._states: dict[str, str] = dict.fromkeys(spec.functions, "unknown")
        self._unready: frozenset[str] = frozenset()
        self._tasks: set[asyncio.Task[None]] = set()
        self._respec = asyncio.Event()
        self._complained = -60.0

    async def run(self) -> None:
        """Until it is cancelled; an incident that goes on is then ended with what is known."""
        self._recover()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._probe())
                group.create_task(self._agents())
                group.create_task(self._keep())
        finally:
            self._see(self._outages.stop(), interrupted=True)
            self._write(lambda: self._ledger.flush(self._hands.wall(), force=True))
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def functions(self) -> tuple[str, ...]:
        return self._spec.functions

    @property
    def out(self) -> frozenset[str]:
        """Functions that are out now, over any kind of connection."""
        return frozenset(function for function, _ in self._outages.out)

    def acted(self, handler: str, text: str) -> None:
        """For the incident that goes on."""
        self._note(self._hands.wall(), "action", handler=handler, text=text)

    def respec(self, spec: WatchSpec) -> None:
        """Passwords or certificates are others: the prober begins anew. Functions stay as they are."""
        self._spec = dataclasses.replace(spec, epoch=self._spec.epoch, functions=self._spec.functions)
        self._respec.set()

    def wall(self, at: float) -> float:
        """Seconds since the epoch of a moment on the prober's clock."""
        return self._hands.wall() - (self._hands.monotonic() - self._spec.epoch) + at

    # Probes

    async def _probe(self) -> None:
        while True:
            self._respec.clear()
            listening = asyncio.create_task(self._listen())
            changed = asyncio.create_task(self._respec.wait())
            try:
                await asyncio.wait((listening, changed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (listening, changed):
                    task.cancel()
                await asyncio.gather(listening, changed, return_exceptions=True)
            for judge in self._judges.values():
                judge.lost()
            if not self._respec.is_set():
                self._hands.say("the prober has ended; it is started again, and what was meanwhile is unknown")
                await asyncio.sleep(RESTART_S)

    async def _listen(self) -> None:
        async with contextlib.aclosing(self._hands.words(self._spec)) as words:
            async for word in words:
                self.hear(word)

    def hear(self, word: Word) -> None:
        if isinstance(word, Alive):
            self._unready = word.unready
            for (function, connection), judge in self._judges.items():
                judge.alive(word.now, ready=function not in word.unready)
                for second, state in judge.judged():
                    self._see(self._outages.see((function, connection), second, state))
        elif judge := self._judges.get(control.operation_key(word)):
            if isinstance(word, Sent):
                judge.sent(word.intended, word.started)
            else:
                judge.done(word)
                self._recording.add(word, keep=self._outages.since is not None)

    # What follows

    def _see(self, transitions: Any, *, interrupted: bool = False) -> None:
        every: list[Transition] = list(transitions)
        for transition in every:
            match transition:
                case Judged():
                    self._ledger.add(self.wall(transition.second), transition.function, transition.state)
                    self._states[transition.function] = transition.state
                case Began():
                    self._begin(transition)
                case Out(key=(function, connection)):
                    self._note(self.wall(transition.at), "out", function=function, connection=connection)
                    self._hands.say(f"out: {function}, {connection}")
                case Well(key=(function, connection)):
                    lasted = transition.at - transition.since
                    about = {"function": function, "connection": connection, "lasted_s": lasted}
                    self._note(self.wall(transition.at), "well", **about)
                    self._hands.say(f"well again: {function}, {connection}, after {lasted} s")
                case Ended():
                    self._end(transition, interrupted=interrupted)

    def _begin(self, began: Began) -> None:
        at = self.wall(began.at)
        self._told, self._changes = (), 0
        self._write(lambda: self._open(at))
        self._hands.say(f"an outage begins at {clock(at)}: incident {self._id}")
        self._agents_said()

    def _open(self, at: float) -> None:
        self._id = ""
        self._id = self._incidents.begin(at, self._spec.region, self._spec.name)

    def _end(self, ended: Ended, *, interrupted: bool) -> None:
        since, until, id = self.wall(ended.since), self.wall(ended.at), self._id
        figures = self._recording.figures(ended.since, ended.at, self.wall)
        counts = {"bad": ended.bad, "unknown": ended.unknown, "figures": figures}
        self._agents_said(last=True)
        self._note(until, "ended", interrupted=interrupted, **counts)
        worst = max(ended.bad.values(), default=0)
        self._hands.say(f"incident {id} has ended at {clock(until)}: at most {worst} s of a function were bad")
        self._id = ""
        self._write(self._incidents.prune)
        if id and not interrupted:
            self._start(self._logs(id, since, until))

    def _note(self, at: float, what: str, **more: Any) -> None:
        if id := self._id:
            self._write(lambda: self._incidents.note(id, at, what, **more))

    def _write(self, work: Callable[[], None]) -> None:
        """A full disk must not end the watch: it is said, at most once a minute."""
        try:
            work()
        except OSError as error:
            now = self._hands.monotonic()
            if now - self._complained >= 60:
                self._complained = now
                self._hands.say(f"{self._directory} cannot be written: {error.strerror or error}")

    # Agents and logs

    async def _agents(self) -> None:
        while True:
            if self._id:
                self._agents_said()
            await asyncio.sleep(LOOK_S)

    def _agents_said(self, *, last: bool = False) -> None:
        """What changed of it. All of it when an incident begins, and when it ends."""
        seen, first = self._hands.seen(), not self._told
        now = (seen.sentence(), tuple((p.what, p.where) for p in seen.problems))
        if now == self._told and not last:
            return
        self._told, self._changes = now, self._changes + 1
        if self._changes > MOST_CHANGES and not last:
            return
        problems = [dataclasses.asdict(p) for p in seen.problems]
        whole = {"status": document(seen)} if first or last else {}
        self._note(self._hands.wall(), "agents", sentence=seen.sentence(), problems=problems, **whole)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._whatever_comes(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _whatever_comes(self, work: Coroutine[None, None, None]) -> None:
        """Logs that cannot be collected end nothing."""
        try:
            await work
        except Exception as error:
            self._hands.say(f"logs could not be collected: {type(error).__name__}: {error}")

    async def _logs(self, id: str, since: float, until: float) -> None:
        """Of all hosts; of one that does not answer when it does again."""
        names = list(self._hands.hosts())
        for attempt in range(RETRIES):
            await asyncio.sleep(RETRY_S if attempt else max(0.0, until + AROUND_S + 2.0 - self._hands.wall()))
            failed: set[str] = set()
            for begin, end in windows(since, until):
                found = await self._hands.collect(names, Query(begin, end, most=MOST_LINES))
                if attempt == 0 or found.journals:
                    line = logs_line(found, begin, end, about=since)
                    self._write(lambda line=line: self._incidents.note(id, self._hands.wall(), "logs", **line))
                failed |= set(found.failures)
            names = [name for name in names if name in failed]
            if not names:
                break
        self._hands.say(f"incident {id}: the logs are there" + (f", but for {', '.join(names)}" if names else ""))

    def _recover(self) -> None:
        """What a watch that was killed has left."""
        now = self._hands.wall()
        for incident in self._incidents.all(RECOVERED):
            last = float(incident.lines[-1]["at"])
            if incident.ended is None:
                self._write(lambda id=incident.id, at=last: self._abandon(id, at))
            ended = incident.ended if incident.ended is not None else last
            whole = self._incidents.find(incident.id)
            if now - ended < LATE_S and whole and not whole.of("logs"):
                self._start(self._logs(incident.id, incident.began, ended))

    def _abandon(self, id: str, at: float) -> None:
        self._incidents.note(id, at, "ended", interrupted=True, bad={}, unknown={}, figures=None)

    # On disk

    async def _keep(self) -> None:
        """What is not written at once."""
        folded = told = float("-inf")
        while True:
            now, at = self._hands.monotonic(), self._hands.wall()
            self._write(lambda at=at: self._ledger.flush(at))
            if now - folded >= FOLD_S:
                folded = now
                self._write(lambda at=at: self._ledger.fold(at))
            if now - told >= EVERY_S:
                told = now
                self._write(lambda at=at: self._tell(at))
            await asyncio.sleep(1.0)

    def _tell(self, at: float) -> None:
        said = {
            "at": round(at, 3),
            "pid": os.getpid(),
            "region": self._spec.region,
            "functions": self._states,
            "unready": sorted(self._unready),
            "incident": self._id,
        }
        replace_file(self._directory / FILE, said, sync=False)


def windows(since: float, until: float) -> list[tuple[float, float]]:
    if until - since <= LONG_S:
        return [(since - AROUND_S, until + AROUND_S)]
    return [(since - AROUND_S, since + BEGINNING_S), (until - BEGINNING_S, until + AROUND_S)]
