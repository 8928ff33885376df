"""The seam to the hosts: everything that reaches one goes through `Transport`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """`status` is the exit status; output is text (UTF-8, undecodable bytes replaced)."""

    status: int
    stdout: str
    stderr: str


class Transport(Protocol):
    """One host, as root. Every call has a timeout in seconds; all raise `HostError` that names the host and the cause
    (unreachable, refused key, changed host key, wrong sudo password, timed out)."""

    host: str

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed: ...

    async def put(
        self, path: str, content: bytes, *, mode: int, owner: str, group: str, timeout: float = 60.0
    ) -> None: ...

    async def close(self) -> None: ...
