"""`fournines versions`: what packages the hosts have, and could have."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from fournines.cli.operation import warn
from fournines.cli.reach import reach_of, reach_options
from fournines.commands import versions
from fournines.commands.clouds import load_cloud
from fournines.commands.versions import Seen
from fournines.errors import UsageError
from fournines.operate import upgrade
from fournines.plan.render import folded

HELP = """Show, for each package that the services of CLOUD declare, what is installed on which hosts, what their
package sources have (candidate), whether that is a security update, and which version the cloud's lock has.

Hosts that agree share a line. Whether a candidate is a security update is apt's own word: the release file of the
source that it, or a version between, comes from. Sources are as the host asked them last; --refresh asks anew.

\b
Exit code: 0 shown, 1 no host answered.

\b
Examples:
  fournines versions cloud.yaml
  fournines versions cloud.yaml --refresh --all
  fournines versions cloud.yaml --json | jq '.hosts.ctl1.packages.keystone'
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.option("--refresh", is_flag=True, help="Ask the package sources first (apt-get update on each host).")
@click.option(
    "--all", "everything", is_flag=True, help="Also packages that no service declares, where newer ones exist."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, host by host.")
@reach_options
def command(cloud: Path, refresh: bool, everything: bool, as_json: bool, **options: Any) -> None:
    reach = reach_of(options)
    if reach.names:
        raise UsageError("versions concerns the whole cloud", next="leave --hosts out")
    seen = asyncio.run(versions.seen(load_cloud(cloud), reach.ssh(), warn, refresh=refresh))
    if as_json:
        click.echo(json.dumps(versions.document(seen), indent=2))
        return
    for line in lines(seen, everything=everything):
        click.echo(line)
    sys.stdout.flush()


def lines(seen: Seen, *, everything: bool) -> Iterator[str]:
    """Text, a line at a time."""
    own = {name for names in seen.declared.values() for name in names}
    cells = [
        (row.package, row.installed, row.candidate, row.remark, f"[{folded(row.hosts)}]")
        for row in versions.rows(seen, everything=everything)
    ]
    yield from _table([("package", "installed", "candidate", "", "hosts"), *cells])
    yield ""
    yield from _others(seen, own)
    yield from _lock(seen)


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]).rstrip()


def _others(seen: Seen, own: set[str]) -> Iterator[str]:
    """What no service declares, what speaks against an upgrade, kernels; hosts that agree on one line."""
    found: dict[str, list[str]] = {}
    for host, look in seen.looks.items():
        counts = Counter[str]()
        for name, state in look.packages.items():
            if name not in own and upgrade.upgradable(state):
                counts["all"] += 1
                counts["security"] += upgrade.is_security(state)
        said = [f"{counts['all']} other packages can be upgraded, {counts['security']} of them for security"]
        said += [f"wants a reboot: {look.kernel.running} → {look.kernel.newest}"] if look.kernel.reboot else []
        said += list(look.problems)
        asked = datetime.fromtimestamp(look.lists, UTC).strftime("on %Y-%m-%d") if look.lists else "never"
        for line in (*said, f"its package sources were asked {asked}"):
            found.setdefault(line, []).append(host)
    for line, hosts in found.items():
        yield f"[{folded(tuple(hosts))}] {line}"


def _lock(seen: Seen) -> Iterator[str]:
    lock = seen.cloud.versions
    found: dict[str, list[str]] = {}
    for host, look in seen.looks.items():
        found.setdefault(f"OpenStack {lock.release_of(host)}, Debian {look.codename or 'unknown'}", []).append(host)
    for line, hosts in found.items():
        yield f"[{folded(tuple(hosts))}] {line}"
    if running := lock.upgrade:
        yield str(running)
    yield (
        f"locked: {len(lock.locked)} packages, since {lock.since}"
        if lock.locked
        else "no lock: a host that is added gets what its package sources have; fournines upgrade writes one"
    )
