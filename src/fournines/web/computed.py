"""What takes seconds to compute and changes only with the cloud file or a new run: computed once, in a process of its
own, whose memory is given back."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fournines.errors import FourninesError

TIMEOUT = 120.0


async def compute(what: str, cloud: Path) -> dict[str, Any]:
    """`what`: check or design. Raises FourninesError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fournines.web.compute",
        what,
        str(cloud),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            out, err = await process.communicate()
    except TimeoutError as error:
        process.kill()
        raise FourninesError(f"{what} took longer than {TIMEOUT:g} s", next=f"fournines {what} {cloud}") from error
    try:
        said = json.loads(out)
    except ValueError as error:
        last = (err.decode(errors="replace").strip().splitlines() or ["no output"])[-1]
        raise FourninesError(f"{what} failed", why=last, next=f"fournines {what} {cloud}") from error
    if "error" in said:
        raise FourninesError(**said["error"])
    return said["result"]


class Computed:
    def __init__(self, cloud: Path, state: Path, work: Callable[[str, Path], Any] = compute) -> None:
        self._cloud = cloud
        self._state = state
        self._work = work
        self._known: dict[str, tuple[Any, dict[str, Any]]] = {}
        self._lock = asyncio.Lock()

    async def get(self, what: str) -> dict[str, Any]:
        """Raises FourninesError."""
        async with self._lock:
            stamp = self._stamp()
            known = self._known.get(what)
            if known is None or known[0] != stamp:
                known = self._known[what] = stamp, await self._work(what, self._cloud)
            return known[1]

    def _stamp(self) -> Any:
        runs = self._state / "runs"
        try:
            found = self._cloud.stat()
            return found.st_mtime_ns, found.st_size, runs.stat().st_mtime_ns if runs.exists() else 0
        except OSError:
            return object()
