"""A plan on the terminal: colours where it is one, plain lines where it is not."""

from __future__ import annotations

import os
from typing import Any

import click

from fournines.plan import render
from fournines.plan.model import Plan

_LOOK: dict[render.Style, dict[str, Any]] = {
    "heading": {"bold": True},
    "add": {"fg": "green"},
    "update": {"fg": "yellow"},
    "remove": {"fg": "red"},
    "hunk": {"fg": "cyan"},
    "note": {"dim": True},
}


def show(plan: Plan) -> None:
    """To stdout."""
    color = False if os.environ.get("NO_COLOR") else None
    for style, line in render.lines(plan):
        click.echo(click.style(line, **_LOOK[style]), color=color)
