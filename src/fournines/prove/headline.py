"""A campaign and a fault in a sentence. What it says holds for every row of the tables below it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fournines.prove.model import FaultResult, FunctionFigures, RequestFigures, Verdict
from fournines.prove.probes import LIGHT_S
from fournines.prove.report_text import count, limit, plural, seconds


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A line of a functions' table."""

    figures: FunctionFigures
    connection: str
    seen: RequestFigures

    @property
    def whose(self) -> str:
        seldom = f", tried every {limit(self.figures.interval_s, 's')}" if self.figures.interval_s > LIGHT_S else ""
        kind = f", {self.connection} connections" if self.connection else ""
        return f"{self.figures.function.replace('_', ' ')}{kind}{seldom}"

    @property
    def gap(self) -> float:
        return max(self.seen.longest_gap_s, self.seen.gap_returning_s)


def rows(results: Sequence[FaultResult]) -> Iterator[FigureRow]:
    for result in results:
        for f in result.functions:
            for connection, seen in f.connections():
                if seen.sampled:
                    yield FigureRow(f, connection, seen)


def headline(verdict: Verdict, measured: Sequence[FaultResult]) -> str:
    """Of all runs together: the worst wait, degraded time and gap of any function, over any connection, at any time
    from the injection on."""
    if not measured:
        return "No fault could be measured."
    passed = sum(r.verdict == "pass" for r in measured)
    repeats = len({(r.subject, r.fault) for r in measured}) < len(measured)
    runs = plural(len(measured), "run" if repeats else "fault")
    held = f"{runs}{'' if repeats else ' injected'}" if verdict == "pass" else f"{passed} of {runs} held"
    lost = sum(w.lost for r in measured for w in r.writes.values())
    acknowledged = sum(w.acknowledged for r in measured for w in r.writes.values())
    kept = f"{count(lost) if lost else 'none'} of {plural(acknowledged, 'acknowledged write')} lost"
    return "; ".join([held, *_longest(tuple(rows(measured))), kept]) + "."


def _longest(every: Sequence[FigureRow]) -> Iterator[str]:
    if waited := _worst([(r.seen.worst_wait_s, r) for r in every]):
        yield f"longest wait {seconds(waited[0])} ({waited[1].whose})"
    if degraded := _worst([(r.seen.degraded_s, r) for r in every]):
        whose = f" ({degraded[1].whose})" if degraded[0] else ""
        yield f"degraded for at most {seconds(degraded[0])}{whose}"
    if gap := _worst([(r.gap, r) for r in every]):
        yield f"longest gap between two successes {seconds(gap[0])} ({gap[1].whose})"


def _worst(figures: Sequence[tuple[float, FigureRow]]) -> tuple[float, FigureRow] | None:
    """The greatest; the first of equal ones. A figure that is nan is none."""
    known = [f for f in figures if f[0] == f[0]]
    return max(known, key=lambda f: f[0], default=None)


def sentence(result: FaultResult) -> str:
    """One fault in a few words: what clients waited, then the way back."""
    every = tuple(rows([result]))
    if not every:
        outage = "No function was probed."
    else:
        longest = "; ".join(_longest(every))
        failed, unknown = (sum(getattr(f.whole, n) for f in result.functions) for n in ("fail", "unknown"))
        outage = f"{longest[0].upper()}{longest[1:]}; {plural(failed, 'request')} failed, {unknown} ended unknown."
    if result.redundant_again_s is None:
        return f"{outage} Not back to full redundancy within the time watched."
    return f"{outage} Fully redundant again {seconds(result.redundant_again_s)} after the heal."
