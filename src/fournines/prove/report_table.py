"""A campaign's figures as a Markdown table, for a ticket or a README: medians and worst values, never the best day."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fournines.design.markdown import code, inline
from fournines.prove import report_text as text
from fournines.prove.model import Campaign
from fournines.prove.repeats import Spread
from fournines.prove.report_view import FaultView, View, view
from fournines.prove.side_by_side import Line

#: Figure -> its column's name.
COLUMNS = {"worst_wait_s": "worst wait", "degraded_s": "degraded", "longest_gap_s": "longest gap"}


def table(campaign: Campaign) -> str:
    """One row a fault and what was left out; a table for each of two that are set side by side; what it was measured
    with, and the command that repeats it."""
    shown = view(campaign)
    return "\n\n".join([glance(campaign, shown), *beside_tables(campaign, shown), measured_with(campaign)]) + "\n"


def measured_with(campaign: Campaign) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in campaign.machine.items())
    return f"Measured {campaign.started_at[:10]} ({machine}). Repeat: {code(campaign.command)}"


def glance(campaign: Campaign, shown: View) -> str:
    """The table, and below it what was left out. `shown`: of the same campaign."""
    heads = ["fault", "runs", "verdict"]
    heads += [f"{name}: {which}" for name in COLUMNS.values() for which in ("median", "worst")]
    if shown.under:
        columns = [f"{name} {shown.under}: {which}" for name in COLUMNS.values() for which in ("median", "worst")]
        heads += [*columns, "ratio"]
    heads += ["redundant again: median", "worst", "acknowledged", "lost"]
    rows = [_row(f, reference=bool(shown.under)) for f in shown.faults]
    absent = [[code(name), "0", inline(f"not measured: {why}")] for name, why in shown.not_measured]
    rows += [[*cells, *[""] * (len(heads) - 3)] for cells in absent]
    lines = [heads, ["---", "---:", "---", *["---:"] * (len(heads) - 3)], *rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([body, *_left_out(campaign, shown)])


def _row(fault: FaultView, *, reference: bool) -> list[str]:
    cells = [
        code(fault.name) + (", cores busy" if fault.result.busy else ""),
        str(len(fault.group.runs)),
        fault.verdict,
    ]
    for figure in COLUMNS:
        cells += _median_and_worst(fault.spreads[figure], text.seconds)
    if reference:
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


def _left_out(campaign: Campaign, shown: View) -> Iterator[str]:
    for result, why in shown.excluded:
        whose = inline(campaign.called(result.subject))
        yield f"Left out: {code(str(result.fault))}, {whose}, run {result.run}: {inline(why)}"


def beside_tables(campaign: Campaign, shown: View) -> Iterator[str]:
    """A table a fault: what it cost each function on both, and the difference of the medians."""
    for each in shown.side_by_side:
        yield f"### {code(str(each.fault))}{', cores busy' if each.busy else ''}"
        if each.missing:
            said = (f"not measured{campaign.on(subject)}: {why}" for subject, why in each.missing)
            yield "\n".join(f"- {inline(line)}" for line in said)
            continue
        one, other = shown.called
        heads = [h for name in COLUMNS.values() for h in (f"{name}: {one}", other, "difference", "ratio")]
        lines = [["function", *map(inline, heads)], ["---", *["---:"] * len(heads)], *map(_beside, each.lines)]
        yield "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _beside(line: Line) -> list[str]:
    cells = [text.function(line.function)]
    for figure in COLUMNS:
        seen = line.figures[figure]
        cells += [text.of_runs(spread) for spread in (seen.one, seen.other)]
        cells += [text.between(seen.difference, text.change), text.between(seen.ratio, text.ratio)]
    return cells
