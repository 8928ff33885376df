"""What happened during one fault, append-only: `operations.jsonl` by the load, `events.jsonl` by the campaign.

Everything that a result says is computed from these two files, so that a run can be analysed again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from fournines.errors import ProveError
from fournines.prove.model import Operation

OPERATIONS = "operations.jsonl"
#: Of the second client, where there is one.
ROUTED = "operations-routed.jsonl"
EVENTS = "events.jsonl"


@dataclass(frozen=True, slots=True)
class Event:
    """`at` on the operations' clock. `data` holds JSON values only."""

    name: str
    at: float
    data: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class History:
    operations: tuple[Operation, ...]
    events: tuple[Event, ...]

    def of(self, name: str) -> Iterator[Event]:
        return (e for e in self.events if e.name == name)

    def at(self, name: str) -> float | None:
        """When the last event of this name was; None without one."""
        return max((e.at for e in self.of(name)), default=None)


class Log:
    """One open file, a JSON object a line. `flush` at least once a second: a crash costs what was not flushed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("a", encoding="utf-8")

    def operation(self, operation: Operation) -> None:
        self._write(asdict(operation))

    def event(self, event: Event) -> None:
        self._write({"name": event.name, "at": round(event.at, 6), "data": event.data})
        self.flush()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read(directory: Path) -> History:
    """Raises ProveError when a file is missing or a line other than the last, which a crash may cut, is not JSON."""
    files = [directory / OPERATIONS, *([directory / ROUTED] if (directory / ROUTED).exists() else [])]
    return History(
        operations=tuple(Operation(**line) for path in files for line in _lines(path)),
        events=tuple(Event(**line) for line in _lines(directory / EVENTS)),
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ProveError(
            "the run's history cannot be read", where=str(path), why=error.strerror or str(error)
        ) from error
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except ValueError as error:
            if number == len(lines):
                return
            raise ProveError("the run's history is damaged", where=f"{path}:{number}", why=str(error)) from error
