"""A whole campaign as a Markdown page: the HTML report but for its timelines, for where a repository is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fournines.design.markdown import code, inline
from fournines.prove import report_text as text
from fournines.prove.budget import Budget
from fournines.prove.matrix import Cell, Row, State
from fournines.prove.model import Campaign, FaultResult, Verdict
from fournines.prove.report_table import beside_tables, glance, measured_with
from fournines.prove.report_view import FaultView, FunctionRow, Headline, View, view

SIGNS: dict[State, str] = {"pass": "✓", "fail": "✕", "unknown": "?", "recorded": "·", "absent": ""}
FINDINGS: dict[bool | None, str] = {True: "✓", False: "✕", None: "?"}
VERDICTS: dict[Verdict, str] = {"pass": "✓ pass", "fail": "✕ fail", "unknown": "? unknown"}
BESIDE = (
    "Median / worst of all runs. Difference and ratio are of the medians, the second to the first, with their 95 %"
    " bootstrap interval; without an interval there is one run, which proves little."
)
FIGURES = ("function", "connections", "requests", "failed", "unknown", "worst wait", "degraded", "within 1 s", "gap")


def page(campaign: Campaign, beside: str) -> str:
    """`beside`: the name of the HTML report's file, which is written to the same directory."""
    shown = view(campaign)
    what = f", suite {campaign.suite}" if campaign.suite else ""
    parts = [
        f"# Proof of {inline(campaign.clouds)}{what}: {campaign.verdict}",
        *(_headline(h) for h in shown.headlines),
        f"With timelines: [{beside}]({beside}).",
        measured_with(campaign),
        "## At a glance",
        glance(campaign, shown),
        f"## Side by side: {inline(' and '.join(shown.called))}" if shown.side_by_side else "",
        BESIDE if shown.side_by_side else "",
        *beside_tables(campaign, shown),
        "## Faults and functions",
        "Worst wait and degraded time of each function in seconds; ✓ within its marks, ✕ not, ? could not be told.",
        _matrix(shown),
        *(part for fault in shown.faults for part in _fault(fault)),
        *(part for whose, year in shown.years.items() for part in _year(whose, year)),
        "## Versions",
        _table(("what", "version"), [(inline(name), inline(said)) for name, said in campaign.versions.items()]),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _matrix(shown: View) -> str:
    names = [name.replace("_", " ") for name in shown.functions]
    return _table(("fault", *names, "writes, audit, recovery"), (_row(name, row) for _, name, row in shown.matrix))


def _row(name: str, row: Row) -> tuple[str, ...]:
    return (code(name), *(_cell(cell) for cell in row.cells))


def _cell(cell: Cell) -> str:
    if cell.state == "absent":
        return text.NONE
    figures = [text.seconds(value).removesuffix(" s") for value in (cell.worst_wait_s, cell.degraded_s)]
    return f"{SIGNS[cell.state]} {', '.join(figures)}" if cell.function else SIGNS[cell.state]


def _fault(fault: FaultView) -> Iterator[str]:
    result = fault.result
    runs = len(fault.group.runs)
    yield f"## {code(fault.name)}: {VERDICTS[fault.verdict]}"
    yield inline(fault.sentence)
    yield "\n".join(f"- {inline(reason)}" for reason in fault.reasons)
    which = f"the worst of {text.plural(runs, 'run')}: run {result.run}, " if runs > 1 else ""
    hosts = inline(", ".join(result.hosts) or "no host")
    roles = f" ({', '.join(result.roles)})" if result.roles else ""
    again = "not redundant again in time"
    if result.redundant_again_s is not None:
        again = f"redundant again {text.seconds(result.redundant_again_s)} after the heal"
    yield f"Struck: {which}{hosts}{roles}; {again}; machine {text.share(result.pressure.cpu_idle)} idle."
    yield _table(FIGURES, (_figures(row) for row in fault.rows))
    yield _writes(result)
    yield _table(("", "audit", ""), ((FINDINGS[f.ok], inline(f.name), inline(f.detail)) for f in result.audit))


def _figures(row: FunctionRow) -> tuple[str, ...]:
    seen = row.seen
    missed = {c: " ✕" if s == "fail" else " ?" if s == "unknown" else "" for c, s in row.states.items()}
    gap = max(("gap", seen.longest_gap_s), ("return", seen.gap_returning_s), key=lambda each: each[1])
    return (
        row.figures.function.replace("_", " "),
        row.connection or "all",
        text.count(seen.ok + seen.fail + seen.unknown),
        text.count(seen.fail),
        text.count(seen.unknown),
        text.seconds(seen.worst_wait_s) + missed.get("wait", ""),
        text.seconds(seen.degraded_s) + missed.get("degraded", ""),
        text.fine_share(seen.answered_within_1s),
        text.seconds(gap[1]) + missed.get(gap[0], ""),
    )


def _writes(result: FaultResult) -> str:
    heads = ("acknowledged", "", "lost", "ghost", "twice", "stuck")
    rows = (
        (text.count(w.acknowledged), kind, *(text.count(n) for n in (w.lost, w.ghost, w.duplicate, w.stuck)))
        for kind, w in result.writes.items()
    )
    return _table(heads, rows)


def _headline(said: Headline) -> str:
    return inline(f"{said.whose}: {said.verdict}. {said.text}" if said.whose else said.text)


def _year(whose: str, year: Budget) -> Iterator[str]:
    """`whose`: a cloud's name, "" where there is one alone."""
    yield f"## A year{inline(f': {whose}') if whose else ''}"
    rows = [
        (
            code(str(cost.fault)),
            text.seconds(cost.each_s),
            f"{cost.a_year:.2g}" if cost.a_year is not None else text.NONE,
            text.minutes(cost.minutes),
            inline(cost.why),
        )
        for cost in year.costs
    ]
    yield f"Together {text.minutes(year.minutes)} of the 52.6 minutes that 99.99 % allows: a lower bound."
    yield _table(("fault", "degraded", "a year", "minutes a year", ""), rows)
