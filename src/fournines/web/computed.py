"""What takes seconds to compute, or hosts must be asked for: each in a process of its own, whose memory is given back.
What changes only with the cloud file or a new run is computed once."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fournines.errors import FourninesError

TIMEOUT = 120.0
#: Processes that answer at the same time; further ones wait.
AT_ONCE = 2


async def compute(what: str, cloud: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`what`: of `compute.WHAT`. Raises FourninesError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fournines.web.compute",
        what,
        str(cloud),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            out, err = await process.communicate(json.dumps(asked).encode())
    except TimeoutError as error:
        raise FourninesError(f"{what} took longer than {TIMEOUT:g} s", next=f"fournines {what} {cloud}") from error
    finally:
        if process.returncode is None:  # also when nobody waits for the answer any more
            process.kill()
    try:
        said = json.loads(out)
    except ValueError as error:
        last = (err.decode(errors="replace").strip().splitlines() or ["no output"])[-1]
        raise FourninesError(f"{what} failed", why=last, next=f"fournines {what} {cloud}") from error
    if "error" in said:
        raise FourninesError(**said["error"])
    return said["result"]


class Computed:
    def __init__(self, cloud: Path, state: Path, work: Callable[[str, Path, Mapping[str, Any]], Any] = compute) -> None:
        self._cloud = cloud
        self._state = state
        self._work = work
        self._known: dict[str, tuple[Any, dict[str, Any]]] = {}
        self._lock = asyncio.Lock()
        self._few = asyncio.Semaphore(AT_ONCE)

    async def get(self, what: str) -> dict[str, Any]:
        """Raises FourninesError."""
        async with self._lock:
            stamp = self._stamp()
            known = self._known.get(what)
            if known is None or known[0] != stamp:
                known = self._known[what] = stamp, await self._work(what, self._cloud, {})
            return known[1]

    async def ask(self, what: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """As things are now. Raises FourninesError."""
        async with self._few:
            return await self._work(what, self._cloud, asked)

    def _stamp(self) -> Any:
        runs = self._state / "runs"
        try:
            found = self._cloud.stat()
            return found.st_mtime_ns, found.st_size, runs.stat().st_mtime_ns if runs.exists() else 0
        except OSError:
            return object()
