"""What the commands of `fournines design` share: their argument, `--json`, and how that is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from fournines.commands.design import finite

CLOUD = click.argument("cloud", type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


def print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(finite(document), indent=2, ensure_ascii=False, allow_nan=False))
