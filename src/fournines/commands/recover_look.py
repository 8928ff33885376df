"""Looks at a cloud that does not come back, and changes nothing: what every host has, and what follows from it."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from fournines.cloud.model import Cloud, Host
from fournines.cloud.record import Entries, Entry
from fournines.engine.connect import Connected
from fournines.engine.survey import recorded
from fournines.engine.together import merged, together
from fournines.engine.transport import Transport
from fournines.errors import HostError, PlanError, UsageError
from fournines.health.look import look
from fournines.operate import scale
from fournines.operate.recover import lost_files, majority
from fournines.operate.recover.cases import found as findings_of
from fournines.operate.recover.databases import histories
from fournines.operate.recover.evidence import Asked, Evidence, Seen, parse
from fournines.operate.recover.finding import Finding, program
from fournines.operate.recover.rebuild import Rebuilt, rebuilt, template
from fournines.plan.model import Plan
from fournines.services.base import entry_of
from fournines.services.capabilities import FillsTables, control_plane, present

#: Seconds for a host to say what it has: its broker and its database are asked, and the lost ones knocked at.
LOOK = 90.0


@dataclass(frozen=True)
class Looked:
    """cloud: with the hosts that are gone, also where the file no longer has them. hosts: that answer. findings: in the
    order in which they are dealt with. leavers: to be taken out of the cloud. marked: hosts that know of a recovery.
    absent: hosts that do not answer and that nothing here rests on; `apply` brings them up to date. rebuilt:
    secrets of a cloud whose file of them is lost; nothing else is looked at before that is there again."""

    cloud: Cloud
    asked: Asked
    hosts: tuple[str, ...]
    findings: tuple[Finding, ...]
    leavers: tuple[Entry, ...]
    marked: tuple[str, ...]
    absent: tuple[str, ...] = ()
    rebuilt: Rebuilt | None = None

    @property
    def undecided(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.choose)

    @property
    def plan(self) -> Plan:
        """All that is done before hosts leave the cloud."""
        return Plan(self.cloud.name, tuple(s for f in self.findings for s in f.stages), "", str(self.cloud.source))


async def looked_at(cloud: Cloud, asked: Asked, hosts: Connected) -> Looked:
    """Raises UsageError, HostError, PlanError."""
    if not hosts:
        raise merged(list(hosts.failures.values()))
    known = await recorded(hosts)
    _require_known(cloud, known, asked)
    evidence, failures = await _evidence(cloud, known, asked, hosts)
    _require_ours(cloud, evidence)
    if not secrets_file(cloud).exists() and any(e.cloud for e in evidence.values()):
        return await _secrets(cloud, asked, Connected({name: hosts[name] for name in evidence}))
    if marker := next((e.marker for e in evidence.values() if e.marker), None):
        begun = [name for name in marker.gone if name in known]
        asked = replace(asked, stamp=marker.stamp, gone=tuple(dict.fromkeys((*asked.gone, *begun))))
    leavers = tuple(known[n] if n in known else entry_of(cloud.host_by_name[n]) for n in asked.gone)
    whole = cloud
    for entry in leavers:
        whole = scale.with_leaver(whole, entry)
    there = Connected({name: hosts[name] for name in evidence})
    cluster = await look(whole, there, failures)
    told = {name: f"{error.what}{f': {error.why}' if error.why else ''}" for name, error in failures.items()}
    regions = [
        Seen(
            whole,
            state.region,
            {h.name: evidence[h.name] for h in state.region.hosts if h.name in evidence},
            {h.name: told[h.name] for h in state.region.hosts if h.name in told},
            state,
            {name: entry for name, entry in known.items() if entry.region == state.region.name},
        )
        for state in cluster.regions
    ]
    for seen in regions:
        majority.require(seen, asked)
    findings = tuple(finding for seen in regions for finding in findings_of(seen, asked))
    marked = tuple(name for name, e in evidence.items() if e.marker)
    absent = tuple(name for name in failures if name not in asked.gone)
    return Looked(whole, asked, tuple(evidence), findings, leavers, marked, absent)


async def _secrets(cloud: Cloud, asked: Asked, hosts: Connected) -> Looked:
    made = template(cloud)
    found = await together(_files(host, made.paths(name)) for name, host in hosts.items())
    values = rebuilt(made, dict(zip(hosts, found, strict=True)))
    finding = lost_files.secrets(cloud, str(secrets_file(cloud)), tuple(hosts), values)
    return Looked(cloud, asked, tuple(hosts), (finding,), (), (), rebuilt=values)


async def _files(host: Transport, paths: Sequence[str]) -> dict[str, str]:
    script = f"python3 - {shlex.quote(json.dumps(paths))}"
    done = await host.run(script, stdin=program("recovery_files"), timeout=LOOK)
    if done.status:
        raise HostError(f"the files of {host.host} cannot be read", where=host.host, why=done.stderr.strip()[-200:])
    return json.loads(done.stdout)


def secrets_file(cloud: Cloud) -> Path:
    return cloud.source.parent / f"{cloud.name}.secrets.yaml"


def _require_known(cloud: Cloud, known: Entries, asked: Asked) -> None:
    names = {*cloud.host_by_name, *known}
    for name in (*asked.gone, *filter(None, [asked.history])):
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(names))}; or it has left by now"
            raise UsageError(f"{cloud.name} has no host {name}", next=hint)


def _require_ours(cloud: Cloud, evidence: Mapping[str, Evidence]) -> None:
    if others := {name: e.cloud for name, e in evidence.items() if e.cloud not in ("", cloud.name)}:
        raise PlanError(
            f"these are hosts of another cloud than {cloud.name}",
            where=", ".join(others),
            why="; ".join(f"{name} is a host of {theirs}" for name, theirs in others.items()),
            next=f"give the file of that cloud; {cloud.source} has other addresses, or a wrong name",
        )


async def _evidence(
    cloud: Cloud, known: Entries, asked: Asked, hosts: Connected
) -> tuple[dict[str, Evidence], dict[str, HostError]]:
    """What the hosts say that answer, and why the others do not. Each knocks at all that do not answer here, and at
    those that somebody says are gone: they may answer others."""
    failures = dict(hosts.failures)
    addresses = {h.name: [str(h.address), *map(str, h.addresses.values())] for h in cloud.hosts}
    addresses |= {e.name: [e.address, *e.addresses.values()] for e in known.values() if e.name not in addresses}
    silent = {n: list(dict.fromkeys(addresses[n])) for n in {*failures, *asked.gone} if n in addresses}
    there = [h for h in cloud.hosts if h.name in hosts]
    answers = await asyncio.gather(*(_ask(cloud, h, hosts[h.name], silent) for h in there), return_exceptions=True)
    evidence: dict[str, Evidence] = {}
    for host, answer in zip(there, answers, strict=True):
        if isinstance(answer, Evidence):
            evidence[host.name] = answer
        elif isinstance(answer, HostError):
            failures[host.name] = answer
        else:
            raise answer
    return await _counted(cloud, evidence, hosts), failures


async def _counted(cloud: Cloud, evidence: dict[str, Evidence], hosts: Connected) -> dict[str, Evidence]:
    """With rows of tables where a person has to choose between histories, and a database that would tell is stopped."""
    databases = {name: e.database for name, e in evidence.items() if e.database}
    if len(histories(databases)) < 2:
        return evidence
    stopped = {name: d for name, d in databases.items() if d.cluster and not d.answers and not d.unreadable}
    found = await together(_rows(cloud, hosts[name]) for name in stopped)
    rows = dict(zip(stopped, found, strict=True))
    return {n: replace(e, database=replace(stopped[n], rows=rows[n])) if n in rows else e for n, e in evidence.items()}


async def _rows(cloud: Cloud, host: Transport) -> Mapping[str, int]:
    script = f"python3 - {shlex.quote(json.dumps(_tables(cloud, cloud.host_by_name[host.host])))}"
    done = await host.run(script, stdin=program("recovery_rows"), timeout=LOOK)
    try:
        return json.loads(done.stdout) if done.status == 0 else {}
    except ValueError:
        return {}


def _tables(cloud: Cloud, host: Host) -> list[str]:
    """That are empty in no cloud that ever worked."""
    return [t for s in present(cloud, host.region) if isinstance(s, FillsTables) for t in s.filled]


async def _ask(cloud: Cloud, host: Host, transport: Transport, silent: Mapping[str, Sequence[str]]) -> Evidence:
    plane = host in control_plane(cloud, host.region)
    question = {
        "host": host.name,
        "carries": sorted(host.services),
        "tables": _tables(cloud, host),
        "gone": dict(silent) if plane else {},
    }
    script = f"python3 - {shlex.quote(json.dumps(question))}"
    done = await transport.run(script, stdin=program("recovery_look"), timeout=LOOK)
    try:
        if done.status == 0:
            return parse(host.name, done.stdout)
        why = (done.stderr.strip().splitlines() or [f"exit status {done.status}"])[-1]
    except ValueError as error:
        why = str(error)
    raise HostError(f"{host.name} cannot be looked at", where=host.name, why=why)
