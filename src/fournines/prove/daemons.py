"""What daemons say of themselves, over the hosts' transport: the agents are under test, so their word is not enough.

Databases, brokers and load balancers are asked on their own sockets and interfaces, systemd and the kernel by their own
programs (`programs/audit_look.py`).
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from fournines.cloud.model import Region
from fournines.errors import FourninesError
from fournines.programs import source
from fournines.prove.model import Finding
from fournines.prove.reach import Reach
from fournines.services import registry

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
        units = [unit for name in services if name in registry() for unit in registry()[name].units]
        settings = json.dumps({"services": services, "units": units, "vips": vips})
        try:
            done = await reach.run(
                host, f"python3 - {shlex.quote(settings)}", stdin=source("audit_look.py"), timeout=LOOK_S
            )
            if done.status:
                raise ValueError((done.stderr.strip() or "no output").splitlines()[-1])
            return json.loads(done.stdout)
        except (FourninesError, ValueError) as error:
            why = {"error": str(error).splitlines()[0]}
            return {part: why for part, service in PARTS.items() if not service or service in services}

    hosts = region.hosts
    answers = await asyncio.gather(*(one(h.name, sorted(h.services)) for h in hosts))
    return {host.name: said for host, said in zip(hosts, answers, strict=True)}


def findings(
    said: Mapping[str, Said], region: Region, *, clustered: bool = False, moving: Collection[str] = ()
) -> Iterator[Finding]:
    """One a tier that the region has. `clustered`: a cluster decides what runs where, so that a daemon which does not
    run on one host is nothing wrong, as long as it runs on another. `moving`: services of which one host's copy works,
    so that a load balancer has the others out."""
    count = Counter(service for host in region.hosts for service in host.services)

    def finding(name: str, part: str, wrong: Callable[[Mapping[str, Any]], Iterable[str]]) -> Finding:
        told = {host: parts[part] for host, parts in said.items() if part in parts}
        silent = [f"{host}: {value['error']}" for host, value in told.items() if _is(value, "error")]
        if silent or not told:
            return Finding(name, None, "; ".join(silent) or "nobody was asked")
        away = {host: value["inactive"] for host, value in told.items() if _is(value, "inactive")}
        told = {host: value for host, value in told.items() if host not in away}
        found = list(wrong(told))
        if not clustered or not told:
            found += [f"{unit} does not run on {host}" for host, unit in away.items()]
        return Finding(name, not found, "; ".join(found[:3]) or "so")

    if count["haproxy"]:
        yield finding("the kernels say that one host has the VIPs", "vips", _vips)
    if count["mariadb"]:
        members = count["mariadb"] + count["arbitrator"]
        name = "databases say that they are Primary and Synced, in one cluster"
        yield finding(name, "galera", lambda told: _galera(told, members))
    if count["rabbitmq"]:
        name = "brokers say that all run, without alarm or partition"
        yield finding(name, "rabbitmq", lambda told: _rabbitmq(told, count["rabbitmq"]))
    if count["haproxy"]:
        yield finding(
            "load balancers say that every backend has its servers",
            "haproxy",
            lambda told: _servers(told, {"mariadb", *moving}),
        )
        yield finding("load balancers run with the configuration that is on disk", "haproxy", _stale)
    yield finding("systemd says that no unit of a service has failed", "units", _units)


def _is(value: Any, what: str) -> bool:
    return isinstance(value, dict) and what in value


def _vips(told: Mapping[str, list[str]]) -> Iterator[str]:
    holders = [host for host, vips in told.items() if vips]
    if len(holders) != 1:
        yield f"held by {' and '.join(holders) or 'nobody'}"


def _galera(told: Mapping[str, Mapping[str, str]], members: int) -> Iterator[str]:
    wanted = {
        "wsrep_cluster_status": "Primary",
        "wsrep_local_state_comment": "Synced",
        "wsrep_ready": "ON",
        "wsrep_cluster_size": str(members),
    }
    for host, status in told.items():
        yield from (f"{host}: {n} {status.get(n)}" for n, value in wanted.items() if status.get(n) != value)
    clusters = {status.get("wsrep_cluster_state_uuid") for status in told.values()}
    if len(clusters) > 1:
        yield f"{len(clusters)} clusters"


def _rabbitmq(told: Mapping[str, Mapping[str, Any]], members: int) -> Iterator[str]:
    for host, seen in told.items():
        if len(seen["running"]) != members:
            yield f"{host} sees {len(seen['running'])} of {members} run"
        if seen["alarms"]:
            yield f"{host}: alarm of {', '.join(seen['alarms'])}"
        if seen["parted"]:
            yield f"{host} sees a partition"


def _servers(told: Mapping[str, Mapping[str, Any]], single: Collection[str]) -> Iterator[str]:
    """single: of these one is enough. Of the database it is the writer, so that nobody else takes writes."""
    for host, seen in told.items():
        proxies: dict[str, list[tuple[str, str]]] = {}
        for proxy, server, status in seen["servers"]:
            proxies.setdefault(proxy, []).append((server, status))
        for proxy, servers in proxies.items():
            away = [f"{host} has {proxy} of {s} {status}" for s, status in servers if not status.startswith(SERVES)]
            yield from away if proxy not in single or len(away) == len(servers) else ()


def _stale(told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for host, seen in told.items():
        if seen["stale"] > 0:
            yield f"{host}: it is {seen['stale']:.0f} s newer than the process that runs"


def _units(told: Mapping[str, list[str]]) -> Iterator[str]:
    yield from (f"{unit} on {host}" for host, units in told.items() for unit in units)
