"""One line of a journal, as plain data, and what can be read in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

#: syslog(3)'s priorities, in the words that OpenStack's services use.
_LEVELS = ("EMERG", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG")
#: The head that oslo.log gives a line: time, process, level, logger.
_OSLO = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \d+ (TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) (\S+) (.*)", re.DOTALL
)
REQUEST = re.compile(r"\breq-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
#: oslo.log's context: `[GLOBAL LOCAL user project …]`; GLOBAL is the caller's request, or None.
_CONTEXT = re.compile(rf"\[({REQUEST.pattern}|None) ({REQUEST.pattern})")
FIELDS = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER"


@dataclass(frozen=True)
class Entry:
    """`time`: seconds since the epoch, by our clock. `unit`: without `.service`. `level`: ERROR, WARNING, …"""

    time: float
    host: str
    unit: str
    level: str
    message: str

    @property
    def severe(self) -> bool:
        return self.level in _LEVELS[:4]


def parse(host: str, lines: Iterable[str], offset: float = 0.0) -> Iterator[Entry]:
    """The entries of `journalctl -o json`. `offset`: seconds by which the host's clock is ahead of ours. A line that is
    cut, as the last one of a host that lost power may be, is left out."""
    for line in lines:
        try:
            said: Any = json.loads(line)
            at = int(said["__REALTIME_TIMESTAMP"]) / 1e6 - offset
        except (ValueError, KeyError, TypeError):
            continue
        unit = str(said.get("_SYSTEMD_UNIT") or said.get("SYSLOG_IDENTIFIER") or "-").removesuffix(".service")
        level, message = _level(said.get("PRIORITY"), _text(said.get("MESSAGE")))
        yield Entry(at, host, unit, level, message)


def _text(message: object) -> str:
    """systemd gives bytes that are not UTF-8 as a list of numbers, and null for what is too long."""
    if isinstance(message, list):
        octets = [n for n in cast(list[Any], message) if isinstance(n, int) and 0 <= n < 256]
        return bytes(octets).decode(errors="replace")
    return "(too long to be shown)" if message is None else str(message)


def _level(priority: object, message: str) -> tuple[str, str]:
    """Services write to stderr, where every line has one priority: their own word for it counts."""
    if oslo := _OSLO.fullmatch(message):
        level = "ERROR" if oslo[1] == "TRACE" else oslo[1]
        return level, f"{oslo[2]} {oslo[3]}"
    known = isinstance(priority, str) and priority.isdigit() and int(priority) < len(_LEVELS)
    return _LEVELS[int(str(priority))] if known else "INFO", message


def requests(entries: Iterable[Entry], wanted: frozenset[str]) -> frozenset[str]:
    """`wanted`, and the ids of requests that were made for them or that they were made for: a service that calls
    another sends its own id along, and the other's lines begin with both."""
    found = set(wanted)
    for entry in entries:
        for parent, child in (m.groups() for m in _CONTEXT.finditer(entry.message)):
            pair = {parent, child} - {"None"}
            if pair & wanted:
                found |= pair
    return frozenset(found)


def printable(text: str) -> str:
    """On one line, and no sequence that a terminal would obey: what is logged may be a stranger's."""
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)
