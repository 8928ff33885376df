"""The open loop: each probe is sent at its intended time, whatever became of the ones before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fournines.prove.load.attempt import Attempt, describe
from fournines.prove.model import Operation, Outcome
from fournines.prove.probes import Probe

Function = Callable[[Attempt], Awaitable[None]]

#: Between the first sends of two probes, so that they do not queue behind one another on the client's side. Seconds.
APART_S = 0.01


class OpenLoop:
    """`timeout`: seconds of a request. `prefix` begins each value that is written. `record` gets every operation."""

    def __init__(
        self, now: Callable[[], float], timeout: float, prefix: str, record: Callable[[Operation], None]
    ) -> None:
        self._now = now
        self._timeout = timeout
        self._prefix = prefix
        self._record = record
        self._on_their_way: set[asyncio.Task[None]] = set()
        self._tickers: list[asyncio.Task[None]] = []

    def start(self, functions: Mapping[Probe, Function], first: float) -> None:
        """Sends from `first` on, which is on the clock of `now`."""
        for i, (probe, function) in enumerate(functions.items()):
            self._tickers.append(asyncio.create_task(self._tick(probe, function, first + i * APART_S)))

    async def stop(self) -> None:
        """Sends nothing more, and waits for what is on its way."""
        for ticker in self._tickers:
            ticker.cancel()
        await asyncio.gather(*self._tickers, return_exceptions=True)
        await asyncio.gather(*self._on_their_way)

    async def _tick(self, probe: Probe, function: Function, first: float) -> None:
        n = 0
        while True:
            intended = first + n * probe.interval
            await asyncio.sleep(max(0.0, intended - self._now()))
            value = f"{self._prefix}-{probe.name}-{n}" if probe.kind == "write" else ""
            attempt = Attempt(probe.connections[n % len(probe.connections)], intended, value)
            task = asyncio.create_task(self._run(probe.name, function, attempt))
            self._on_their_way.add(task)
            task.add_done_callback(self._on_their_way.discard)
            n += 1

    async def _run(self, name: str, function: Function, attempt: Attempt) -> None:
        started = self._now()
        outcome: Outcome = "ok"
        error = ""
        try:
            async with asyncio.timeout(self._timeout):
                await function(attempt)
        except Exception as caught:
            outcome, error = attempt.outcome_of(caught), describe(caught)
        ended = self._now()
        self._record(
            Operation(name, attempt.connection, attempt.intended, started, ended, outcome, attempt.value, error)
        )
