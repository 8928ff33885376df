"""This machine as a host: a real shell, without SSH."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fournines.engine.shell import Pipes, ShellHost

_LIMIT = 4 << 20  # bytes of one record
_GRACE = 1.0  # seconds that a script has to notice the end of its input


class LocalHost(ShellHost):
    """Runs as the user that fournines runs as."""

    def __init__(self, host: str = "localhost") -> None:
        super().__init__(host)

    @asynccontextmanager
    async def shell(self, script: str) -> AsyncGenerator[Pipes]:
        pipe = asyncio.subprocess.PIPE
        body = script.encode()
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", f'eval "$(head -c {len(body)})"', stdin=pipe, stdout=pipe, stderr=pipe, limit=_LIMIT
        )
        assert process.stdin and process.stdout and process.stderr
        try:
            process.stdin.write(body)
            yield Pipes(process.stdin, process.stdout, process.stderr, process.wait)
        finally:
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), _GRACE)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def close(self) -> None:
        pass
