"""A run as it happens, on stderr: one live line a host on a terminal, one line an event elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from fournines.engine.events import (
    ChangesDone,
    ChangeStarted,
    Event,
    GateWaits,
    HostAnswered,
    HostFailed,
    Report,
    StageDone,
    StageStarted,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_QUIET = 5.0  # seconds between two lines about the same waiting check


@contextmanager
def progress() -> Generator[Report]:
    """A `Report` to hand to the engine."""
    if sys.stderr.isatty():
        with _live() as report:
            yield report
    else:
        yield _Plain().report


class _Plain:
    def __init__(self) -> None:
        self._said: dict[tuple[str, str], float] = {}

    def report(self, event: Event) -> None:
        match event:
            case ChangeStarted():
                _say(f"{event.host}: {event.stage} {event.number}/{event.of} {event.key}")
            case GateWaits():
                now = time.monotonic()
                if now - self._said.get((event.host, event.check), -_QUIET) >= _QUIET:
                    self._said[event.host, event.check] = now
                    _say(f"{event.host}: {event.stage} waits for `{event.check}`, {event.left:.0f} s left")
            case StageStarted():
                _say(f"stage {event.number}/{event.of} {event.stage}: {' '.join(event.hosts)}")
            case StageDone():
                _say(f"done {event.stage} in {event.seconds:.1f} s")
            case HostFailed():
                _say(f"{event.host}: {event.error.what}")
            case HostAnswered() | ChangesDone():
                pass


def _say(line: str) -> None:
    click.echo(line, err=True)


class _Lines:
    """What each host does now, drawn anew ten times a second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._now: dict[str, tuple[float, str]] = {}
        self._stage = ""

    def report(self, event: Event) -> None:
        match event:
            case ChangeStarted():
                self._set(event.host, f"{event.number}/{event.of} {event.key}")
            case GateWaits():
                self._set(event.host, f"waits for {event.check}")
            case ChangesDone():
                self._set(event.host, "changed, being checked")
            case StageStarted():
                self._stage = f"{event.number}/{event.of} {event.stage}"
                self._now.clear()
                for host in event.hosts:
                    self._set(host, "waits for its turn")
            case StageDone():
                hosts = len(self._now)
                self._now.clear()
                self._console.print(f"[green]✓[/] {self._stage}  {hosts} hosts  {event.seconds:.1f} s", highlight=False)
            case HostFailed():
                self._console.print(f"[red]✗[/] {event.host}  {event.error.what}", highlight=False, markup=True)
            case HostAnswered():
                pass

    def _set(self, host: str, what: str) -> None:
        began, before = self._now.get(host, (0.0, ""))
        self._now[host] = (began, what) if before == what else (time.monotonic(), what)

    def __rich__(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        room = max(3, self._console.height - 4)
        for host, (began, what) in list(self._now.items())[:room]:
            spent = time.monotonic() - began
            table.add_row(Text(host, "bold"), Text(what), Text(f"{spent:.0f} s", "dim"))
        if len(self._now) > room:
            table.add_row(Text(f"… {len(self._now) - room} more", "dim"))
        return table


@contextmanager
def _live() -> Generator[Report]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, emoji=False)
    lines = _Lines(console)
    with Live(lines, console=console, refresh_per_second=10, transient=True):
        yield lines.report
