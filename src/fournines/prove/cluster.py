"""How the cloud is, for a campaign: `health`'s judgement of what the agents say, and the audit after a fault."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator

import aiohttp

from fournines.cloud.model import Cloud, Host, Region
from fournines.engine import SshOptions, connect, survey
from fournines.health.cluster import RegionState, Unknown, regions
from fournines.health.problems import problems
from fournines.health.snapshot import HostState, parse
from fournines.prove import daemons
from fournines.prove.faults.target import Standing
from fournines.prove.model import Finding
from fournines.prove.reach import Reach
from fournines.prove.site import Look
from fournines.services import passive, registry, tls
from fournines.services.agent import HTTP_PORT, state_token

ANSWER_S = 2.0
#: The audit looks until all holds, for so long: a backend may lag behind, and the agents look every 5 s.
AUDIT_S = 15.0
#: Service -> the part of a host's state that its agent only knows once it has looked.
PARTS = {
    "keepalived": "vip",
    "mariadb": "galera",
    "mariadb_replica": "replica",
    "mariadb_shared": "luns",
    "rabbitmq_shared": "luns",
} | {name: name for name in ("rabbitmq", "memcached", "keystone")}


class ClusterHealth:
    """`site.Health`. Asks the agents over HTTP: a campaign looks every second, and a host may be without power. What
    they say counts once the daemons themselves have confirmed it."""

    def __init__(self, cloud: Cloud, region: Region, ssh: SshOptions, reach: Reach) -> None:
        self._cloud = cloud
        self._region = region
        self._ssh = ssh
        self._reach = reach
        self._trust = ssl.create_default_context(cadata=tls.internal_ca(cloud)) if tls.encrypted(cloud) else None

    async def look(self) -> Look:
        state = await self._state()
        return Look(standing(state), tuple(wrong(state)))

    async def confirm(self) -> tuple[str, ...]:
        return tuple(f"{f.name}: {f.detail}" for f in await self._asked() if not f.ok)

    async def audit(self) -> tuple[Finding, ...]:
        deadline = asyncio.get_running_loop().time() + AUDIT_S
        state = await self._state()
        reached: int | None = None  # what any node had at the first look that all of them answered
        while True:
            findings = (*assess(state, reached), *await self._asked())
            if all(f.ok for f in findings) or asyncio.get_running_loop().time() > deadline:
                return (*findings, await self._as_planned())
            if reached is None and len(state.galera) == sum("mariadb" in h.services for h in self._region.hosts):
                reached = max((g.seqno for g in state.galera.values()), default=None)
            await asyncio.sleep(1.0)
            state = await self._state()

    async def _asked(self) -> tuple[Finding, ...]:
        said = await daemons.ask(self._reach, self._region)
        clustered = self._cloud.pattern.cluster is not None
        moving = passive.names(self._cloud)
        return tuple(daemons.findings(said, self._region, clustered=clustered, moving=moving))

    async def _state(self) -> RegionState:
        known = {"Authorization": f"Bearer {state_token(self._cloud)}"}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S), headers=known) as session:
            answers = await asyncio.gather(*(self._ask(session, h) for h in self._region.hosts))
        states = {answer.host: answer for answer in answers}
        return next(r for r in regions(self._cloud, states) if r.region.name == self._region.name)

    async def _ask(self, session: aiohttp.ClientSession, host: Host) -> HostState | Unknown:
        scheme = "https" if self._trust else "http"
        url = f"{scheme}://{host.address}:{HTTP_PORT}/state"
        try:
            async with session.get(url, raise_for_status=True, ssl=self._trust or True) as answer:
                return parse(json.loads(await answer.read()), 0.0)
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            return Unknown(host.name, "its observer does not answer", type(error).__name__, "fournines status CLOUD")

    async def _as_planned(self) -> Finding:
        async with connect(self._cloud.hosts, self._ssh) as hosts:
            found = await survey(self._cloud, registry(), hosts)
        name = "configuration as planned"
        unreachable = {**hosts.failures, **found.failures}
        if unreachable:
            return Finding(name, None, f"{', '.join(unreachable)} cannot be asked")
        changes = [f"{c.host} {c.resource.key}" for stage in found.plan.stages for c in stage.changes]
        return Finding(
            name, not changes, f"{len(changes)} changes: {', '.join(changes[:3])}" if changes else "no change"
        )


def standing(state: RegionState) -> Standing:
    """The VIP's holder and the writer, empty when nobody says that it is."""
    return Standing(next(iter(state.vip_holders), ""), next(iter(state.writers), ""))


