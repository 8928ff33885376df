"""An incident as text: what was noticed, what the agents said, what the journals have, in one order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fournines.logs.entries import Entry, printable
from fournines.logs.times import clock
from fournines.watch.incidents import Incident, entries_of
from fournines.watch.ledger import MINUTE_S, Ledger

#: Errors and warnings on the screen; with --all every line is.
SHOWN = 200


def timeline(incident: Incident, *, every: bool) -> Iterator[str]:
    began = clock(incident.began, date=True)
    if incident.ended is None:
        yield f"Incident {incident.id} began at {began} and goes on."
    else:
        how = ", the watch was stopped meanwhile" if incident.interrupted else ""
        yield f"Incident {incident.id}: {began}, {incident.ended - incident.began:.0f} s{how}."
    yield f"When it began: {incident.sentence}"
    yield from _figures(incident)
    yield ""
    chosen, left = _chosen(entries_of(incident), every=every)
    rows = [*_rows(incident), *((e.time, f"{e.host} {e.unit}", f"{e.level}  {e.message}") for e in chosen)]
    rows.sort(key=lambda row: row[0])
    width = min(40, max((len(who) for _, who, _ in rows), default=0))
    for at, who, text in rows:
        yield f"{clock(at)}  {who:<{width}}  {printable(text)}"
    yield from _remarks(incident, left)


def _figures(incident: Incident) -> Iterator[str]:
    for line in incident.of("ended"):
        for function, seconds in line.get("bad", {}).items():
            yield f"  {function}: {seconds} s bad{_worst(line.get('figures'), function)}"
        if line.get("figures") is None:
            yield "  longer than the operations that are kept, or cut short: no gaps and waits"


def _worst(figures: Any, function: str) -> str:
    said: dict[str, Any] = figures.get(function, {}).get("", {}) if figures else {}
    if not said:
        return ""
    known = {name: "unknown" if said[name] is None else f"{said[name]:.2f} s" for name in _NAMES}
    words = [f"{what} {known[name]}" for name, what in _NAMES.items()]
    return f"; {', '.join(words)}; {said['fail']} failed, {said['unknown']} unknown"


_NAMES = {"longest_gap_s": "longest gap", "worst_wait_s": "worst wait"}


def _rows(incident: Incident) -> Iterator[tuple[float, str, str]]:
    told: set[tuple[str, str]] = set()
    for line in incident.lines:
        at, what = float(line["at"]), line.get("what")
        if what == "out":
            yield at, "client", f"{line['function']} ({line['connection']}) is out"
        elif what == "well":
            yield at, "client", f"{line['function']} ({line['connection']}) is well, after {line['lasted_s']} s"
        elif what == "agents":
            yield at, "agents", str(line["sentence"])
            now = {(str(p["where"]), str(p["what"])) for p in line["problems"]}
            for where, problem in sorted(now - told):
                yield at, "agents", f"  ✗ {where}: {problem}" if where else f"  ✗ {problem}"
            for where, problem in sorted(told - now):
                yield at, "agents", f"  no longer: {where}: {problem}" if where else f"  no longer: {problem}"
            told = now
        elif what == "action":
            yield at, "handler", f"{line['handler']}: {line['text']}"
        elif what == "ended":
            yield at, "client", "all is well" if not line.get("interrupted") else "the watch was stopped"


def _chosen(entries: Sequence[Entry], *, every: bool) -> tuple[Sequence[Entry], int]:
    if every:
        return entries, 0
    grave = [e for e in entries if e.severe or e.level == "WARNING"]
    return grave[:SHOWN], len(grave) - len(grave[:SHOWN])


def _remarks(incident: Incident, left: int) -> Iterator[str]:
    logs = incident.of("logs")
    if left:
        yield f"{left} more errors and warnings: --all"
    if not logs:
        yield "The journals were not collected."
    missing = {name: why for line in logs for name, why in line.get("failures", {}).items()}
    for name in {name for line in logs for name in line.get("hosts", {})}:
        missing.pop(name, None)
    for name, why in missing.items():
        yield f"no journal of {name}: {why}"
    if left_out := sum(int(line.get("left_out", 0)) for line in logs):
        yield f"{left_out} lines of the journals did not fit and are not kept"


def at_that_moment(folder: Path, incidents: Sequence[Incident], at: float) -> str:
    """Why there is no incident: nothing was out, or nobody looked."""
    counts = Ledger(folder).since(at - at % MINUTE_S, at - at % MINUTE_S + 1)
    known = sum(c.known for c in counts.values())
    when = clock(at, date=True)
    said = f"nothing was out at {when}" if known else f"whether anything was out at {when} is unknown: nobody watched"
    near = min(incidents, key=lambda i: abs(i.began - at), default=None)
    return said + (f"; the nearest incident is {near.id}" if near else "")
