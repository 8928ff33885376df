"""`fournines design` on the terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fournines.design.availability import Availability
from fournines.design.capacity import Capacity, figure
from fournines.design.compare import Comparison
from fournines.design.faulttree import Solution
from fournines.design.growth import Purchase
from fournines.design.overview import Overview
from fournines.design.reliability import MINUTES_A_YEAR, Figure, spell
from fournines.design.simulate import Estimate
from fournines.design.usage import Observation
from fournines.design.weakness import Weakness

#: Rows of a table before "… more": what is below them adds nothing to any figure.
_ROWS = 8
_MANY = 20
_ORDERS = {
    1: "What a single loss stops",
    2: "What two losses together stop",
    3: "What three losses together stop",
}


def console() -> Console:
    return Console(emoji=False, highlight=False, width=None if sys.stdout.isatty() else 160)


def show_overview(made: Overview, everything: bool) -> None:
    out = console()
    for name, region, missing in made.never:
        out.print(Text.assemble(("never  ", "bold red"), f"{name} in {region}: no host carries {', '.join(missing)}"))
    _show_availability(out, made.availability)
    for order, title in _ORDERS.items():
        rows = [w for w in made.weaknesses if w.order == order]
        if rows:
            out.print(f"\n[bold]{title}[/bold]")
            _show_weaknesses(out, rows, everything, made.functions)
    if made.degraded:
        out.print("\n[bold]Degraded, and still working[/bold]")
        for d in made.degraded if everything else made.degraded[:_ROWS]:
            out.print(Text(f"  {d.what}"))
        _more(out, made.degraded, everything)
    _show_purchases(out, made.purchases)
    show_figures(out, made.figures)
    by_themselves = f"  {made.coverage:.4g} of all switches work by themselves, the others take {spell(made.manual)}"
    out.print(Text(by_themselves, "dim"))


def _show_availability(out: Console, rows: Sequence[Availability]) -> None:
    table = _table("function", "in", "availability", ">min/year", "target", "of that, too few copies", "switching")
    for a in rows:
        verdict = {True: ("met", "green"), False: ("missed", "bold red"), None: ("", "")}[a.met]
        wanted = Text.assemble(f"{a.target:g} % " if a.target else "", verdict)
        switching = ", ".join(f"{s.service} {minutes(s.unavailability)} ({s.origin})" for s in a.switches)
        table.add_row(
            a.function, a.region, percent(a.availability), f"{a.minutes:.2f}", wanted, minutes(1 - a.static), switching
        )
    out.print(table)
    contributes = {i.what: i for a in rows for i in a.importance if i.minutes >= 0.01}
    if contributes:
        top = sorted(contributes.values(), key=lambda i: -i.minutes)[:_ROWS]
        text = ", ".join(f"{i.what} {i.minutes:.2f}" for i in top)
        out.print(Text(f"  minutes a year that a function would gain if none of these ever failed: {text}", "dim"))


def _show_purchases(out: Console, rows: Sequence[Purchase]) -> None:
    if not rows:
        return
    out.print("\n[bold]What more hosts would buy[/bold]")
    table = _table("hosts", "in", ">min/year", "of")
    for p in rows[:_ROWS]:
        most = max(p.minutes, key=lambda row: abs(row[1] - row[2]))
        look = "green" if p.gained > 0 else "red"
        more = f"{p.hosts} more like {p.like} ({', '.join(p.roles)})"
        table.add_row(more, p.region, Text(f"{most[1]:.2f} → {most[2]:.2f}", look), most[0])
    out.print(table)


def show_estimates(estimates: Sequence[Estimate], modelled: Sequence[float]) -> None:
    out = console()
    table = _table("function", "in", ">years", ">min/year", "", ">outages a year", ">the model's, min/year")
    for e, x in zip(estimates, modelled, strict=True):
        lost, error = (1 - e.availability) * MINUTES_A_YEAR, e.half_width * MINUTES_A_YEAR
        row = (f"{e.years:,.0f}", f"{lost:.3g}", f"± {error:.2g} (95 %)", f"{e.outages / e.years:.3g}", minutes(1 - x))
        table.add_row(e.function, e.region, *row)
    out.print(table)


def show_capacity(found: Sequence[Capacity]) -> None:
    out = console()
    for c in found:
        size = f"controllers of {c.size.cores} cores and {c.size.memory:g} GiB"
        out.print(f"\n[bold]{c.region}[/bold]: {c.hypervisors:,} hypervisors, asked about {c.asked:,}; {size}")
        table = _table(
            "limit", ">now", f">with {c.asked:,}", ">at most", ">reached at", "", "formula, and where it is from"
        )
        for x in c.limits:
            reached = f"{x.reached:,} hypervisors" if x.reached is not None else ""
            verdict = Text("over", "bold red") if x.met else Text("ok", "green")
            why = Text.assemble(
                x.formula, (f"\n{x.origin}: {x.source}", "dim"), (f"\n→ {x.beyond}" if x.met else "", "green")
            )
            table.add_row(x.name, figure(x.now), figure(x.then), figure(x.most), reached, verdict, why)
        out.print(table)
        if c.first:
            out.print(Text(f"  {c.verdict} → {c.first.beyond}", "bold red" if c.first.now > c.first.most else "bold"))


def show_observed(found: Sequence[Observation]) -> None:
    out = console()
    table = _table("of", "what", ">predicted at most", ">seen", ">most so far", "", "formula")
    for c in found:
        verdict = Text("holds", "green") if c.holds else Text("too low", "bold red")
        share = f"{figure(c.seen)} ({100 * c.seen / c.predicted:.0f} %)" if c.predicted else figure(c.seen)
        table.add_row(c.where, c.what, figure(c.predicted), share, figure(c.peak), verdict, c.formula)
    out.print(table)


def show_comparison(made: Comparison) -> None:
    out = console()
    for group, rows in groupby(made.rows, key=lambda r: r.group):
        out.print(f"\n[bold]{group}[/bold]")
        table = _table("", f">{made.one}", f">{made.other}")
        for r in rows:
            texts = (
                Text(t, "bold green" if r.better == side else "") for t, side in ((r.one, "one"), (r.other, "other"))
            )
            table.add_row(r.name, *texts)
        out.print(table)


def show_solutions(solutions: Sequence[Solution]) -> None:
    out = console()
    for s in solutions:
        out.print(Text.assemble((s.top, "bold"), f"  {s.probability:.10g}  "), f"of {s.events} events, exact")
        if s.cuts is None:
            out.print("  not coherent: it has no cut sets")
            continue
        table = _table(">probability", f"minimal cut sets of at most {s.order}, {len(s.cuts)} in all")
        for cut, probability in s.cuts[:_MANY]:
            table.add_row(f"{probability:.4g}", ", ".join(cut))
        out.print(table)
        table = _table(">Birnbaum", "event")
        for event, slope in sorted(s.birnbaum.items(), key=lambda item: -item[1])[:_ROWS]:
            table.add_row(f"{slope:.4g}", event)
        out.print(table)


def show_system(name: str, states: int, long_run: float | None, after: float | None, then: float | None) -> None:
    out = console()
    out.print(Text.assemble((name, "bold"), f"  {states:,} states"))
    if long_run is not None:
        out.print(f"works in the long run  {long_run:.16g}")
    if then is not None:
        out.print(f"works after {after:g}  {then:.16g}")


def _table(*names: str) -> Table:
    """ ">" before a column's name: right-aligned."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    for name in names:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    return table


