"""The probes' process: `python -m fournines.watch.prober`. Reads a `WatchSpec` on standard input, probes until that
ends.

Says on standard output, one JSON array a line: `["sent", function, connection, intended, started]` when a request
begins, `["done", function, connection, intended, started, ended, outcome, error]` when it has ended,
`["alive", now, unready]` twice a second, where `unready` are the functions that cannot be asked for: nobody is signed
in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import secrets as random
import sys
import time
from collections.abc import Awaitable, Callable

from fournines.prove.deliveries import Delivery
from fournines.prove.load.attempt import Attempt, RefusedError
from fournines.prove.load.identity import KeystoneProbes
from fournines.prove.load.loop import Function, OpenLoop
from fournines.prove.load.messages import MessageProbes
from fournines.prove.load.rows import RegisterProbes
from fournines.prove.load.services import ServiceProbes
from fournines.prove.load.spec import Services
from fournines.prove.model import Operation
from fournines.watch.functions import watched
from fournines.watch.spec import WatchSpec, loads

ALIVE_S = 0.5
#: Between two attempts to sign in, at least.
AGAIN_S = 2.0
FORGET_S = 60.0


class SignedIn:
    """A client's token, kept new. `ready` while there is one; what it says of itself with a refused password is no
    matter of the cloud's."""

    def __init__(self, open_: Callable[[], Awaitable[None]], sign_in: Callable[[], Awaitable[None]]) -> None:
        self._open = open_
        self._sign_in = sign_in
        self._refused = asyncio.Event()
        self.ready = False

    def refused(self) -> None:
        """The token was: it is renewed now, for whoever changed the password has ended all tokens."""
        self._refused.set()

    async def keep(self, timeout: float, renew: float) -> None:
        await self._open()
        while True:
            self._refused.clear()
            pause = AGAIN_S
            try:
                async with asyncio.timeout(timeout):
                    await self._sign_in()
                self.ready, pause = True, renew
            except RefusedError:
                self.ready = False
            except Exception:  # noqa: S110  whatever it is, the token of before may still do
                pass
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._refused.wait()
                    await asyncio.sleep(AGAIN_S)


class Prober:
    def __init__(self, spec: WatchSpec, say: Callable[[object], None]) -> None:
        self._spec = spec
        self._say = say
        asked = set(spec.functions)
        self._identity = KeystoneProbes(spec.identity)
        self._rows = RegisterProbes(spec.database) if asked & {"read_row", "write_row"} else None
        self._messages = MessageProbes(spec.broker, self._delivered) if spec.broker and "publish" in asked else None
        self._services = (
            ServiceProbes(Services(spec.identity, spec.region), spec.timeout) if "list_servers" in asked else None
        )
        self._signed_in = {"identity": SignedIn(self._identity.open, self._identity.sign_in)}
        if self._services:
            self._signed_in["services"] = SignedIn(self._services.open, self._services.sign_in)
        # Messages that another process left in the queue are on another clock.
        self._prefix = f"{spec.name}.{os.getpid()}.{random.token_hex(2)}"
        self._loop = OpenLoop(self.now, spec.timeout, self._prefix, self._record)

    def now(self) -> float:
        return time.monotonic() - self._spec.epoch

    async def run(self) -> None:
        """Until it is cancelled."""
        if self._messages:
            self._messages.connect()
        functions = {name: f for name, f in self._functions().items() if name in self._spec.functions}
        async with asyncio.TaskGroup() as group:
            for client in self._signed_in.values():
                group.create_task(client.keep(self._spec.timeout, self._spec.renew))
            group.create_task(self._alive())
            group.create_task(self._forget())
            waiting = dict(functions)
            while waiting:
                unready = self.unready()
                begun = {name: waiting.pop(name) for name in tuple(waiting) if name not in unready}
                announced = {watched(name): self._announced(name, f) for name, f in begun.items()}
                self._loop.start(announced, math.ceil(self.now() * 10) / 10 + 0.1)
                await asyncio.sleep(ALIVE_S)

    def unready(self) -> frozenset[str]:
        """What cannot be asked for. `authenticate_password` needs no token, and the pool it uses is open."""
        missing: set[str] = set()
        if not self._signed_in["identity"].ready:
            missing |= {"validate", "list_projects", "authenticate"}
        if (services := self._signed_in.get("services")) and not services.ready:
            missing.add("list_servers")
        return frozenset(missing & set(self._spec.functions))

    def _functions(self) -> dict[str, Function]:
        found: dict[str, Function] = {
            "validate": self._identity.validate,
            "list_projects": self._identity.list_projects,
            "authenticate": self._identity.authenticate,
            "authenticate_password": self._identity.authenticate_password,
        }
        if self._rows:
            found |= {"read_row": self._rows.read_row, "write_row": self._rows.write_row}
        if self._messages:
            found["publish"] = self._messages.publish
        if self._services:
            found["list_servers"] = self._services.list_servers
        return found

    def _announced(self, name: str, function: Function) -> Function:
        async def probe(attempt: Attempt) -> None:
            self._say(["sent", name, attempt.connection, round(attempt.intended, 6), round(self.now(), 6)])
            try:
                await function(attempt)
            except RefusedError as error:
                if str(error).startswith("401"):
                    self._signed_in["services" if name == "list_servers" else "identity"].refused()
                raise

        return probe

    def _delivered(self, value: str, intended: float, _how: Delivery) -> None:
        if not value.startswith(f"{self._prefix}-"):
            return
        self._record(Operation("consume", "kept", intended, intended, self.now(), "ok", value))

    def _record(self, done: Operation) -> None:
        times = [round(at, 6) for at in (done.intended, done.started, done.ended)]
        self._say(["done", done.function, done.connection, *times, done.outcome, done.error])

    async def _alive(self) -> None:
        while True:
            self._say(["alive", round(self.now(), 6), sorted(self.unready())])
            await asyncio.sleep(ALIVE_S)

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(FORGET_S)
            if self._messages:
                self._messages.forget()


def _say(line: object) -> None:
    print(json.dumps(line, separators=(",", ":")), flush=True)


async def _main() -> None:
    lines = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    prober = Prober(loads((await lines.readline()).decode()), _say)
    running = asyncio.create_task(prober.run())
    ended = asyncio.create_task(lines.read())  # the watch has ended, however
    await asyncio.wait((running, ended), return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    # The prober must not wait for what it measures; without the right to do so it runs like any other process.
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    asyncio.run(_main())
