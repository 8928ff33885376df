"""`fournines report`: a stored proof as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from fournines import cloud
from fournines.errors import ProveError
from fournines.prove import store
from fournines.prove.report import render

HELP = """Render a stored proof as one HTML file that opens offline.

SOURCE is a cloud file, for its newest run, or a run's directory. Prints the path of the report.

\b
Examples:
  fournines report examples/three-controllers.yaml
  fournines report examples/three-controllers.yaml -o /tmp/proof.html
  fournines report examples/.fournines/acme/runs/20261121T003102
"""


@click.command(help=HELP)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write here.  [default: report.html in the run]")
def command(source: Path, output: Path | None) -> None:
    run = _run(source)
    path = output or (run if run.is_dir() else run.parent) / "report.html"
    page = render(store.load(run))
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ProveError(
            "the report cannot be written",
            where=str(path),
            why=error.strerror or str(error),
            next="choose another place with -o FILE",
        ) from error
    click.echo(path)


def _run(source: Path) -> Path:
    if source.is_dir() or source.name == store.FILE:
        return source
    return store.newest(cloud.load(source).state_dir)
