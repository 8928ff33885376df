"""The journals of many hosts at once: one exec a host, and a host that does not answer is said."""

from __future__ import annotations

import asyncio
import math
import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fournines.engine.transport import Transport
from fournines.errors import HostError
from fournines.logs.entries import FIELDS, Entry, parse, requests

#: Reading a week of a busy host's journal through takes its disk a while.
ANSWER = 180.0
CLOCK = 10.0
#: Lines of one host, the last ones of the window, unless more are asked for.
MOST = 100_000
#: A request that made this many others is a loop of a service, not what a user did.
_MOST_REQUESTS = 100


@dataclass(frozen=True)
class Query:
    """since, until: seconds since the epoch. units: any of these; (): all. pattern: PCRE that a message must match.
    priority: as of journalctl's option. most: lines of a host."""

    since: float
    until: float
    units: tuple[str, ...] = ()
    pattern: str = ""
    priority: str = ""
    most: int = MOST


@dataclass(frozen=True)
class Journal:
    """What one host has of a window. begins: of its oldest line, whatever was asked for; None: it has none. offset:
    seconds that its clock is ahead of ours, where that is more than can be told from the way there and back. cut: it
    has more lines than were asked for, and these are the last ones."""

    host: str
    entries: tuple[Entry, ...]
    begins: float | None
    offset: float
    cut: bool


@dataclass(frozen=True)
class Logs:
    journals: tuple[Journal, ...]
    failures: Mapping[str, HostError] = field(default_factory=dict[str, HostError])

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All, in the order of time."""
        return tuple(sorted((e for j in self.journals for e in j.entries), key=lambda e: e.time))


def script(query: Query) -> str:
    """Two answers: when the journal's oldest line is of, then the lines."""
    words = ["journalctl", "--quiet", "--no-pager", "-o", "json", f"--output-fields={FIELDS}"]
    words += [f"--since=@{math.floor(query.since)}", f"--until=@{math.ceil(query.until)}", f"--lines={query.most + 1}"]
    words += [f"--unit={unit}" for unit in query.units]
    if query.priority:
        words.append(f"--priority={query.priority}")
    if query.pattern:
        words += [f"--grep={query.pattern}", "--case-sensitive=yes"]
    return (
        "{ journalctl --quiet --no-pager -o short-unix 2>/dev/null || true; } | head -n 1 | cut -d' ' -f1\n"
        f"{shlex.join(words)} || [ $? -eq 1 ]"
    )


async def collect(hosts: Mapping[str, Transport], query: Query) -> Logs:
    """Of all `hosts`."""
    answers = await asyncio.gather(*(_ask(name, host, query) for name, host in hosts.items()))
    return Logs(
        tuple(a for a in answers if isinstance(a, Journal)),
        {name: a for name, a in zip(hosts, answers, strict=True) if isinstance(a, HostError)},
    )


async def follow(hosts: Mapping[str, Transport], request: str, query: Query) -> tuple[Logs, frozenset[str]]:
    """Every line about `request` and about the requests that services made for it, and their ids."""
    known: frozenset[str] = frozenset()
    wanted = frozenset({request})
    found = Logs(())
    while wanted != known and len(wanted) <= _MOST_REQUESTS:
        known = wanted
        pattern = "|".join(sorted(known))
        found = await collect(hosts, replace(query, pattern=pattern))
        wanted = requests(found.entries, known)
    return found, known


async def _ask(name: str, transport: Transport, query: Query) -> Journal | HostError:
    try:
        ahead = await _ahead(transport)
        own = replace(query, since=query.since + ahead, until=query.until + ahead)
        done = await transport.run(script(own), timeout=ANSWER)
    except HostError as error:
        return error
    oldest, _, lines = done.stdout.partition("\n")
    if done.status != 0:
        why = done.stderr.strip()[-300:]
        return HostError(f"{name}: its journal cannot be read", where=name, why=why, next="journalctl --verify there")
    begins = float(oldest) - ahead if re.fullmatch(r"\d+\.\d+", oldest) else None
    entries = tuple(e for e in parse(name, lines.splitlines(), ahead) if query.since <= e.time <= query.until)
    return Journal(name, entries[-query.most :], begins, ahead, cut=len(entries) > query.most)


#: Seconds by which clocks may differ before lines are moved: a reading is no better than that.
_AGREES = 0.05


async def _ahead(transport: Transport) -> float:
    """Seconds that the host's clock is ahead of ours; 0 where the way there and back explains it."""
    asked = time.time()
    done = await transport.run("date +%s.%N", timeout=CLOCK)
    answered = time.time()
    clock = float(done.stdout) if re.fullmatch(r"\d+\.\d+\n", done.stdout) else (asked + answered) / 2
    offset = clock - (asked + answered) / 2
    return offset if abs(offset) > (answered - asked) / 2 + _AGREES else 0.0