def wrong(state: RegionState) -> Iterator[str]:
    """What keeps the region from full redundancy. An agent that has not looked yet is no proof of health."""
    for problem in problems(state):
        yield f"{problem.where}: {problem.what}" if problem.where else problem.what
    for host in state.region.hosts:
        said = state.states.get(host.name)
        for service, part in PARTS.items():
            carried = service in host.services and service not in state.passive
            if said and carried and getattr(said, part) in (None, {}):
                yield f"{host.name}: nothing is known of its {service} yet"


def assess(state: RegionState, reached: int | None = None) -> Iterator[Finding]:
    """The audit: one finding a tier, and one for everything else that `status` would name. `reached`: a seqno that some
    node had before. Where services write all the time, nodes that are asked one after another are never at the same
    one; each must have got to that."""
    holders, writers = state.vip_holders, state.writers
    yield Finding("one host holds the VIPs", len(holders) == 1, " and ".join(holders) or "nobody")
    yield Finding("one node takes writes", len(writers) == 1, " and ".join(writers) or "nobody")
    for name, hosts in state.luns.items():
        yield Finding(f"LUN {name} is mounted on one host", len(hosts) == 1, " and ".join(hosts) or "nowhere")
    if any("mariadb_replica" in host.services for host in state.region.hosts):
        yield _replicated(state)
    if any("mariadb" in host.services for host in state.region.hosts):
        yield _in_step(state, reached)
    whole = sum(not q.missing and len(q.members) == len(state.rabbitmq) for q in state.queues)
    running = [name for name, broker in state.rabbitmq.items() if broker.ok and not broker.stopped]
    yield Finding(
        "every RabbitMQ node runs, every queue has all members",
        len(running) == len(state.rabbitmq) and whole == len(state.queues),
        f"{len(running)} of {len(state.rabbitmq)} nodes, {whole} of {len(state.queues)} queues",
    )
    down = [
        f"{unit} on {name}"
        for name, said in state.states.items()
        for unit, is_ in said.units.items()
        if is_ != "active"
    ]
    yield Finding("every unit is active", not down, ", ".join(down) or "all of them")
    other = list(wrong(state))
    yield Finding("status finds nothing wrong", not other, "; ".join(other[:3]) or "healthy")


def _replicated(state: RegionState) -> Finding:
    lagging = [name for name, r in state.replicas.items() if not (r.state == "primary" or r.follows)]
    safe = any(r.complete for r in state.replicas.values())
    said = f"{', '.join(lagging)} do not follow" if lagging else "all follow"
    return Finding(
        "every replica follows the primary, and one has all that was acknowledged",
        bool(state.replicas) and not lagging and safe,
        said if safe else f"{said}; no replica is known to have all",
    )


def _in_step(state: RegionState, reached: int | None) -> Finding:
    good = [name for name, node in state.galera.items() if node.good]
    nodes = state.galera.values()
    positions = {f"{g.cluster}:{g.seqno}" for g in nodes}
    caught_up = reached is not None and all(g.seqno >= reached for g in nodes) and len({g.cluster for g in nodes}) == 1
    return Finding(
        "every Galera node Primary, Synced, at the same UUID and seqno",
        len(good) == len(state.galera) and (len(positions) == 1 or caught_up),
        f"{len(good)} of {len(state.galera)} Synced at {', '.join(sorted(positions))}",
    )
