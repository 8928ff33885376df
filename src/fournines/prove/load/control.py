"""The campaign's end of the load process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fournines.errors import ProveError
from fournines.prove.load.process import DRAIN_S, SETUP_S
from fournines.prove.load.spec import LoadSpec, dumps
from fournines.prove.probes import PROBES

#: function -> [ok, fail, unknown, when the last success ended or None]
Progress = dict[str, list[float | None]]


def waiting(progress: Progress, functions: Iterable[str], since: float) -> tuple[str, ...]:
    """Those that have not succeeded since then."""
    last = {name: counts[-1] for name, counts in progress.items()}
    return tuple(f for f in functions if (ended := last.get(f)) is None or ended < since)


def last_answer(spec: LoadSpec) -> float:
    """Seconds after the last request at which every one has been answered or timed out."""
    turns = (PROBES[name].turns for name in spec.probes)
    return max((spec.timeout, *(t.timeout for t in turns if t)))


class LoadProcess:
    """`progress` is called with every half second's counts. `kill` is safe at any time, and twice.

    `inside`: words before the command, which make it run elsewhere.
    """

    def __init__(self, spec: LoadSpec, progress: Callable[[Progress], None], inside: Sequence[str] = ()) -> None:
        self._inside = tuple(inside)
        self._spec = spec
        self._progress = progress
        self._process: asyncio.subprocess.Process | None = None
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> float:
        """Seconds on the campaign's clock at which the load began. Raises ProveError when a client cannot connect."""
        self._process = await asyncio.create_subprocess_exec(
            *self._inside,
            sys.executable,
            "-m",
            "fournines.prove.load.process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C belongs to the campaign, which first heals and then stops its load.
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read())
        await self._tell(dumps(self._spec))
        said = await self._hear("ready", 3 * SETUP_S)
        return float(said["ready"])

    async def stop(self) -> int | None:
        """Ends the load and drains its queue. Messages left in the queue; None if that could not be told."""
        await self._tell("stop")
        said = await self._hear("drained", last_answer(self._spec) + self._spec.timeout + DRAIN_S + 10.0)
        return said["drained"]["left"]

    async def kill(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        if self._reader:
            await self._reader

    async def _tell(self, line: str) -> None:
        assert self._process and self._process.stdin
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()

    async def _hear(self, what: str, within: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(within):
                said = await self._said.get()
        except TimeoutError:
            said = {"failed": f"it said nothing for {within:.0f} s"}
        if what not in said:
            raise ProveError(
                "the load cannot run against this cloud",
                where=self._spec.identity.url,
                why=said.get("failed", "the process ended"),
                next="fournines status CLOUD",
            )
        return said

    async def _read(self) -> None:
        assert self._process and self._process.stdout
        async for line in self._process.stdout:
            said: dict[str, Any] = json.loads(line)
            if "progress" in said:
                self._progress(said["progress"])
            else:
                self._said.put_nowait(said)
        self._said.put_nowait({})
