"""A host that can start a POSIX shell: everything that the engine does, over three pipes.

The script is sent through stdin, ahead of its own input: a command line is short, and every user of the host sees it.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any, Protocol

from fournines.engine import perform, probe
from fournines.engine.transport import Completed, Done
from fournines.errors import HostError, LockedError
from fournines.services.resource import Fact, Put, Step

_LOCK = resources.files("fournines.engine").joinpath("scripts/lock.sh").read_text()
_PIECE = 1 << 18  # bytes
_BEAT = 10.0  # seconds between signs of life to a held lock; scripts/lock.sh gives up after 45


class Writer(Protocol):
    def write(self, data: bytes, /) -> Any: ...
    async def drain(self) -> Any: ...
    def write_eof(self) -> Any: ...


class Reader(Protocol):
    async def readuntil(self, separator: bytes, /) -> bytes: ...
    async def read(self, n: int = -1, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Pipes:
    """A running shell. `wait` returns its exit status, -1 if a signal or a lost connection ended it."""

    stdin: Writer
    stdout: Reader
    stderr: Reader
    wait: Callable[[], Awaitable[int]]


class ShellHost(ABC):
    """Subclasses start a shell; `host` is the name that errors give."""

    def __init__(self, host: str) -> None:
        self.host = host

    @abstractmethod
    def shell(self, script: str) -> AbstractAsyncContextManager[Pipes]:
        """Starts `script` as root and hands over its pipes; ends it when the context ends.

        Raises `OSError`, `EOFError` or `TimeoutError` when the host is lost, inside the context as well.
        """

    @abstractmethod
    async def close(self) -> None: ...

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        async with self._answer_within(timeout), self.shell(script) as pipes:
            return await _converse(pipes, stdin.encode())

    async def put(self, path: str, content: bytes, *, mode: int, owner: str, group: str, timeout: float = 60.0) -> None:
        async with asyncio.timeout(timeout):
            async for done in self.perform([Put(path, content, mode, owner, group)]):
                if done.status:
                    raise HostError(f"{self.host}: {path} cannot be written", where=self.host, why=done.output)

    async def probe(self, facts: Sequence[Fact], *, timeout: float = 30.0) -> dict[Fact, str]:
        async with self._answer_within(timeout), self.shell(probe.SCRIPT) as pipes:
            answer = await _converse(pipes, probe.request(facts))
        try:
            return probe.replies(facts, answer.stdout)
        except probe.GarbledError as error:
            raise HostError(
                f"{self.host} broke off its answer",
                where=self.host,
                why=answer.stderr.strip() or str(error) or "no output",
                next="look for a full disk, memory or process limit on the host",
            ) from error

    async def perform(self, steps: Sequence[Step], *, keep_going: bool = False) -> AsyncGenerator[Done]:
        async with self._answer_within(None), self.shell(perform.SCRIPT) as pipes:
            sending = asyncio.create_task(_send(pipes, perform.request(steps, keep_going=keep_going)))
            try:
                await self._header(pipes, perform.HEADER)
                for step in steps:
                    async with self._answer_within(perform.allowance(step)):
                        done = perform.done(await _record(pipes))
                    yield done
                    if done.status and not keep_going:
                        return
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def pour(
        self, script: str, stdin: Iterable[bytes], take: Callable[[bytes], object], *, timeout: float
    ) -> Completed:
        async with self._answer_within(None), self.shell(script) as pipes:
            try:
                async with asyncio.TaskGroup() as group:
                    sending = group.create_task(_pour(pipes, stdin))
                    errors = group.create_task(pipes.stderr.read())
                    while piece := await asyncio.wait_for(pipes.stdout.read(_PIECE), timeout):
                        take(piece)
                    sending.cancel()  # a script that has said its last word reads no more
                    status = await pipes.wait()
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from None
            return Completed(status, "", errors.result().decode(errors="replace"))

    @asynccontextmanager
    async def lock(self, owner: str) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            async with self._answer_within(20.0):
                pipes = await stack.enter_async_context(self.shell(_LOCK))
                await _send(pipes, owner.encode() + b"\n", end=False)
                await self._header(pipes, "fournines-lock")
                answer = await _record(pipes)
            if answer != "locked":
                raise LockedError(
                    f"another run holds {self.host}",
                    where=self.host,
                    why=answer.removeprefix("held").strip() or "it does not say who it is",
                    next="wait for it to end; a lock whose holder is gone ends by itself within 45 s",
                )
            beating = asyncio.create_task(_beat(pipes))
            try:
                yield
            finally:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)

    async def _header(self, pipes: Pipes, header: str) -> None:
        """Skips what a login shell says before the script begins."""
        try:
            while await _record(pipes) != header:
                pass
        except EOFError:
            said = (await pipes.stderr.read()).decode(errors="replace").strip()
            raise HostError(f"{self.host} cannot run a script", where=self.host, why=said) from None

    @asynccontextmanager
    async def _answer_within(self, seconds: float | None) -> AsyncGenerator[None]:
        """Turns silence and a lost connection into `HostError`. None: no limit of its own."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise HostError(
                f"{self.host} did not answer within {seconds:g} s",
                where=self.host,
                next="look at its load and disks, then run the same command again: it continues",
            ) from error
        except (OSError, EOFError) as error:
            raise HostError(
                f"{self.host}: the connection was lost",
                where=self.host,
                why=str(error),
                next="see that the host is up, then run the same command again: it continues",
            ) from error


async def _send(pipes: Pipes, data: bytes, *, end: bool = True) -> None:
    pipes.stdin.write(data)
    await pipes.stdin.drain()
    if end:
        pipes.stdin.write_eof()


async def _pour(pipes: Pipes, pieces: Iterable[bytes]) -> None:
    """A script that ends early says why: that its input broke is not an error."""
    for piece in pieces:
        try:
            pipes.stdin.write(piece)
            await pipes.stdin.drain()
        except OSError:
            return
    pipes.stdin.write_eof()


async def _beat(pipes: Pipes) -> None:
    while True:
        await asyncio.sleep(_BEAT)
        await _send(pipes, b".", end=False)


async def _record(pipes: Pipes) -> str:
    return (await pipes.stdout.readuntil(b"\0"))[:-1].decode(errors="replace")


async def _converse(pipes: Pipes, stdin: bytes) -> Completed:
    """All of the input in, all of the output back."""
    sending = asyncio.create_task(_send(pipes, stdin))
    out, err = await asyncio.gather(pipes.stdout.read(), pipes.stderr.read())
    # A script need not read its input: that its pipe broke is not an error.
    await asyncio.gather(sending, return_exceptions=True)
    return Completed(await pipes.wait(), out.decode(errors="replace"), err.decode(errors="replace"))
