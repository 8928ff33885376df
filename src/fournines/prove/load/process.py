"""The load's process: `python -m fournines.prove.load.process`. Reads a `LoadSpec`, then commands, on standard input.

Says on standard output, one JSON object a line: `{"ready": t}`, every half second `{"progress": …}`, after `stop`
`{"drained": …}`. End of input without `stop` ends it at once: it never outlives the campaign.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fournines.prove.history import Log
from fournines.prove.load.attempt import Attempt, describe
from fournines.prove.load.identity import KeystoneProbes
from fournines.prove.load.messages import MessageProbes
from fournines.prove.load.rows import RowProbes
from fournines.prove.load.spec import LoadSpec, loads
from fournines.prove.model import Operation, Outcome
from fournines.prove.probes import PROBES, Probe

#: Longer than two heartbeats of the lan profile, so that a consumer that must reconnect still drains its queue.
DRAIN_S = 20.0
SETUP_S = 30.0

Function = Callable[[Attempt], Awaitable[None]]


class Load:
    """Sends each probe at its intended times, whatever became of the ones before."""

    def __init__(self, spec: LoadSpec, log: Log) -> None:
        self._spec = spec
        self._log = log
        self._identity = KeystoneProbes(spec.identity)
        self._rows = RowProbes(spec.database)
        self._messages = MessageProbes(spec.broker, self._delivered)
        self._tasks: set[asyncio.Task[None]] = set()
        self._tickers: list[asyncio.Task[None]] = []
        self.counts: dict[str, dict[Outcome, int]] = {p: {"ok": 0, "fail": 0, "unknown": 0} for p in spec.probes}
        self.last_ok: dict[str, float] = {}

    def now(self) -> float:
        return time.monotonic() - self._spec.epoch

    async def start(self) -> None:
        """Connects everything, then begins at the next tenth of a second."""
        for client in (self._identity, self._rows, self._messages):
            async with asyncio.timeout(SETUP_S):
                await client.start()
        first = math.ceil(self.now() * 10) / 10 + 0.1
        functions = self._functions()
        for i, name in enumerate(p for p in self._spec.probes if p in functions):
            # Spread over the tenth, so that the probes do not queue behind one another on the client's side.
            ticker = self._tick(PROBES[name], functions[name], first + i * 0.01)
            self._tickers.append(asyncio.create_task(ticker))

    async def stop(self) -> int | None:
        """Sends nothing more, waits for what is on its way, drains the queue. Messages left in it, None if unknown."""
        for ticker in self._tickers:
            ticker.cancel()
        await asyncio.gather(*self._tickers, return_exceptions=True)
        await asyncio.gather(*self._tasks)
        left = await self._messages.drain(DRAIN_S)
        for client in (self._identity, self._rows, self._messages):
            await client.close()
        return left

    def _functions(self) -> dict[str, Function]:
        """`consume` is missing: the consumer is driven by the queue, not by a clock."""
        return {
            "authenticate": self._identity.authenticate,
            "authenticate_password": self._identity.authenticate_password,
            "validate": self._identity.validate,
            "list_projects": self._identity.list_projects,
            "create_project": self._identity.create_project,
            "read_row": self._rows.read_row,
            "write_row": self._rows.write_row,
            "publish": self._messages.publish,
        }

    async def _tick(self, probe: Probe, function: Function, first: float) -> None:
        n = 0
        while True:
            intended = first + n * probe.interval
            await asyncio.sleep(max(0.0, intended - self.now()))
            value = f"{self._spec.prefix}-{probe.name}-{n}" if probe.kind == "write" else ""
            attempt = Attempt(probe.connections[n % len(probe.connections)], intended, value)
            task = asyncio.create_task(self._run(probe.name, function, attempt))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            n += 1

    async def _run(self, name: str, function: Function, attempt: Attempt) -> None:
        started = self.now()
        outcome: Outcome = "ok"
        error = ""
        try:
            async with asyncio.timeout(self._spec.timeout):
                await function(attempt)
        except Exception as caught:
            outcome, error = attempt.outcome_of(caught), describe(caught)
        self._record(
            Operation(name, attempt.connection, attempt.intended, started, self.now(), outcome, attempt.value, error)
        )

    def _delivered(self, value: str, intended: float) -> None:
        self._record(Operation("consume", "kept", intended, intended, self.now(), "ok", value))

    def _record(self, operation: Operation) -> None:
        times = {name: round(getattr(operation, name), 6) for name in ("intended", "started", "ended")}
        self._log.operation(replace(operation, **times))
        self.counts[operation.function][operation.outcome] += 1
        if operation.outcome == "ok":
            self.last_ok[operation.function] = operation.ended


def _say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


async def _report(load: Load, log: Log) -> None:
    while True:
        await asyncio.sleep(0.5)
        log.flush()
        _say(progress={name: [*counts.values(), load.last_ok.get(name)] for name, counts in load.counts.items()})


async def _main() -> None:
    lines = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    spec = loads((await lines.readline()).decode())
    with Log(Path(spec.history)) as log:
        load = Load(spec, log)
        try:
            await load.start()
        except Exception as error:
            _say(failed=describe(error))
            return
        _say(ready=load.now())
        reporter = asyncio.create_task(_report(load, log))
        if (await lines.readline()).strip() == b"stop":
            _say(drained={"left": await load.stop(), "at": load.now()})
        reporter.cancel()


if __name__ == "__main__":
    # The prober must not wait for what it measures; without the right to do so it runs like any other process.
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    asyncio.run(_main())
