"""What the commands of `fournines design` share: their argument, `--json`, and how that is printed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import click

CLOUD = click.argument("cloud", type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


def print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    """JSON knows no infinity: what never fails has null as its time to failure."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in cast(dict[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in cast(list[Any], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
