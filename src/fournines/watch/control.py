"""The watch's end of the prober's process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from fournines.prove.model import Operation
from fournines.watch.spec import WatchSpec, dumps


@dataclass(frozen=True, slots=True)
class Sent:
    function: str
    connection: str
    intended: float
    started: float


@dataclass(frozen=True, slots=True)
class Alive:
    """The prober runs; `unready`: functions that it cannot ask for."""

    now: float
    unready: frozenset[str]


Word = Sent | Operation | Alive


def understood(line: bytes) -> Word | None:
    """None of a line that is cut, as of a prober that was killed."""
    try:
        kind, *rest = json.loads(line)
        match kind:
            case "sent":
                return Sent(*rest)
            case "done":
                function, connection, intended, started, ended, outcome, error = rest
                return Operation(function, connection, intended, started, ended, outcome, error=error)
            case "alive":
                return Alive(rest[0], frozenset(rest[1]))
            case _:
                return None
    except (ValueError, TypeError, IndexError):
        return None


async def words(spec: WatchSpec) -> AsyncGenerator[Word]:
    """Of one process, until it ends; it is ended when nobody listens any more."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fournines.watch.prober",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=1 << 20,
    )
    try:
        assert process.stdin and process.stdout
        with contextlib.suppress(ConnectionError):
            process.stdin.write(dumps(spec).encode() + b"\n")
            await process.stdin.drain()
        async for line in process.stdout:
            if (word := understood(line)) is not None:
                yield word
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())


def operation_key(word: Sent | Operation) -> tuple[str, str]:
    return word.function, word.connection
