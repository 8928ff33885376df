"""How many seconds of each function were good, bad or unknown: by the minute for a week, by the day for a year.

In the folder: `minutes/DAY.jsonl`, one JSON line a minute and writing, which add up, and `days.jsonl`, a line a day
that is over. A line that a crash has cut is left out, and the next one begins on a line of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fournines.watch.seconds import State

DAY_S, MINUTE_S = 86_400, 60
KEPT_DAYS, KEPT_MINUTES_DAYS = 400, 8
#: Between two writings, seconds: while all is well, and while it is not.
FLUSH_S, FLUSH_BAD_S = 60.0, 5.0
_STATES: tuple[State, ...] = ("good", "bad", "unknown")


@dataclass(frozen=True, slots=True)
class Counts:
    """Seconds."""

    good: int = 0
    bad: int = 0
    unknown: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.good + other.good, self.bad + other.bad, self.unknown + other.unknown)

    @property
    def known(self) -> int:
        return self.good + self.bad


Sums = dict[str, Counts]


class Ledger:
    """`add` and `flush` by the one watch that runs; everything else by anybody."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pending: dict[int, dict[str, list[int]]] = {}
        self._flushed = 0.0
        self._bad = False

    def add(self, at: float, function: str, state: State) -> None:
        """A second that began at `at`, seconds since the epoch."""
        counts = self._pending.setdefault(int(at) // MINUTE_S, {}).setdefault(function, [0, 0, 0])
        counts[_STATES.index(state)] += 1
        self._bad = self._bad or state == "bad"

    def flush(self, now: float, *, force: bool = False) -> None:
        """Writes what is not written yet, when it is time to. OSError: it stays to be written."""
        if not self._pending or not (force or now - self._flushed >= (FLUSH_BAD_S if self._bad else FLUSH_S)):
            return
        for minute, counts in sorted(self._pending.items()):
            path = self._directory / "minutes" / f"{_day(minute * MINUTE_S)}.jsonl"
            append(path, {"t": minute * MINUTE_S, "f": counts})
            del self._pending[minute]
        self._flushed, self._bad = now, False

    def fold(self, now: float) -> None:
        """Days that are over become a line each; what is older than is kept is removed."""
        today, days = _day(now), self._days()
        files = {path.stem: path for path in (self._directory / "minutes").glob("*.jsonl")}
        over = {day: _sum(sums for _, sums in _lines(path)) for day, path in files.items() if day < today}
        # As long as its minutes are there they count: a line may be of before the last of them was written.
        days |= {day: sums for day, sums in over.items() if sums}
        oldest = _day(now - KEPT_DAYS * DAY_S)
        kept = {day: sums for day, sums in sorted(days.items()) if day >= oldest}
        text = "".join(_dump({"t": _start(day), "f": _plain(sums)}) for day, sums in kept.items())
        replace_file(self._directory / "days.jsonl", text)
        for day, path in files.items():
            if day < _day(now - KEPT_MINUTES_DAYS * DAY_S):
                path.unlink(missing_ok=True)

    def since(self, start: float, end: float) -> Sums:
        """Of all minutes in [start, end); of days of which there are no minutes any more, of the whole day."""
        files = {path.stem: path for path in (self._directory / "minutes").glob("*.jsonl")}
        found: Sums = {}
        for day, sums in self._days().items():
            if day not in files and start <= _start(day) + DAY_S and _start(day) < end:
                found = _sum((found, sums))
        for day, path in files.items():
            if _start(day) + DAY_S > start and _start(day) < end:
                found = _sum((found, *(s for t, s in _lines(path) if start - MINUTE_S < t < end)))
        return found

    def began(self) -> float | None:
        """When the oldest of it is of; None: there is nothing."""
        starts = [_start(day) for day in self._days()]
        for path in sorted((self._directory / "minutes").glob("*.jsonl"))[:1]:
            starts += [t for t, _ in _lines(path)][:1]
        return min(starts, default=None)

    def _days(self) -> dict[str, Sums]:
        return {_day(t): sums for t, sums in _lines(self._directory / "days.jsonl")}


def append(path: Path, line: Mapping[str, Any], *, sync: bool = False) -> None:
    """One JSON line, by one writing. After one that a crash has cut it begins on a line of its own. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(file).st_size
        cut = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        data = ("\n" * cut + _dump(line)).encode()
        while data:
            data = data[os.write(file, data) :]
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def replace_file(path: Path, content: str | Mapping[str, Any], *, sync: bool = True) -> None:
    """Whole or not at all; a mapping as JSON. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content if isinstance(content, str) else _dump(content))
        if sync:
            file.flush()
            os.fsync(file.fileno())
    fresh.replace(path)


def read(path: Path, *, without: str = "") -> Iterator[dict[str, Any]]:
    """Its whole lines, but for those that have `without` near their beginning. One that is no JSON object, as a crash
    leaves it, is left out; no file has none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.split("\n"):
        if without and without in line[:80]:
            continue
        try:
            said: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict):
            yield said


def _lines(path: Path) -> Iterator[tuple[float, Sums]]:
    for said in read(path):
        try:
            yield float(said["t"]), {name: Counts(*map(int, counts)) for name, counts in said["f"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            continue


def _sum(every: Iterable[Mapping[str, Counts]]) -> Sums:
    found: Sums = {}
    for sums in every:
        for name, counts in sums.items():
            found[name] = found.get(name, Counts()) + counts
    return found


def _plain(sums: Sums) -> dict[str, list[int]]:
    return {name: [c.good, c.bad, c.unknown] for name, c in sums.items()}


def _dump(line: Mapping[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":"), default=str) + "\n"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _start(day: str) -> float:
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:  # a file of somebody else's
        return 0.0
