"""`fournines design`: what a cloud file amounts to, before a host is touched."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, cast

import click

from fournines.services import load

HELP = """Know what CLOUD, a cloud file, will mean. No host is touched.

`fournines design CLOUD` is the overview: how available each function will be, what stops it, and what removes that.

\b
Examples:
  fournines design cloud.yaml
  fournines design why cloud.yaml authenticate
"""

_CLOUD = click.argument("cloud", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
OVERVIEW = "overview"


class WithOverview(click.Group):
    """What names no command is the cloud of the overview."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            return OVERVIEW, self.commands[OVERVIEW], args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options before the cloud are the overview's, but for the group's own."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = [OVERVIEW, *args]
        return super().parse_args(ctx, args)


@click.group(cls=WithOverview, help=HELP)
def command() -> None:
    pass


@command.command(
    OVERVIEW,
    help="""How available each of the users' functions will be in CLOUD, what stops it, and what removes that.

Outages come from the runs of `prove` that are stored beside the cloud file; without any, from the cloud's timers.

\b
Examples:
  fournines design overview cloud.yaml
  fournines design --json cloud.yaml | jq '.availability[] | {function, region, availability, target}'
  fournines design --json cloud.yaml | jq '.weaknesses[] | select(.order == 1) | .what'
""",
)
@_CLOUD
@_JSON
@click.option("--all", "everything", is_flag=True, help="Every weakness, however improbable.")
def overview(cloud: Path, as_json: bool, everything: bool) -> None:
    from fournines.cli.design_show import show_overview
    from fournines.design.overview import overview as make
    from fournines.prove.observed import stored

    model = load(cloud)
    made = make(model, stored(model.state_dir, model.timing.profile))
    if as_json:
        _print(dataclasses.asdict(made))
    else:
        show_overview(made, everything)


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


def _print(document: dict[str, Any]) -> None:
    click.echo(json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    """JSON knows no infinity: what never fails has null as its time to failure."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in cast(dict[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in cast(list[Any], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
