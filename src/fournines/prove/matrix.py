"""Faults × functions: what each fault did to each function, and whether that is within its marks. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from fournines.prove.model import Campaign, Fault, FaultResult, Subject
from fournines.prove.probes import PROBES
from fournines.prove.repeats import repeated
from fournines.prove.verdict import baseline_of, judge_function, judge_whole

#: `recorded`: on a machine that was kept busy figures are not judged. `absent`: not measured.
State = Literal["pass", "fail", "unknown", "recorded", "absent"]
_WORST: tuple[State, ...] = ("absent", "recorded", "pass", "unknown", "fail")
#: Of what no single function's figures tell.
WHOLE = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """`function` WHOLE: writes, audit and recovery. Seconds; nan where there is no figure."""

    function: str
    state: State
    reasons: tuple[str, ...]
    worst_wait_s: float = math.nan
    degraded_s: float = math.nan


@dataclass(frozen=True, slots=True)
class Row:
    """`run` 0: the worst of several."""

    subject: Subject
    fault: Fault
    run: int
    cells: tuple[Cell, ...]


def functions(campaign: Campaign) -> tuple[str, ...]:
    """Those that any fault of the campaign was measured with, in the probes' order."""
    probed = {f.function for r in campaign.results for f in r.functions} | {
        f for r in campaign.results for f in r.expected
    }
    return tuple(name for name in PROBES if name in probed)


def runs(campaign: Campaign) -> Iterator[Row]:
    """One of each run, but for a reference's, with all columns."""
    columns = functions(campaign)
    for result in campaign.results:
        if result.subject in campaign.subjects:
            yield _row(campaign, result, columns)


def matrix(campaign: Campaign) -> Iterator[Row]:
    """One of each fault and subject: of several runs, the worst of each column."""
    columns = functions(campaign)
    for group in repeated(campaign):
        if group.subject in campaign.subjects:
            every = group.runs or tuple(r for r, _ in group.excluded)
            rows = [_row(campaign, r, columns) for r in every]
            yield rows[0] if len(rows) == 1 else _worst(rows)


def _worst(rows: Sequence[Row]) -> Row:
    columns = zip(*(row.cells for row in rows), strict=True)
    return Row(rows[0].subject, rows[0].fault, 0, tuple(_worst_cell(cells) for cells in columns))


def _worst_cell(cells: Sequence[Cell]) -> Cell:
    worst = max(cells, key=lambda c: _WORST.index(c.state))
    return Cell(
        worst.function,
        worst.state,
        tuple(dict.fromkeys(reason for c in cells for reason in c.reasons)),
        _greatest(c.worst_wait_s for c in cells),
        _greatest(c.degraded_s for c in cells),
    )


def _greatest(values: Iterable[float]) -> float:
    return max((v for v in values if not math.isnan(v)), default=math.nan)


def _row(campaign: Campaign, result: FaultResult, columns: Iterable[str]) -> Row:
    cells = [_cell(result, function) for function in columns]
    if result.not_measured:
        whole = Cell(WHOLE, "absent", (f"not measured: {result.not_measured}",))
    else:
        whole = Cell(WHOLE, *judge_whole(result, baseline_of(campaign, result)))
    return Row(result.subject, result.fault, result.run, (*cells, whole))


def _cell(result: FaultResult, function: str) -> Cell:
    if result.not_measured:
        return Cell(function, "absent", (f"not measured: {result.not_measured}",))
    figures = next((f for f in result.functions if f.function == function), None)
    if figures is None and function not in result.expected:
        return Cell(function, "absent", ("not probed",))
    waited = (figures.whole.worst_wait_s, _degraded(result, function)) if figures else (math.nan, math.nan)
    if result.busy:
        return Cell(function, "recorded", ("every core was kept busy: figures are recorded, not judged",), *waited)
    return Cell(function, *judge_function(result, function), *waited)


def _degraded(result: FaultResult, function: str) -> float:
    """Over the kind of connection that suffered most."""
    every = (seen for f in result.functions if f.function == function for _, seen in f.connections())
    return _greatest(seen.degraded_s for seen in every)
