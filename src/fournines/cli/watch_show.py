"""What was measured by `watch`, as text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fournines.commands.watched import Summary
from fournines.logs.times import clock
from fournines.watch.availability import WINDOWS, Availability


def lines(every: Sequence[Summary]) -> list[str]:
    return [line for s in every for line in _region(s, named=len(every) > 1)]


def _region(s: Summary, *, named: bool) -> Iterator[str]:
    where = f"Region {s.region}: " if named else ""
    if s.runs:
        state = f"out now: {', '.join(s.out)}" if s.out else "all that is watched is well"
        yield f"{where}{state}." + (f" Incident {s.now.incident} goes on." if s.now and s.now.incident else "")
    else:
        since = f" since {clock(s.now.at, date=True)}" if s.now else ""
        yield f"{where}no watch runs{since}: what is now is unknown."
    yield ""
    yield from table([_HEAD, *map(_row, s.availability)])
    if s.incidents:
        yield ""
        yield "The latest incidents (fournines incident CLOUD ID):"
        yield from map(incident_line, s.incidents)
    for handler, condition, why in s.stopped:
        yield f"Handler {handler} does nothing more about {condition}: {why}."
        yield f"  next: see to it, then fournines watch CLOUD --resume {handler}"


_HEAD = ("function", "availability", "used of the year's budget", *(f"burn {w}" for w in WINDOWS), "watched")


def _row(a: Availability) -> tuple[str, ...]:
    percent = "unknown" if a.percent is None else _floor(a.percent)
    used = f"{a.minutes:.1f} of {a.budget:.1f} min"
    known = a.seconds.known / max(1, a.seconds.known + a.seconds.unknown)
    burn = ("unknown" if rate is None else f"{rate:.3g}" for rate in a.burn.values())
    return (a.function, percent, used, *burn, f"{days(a.seconds.known)}, {100 * known:.0f} % of the time")


def _floor(percent: float) -> str:
    """Never better than it was: 99.9999 is not 100."""
    return f"{math.floor(percent * 10_000 + 1e-6) / 10_000:.4f} %"


def days(seconds: float) -> str:
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {name}"
    return f"{seconds:.0f} s"


def incident_line(said: Mapping[str, Any]) -> str:
    ended = said["ended"]
    lasted = "goes on" if ended is None else f"{ended - said['began']:.0f} s"
    cut = ", the watch was stopped meanwhile" if said["interrupted"] else ""
    return f"{said['id']}  {clock(said['began'], date=True)}  {lasted}{cut}: {', '.join(said['functions'])}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
