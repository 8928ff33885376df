"""`fournines report`: a stored proof as one HTML file, or its figures as a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from fournines.errors import ProveError
from fournines.prove import history, store
from fournines.prove.client_findings import lists
from fournines.prove.edn import edn as to_edn
from fournines.prove.junit import junit as to_junit
from fournines.prove.model import Campaign
from fournines.prove.report import render
from fournines.prove.report_markdown import page
from fournines.prove.report_table import table
from fournines.services import load

#: In the run's directory.
NAME = "report.html"
#: Beside a fault's history.
ELLE = "lists.edn"

HELP = """Render a stored proof as one HTML file that opens offline.

SOURCE is a cloud file, for its newest run, or a run's directory. Prints the path of the report.

\b
Examples:
  fournines report examples/three-controllers.yaml
  fournines report examples/three-controllers.yaml -o /tmp/proof.html
  fournines report examples/.fournines/acme/runs/20261121T003102
  fournines report examples/three-controllers.yaml --markdown
  fournines report examples/three-controllers.yaml --publish docs/proof
  fournines report examples/three-controllers.yaml --junit proof.xml
  fournines report examples/three-controllers.yaml --edn
"""


@click.command(help=HELP)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write here.  [default: report.html in the run]")
@click.option("--markdown", is_flag=True, help="Print the figures as a Markdown table instead.")
@click.option(
    "--publish",
    type=click.Path(path_type=Path),
    metavar="DIRECTORY",
    help="Write the whole report there, as HTML and as Markdown, by the suite's name.",
)
@click.option("--junit", type=click.Path(path_type=Path), metavar="PATH", help="Write JUnit's XML there instead.")
@click.option("--edn", is_flag=True, help="Write each fault's transactions on lists for Elle, and print the paths.")
def command(
    source: Path, *, output: Path | None, markdown: bool, publish: Path | None, junit: Path | None, edn: bool
) -> None:
    run = _run(source)
    if edn:
        for path in write_edn(run if run.is_dir() else run.parent):
            click.echo(path)
        return
    if publish:
        for path in write_published(store.load(run), publish):
            click.echo(path)
        return
    if junit:
        write_junit(store.load(run), junit)
        click.echo(junit)
        return
    if markdown:
        click.echo(table(store.load(run)), nl=False)
        return
    path = output or (run if run.is_dir() else run.parent) / NAME
    write(store.load(run), path)
    click.echo(path)


def write(campaign: Campaign, path: Path) -> None:
    """Raises ProveError when `path` cannot be written."""
    _write(path, render(campaign), "report", "choose another place: fournines report RUN -o FILE")


def write_published(campaign: Campaign, directory: Path) -> tuple[Path, Path]:
    """The files, which replace those of an earlier run of the same suite. Raises ProveError when they cannot be
    written."""
    name = campaign.suite or "faults"
    html, markdown = directory / f"{name}.html", directory / f"{name}.md"
    remedy = "choose a directory that is there: fournines report RUN --publish DIRECTORY"
    _write(html, render(campaign), "report", remedy)
    _write(markdown, page(campaign, html.name), "report", remedy)
    return html, markdown


def write_junit(campaign: Campaign, path: Path) -> None:
    """Raises ProveError when `path` cannot be written."""
    _write(path, to_junit(campaign), "JUnit report", "choose another place: fournines report RUN --junit FILE")


def _write(path: Path, text: str, what: str, remedy: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ProveError(
            f"the {what} cannot be written", where=str(path), why=error.strerror or str(error), next=remedy
        ) from error


def write_edn(run: Path) -> Iterator[Path]:
    """A file beside each history that holds transactions on lists. Raises ProveError when there is none, or one cannot
    be read or written."""
    written = 0
    for directory in sorted(p.parent for p in run.glob(f"*/{history.OPERATIONS}")):
        made = lists(history.read(directory))
        if not made:
            continue
        path = directory / ELLE
        try:
            path.write_text(to_edn(made), encoding="utf-8")
        except OSError as error:
            raise ProveError("the transactions cannot be written", where=str(path), why=error.strerror or "") from error
        written += 1
        yield path
    if not written:
        raise ProveError("no transactions on lists are stored here", where=str(run), why="write_row was not probed")


def _run(source: Path) -> Path:
    if source.is_dir() or source.name == store.FILE:
        return source
    return store.newest(load(source).state_dir)
