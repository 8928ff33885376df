"""`fournines check`: what is wrong with a cloud file, and with the cloud that it describes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fournines.cli.voters_show import voters_lines
from fournines.cloud.model import Cloud
from fournines.commands.check import count, document
from fournines.design import Finding, check_file

HELP = """Check CLOUD, a cloud file, without touching a host.

Reports every error of the file at once, and what its design amounts to: quorums that a single zone, power feed or
switch can stop, single copies, addresses and router ids that clash, options that nothing reads, timers that contradict
one another. `plan` and `apply` refuse a cloud that has errors.

\b
Exit code: 0 no errors (warnings are allowed), 1 errors.

\b
Examples:
  fournines check examples/three-controllers.yaml
  fournines check --json cloud.yaml | jq '.findings[] | select(.severity == "error")'
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(cloud: Path, as_json: bool) -> None:
    made, findings = check_file(cloud)
    if as_json:
        click.echo(json.dumps(document(cloud, made, findings), indent=2, ensure_ascii=False))
    else:
        _show(Console(emoji=False, highlight=False, width=None if sys.stdout.isatty() else 1000), cloud, made, findings)
    sys.exit(1 if count(findings, "error") else 0)


def _show(console: Console, path: Path, cloud: Cloud | None, findings: Sequence[Finding]) -> None:
    for finding in findings:
        style = "bold red" if finding.severity == "error" else "yellow"
        console.print(
            Text.assemble(
                (finding.severity, style),
                f"  {finding.file}:{finding.line}:{finding.column}  ",
                (finding.path, "cyan"),
                (f"  [{finding.rule}]", "dim"),
            ),
            soft_wrap=True,
        )
        for text, look in ((finding.what, "bold"), (finding.why, "")):
            if text:
                console.print(Padding(Text(text, look), (0, 0, 0, 4), expand=False))
        if finding.accepted:
            console.print(_hanging("    accepted: ", Text(finding.accepted, "dim")))
        elif finding.change:
            console.print(_hanging("    → ", Text(finding.change, "green")))
        console.print()
    if cloud and not count(findings, "error"):
        for line in voters_lines(cloud):
            console.print(Text(line, "dim"), soft_wrap=True)
    console.print(_verdict(path, cloud, findings), soft_wrap=True)


def _hanging(lead: str, text: Text) -> Table:
    """Further lines of `text` begin where its first one does."""
    grid = Table.grid()
    grid.add_row(Text(lead, text.style), text)
    return grid


def _verdict(path: Path, cloud: Cloud | None, findings: Sequence[Finding]) -> Text:
    errors, warnings = count(findings, "error"), count(findings, "warning")
    counts = ", ".join(
        f"{n} {word}{'s' if n > 1 else ''}" for n, word in ((errors, "error"), (warnings, "warning")) if n
    )
    if errors or cloud is None:
        return Text.assemble(f"{path}: ", (counts, "bold red"))
    regions = ", ".join(cloud.regions)
    zones = {(r.name, z) for r in cloud.regions.values() for z in r.zones}
    size = f"{len(cloud.hosts):,} hosts in {len(zones)} zones of {regions}"
    return Text.assemble(
        f"{cloud.name}: {size}: ", (counts, "yellow") if counts else ("nothing to report", "bold green")
    )
