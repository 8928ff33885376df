"""How the cloud is, for a campaign: what every health agent says of its host, as findings that hold or do not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp

from fournines.cloud.model import Cloud, Host, Region
from fournines.engine import SshOptions, connect, survey
from fournines.prove.faults import Standing
from fournines.prove.model import Finding
from fournines.prove.site import Look
from fournines.services import registry
from fournines.services.agent import HTTP_PORT

SYNCED = 4  # wsrep_local_state
#: An agent looks at some things every 5 s; what it has not renewed for so long it no longer knows. Seconds.
STALE_S = 12.0
ANSWER_S = 2.0
#: The audit looks until all holds, for so long: backends may lag behind, and a commit may be on its way. Seconds.
AUDIT_S = 15.0

#: Host -> what its agent says (`GET /state`), None when it does not answer.
States = Mapping[str, dict[str, Any] | None]


class ClusterHealth:
    """`site.Health`, over the agents' HTTP."""

    def __init__(self, cloud: Cloud, region: Region, ssh: SshOptions) -> None:
        self._cloud = cloud
        self._region = region
        self._ssh = ssh

    async def look(self) -> Look:
        states = await self._states()
        return Look(standing(states), tuple(f"{f.name}: {f.detail}" for f in self._findings(states) if not f.ok))

    async def audit(self) -> tuple[Finding, ...]:
        deadline = asyncio.get_running_loop().time() + AUDIT_S
        while True:
            findings = self._findings(await self._states())
            if all(f.ok for f in findings) or asyncio.get_running_loop().time() > deadline:
                return (*findings, await self._as_planned())
            await asyncio.sleep(1.0)

    def _findings(self, states: States) -> tuple[Finding, ...]:
        return tuple(assess(self._cloud, self._region, states))

    async def _states(self) -> States:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as session:
            answers = await asyncio.gather(*(_state(session, h) for h in self._region.hosts))
        return dict(zip((h.name for h in self._region.hosts), answers, strict=True))

    async def _as_planned(self) -> Finding:
        async with connect(self._cloud.hosts, self._ssh) as hosts:
            found = await survey(self._cloud, registry(), hosts)
        name = "configuration is as planned"
        unreachable = {**hosts.failures, **found.failures}
        if unreachable:
            return Finding(name, None, f"{', '.join(unreachable)} cannot be asked")
        changes = [f"{c.host} {c.resource.key}" for stage in found.plan.stages for c in stage.changes]
        return Finding(
            name, not changes, f"{len(changes)} differ: {', '.join(changes[:3])}" if changes else "no change"
        )


async def _state(session: aiohttp.ClientSession, host: Host) -> dict[str, Any] | None:
    try:
        async with session.get(f"http://{host.address}:{HTTP_PORT}/state") as answer:
            return json.loads(await answer.read()) if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


def standing(states: States) -> Standing:
    """The VIP's holder and the writer, empty when nobody says that it is."""
    vip = next((name for name, s in states.items() if s and s.get("vip") and s["vip"]["held"]), "")
    writer = next((name for name, s in states.items() if s and s.get("galera") and s["galera"]["acting"]), "")
    return Standing(vip, writer)


def assess(cloud: Cloud, region: Region, states: States) -> Iterator[Finding]:
    """One finding a tier. All hold: the region is in full redundancy."""
    silent = [name for name, state in states.items() if state is None]
    yield Finding("every host's agent answers", not silent, f"{', '.join(silent) or 'none'} silent")
    yield _one_vip(states)
    members = [h.name for h in cloud.hosts_of("mariadb", region.name)]
    if members:
        yield _galera([(name, _part(states[name], "galera")) for name in members])
        yield _writer(states)
    brokers = [h.name for h in cloud.hosts_of("rabbitmq", region.name)]
    if brokers:
        yield _queues([(name, _part(states[name], "rabbitmq")) for name in brokers])
    for service in ("keystone", "memcached"):
        of = [h.name for h in cloud.hosts_of(service, region.name)]
        down = [name for name in of if not _fresh(_part(states[name], service))]
        yield Finding(f"{service} answers on every host", not down, f"{', '.join(down) or 'none'} does not")
    yield _units(states)
    yield _backends(cloud, region, states)


