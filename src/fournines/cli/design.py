"""`fournines design`: what a cloud file amounts to, before a host is touched."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from fournines.services import load

HELP = """What CLOUD, a cloud file, will mean: what each function of it stands on. No host is touched.

\b
Examples:
  fournines design why cloud.yaml authenticate
"""

_CLOUD = click.argument("cloud", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.group(help=HELP)
def command() -> None:
    pass


@command.command(
    help="""The exact condition under which FUNCTION works, region by region, as a tree.

Derived from what the services declare: what they need, how many of their copies are enough, and what those stand on.
Without FUNCTION: of all functions.

\b
Examples:
  fournines design why cloud.yaml authenticate
  fournines design why --json cloud.yaml | jq '.conditions[].requirements[] | {name, least}'
"""
)
@_CLOUD
@click.argument("function", required=False)
@_JSON
def why(cloud: Path, function: str | None, as_json: bool) -> None:
    from fournines.design import why as texts
    from fournines.design.derive import conditions, require

    made = load(cloud)
    found = require(made, function) if function else conditions(made)
    if as_json:
        _print({"cloud": made.name, "conditions": [dataclasses.asdict(c) for c in found]})
        return
    click.echo("\n\n".join("\n".join(texts.tree(c)) for c in found))


def _print(document: dict[str, object]) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
