"""Why a change failed, as precisely as the host itself can tell."""

from __future__ import annotations

import re
import shlex

from fournines.engine.transport import Done, ManagedHost
from fournines.errors import HostError
from fournines.plan.model import Change

_LINES = 20
_IN_USE = re.compile(r"address already in use|eaddrinuse|cannot bind|bind on tcp/ip port|failed to listen", re.I)
_PORT = re.compile(r"(?:port[: ]+|:)(\d{2,5})\b", re.I)
_CONTINUE = "then run the same command again: it continues here"


async def explain(host: ManagedHost, change: Change, done: Done) -> HostError:
    """The error for `change`, whose step ended as `done`."""
    what = f"{host.host}: {change.resource.key} failed"
    kind, _, name = change.resource.key.partition(":")
    if "No space left on device" in done.output:
        full = await _said(host, "df -h -x tmpfs -x overlay -x devtmpfs; df -h /")
        return HostError(
            f"{what}: the disk of {host.host} is full",
            where=host.host,
            why=_indented([done.output, *full]),
            next=f"free space on {host.host}, {_CONTINUE}",
        )
    if kind == "package":
        return HostError(
            f"{what}: the package cannot be installed",
            where=host.host,
            why=_indented(done.output.splitlines()[-8:]),
            next=f"see that `apt-get install {name}` works on {host.host}, {_CONTINUE}",
        )
    unit = name if kind in ("unit", "restart", "reload") else ""
    log = await _last_log(host, unit)
    if taken := await _port_taken(host, [done.output, *log]):
        port, holder = taken
        return HostError(
            f"{what}: port {port} is taken",
            where=host.host,
            why=_indented([holder, *log[-3:]]),
            next=f"stop what holds port {port}, {_CONTINUE}",
        )
    return HostError(
        what,
        where=host.host,
        why=_indented([done.output or f"exit status {done.status}", *log]),
        next=f"mend what the host says, {_CONTINUE}",
    )


async def why_not(host: ManagedHost, unit: str, done: Done) -> str:
    """What a failed check of `unit` said, who holds a port that the unit wants, and the unit's last log lines."""
    log = await _last_log(host, unit)
    taken = await _port_taken(host, log)
    said = [f"port {taken[0]} is taken: {taken[1]}"] if taken else []
    return _indented([*said, done.output or f"exit status {done.status}", *log])


async def _last_log(host: ManagedHost, unit: str) -> list[str]:
    """The last lines that `unit` logged; none without a unit."""
    if not unit:
        return []
    return await _said(host, f"journalctl -u {shlex.quote(unit)} -n {_LINES} --no-pager -o cat")


async def _port_taken(host: ManagedHost, said: list[str]) -> tuple[str, str] | None:
    """(port, who listens on it) when the log complains of a port in use."""
    for line in said:
        if _IN_USE.search(line):
            for port in _PORT.findall(" ".join(said)):
                if holder := await _said(host, f"ss -Hltnp 'sport = :{port}'"):
                    return port, holder[0]
    return None


async def _said(host: ManagedHost, script: str) -> list[str]:
    try:
        return (await host.run(script, timeout=15)).stdout.strip().splitlines()
    except HostError:  # the first error is the one to tell
        return []


def _indented(lines: list[str]) -> str:
    return "\n        ".join(line for text in lines for line in text.splitlines())
