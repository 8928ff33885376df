"""Follows every host's agent over a connection that is kept: what changes there is known here a moment later.

Each host sends its state.json when it is written. Two things say that a host is gone: its peers, whose guards declare
it dead within the detection time of the cloud's timers, and the silence of its own connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files

from fournines.cloud.model import Cloud, Host
from fournines.engine.shell import Pipes, ShellHost
from fournines.errors import HostError
from fournines.health.cluster import Cluster, Unknown
from fournines.health.look import STATE, absent, together, understood, unreachable
from fournines.health.snapshot import HostState

#: Seconds of silence after which a host that sends something each second no longer answers.
SILENT = 3.5
#: Seconds before the next attempt to connect: the first, and the longest.
AGAIN, LONGEST = 0.5, 5.0
#: Handshakes at once: more would only queue in this process and run into their own timeouts.
AT_ONCE = 32
#: Seconds until what is known is told although some host has said nothing yet.
PATIENCE = 3.0
#: Seconds that a line may have been on its way, for comparing clocks.
TRANSIT = 0.5

Connect = Callable[[Host], Awaitable[ShellHost]]


@dataclass
class _Word:
    """A host's last one, and when it came (time.monotonic)."""

    said: HostState | Unknown
    at: float


class Follower:
    """`run` until it is cancelled; meanwhile `seen` is what is known now, and `version` grows with each change."""

    def __init__(self, cloud: Cloud, connect: Connect, now: Callable[[], float] = time.monotonic) -> None:
        self.cloud = cloud
        self.version = 0
        self._connect = connect
        self._now = now
        self._began = now()
        self._words: dict[str, _Word] = {}
        self._dead: dict[str, float] = {}  # hosts that a peer has declared dead: since when
        self._changed = asyncio.Event()
        self._handshakes = asyncio.Semaphore(AT_ONCE)
        self._reached: dict[str, ShellHost] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for host in self.cloud.hosts:
                group.create_task(self._follow(host))

    async def changed(self, version: int, within: float) -> None:
        """Returns when there is a newer one than `version`, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self.version == version:
                    await self._changed.wait()

    @property
    def ready(self) -> bool:
        """Whether every host has said something, or has had the time to."""
        return len(self._words) == len(self.cloud.hosts) or self._now() - self._began >= PATIENCE

    @property
    def age(self) -> float:
        """Seconds since any host last said anything."""
        heard = [word.at for word in self._words.values() if isinstance(word.said, HostState)]
        return self._now() - max(heard, default=self._began)

    def reached(self, host: str) -> ShellHost:
        """The connection to it. Raises HostError when there is none now."""
        if host not in self._reached:
            raise HostError(f"{host} is not reachable", where=host, next="see what the status says of it")
        return self._reached[host]

    def seen(self) -> Cluster:
        return together(self.cloud, {host.name: self._judged(host.name) for host in self.cloud.hosts})

    def _judged(self, host: str) -> HostState | Unknown:
        word, now = self._words.get(host), self._now()
        remedy = f"see whether {host} has power and network"
        if word is None:
            return Unknown(host, "has not answered yet", "", remedy)
        if isinstance(word.said, Unknown):
            return word.said
        if word.at < self._dead.get(host, 0.0):
            return Unknown(host, "does not answer", "its peers' guards have declared it dead", remedy)
        if now - word.at > SILENT:
            return Unknown(host, "does not answer", f"it has sent nothing for more than {SILENT:g} s", remedy)
        return replace(word.said, age=word.said.age + now - word.at)

    def hear(self, host: str, said: HostState | Unknown) -> None:
        """A host's word, or why there is none."""
        now = self._now()
        self._words[host] = _Word(said, now)
        departed = {
            name
            for w in self._words.values()
            if isinstance(w.said, HostState) and now - w.at <= SILENT
            for name in w.said.departed
        }
        self._dead = {name: self._dead.get(name, now) for name in departed}
        self._tell()

    def _tell(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed.clear()

    async def _follow(self, host: Host) -> None:
        pause = AGAIN
        while True:
            try:
                async with self._handshakes:
                    connection = await self._connect(host)
                try:
                    self._reached[host.name] = connection
                    await self._listen(host.name, connection)
                finally:
                    del self._reached[host.name]
                    with contextlib.suppress(Exception):  # it is lost anyway
                        async with asyncio.timeout(1.0):
                            await connection.close()
            except HostError as error:
                self.hear(host.name, unreachable(host.name, error))
            except (OSError, EOFError, TimeoutError):
                pause = AGAIN
                self._tell()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    async def _listen(self, host: str, connection: ShellHost) -> None:
        """Until the connection is lost or silent: OSError, EOFError, TimeoutError."""
        script = files("fournines.health").joinpath("follow_script.py").read_text(encoding="utf-8")
        async with connection.shell(f"exec python3 -c {shlex.quote(script)} {STATE}") as pipes:
            while True:
                clock, document = await _line(pipes)
                now = time.time()
                before = self._words.get(host)
                if document == "-":
                    self.hear(host, absent(host))
                elif document:
                    self.hear(host, understood(host, clock, document, asked=now - 2 * TRANSIT, answered=now))
                elif before and isinstance(before.said, HostState):
                    # It is there, and its observer has written nothing new.
                    self.hear(host, replace(before.said, age=before.said.age + self._now() - before.at))


async def _line(pipes: Pipes) -> tuple[str, str]:
    async with asyncio.timeout(SILENT):
        line = await pipes.stdout.readuntil(b"\n")
    clock, _, document = line.decode(errors="replace").rstrip("\n").partition(" ")
    return clock, document


def hosts_of(seen: Cluster) -> Mapping[str, HostState | Unknown]:
    """Every host's own word, by name."""
    found: dict[str, HostState | Unknown] = {}
    for region in seen.regions:
        found |= region.states
        found |= {u.host: u for u in region.unknown}
    return found
