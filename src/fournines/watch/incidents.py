"""Incidents on disk: `incidents/ID.jsonl`, one JSON line each thing that became known, only ever appended to.

A crash at any byte costs at most the line that was being written. What is kept is bounded: the oldest go first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fournines.errors import FourninesError
from fournines.logs.collect import Logs
from fournines.logs.entries import Entry
from fournines.watch.ledger import append, read

#: Of all incidents, and of the logs of one.
MOST_INCIDENTS, MOST_BYTES, MOST_LOG_BYTES = 500, 128 << 20, 1 << 20
#: Of changes of the agents' word during one.
MOST_CHANGES = 200
#: How a line of logs looks where it begins.
_LOGS = '"what":"logs"'
#: Of a line of a log.
MOST_LINE = 2000

Line = dict[str, Any]


class NoSuchIncidentError(FourninesError):
    pass


@dataclass(frozen=True)
class Incident:
    """began, ended: seconds since the epoch; None: it goes on, or the watch was killed meanwhile. interrupted: the
    watch was stopped, or killed, while it went on. lines: all that is known, in the order in which it became so."""

    id: str
    began: float
    ended: float | None
    interrupted: bool
    lines: tuple[Line, ...]

    def of(self, what: str) -> list[Line]:
        return [line for line in self.lines if line.get("what") == what]

    @property
    def region(self) -> str:
        return str(self.lines[0].get("region", ""))

    @property
    def functions(self) -> tuple[str, ...]:
        """That were out."""
        return tuple(dict.fromkeys(str(line["function"]) for line in self.of("out")))

    @property
    def bad(self) -> Mapping[str, int]:
        """Function -> seconds in which it was not answered well."""
        found: list[dict[str, int]] = [line["bad"] for line in self.of("ended")]
        return found[0] if found else {}

    @property
    def sentence(self) -> str:
        """What the agents said when it began."""
        return next((str(line["sentence"]) for line in self.of("agents")), "nothing is known of the agents")


class Incidents:
    def __init__(self, directory: Path) -> None:
        self._directory = directory / "incidents"

    def begin(self, at: float, region: str, cloud: str) -> str:
        """Its id. Raises OSError."""
        name = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
        taken, number = name, 1
        while (self._directory / f"{taken}.jsonl").exists():
            number += 1
            taken = f"{name}-{number}"
        self.note(taken, at, "began", region=region, cloud=cloud)
        return taken

    def note(self, id: str, at: float, what: str, **more: Any) -> None:
        """Raises OSError."""
        append(self._directory / f"{id}.jsonl", {"at": round(at, 3), "what": what, **more}, sync=True)

    def all(self, most: int = MOST_INCIDENTS) -> list[Incident]:
        """The newest, without what their logs say. A file that says nothing is left out."""
        names = sorted((p.stem for p in self._directory.glob("*.jsonl")), reverse=True)[:most]
        return [found for name in names if (found := self.find(name, logs=False))]

    def find(self, id: str, *, logs: bool = True) -> Incident | None:
        """`logs`: with what they say, which is most of it."""
        if not id or "/" in id or id.startswith("."):
            return None
        said = read(self._directory / f"{id}.jsonl", without="" if logs else _LOGS)
        lines = tuple(line for line in said if isinstance(line.get("at"), (int, float)))
        if not lines:
            return None
        ended = next((line for line in lines if line.get("what") == "ended"), None)
        began = float(lines[0]["at"])
        return Incident(
            id, began, float(ended["at"]) if ended else None, bool(ended and ended.get("interrupted")), lines
        )

    def at(self, moment: float) -> Incident | None:
        """The one of that moment; one that a minute would have hit otherwise, for who knows the time to a minute."""
        for slack in (0.0, 60.0):
            for incident in self.all():
                end = incident.ended if incident.ended is not None else float(incident.lines[-1]["at"])
                if incident.began - slack <= moment <= end + slack:
                    return self.find(incident.id)
        return None

    def require(self, id: str) -> Incident:
        """Raises NoSuchIncidentError."""
        found = self.find(id)
        if found is None:
            next = "fournines incident CLOUD lists them"
            raise NoSuchIncidentError(f"there is no incident {id}", where=str(self._directory), next=next)
        return found

    def prune(self) -> None:
        """Removes the oldest beyond what is kept. Raises OSError."""
        total = 0
        for number, path in enumerate(sorted(self._directory.glob("*.jsonl"), reverse=True)):
            total += path.stat().st_size
            if number and (number >= MOST_INCIDENTS or total > MOST_BYTES):
                path.unlink(missing_ok=True)


def logs_line(found: Logs, since: float, until: float, about: float) -> Line:
    """`found` as a line of an incident, within what is kept of one."""
    entries, left_out = kept(found.entries, about)
    return {
        "since": since,
        "until": until,
        "hosts": {j.host: {"begins": j.begins, "clock_ahead_s": j.offset, "cut": j.cut} for j in found.journals},
        "failures": {name: error.what for name, error in found.failures.items()},
        "left_out": left_out,
        "entries": [[round(e.time, 6), e.host, e.unit, e.level, e.message[:MOST_LINE]] for e in entries],
    }


def kept(entries: Sequence[Entry], about: float) -> tuple[list[Entry], int]:
    """Those that fit, and how many do not: errors before other lines, then what is nearest to `about`."""
    order = sorted(entries, key=lambda e: (not e.severe, e.level != "WARNING", abs(e.time - about)))
    size, chosen = 0, list[Entry]()
    for entry in order:
        size += min(len(entry.message), MOST_LINE) + 80
        if size > MOST_LOG_BYTES:
            break
        chosen.append(entry)
    return sorted(chosen, key=lambda e: e.time), len(entries) - len(chosen)


def entries_of(incident: Incident) -> list[Entry]:
    """Of all its logs, in the order of time."""
    found = [Entry(*entry) for line in incident.of("logs") for entry in line.get("entries", ()) if len(entry) == 5]
    return sorted(found, key=lambda e: e.time)
