"""A host made of dictionaries, for tests: files, units, and the few commands that the engine's own steps use."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fournines.engine.transport import Completed, Done
from fournines.errors import HostError, LockedError
from fournines.plan.actions import PENDING, PENDING_FACT
from fournines.services.resource import Fact, MakeDirectory, Put, Step


@dataclass
class FakeHost:
    """`files`: path -> (content, mode). `units`: name -> [active, enabled]. `started_with`: unit -> all files as they
    were when the unit last read them. `before_step` may raise, to cut the run there. `answers`: part of a script ->
    what running it gives, instead of what it would do.
    """

    host: str
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict[str, tuple[bytes, int]])
    directories: set[str] = field(default_factory=set[str])
    units: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    started_with: dict[str, dict[str, bytes]] = field(default_factory=dict[str, dict[str, bytes]])
    answers: dict[str, Completed] = field(default_factory=dict[str, Completed])
    before_step: Callable[[FakeHost, Step], None] = lambda host, step: None
    unreachable: bool = False
    holder: str = ""
    log: list[str] = field(default_factory=list[str])

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        return self._script(script)

    async def put(self, path: str, content: bytes, *, mode: int, owner: str, group: str, timeout: float = 60.0) -> None:
        self.files[path] = content, mode

    async def pour(
        self, script: str, stdin: Iterable[bytes], take: Callable[[bytes], object], *, timeout: float
    ) -> Completed:
        done = await self.run(script, stdin=b"".join(stdin).decode(errors="replace"), timeout=timeout)
        take(done.stdout.encode())
        return Completed(done.status, "", done.stderr)

    async def close(self) -> None:
        pass

    async def probe(self, facts: Sequence[Fact], *, timeout: float = 30.0) -> dict[Fact, str]:
        if self.unreachable:
            raise HostError(f"{self.host} does not answer", where=self.host)
        return {fact: self._reply(fact) for fact in facts}

    async def perform(self, steps: Sequence[Step], *, keep_going: bool = False) -> AsyncGenerator[Done]:
        for step in steps:
            self.before_step(self, step)
            if isinstance(step, Put):
                self.files[step.path] = step.content, step.mode
                yield Done(0, "")
                continue
            if isinstance(step, MakeDirectory):
                self.directories.add(step.path)
                yield Done(0, "")
                continue
            ended = self._script(step.script)
            yield Done(ended.status, ended.stdout)
            if ended.status and not keep_going:
                return

    @asynccontextmanager
    async def lock(self, owner: str) -> AsyncGenerator[None]:
        if self.holder:
            raise LockedError(f"another run holds {self.host}", where=self.host, why=self.holder)
        self.holder = owner
        try:
            yield
        finally:
            self.holder = ""

    def _reply(self, fact: Fact) -> str:
        if fact == PENDING_FACT:
            return " ".join(sorted(p.removeprefix(f"{PENDING}/") for p in self.files if p.startswith(PENDING)))
        if fact.kind == "unit":
            return " ".join(self.units.get(fact.subject, ["inactive", "not-found"]))
        if fact.kind == "path" and fact.subject in self.directories:
            return "dir 755 root root"
        if fact.kind in ("path", "text") and fact.subject in self.files:
            content, mode = self.files[fact.subject]
            if fact.kind == "text":
                return f"text {content.decode()}"
            return f"file {mode:o} root root {hashlib.sha256(content).hexdigest()}"
        return "absent"

    def _script(self, script: str) -> Completed:
        for part, answer in self.answers.items():
            if part in script:
                return answer
        commands = (re.sub(r"\|\|.*|2?>.*|; then$", "", line) for line in script.splitlines())
        return Completed(max((self._command(shlex.split(command)) for command in commands), default=0), "", "")

    def _command(self, words: list[str]) -> int:
        names = [word for word in words[1:] if not word.startswith("-")]
        match words[0] if words else "":
            case "systemctl":
                return max((self._systemctl(names[0], name, "--now" in words) for name in names[1:]), default=0)
            case "rm":
                for name in names:
                    self.files.pop(name, None)
            case "rmdir":
                self.directories.discard(names[-1])
            case _:
                pass
        return 0

    def _systemctl(self, verb: str, name: str, now: bool) -> int:
        unit = self.units.get(name, ["inactive", "disabled"])
        if verb in ("start", "enable"):
            self.units[name] = unit
        if verb == "is-active":
            return 0 if unit[0] == "active" else 3
        if verb == "start" or (verb.startswith("try-") and unit[0] == "active"):
            self.log.append(f"{verb} {name}")
            unit[0] = "active"
            self.started_with[name] = {path: content for path, (content, _) in self.files.items()}
        elif verb in ("enable", "disable"):
            unit[1] = f"{verb}d"
        if now or verb == "stop":
            unit[0] = "inactive"
        return 0
