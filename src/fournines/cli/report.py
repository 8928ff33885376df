"""`fournines report`: a stored proof as one HTML file, or its figures as a table."""

from __future__ import annotations

from pathlib import Path

import click

from fournines.errors import ProveError
from fournines.prove import store
from fournines.prove.model import Campaign
from fournines.prove.report import render
from fournines.prove.report_table import table
from fournines.services import load

#: In the run's directory.
NAME = "report.html"

HELP = """Render a stored proof as one HTML file that opens offline.

SOURCE is a cloud file, for its newest run, or a run's directory. Prints the path of the report.

\b
Examples:
  fournines report examples/three-controllers.yaml
  fournines report examples/three-controllers.yaml -o /tmp/proof.html
  fournines report examples/.fournines/acme/runs/20261121T003102
  fournines report examples/three-controllers.yaml --markdown
"""


@click.command(help=HELP)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write here.  [default: report.html in the run]")
@click.option("--markdown", is_flag=True, help="Print the figures as a Markdown table instead.")
def command(source: Path, output: Path | None, markdown: bool) -> None:
    run = _run(source)
    if markdown:
        click.echo(table(store.load(run)), nl=False)
        return
    path = output or (run if run.is_dir() else run.parent) / NAME
    write(store.load(run), path)
    click.echo(path)


def write(campaign: Campaign, path: Path) -> None:
    """Raises ProveError when `path` cannot be written."""
    try:
        path.write_text(render(campaign), encoding="utf-8")
    except OSError as error:
        raise ProveError(
            "the report cannot be written",
            where=str(path),
            why=error.strerror or str(error),
            next="choose another place: fournines report RUN -o FILE",
        ) from error


def _run(source: Path) -> Path:
    if source.is_dir() or source.name == store.FILE:
        return source
    return store.newest(load(source).state_dir)
