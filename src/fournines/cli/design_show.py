"""`fournines design` on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fournines.design.overview import Overview
from fournines.design.reliability import MINUTES_A_YEAR, Figure, spell
from fournines.design.weakness import Weakness

#: Rows of a table before "… more": what is below them adds nothing to any figure.
_ROWS = 8
_ORDERS = {
    1: "What a single loss stops",
    2: "What two losses together stop",
    3: "What three losses together stop",
}


def console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def show_overview(made: Overview, everything: bool) -> None:
    out = console()
    for name, region, missing in made.never:
        out.print(Text.assemble(("never  ", "bold red"), f"{name} in {region}: no host carries {', '.join(missing)}"))
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
    show_figures(out, made.figures)


def _show_weaknesses(out: Console, rows: list[Weakness], everything: bool, functions: tuple[str, ...]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    for name, how in (("min/year", "right"), ("sets", "right"), ("what", "left"), ("what removes it", "left")):
        table.add_column(name, justify=how, overflow="fold")  # type: ignore[arg-type]
    for w in rows if everything else rows[:_ROWS]:
        stops = "" if w.stops == functions else f" [{', '.join(w.stops)}]"
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
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    for name in ("", "fails after", "down for", ""):
        table.add_column(name, overflow="fold")
    for f in figures:
        source = Text.assemble(("assumed  ", "yellow") if f.assumed else ("stated  ", "green"), (f.source, "dim"))
        table.add_row(f.name, spell(f.mttf), spell(f.mttr), source)
    out.print(table)
    out.print(Text("  replace them under design.failures of the cloud file", "dim"))


def minutes(probability: float) -> str:
    """A year's, from a share of time; "–" where nothing is known."""
    value = probability * MINUTES_A_YEAR
    return "–" if value == 0 else f"{value:.2f}" if value >= 0.01 else "<0.01"
