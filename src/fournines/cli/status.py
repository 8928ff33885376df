"""`fournines status`: is the control plane healthy, and what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from fournines.cli.reach import Reach, reach_of, reach_options
from fournines.cloud.model import Cloud
from fournines.commands.clouds import load_cloud
from fournines.commands.status import looks
from fournines.health.cluster import Cluster

HELP = """Say whether the control plane of CLOUD is healthy, what is wrong and what to do, tier by tier.

Asks every host once, over SSH, for what its health agent has found; a host that does not answer is a finding.

\b
Exit code: 0 healthy, 1 not healthy (also when clients are served).

\b
Examples:
  fournines status cloud.yaml
  fournines status cloud.yaml --watch
  fournines status cloud.yaml --json | jq -r '.problems[].what'
"""

EVERY = 2.0


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.option("--watch", is_flag=True, help=f"Again every {EVERY:g} s, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document; with --watch one a line.")
@reach_options
def command(cloud: Path, watch: bool, as_json: bool, **options: Any) -> None:
    made, reach = load_cloud(cloud), reach_of(options)
    seen = asyncio.run(_watch(made, reach, as_json) if watch else _once(made, reach, as_json))
    sys.exit(0 if seen.healthy else 1)


async def _once(cloud: Cloud, reach: Reach, as_json: bool) -> Cluster:
    async for seen in looks(cloud, reach.hosts(cloud), reach.ssh()):
        _print(seen, as_json)
        return seen
    raise AssertionError("an endless sequence ended")


async def _watch(cloud: Cloud, reach: Reach, as_json: bool) -> Cluster:
    from fournines.cli.status_show import Screen

    with contextlib.nullcontext() if as_json or not sys.stdout.isatty() else Screen() as screen:
        async for seen in looks(cloud, reach.hosts(cloud), reach.ssh()):
            if screen:
                screen.show(seen)
            else:
                _print(seen, as_json, line=True)
            await asyncio.sleep(EVERY)
    raise AssertionError("an endless sequence ended")


def _print(seen: Cluster, as_json: bool, line: bool = False) -> None:
    from fournines.commands.watched import figures_document, summaries
    from fournines.operate.rotate import state

    begun, measured = state(seen.cloud), summaries(seen.cloud)
    if as_json:
        from fournines.commands.design import finite
        from fournines.health.document import document

        rotation = {"what": begun.what, "phase": begun.phase, "begun": begun.begun} if begun else None
        said = {**document(seen), "rotation": rotation, "upgrade": _upgrade(seen.cloud)}
        said["availability"] = finite(figures_document(measured))
        click.echo(json.dumps(said, indent=None if line else 2))
    else:
        from fournines.cli.status_show import show
        from fournines.cli.watch_show import lines

        show(seen)
        if begun:
            click.echo(f"\n{begun}: fournines rotate {seen.cloud.source} {' '.join(begun.what)} continues it")
        if upgrade := seen.cloud.versions.upgrade:
            click.echo(f"\n{upgrade}: fournines upgrade {seen.cloud.source} {upgrade.again}".rstrip() + " continues it")
        if measured:
            click.echo("\nWhat clients had of it, as `fournines watch` has measured")
            click.echo("\n".join(lines(measured)))


def _upgrade(cloud: Cloud) -> dict[str, Any] | None:
    state = cloud.versions.upgrade
    if state is None:
        return None
    return {"release": state.release, "renewed": list(state.renewed), "begun": state.begun, "canary": state.canary}
