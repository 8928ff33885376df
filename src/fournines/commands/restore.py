"""The databases of a cloud as they were: what the command line and the jobs of the API call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

from fournines.cloud.model import Cloud
from fournines.commands.apply import surveyed
from fournines.commands.backup import stored
from fournines.commands.operation import Reporting, Say
from fournines.engine import Connected, SshOptions, apply, connect, hold
from fournines.engine.transport import ManagedHost
from fournines.errors import BackupError, HostError
from fournines.health.look import look
from fournines.operate import backup, copies
from fournines.operate.copies import Stored
from fournines.operate.restore import FORGET, Stops, stops


def chosen(cloud: Cloud, path: Path, key: Path | None = None) -> Stored:
    """A backup that can be restored: whole, and with a database of each region. Raises BackupError."""
    found = stored(cloud, path, key)
    copies.intact(path, found.manifest)
    gone = [name for name in cloud.regions if backup.database_part(name) not in found.manifest.parts]
    if gone:
        raise BackupError("this backup has no database of a region", where=", ".join(gone), next="another backup")
    return found


def foreseen(cloud: Cloud, chosen: Stored, *, copy: bool) -> Iterator[str]:
    """What a restore would do, a line each."""
    yield f"backup of {chosen.manifest.taken}; everything written to the databases since then will be lost"
    if not chosen.manifest.verified:
        yield "it was never verified; it is asked before anything is replaced"
    for host, units in stops(cloud).units.items():
        yield f"  stop      {host}  {' '.join(units)}"
    if copy:
        yield f"  back up   what is there now, to {chosen.path.parent}"
    for region in cloud.regions:
        yield f"  replace   the databases of services in {region}, through the node that takes the writes"
    yield "  apply     starts what was stopped, brings tables and accounts up to date"


async def restore(cloud: Cloud, ssh: SshOptions, chosen: Stored, *, copy: bool, say: Say, reporting: Reporting) -> None:
    """The caller holds the cloud's local lock. copy: what is there now is backed up first. Raises FourninesError; the
    same again continues."""
    async with connect(cloud.hosts, ssh) as hosts:
        hosts.require_all()
        async with hold(hosts):
            seen = await look(cloud, hosts, {})
            writers = {r.region.name: (r.writers or (copies.source(r),))[0] for r in seen.regions}
            await _stop(hosts, stops(cloud), say)
            if copy:
                before = await copies.take(cloud, hosts, chosen.path.parent, chosen.key, say, verify=False)
                say(f"what was there is in {before.path}")
            for region, host in writers.items():
                say(f"{host}: restoring the databases of {region}")
                answer = await copies.asked(hosts[host], "load", *chosen.part(backup.database_part(region)))
                if answer.wrong:
                    raise BackupError(
                        "the copy in this backup is not sound",
                        where=str(chosen.path),
                        why="\n        ".join(answer.wrong[:10]),
                        next="another backup; services are stopped until then, or until fournines apply",
                    )
            for host in hosts.values():
                await _run(host, FORGET)
            await _apply(cloud, hosts, reporting)


async def _stop(hosts: Mapping[str, ManagedHost], stopping: Stops, say: Say) -> None:
    for host in stopping.units:
        say(f"{host}: stopping what writes to the databases")
    await asyncio.gather(*(_run(hosts[name], stopping.script(name)) for name in stopping.units))


async def _run(host: ManagedHost, script: str) -> None:
    done = await host.run(script, timeout=180.0)
    if done.status:
        raise HostError(
            f"{host.host}: a step of the restore failed",
            where=host.host,
            why=done.stderr.strip(),
            next="the same command again; or fournines apply, which starts what was stopped",
        )


async def _apply(cloud: Cloud, hosts: Connected, reporting: Reporting) -> None:
    plan = await surveyed(cloud, hosts)
    cloud.secrets.save()
    with reporting() as report:
        await apply(plan, hosts, report)