def _part(state: dict[str, Any] | None, name: str) -> dict[str, Any]:
    return (state or {}).get(name) or {}


def _fresh(part: Mapping[str, Any]) -> bool:
    return bool(part.get("ok")) and part["at"] <= STALE_S


def _one_vip(states: States) -> Finding:
    holders = {name: set(_part(state, "vip").get("held", ())) for name, state in states.items()}
    holding = [name for name, held in holders.items() if held]
    return Finding("one host holds the VIPs", len(holding) == 1, f"held by {' and '.join(holding) or 'nobody'}")


def _galera(parts: list[tuple[str, dict[str, Any]]]) -> Finding:
    name = "Galera: every node Primary and Synced, at one UUID and seqno"
    for host, part in parts:
        if not (part.get("primary") and part.get("local_state") == SYNCED and part.get("size") == len(parts)):
            said = f"primary {part.get('primary')}, state {part.get('local_state')}, {part.get('size')} members"
            return Finding(name, False, f"{host}: {said}" if part else f"{host} does not say")
    positions = {f"{part['cluster']}:{part['seqno']}" for _, part in parts}
    clusters = {part["cluster"] for _, part in parts}
    spread = max(part["seqno"] for _, part in parts) - min(part["seqno"] for _, part in parts)
    # The agents ask at different moments, and the cloud itself writes: a few transactions apart is not behind.
    return Finding(name, len(clusters) == 1 and spread <= 100, ", ".join(sorted(positions)))


def _writer(states: States) -> Finding:
    acting = [name for name, state in states.items() if _part(state, "galera").get("acting")]
    return Finding("one node is the writer", len(acting) == 1, " and ".join(acting) or "nobody")


def _queues(parts: list[tuple[str, dict[str, Any]]]) -> Finding:
    name = "RabbitMQ: every node runs, every queue has all members"
    for host, part in parts:
        if not _fresh(part):
            return Finding(name, False, f"{host}: {part.get('error') or 'does not say'}")
        running = sum(bool(node["running"]) for node in part["nodes"])
        if running != len(parts):
            return Finding(name, False, f"{host} sees {running} of {len(parts)} nodes")
        for queue in part["queues"]:
            online, members = queue.get("online") or (), queue.get("members") or ()
            if not len(online) == len(members) == len(parts):
                return Finding(name, False, f"{queue['vhost']}/{queue['name']}: {len(online)} of {len(parts)} members")
    return Finding(name, True, f"{len(parts)} nodes, {len(parts[0][1]['queues'])} queues")


def _units(states: States) -> Finding:
    down: list[str] = []
    for host, state in states.items():
        units: dict[str, dict[str, str]] = _part(state, "units").get("units", {})
        down += [f"{unit} on {host}" for unit, said in units.items() if said["ActiveState"] != "active"]
    return Finding("every unit is active", not down, f"{', '.join(down) or 'none'} not active")


def _backends(cloud: Cloud, region: Region, states: States) -> Finding:
    """As every load balancer sees them; of the database only the writer's is up, by design."""
    down: list[str] = []
    for host in cloud.hosts_of("haproxy", region.name):
        proxies: dict[str, dict[str, dict[str, str]]] = _part(states[host.name], "haproxy").get("proxies", {})
        for proxy, servers in proxies.items():
            up = [s for s, said in servers.items() if said["status"].startswith("UP") and s != "BACKEND"]
            wanted = {h.name for h in cloud.hosts_of(proxy, region.name)} & servers.keys()
            if proxy == "mariadb" and up:
                continue
            down += [f"{proxy} {s} on {host.name}" for s in wanted - set(up)]
    return Finding("every load balancer has every backend", not down, f"{', '.join(sorted(down)[:4]) or 'none'} down")
