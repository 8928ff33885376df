"""What the dashboard shows of a cloud at one moment: small enough to be sent whole, several times a second. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict

from fournines.health.cluster import Cluster, RegionState, Unknown
from fournines.health.follow import hosts_of
from fournines.health.problems import STALE
from fournines.health.snapshot import HostState
from fournines.services.capabilities import voting
from fournines.web.models import (
    BackendRow,
    BrokerRow,
    GaleraRow,
    HostRow,
    Problem,
    Refusal,
    RegionRow,
    State,
    Status,
    Tier,
)

#: The database's proxy: its servers are out on purpose, but for the writer.
DATABASE = "mariadb"


def status(seen: Cluster, *, age: float, ready: bool, lock: str | None, file_error: Refusal | None = None) -> Status:
    """`age`: seconds since any host last said anything. `lock`: who holds the cloud."""
    return Status(
        at=time.time(),
        age=round(age, 2),
        ready=ready,
        cloud=seen.cloud.name,
        healthy=seen.healthy,
        sentence=seen.sentence(),
        problems=[Problem(**asdict(p)) for p in seen.problems],
        warnings=[Problem(**asdict(w)) for w in seen.warnings],
        regions=[_region(seen, region) for region in seen.regions],
        hosts=list(_hosts(seen)),
        lock=lock,
        file_error=file_error,
    )


def _hosts(seen: Cluster) -> Iterator[HostRow]:
    said = hosts_of(seen)
    unhealthy = {name for p in seen.problems for name in p.where.split(", ")}
    warned = {name for w in seen.warnings for name in w.where.split(", ")}
    for host in seen.cloud.hosts:
        state = said.get(host.name)
        known = state if isinstance(state, HostState) else None
        found, text = _judged(host.name, state, unhealthy, warned)
        yield HostRow(
            name=host.name,
            region=host.region,
            zone=host.zone.name,
            roles=list(host.roles),
            state=found,
            marks=_marks(known) if known else [],
            text=text,
            age=round(known.age, 1) if known else None,
        )


def _judged(name: str, state: HostState | Unknown | None, unhealthy: set[str], warned: set[str]) -> tuple[State, str]:
    if state is None or isinstance(state, Unknown):
        return "unknown", state.what if state else "is not followed"
    if state.age > STALE:
        return "unknown", "its observer says nothing"
    down = [unit for unit, active in state.units.items() if active != "active"]
    text = f"{', '.join(down[:3])}{' …' if len(down) > 3 else ''} not active" if down else ""
    if name in unhealthy or down:
        return "down", text
    if state.starting:
        return "warning", "starting"
    return ("warning", "") if name in warned else ("ok", "")


def _marks(state: HostState) -> list[str]:
    marks = ["VIP"] if state.vip and state.vip.held else []
    return [*marks, "writer"] if state.galera and state.galera.acting else marks


def _region(seen: Cluster, region: RegionState) -> RegionRow:
    vips = region.region.vips
    queues = region.queues
    backends = list(_backends(region))
    return RegionRow(
        name=region.region.name,
        vips={"internal": str(vips.internal), "public": str(vips.public)},
        vip_holders=list(region.vip_holders),
        writers=list(region.writers),
        not_served=list(region.served()),
        voters=list(voting(seen.cloud, region.region.name)),
        tiers=list(_tiers(seen, region, backends)),
        galera=[
            GaleraRow(
                host=name,
                role="writer" if g.acting else "reader" if g.good else "",
                state=g.state if g.answered is not None else "does not run",
                primary=g.primary,
                size=len(g.members),
                seqno=g.seqno,
                queue=g.receive_queue,
                ok=g.good,
            )
            for name, g in region.galera.items()
        ],
        brokers=[
            BrokerRow(
                host=name,
                ok=r.ok,
                running=len(r.running),
                of=len(r.running) + len(r.stopped),
                alarms=list(r.alarms),
                leads=sum(1 for q in queues if q.leader == f"rabbit@{name}"),
            )
            for name, r in region.rabbitmq.items()
        ],
        queues={
            "all": len(queues),
            "without quorum": sum(1 for q in queues if not q.quorum),
            "with missing members": sum(1 for q in queues if q.quorum and q.missing),
        },
        backends=backends,
    )


def _backends(region: RegionState) -> Iterator[BackendRow]:
    """As the load balancer that holds the VIP has them; without one, as any has them."""
    seers = [*region.vip_holders, *region.states]
    seer = next((region.states[name] for name in seers if region.states[name].backends), None)
    proxies: dict[str, dict[str, bool]] = {}
    for backend in seer.backends if seer else ():
        proxies.setdefault(backend.proxy, {})[backend.server] = backend.up
    for name, servers in proxies.items():
        down = [] if name == DATABASE and any(servers.values()) else [s for s, up in servers.items() if not up]
        yield BackendRow(name=name, up=sum(servers.values()), of=len(servers), down=down)


def _tiers(seen: Cluster, region: RegionState, backends: list[BackendRow]) -> Iterator[Tier]:
    """Those that this region has hosts for, also while none of these answers."""
    name = region.region.name

    def hosts(service: str) -> int:
        return len(seen.cloud.hosts_of(service, name))

    states = region.states.values()
    if count := hosts("keepalived"):
        able = sum(1 for s in states if s.vip and s.vip.may_hold)
        yield _tier("VIP", region.vip_holders, able, count, "holds it")
    if count := hosts("haproxy"):
        up = sum(1 for s in states if s.vip and s.vip.balancer)
        yield _counted("Load balancer", up, count)
    if count := hosts("mariadb"):
        good = sum(1 for g in region.galera.values() if g.good)
        yield _tier("Database", region.writers, good, count, "takes the writes")
    if count := hosts("mariadb_replica"):
        good = sum(1 for r in region.replicas.values() if r.state == "primary" or r.follows)
        yield _tier("Database", region.writers, good, count, "takes the writes")
    if hosts("rabbitmq_shared"):
        yield _counted("Messaging", sum(1 for r in region.rabbitmq.values() if r.ok), 1)
    if count := hosts("rabbitmq"):
        yield _counted("Messaging", sum(1 for r in region.rabbitmq.values() if r.ok), count)
    if count := hosts("memcached"):
        yield _counted("Cache", sum(1 for s in states if s.memcached and s.memcached.ok), count)
    for backend in backends:
        if backend.name not in (DATABASE, "rabbitmq", "memcached"):
            yield _counted(backend.name, backend.up, backend.of)


def _tier(name: str, holders: tuple[str, ...], good: int, count: int, does: str) -> Tier:
    if not holders:
        return Tier(name=name, state="down", text=f"nobody {does}; {good} of {count} can")
    state: State = "ok" if good == count and len(holders) == 1 else "warning"
    return Tier(name=name, state=state, text=f"{' and '.join(holders)} {does}; {good} of {count}")


def _counted(name: str, up: int, count: int) -> Tier:
    state: State = "ok" if up == count else "warning" if up else "down"
    return Tier(name=name, state=state, text=f"{up} of {count}")
