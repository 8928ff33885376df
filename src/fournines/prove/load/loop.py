"""The open loop: each probe is sent at its intended time, whatever became of the ones before. Long work takes turns."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping

from fournines.prove.load.attempt import Attempt, describe
from fournines.prove.model import Operation, Outcome
from fournines.prove.probes import Probe, Turns

Function = Callable[[Attempt], Awaitable[None]]

#: Between the first sends of two probes, so that they do not queue behind one another on the client's side. Seconds.
APART_S = 0.01


class OpenLoop:
    """`timeout`: seconds of a request; what takes turns has its own. `prefix` begins each value that is written.

    `record` gets every operation.
    """

    def __init__(
        self, now: Callable[[], float], timeout: float, prefix: str, record: Callable[[Operation], None]
    ) -> None:
        self._now = now
        self._timeout = timeout
        self._prefix = prefix
        self._record = record
        self._on_their_way: set[asyncio.Task[Operation]] = set()
        self._tickers: list[asyncio.Task[None]] = []

    def start(self, functions: Mapping[Probe, Function], first: float) -> None:
        """Sends from `first` on, which is on the clock of `now`."""
        for i, (probe, function) in enumerate(functions.items()):
            at, turns = first + i * APART_S, probe.turns
            ticker = self._take_turns(probe, turns, function, at) if turns else self._tick(probe, function, at)
            self._tickers.append(asyncio.create_task(ticker))

    async def stop(self) -> None:
        """Sends nothing more, and waits for what is on its way."""
        for ticker in self._tickers:
            ticker.cancel()
        await asyncio.gather(*self._tickers, return_exceptions=True)
        await asyncio.gather(*self._on_their_way)

    async def _tick(self, probe: Probe, function: Function, first: float) -> None:
        for n in itertools.count():
            await self._send(probe, function, n, first + n * probe.interval, self._timeout)

    async def _take_turns(self, probe: Probe, turns: Turns, function: Function, first: float) -> None:
        """The next is due `interval` after this one was, sooner if it did not succeed, never before it has ended."""
        due = first
        for n in itertools.count():
            on_its_way = await self._send(probe, function, n, due, turns.timeout)
            done = await asyncio.shield(on_its_way)  # `stop` waits for it
            due = max(due + (probe.interval if done.outcome == "ok" else turns.again), done.ended)

    async def _send(
        self, probe: Probe, function: Function, n: int, intended: float, timeout: float
    ) -> asyncio.Task[Operation]:
        """Waits for the intended time."""
        await asyncio.sleep(max(0.0, intended - self._now()))
        value = f"{self._prefix}-{probe.name}-{n}" if probe.kind == "write" else ""
        attempt = Attempt(probe.connections[n % len(probe.connections)], intended, value)
        task = asyncio.create_task(self._run(probe.name, function, attempt, timeout))
        self._on_their_way.add(task)
        task.add_done_callback(self._on_their_way.discard)
        return task

    async def _run(self, name: str, function: Function, attempt: Attempt, timeout: float) -> Operation:
        started = self._now()
        outcome: Outcome = "ok"
        error = ""
        try:
            async with asyncio.timeout(timeout):
                await function(attempt)
        except Exception as caught:
            outcome, error = attempt.outcome_of(caught), describe(caught)
        ended = self._now()
        sent = attempt.connection, attempt.intended, started, ended
        done = Operation(name, *sent, outcome, attempt.value, error, attempt.steps)
        self._record(done)
        return done
