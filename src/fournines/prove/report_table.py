"""A campaign's figures as a Markdown table, for a ticket or a README."""

from __future__ import annotations

from fournines.design.markdown import code, inline
from fournines.prove import report_text as text
from fournines.prove.model import Campaign
from fournines.prove.report_view import FaultView, view


def table(campaign: Campaign) -> str:
    """One row a fault; ends with what it was measured with and the command that repeats it."""
    shown = view(campaign)
    heads = ["fault", "verdict", "longest gap: reads", "writes"]
    if campaign.baseline:
        heads += [inline(f"under {campaign.baseline}"), "ratio"]
    heads += ["redundant again", "acknowledged", "lost"]
    rows = [_row(f, baseline=bool(campaign.baseline)) for f in shown.faults]
    rows += [
        [code(str(r.fault)), inline(f"not measured: {r.not_measured}"), *[""] * (len(heads) - 2)]
        for r in shown.not_measured
    ]
    lines = [heads, ["---", "---", *["---:"] * (len(heads) - 2)], *rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    machine = ", ".join(f"{name} {value}" for name, value in campaign.machine.items())
    return f"{body}\n\nMeasured {campaign.started_at[:10]} ({inline(machine)}). Repeat: {code(campaign.command)}\n"


def _row(fault: FaultView, *, baseline: bool) -> list[str]:
    result = fault.result
    beside = [text.seconds(fault.baseline_s), text.ratio(fault.ratio)] if baseline else []
    return [
        code(str(result.fault)) + (", cores busy" if result.busy else ""),
        result.verdict,
        text.seconds(fault.worst_read_s),
        text.seconds(fault.worst_write_s),
        *beside,
        text.seconds(result.redundant_again_s),
        text.count(sum(w.acknowledged for w in result.writes.values())),
        text.count(sum(w.lost for w in result.writes.values())),
    ]
