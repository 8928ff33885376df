"""A campaign's figures as a Markdown table, for a ticket or a README: medians and worst values, never the best day."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fournines.design.markdown import code, inline
from fournines.prove import report_text as text
from fournines.prove.model import Campaign
from fournines.prove.repeats import Spread
from fournines.prove.report_view import FaultView, View, view

#: Figure -> its column's name.
COLUMNS = {"worst_wait_s": "worst wait", "degraded_s": "degraded", "longest_gap_s": "longest gap"}


def table(campaign: Campaign) -> str:
    """One row a fault; ends with what was left out, what it was measured with, and the command that repeats it."""
    return "\n\n".join([glance(campaign, view(campaign)), measured_with(campaign)]) + "\n"


def measured_with(campaign: Campaign) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in campaign.machine.items())
    return f"Measured {campaign.started_at[:10]} ({machine}). Repeat: {code(campaign.command)}"


def glance(campaign: Campaign, shown: View) -> str:
    """The table, and below it what was left out. `shown`: of the same campaign."""
    heads = ["fault", "runs", "verdict"]
    heads += [f"{name}: {which}" for name in COLUMNS.values() for which in ("median", "worst")]
    if campaign.baseline:
        theirs = f"under {campaign.baseline} timers"
        heads += [f"{name} {theirs}: {which}" for name in COLUMNS.values() for which in ("median", "worst")] + ["ratio"]
    heads += ["redundant again: median", "worst", "acknowledged", "lost"]
    rows = [_row(f, baseline=bool(campaign.baseline)) for f in shown.faults]
    absent = [[code(str(r.fault)), "0", inline(f"not measured: {r.not_measured}")] for r in shown.not_measured]
    rows += [[*cells, *[""] * (len(heads) - 3)] for cells in absent]
    lines = [heads, ["---", "---:", "---", *["---:"] * (len(heads) - 3)], *rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([body, *_left_out(shown)])


def _row(fault: FaultView, *, baseline: bool) -> list[str]:
    cells = [
        code(str(fault.result.fault)) + (", cores busy" if fault.result.busy else ""),
        str(len(fault.group.runs)),
        fault.verdict,
    ]
    for figure in COLUMNS:
        cells += _median_and_worst(fault.spreads[figure], text.seconds)
    if baseline:
        for figure in COLUMNS:
            cells += _median_and_worst(fault.theirs[figure], text.seconds)
        cells.append(_ratio(fault))
    cells += _median_and_worst(fault.spreads["redundant_again_s"], text.seconds)
    return [*cells, text.count(fault.acknowledged), text.count(fault.lost)]


def _median_and_worst(spread: Spread | None, said: Callable[[float | None], str]) -> list[str]:
    return [said(spread.median), said(spread.worst)] if spread else [text.NONE, text.NONE]


def _ratio(fault: FaultView) -> str:
    ratio = fault.comparison.ratio if fault.comparison else None
    if ratio is None or ratio.low is None:
        return text.ratio(fault.ratio)
    return f"{text.ratio(ratio.median)} ({text.ratio(ratio.low)} to {text.ratio(ratio.high)})"


def _left_out(shown: View) -> Iterator[str]:
    for result, why in shown.excluded:
        yield f"Left out: {code(str(result.fault))} under {result.profile}, run {result.run}: {inline(why)}"
