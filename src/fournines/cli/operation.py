"""What the operations of day two share: look, show the plan, ask, carry it out under the locks."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from fournines.cli.progress import progress
from fournines.cli.reach import Reach, reach_of, reach_options
from fournines.cli.show import show
from fournines.cloud.model import Cloud
from fournines.commands import operation
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError
from fournines.plan import render
from fournines.plan.model import Plan


@dataclass(frozen=True)
class Asked:
    """How the operation was asked for. name: of the command. needed: hosts without which there is nothing to do."""

    name: str
    yes: bool
    dry_run: bool
    as_json: bool
    reach: Reach
    needed: tuple[str, ...] = ()

    def require_answer(self) -> None:
        """Raises UsageError where somebody would have to be asked, and nobody is there."""
        if self.reach.names:
            raise UsageError(f"{self.name} concerns the whole cloud", next="leave --hosts out")
        if not (self.yes or self.dry_run) and (self.as_json or not sys.stdin.isatty()):
            why = f"{self.name} asks before it changes anything, and nobody is here to answer"
            raise UsageError(why, next="add --yes")


F = TypeVar("F", bound=Callable[..., Any])


def operation_options(function: F) -> F:
    """Adds `--yes`, `--dry-run`, `--json`, and the options of `reach_options`; `asked_of` reads them."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON document at the end."),
        click.option("--dry-run", is_flag=True, help="Show the plan and stop."),
        click.option("--yes", is_flag=True, help="Do not ask."),
    ):
        function = option(function)
    return reach_options(function)


def asked_of(name: str, options: dict[str, Any], needed: tuple[str, ...] = ()) -> Asked:
    return Asked(name, options["yes"], options["dry_run"], options["as_json"], reach_of(options), needed)


def operate(cloud: Cloud, asked: Asked, change: operation.Change) -> Plan:
    """Makes `cloud`, changed, true. The plan that was carried out, or would be."""
    asked.require_answer()
    require_valid(cloud)
    ssh = asked.reach.ssh()
    with local_lock(cloud.state_dir):
        seen = asyncio.run(operation.look(cloud, ssh, change, asked.needed, warn))
        if not asked.as_json:
            show(seen.plan)
        if not (asked.dry_run or seen.plan.empty):
            if not asked.yes and not click.confirm(f"{asked.name.capitalize()}?", err=True):
                click.echo("Nothing was changed.", err=True)
                sys.exit(1)
            confirmed = None if asked.yes else seen.plan
            needed = asked.needed
            doing = operation.carry_out(cloud, ssh, change, needed, reporting=progress, say=warn, confirmed=confirmed)
            asyncio.run(doing)
    if asked.as_json:
        click.echo(json.dumps({"done": not asked.dry_run, **render.document(seen.plan)}, indent=2))
    return seen.plan


def warn(text: str) -> None:
    click.echo(text, err=True)
