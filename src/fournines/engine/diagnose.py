"""Why a change failed, as precisely as the host itself can tell."""

from __future__ import annotations

import re
import shlex

from fournines.engine.transport import Done, ManagedHost
from fournines.errors import HostError
from fournines.plan.model import Change
from fournines.services.service import Check

_LINES = 20
_IN_USE = re.compile(r"address already in use|eaddrinuse|cannot bind|bind on tcp/ip port|failed to listen", re.I)
_NUMBER = re.compile(r"\b\d{2,5}\b")
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
    if taken := await _port_taken(host, unit, [done.output, *log]):
        return HostError(f"{what}: {taken}", where=host.host, why=_indented(log[-3:]), next=f"stop it, {_CONTINUE}")
    return HostError(
        what,
        where=host.host,
        why=_indented([done.output or f"exit status {done.status}", *log]),
        next=f"fix what the host says, {_CONTINUE}",
    )


async def why_not(host: ManagedHost, check: Check, done: Done) -> str:
    """What a failed check said, who holds a port that its unit wants, and the unit's last log lines."""
    log = await _last_log(host, check.unit)
    taken = await _port_taken(host, check.unit, [check.script, *log])
    return _indented([*([taken] if taken else []), done.output or f"exit status {done.status}", *log])


async def _last_log(host: ManagedHost, unit: str) -> list[str]:
    """The last lines that `unit` logged; none without a unit."""
    if not unit:
        return []
    return await _said(host, f"journalctl -u {shlex.quote(unit)} -n {_LINES} --no-pager -o cat")


async def _port_taken(host: ManagedHost, unit: str, said: list[str]) -> str:
    """When `unit` complains of a port in use: which, and who else listens on it. Daemons seldom name the port, so it is
    one of the numbers in what they, their check and their unit say."""
    if not unit or not any(_IN_USE.search(line) for line in said):
        return ""
    configured = await _said(host, f"systemctl cat {shlex.quote(unit)}")
    numbers = set(_NUMBER.findall(" ".join([*said, *configured])))
    for line in await _said(host, "ss -Hltnp"):
        port = line.split()[3].rpartition(":")[2]
        pid = re.search(r"pid=(\d+)", line)
        if port in numbers and pid:
            owner, _, command = " ".join(await _said(host, f"ps -o unit=,args= -p {pid[1]}")).partition(" ")
            if owner != unit:
                return f"port {port} is taken by pid {pid[1]} of {owner}: {command.strip()[:100]}"
    return ""


async def _said(host: ManagedHost, script: str) -> list[str]:
    try:
        return (await host.run(script, timeout=15)).stdout.strip().splitlines()
    except HostError:  # the first error is the one to tell
        return []


def _indented(lines: list[str]) -> str:
    return "\n        ".join(line for text in lines for line in text.splitlines())