def _show_weaknesses(out: Console, rows: list[Weakness], everything: bool, functions: tuple[str, ...]) -> None:
    table = _table(">min/year", ">sets", "what", "what removes it")
    for w in rows if everything else rows[:_ROWS]:
        stops = "" if w.stops == functions else f" [{', '.join(w.stops) or 'none of these functions'}]"
        what = Text.assemble(f"{w.region}: {w.what}", (stops, "cyan"))
        table.add_row(minutes(w.probability), str(w.count), what, Text(w.removes, "green"))
    out.print(table)
    _more(out, rows, everything)


def _more(out: Console, rows: Iterable[object], everything: bool) -> None:
    hidden = len(list(rows)) - _ROWS
    if hidden > 0 and not everything:
        out.print(Text(f"  … {hidden} more, less probable: --all", "dim"))


def show_figures(out: Console, figures: Iterable[Figure]) -> None:
    out.print("\n[bold]What this rests on[/bold]")
    table = _table("", "fails after", "down for", "")
    for f in figures:
        source = Text.assemble(("assumed  ", "yellow") if f.assumed else ("stated  ", "green"), (f.source, "dim"))
        table.add_row(f.name, spell(f.mttf), spell(f.mttr), source)
    out.print(table)
    out.print(Text("  replace them under design.failures of the cloud file", "dim"))


def minutes(probability: float) -> str:
    """A year's, from a share of time; "–" where nothing is known."""
    value = probability * MINUTES_A_YEAR
    return "–" if value == 0 else f"{value:.2f}" if value >= 0.01 else "<0.01"


def percent(availability: float) -> str:
    """As many nines as there are, and two digits more."""
    return f"{100 * availability:.{digits(availability)}f} %"


def digits(availability: float) -> int:
    lost = 1 - availability
    return 2 if lost >= 0.01 else min(10, 1 - math.floor(math.log10(max(lost, 1e-12))))
