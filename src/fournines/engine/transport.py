"""The seam to the hosts: everything that reaches one goes through `Transport`.

`Transport` is what the rest of fournines needs of a host. `ManagedHost` adds what the engine needs to carry a plan out:
facts in one round trip, steps with progress, a lock that dies with its holder. `shell.ShellHost` implements both over
anything that can start a process (`ssh`, `local`); `fake.FakeHost` implements them over a dictionary.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from fournines.services.resource import Fact, Step


@dataclass(frozen=True, slots=True)
class Completed:
    """`status` is the exit status; output is text (UTF-8, undecodable bytes replaced)."""

    status: int
    stdout: str
    stderr: str


class Transport(Protocol):
    """One host, as root. Every call has a timeout in seconds; all raise `HostError` that names the host and the cause
    (unreachable, refused key, changed host key, wrong sudo password, timed out)."""

    host: str

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed: ...

    async def put(
        self, path: str, content: bytes, *, mode: int, owner: str, group: str, timeout: float = 60.0
    ) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Done:
    """One step ended. `output` is the last 2,000 bytes of what it said when `status` is not 0, else empty."""

    status: int
    output: str


class ManagedHost(Transport, Protocol):
    async def probe(self, facts: Sequence[Fact], *, timeout: float = 30.0) -> dict[Fact, str]:
        """The reply to every fact, in one round trip."""
        ...

    def perform(self, steps: Sequence[Step], *, keep_going: bool = False) -> AsyncGenerator[Done]:
        """One `Done` a step, as it ends; ends early after the first that fails, unless `keep_going`."""
        ...

    async def pour(
        self, script: str, stdin: Iterable[bytes], take: Callable[[bytes], object], *, timeout: float
    ) -> Completed:
        """Runs `script` with input and output of any size: `stdin` goes in, each piece of its output to `take`. An
        exception of either ends the script. `stdout` of what is returned is empty. timeout: seconds of silence."""
        ...

    def lock(self, owner: str) -> AbstractAsyncContextManager[None]:
        """Holds the host for one run. Raises `LockedError` with the holder's own `owner` line if another has it."""
        ...
