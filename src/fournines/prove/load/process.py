"""The load's process: `python -m fournines.prove.load.process`. Reads a `LoadSpec`, then commands, on standard input.

Says on standard output, one JSON object a line: `{"ready": t}` or `{"failed": why}`, every half second
`{"progress": …}`, after `stop` `{"drained": …}`. End of input without `stop` ends it at once: it never outlives the
campaign.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from fournines.prove.deliveries import Delivery, written
from fournines.prove.history import Log
from fournines.prove.load.attempt import describe
from fournines.prove.load.identity import KeystoneProbes
from fournines.prove.load.loop import Function, OpenLoop
from fournines.prove.load.messages import MessageProbes
from fournines.prove.load.rows import RowProbes
from fournines.prove.load.services import ServiceProbes
from fournines.prove.load.spec import LoadSpec, loads
from fournines.prove.model import Operation, Outcome
from fournines.prove.probes import PROBES

#: A consumer that lost its node must notice, reconnect and be served before the queue counts as stuck.
DRAIN_S = 20.0
SETUP_S = 30.0


class Load:
    """The probes of one cloud, and what they are connected to."""

    def __init__(self, spec: LoadSpec, log: Log) -> None:
        self._spec = spec
        self._log = log
        self._identity = KeystoneProbes(spec.identity)
        probed = set(spec.probes)
        self._rows = RowProbes(spec.database) if probed & {"read_row", "write_row"} else None
        self._messages = MessageProbes(spec.broker, self._delivered) if "publish" in probed else None
        self._services = ServiceProbes(spec.services, spec.timeout) if spec.services else None
        self._clients = [c for c in (self._identity, self._rows, self._messages, self._services) if c]
        self._loop = OpenLoop(self.now, spec.timeout, spec.prefix, self._record)
        self._counts: dict[str, dict[Outcome, int]] = {p: {"ok": 0, "fail": 0, "unknown": 0} for p in spec.probes}
        self._last_ok: dict[str, float] = {}

    def now(self) -> float:
        return time.monotonic() - self._spec.epoch

    async def start(self) -> None:
        """Connects everything, then begins at the next tenth of a second."""
        for client in self._clients:
            try:
                async with asyncio.timeout(SETUP_S):
                    await client.start()
            except TimeoutError:
                raise TimeoutError(f"{client.what} did not answer within {SETUP_S:.0f} s") from None
        functions = self._functions()
        probes = [PROBES[name] for name in self._spec.probes if name in functions]
        chosen = {replace(p, interval=p.interval * self._spec.pace): functions[p.name] for p in probes}
        self._loop.start(chosen, math.ceil(self.now() * 10) / 10 + 0.1)

    async def stop(self) -> int | None:
        """Drains the queue too. Messages left in it, None if unknown."""
        await self._loop.stop()
        left = await self._messages.drain(DRAIN_S) if self._messages else None
        for client in self._clients:
            await client.close()
        return left

    def progress(self) -> dict[str, list[float | None]]:
        return {name: [*counts.values(), self._last_ok.get(name)] for name, counts in self._counts.items()}

    def _functions(self) -> dict[str, Function]:
        """`consume` is missing: the consumer is driven by the queue, not by a clock."""
        core: dict[str, Function] = {
            "authenticate": self._identity.authenticate,
            "authenticate_password": self._identity.authenticate_password,
            "validate": self._identity.validate,
            "list_projects": self._identity.list_projects,
            "create_project": self._identity.create_project,
            "validate_through_router": self._identity.validate,
        }
        if self._rows:
            core |= {"read_row": self._rows.read_row, "write_row": self._rows.write_row}
        if self._messages:
            core["publish"] = self._messages.publish
        services = self._services
        if services is None:
            return core
        return core | {
            "list_servers": services.list_servers,
            "dashboard": services.dashboard,
            "create_network": services.create_network,
            "upload_image": services.upload_image,
            "create_volume": services.create_volume,
            "create_stack": services.create_stack,
            "boot_server": services.boot_server,
        }

    def _delivered(self, value: str, intended: float, how: Delivery) -> None:
        self._record(Operation("consume", "kept", intended, intended, self.now(), "ok", value, steps=written(how)))

    def _record(self, operation: Operation) -> None:
        times = {name: round(getattr(operation, name), 6) for name in ("intended", "started", "ended")}
        self._log.operation(replace(operation, **times))
        self._counts[operation.function][operation.outcome] += 1
        if operation.outcome == "ok":
            self._last_ok[operation.function] = operation.ended


def _say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


async def _report(load: Load, log: Log) -> None:
    while True:
        await asyncio.sleep(0.5)
        log.flush()
        _say(progress=load.progress())


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
            left = await load.stop()
            # The campaign may end this process as soon as it has heard.
            log.flush()
            _say(drained={"left": left})
        reporter.cancel()


if __name__ == "__main__":
    # The prober must not wait for what it measures; without the right to do so it runs like any other process.
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    asyncio.run(_main())
