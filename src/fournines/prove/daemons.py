"""What daemons say of themselves, over the hosts' transport: the agents are under test, so their word is not enough.

Databases, brokers and load balancers are asked on their own sockets and interfaces, systemd and the kernel by their own
programs (`programs/audit_look.py`).
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from fournines.cloud.model import Region
from fournines.errors import FourninesError
from fournines.prove.model import Finding
from fournines.prove.reach import Reach

#: What one host says, part by part; a part that could not be told is {"error": why}.
Said = Mapping[str, Any]
LOOK_S = 30.0
#: Part of what a host says -> the service that it is about, "" of any host's.
PARTS = {"galera": "mariadb", "rabbitmq": "rabbitmq", "haproxy": "haproxy", "units": "", "vips": ""}
#: What HAProxy says of a server that gets requests, or that it was not told to check.
SERVES = ("UP", "no check")


async def ask(reach: Reach, region: Region) -> dict[str, Said]:
    """Host -> what it says. Raises nothing: of a host that cannot be asked every part is an error."""
    vips = [str(region.vips.internal), str(region.vips.public)]

    async def one(host: str, services: list[str]) -> Said:
        settings = json.dumps({"services": services, "vips": vips})
        try:
            done = await reach.run(host, f"python3 - {shlex.quote(settings)}", stdin=_program(), timeout=LOOK_S)
            if done.status:
                raise ValueError((done.stderr.strip() or "no output").splitlines()[-1])
            return json.loads(done.stdout)
        except (FourninesError, ValueError) as error:
            why = {"error": str(error).splitlines()[0]}
            return {part: why for part, service in PARTS.items() if not service or service in services}

    hosts = region.hosts
    answers = await asyncio.gather(*(one(h.name, sorted(h.services)) for h in hosts))
    return {host.name: said for host, said in zip(hosts, answers, strict=True)}


@cache
def _program() -> str:
    return files("fournines.programs").joinpath("audit_look.py").read_text(encoding="utf-8")


def findings(said: Mapping[str, Said], region: Region) -> Iterator[Finding]:
    """One a tier that the region has."""
    carried = {service for host in region.hosts for service in host.services}
    if "haproxy" in carried:
        yield _finding("the kernels say that one host has the VIPs", said, "vips", _vips)
    if "mariadb" in carried:
        yield _finding("databases say that they are Primary and Synced, in one cluster", said, "galera", _galera)
    if "rabbitmq" in carried:
        yield _finding("brokers say that all run, without alarm or partition", said, "rabbitmq", _rabbitmq)
    if "haproxy" in carried:
        yield _finding("load balancers say that every backend has its servers", said, "haproxy", _servers)
        yield _finding("load balancers run with the configuration that is on disk", said, "haproxy", _stale)
    yield _finding("systemd says that no unit has failed", said, "units", _units)


def _finding(name: str, said: Mapping[str, Said], part: str, wrong: Any) -> Finding:
    told = {host: parts[part] for host, parts in said.items() if part in parts}
    silent = [f"{host}: {value['error']}" for host, value in told.items() if _untold(value)]
    if silent or not told:
        return Finding(name, None, "; ".join(silent) or "nobody was asked")
    found = list(wrong(told))
    return Finding(name, not found, "; ".join(found[:3]) or "so")


def _untold(value: Any) -> bool:
    return isinstance(value, dict) and "error" in value


def _vips(told: Mapping[str, list[str]]) -> Iterator[str]:
    holders = [host for host, vips in told.items() if vips]
    if len(holders) != 1:
        yield f"held by {' and '.join(holders) or 'nobody'}"


def _galera(told: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    wanted = {
        "wsrep_cluster_status": "Primary",
        "wsrep_local_state_comment": "Synced",
        "wsrep_ready": "ON",
        "wsrep_cluster_size": str(len(told)),
    }
    for host, status in told.items():
        yield from (f"{host}: {n} {status.get(n)}" for n, value in wanted.items() if status.get(n) != value)
    clusters = {status.get("wsrep_cluster_state_uuid") for status in told.values()}
    if len(clusters) > 1:
        yield f"{len(clusters)} clusters"


def _rabbitmq(told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for host, seen in told.items():
        if len(seen["running"]) != len(told):
            yield f"{host} sees {len(seen['running'])} of {len(told)} run"
        if seen["alarms"]:
            yield f"{host}: alarm of {', '.join(seen['alarms'])}"
        if seen["parted"]:
            yield f"{host} sees a partition"


def _servers(told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Of the database only the writer is up, so that nobody else takes writes."""
    for host, seen in told.items():
        proxies: dict[str, list[tuple[str, str]]] = {}
        for proxy, server, status in seen["servers"]:
            proxies.setdefault(proxy, []).append((server, status))
        for proxy, servers in proxies.items():
            away = [f"{host} has {proxy} of {s} {status}" for s, status in servers if not status.startswith(SERVES)]
            yield from away if proxy != "mariadb" or len(away) == len(servers) else ()


def _stale(told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for host, seen in told.items():
        if seen["stale"] > 0:
            yield f"{host}: it is {seen['stale']:.0f} s newer than the process that runs"


def _units(told: Mapping[str, list[str]]) -> Iterator[str]:
    yield from (f"{unit} on {host}" for host, units in told.items() for unit in units)
