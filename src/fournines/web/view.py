"""What the dashboard shows of a cloud at one moment: small enough to be sent whole, several times a second. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from fournines.health.cluster import Cluster, RegionState, Unknown
from fournines.health.cluster import Problem as Found
from fournines.health.follow import hosts_of
from fournines.health.problems import RUNS, STALE
from fournines.health.snapshot import Galera, HostState
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
    unhealthy, warned = _of_each(seen.problems), _of_each(seen.warnings)
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


def _of_each(found: Iterable[Found]) -> Mapping[str, str]:
    """Host -> what its colour is due to: its own health, not what it says about others."""
    said: dict[str, list[str]] = {}
    for p in found:
        for name in p.hosts:
            said.setdefault(name, []).append(
                p.what if name in p.where.split(", ") or not p.where else f"{p.where}: {p.what}"
            )
    return {name: f"{first}{f' (and {len(more)} more)' if more else ''}" for name, (first, *more) in said.items()}


def _judged(
    name: str, state: HostState | Unknown | None, unhealthy: Mapping[str, str], warned: Mapping[str, str]
) -> tuple[State, str]:
    """Its state, and why it is not well, in a few words."""
    if state is None or isinstance(state, Unknown):
        return "unknown", state.what if state else "is not followed"
    if state.age > STALE:
        return "unknown", "its observer says nothing"
    if down := [unit for unit, active in state.units.items() if active not in RUNS]:
        return "down", f"{', '.join(down[:3])}{' …' if len(down) > 3 else ''} not active"
    if name in unhealthy:
        return "down", unhealthy[name]
    if state.starting:
        return "warning", "starting"
    return ("warning", warned[name]) if name in warned else ("ok", "")


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
        galera=[_galera(name, region.galera.get(name)) for name in _carriers(seen, region, "mariadb")],
        brokers=[_broker(name, region) for name in _carriers(seen, region, "rabbitmq")],
        queues={
            "all": len(queues),
            "without quorum": sum(1 for q in queues if not q.quorum),
            "with missing members": sum(1 for q in queues if q.quorum and q.missing),
        },
        backends=backends,
    )


def _carriers(seen: Cluster, region: RegionState, service: str) -> list[str]:
    """Hosts of the region that have it by the cloud file, also those that do not answer."""
    return [host.name for host in seen.cloud.hosts_of(service, region.region.name)]


def _galera(name: str, node: Galera | None) -> GaleraRow:
    if node is None or node.answered is None:
        state = "no answer" if node is None else "does not run"
        return GaleraRow(host=name, role="", state=state, primary=False, size=None, seqno=None, queue=None, ok=False)
    return GaleraRow(
        host=name,
        role="writer" if node.acting else "reader" if node.good else "",
        state=node.state if node.primary else f"{node.state}, non-Primary",
        primary=node.primary,
        size=len(node.members),
        seqno=node.seqno,
        queue=node.receive_queue,
        ok=node.good,
    )


def _broker(name: str, region: RegionState) -> BrokerRow:
    broker = region.rabbitmq.get(name)
    if broker is None:
        return BrokerRow(host=name, ok=False, running=None, of=0, alarms=[], leads=0)
    return BrokerRow(
        host=name,
        ok=broker.ok,
        running=len(broker.running),
        of=len(broker.running) + len(broker.stopped),
        alarms=list(broker.alarms),
        leads=sum(1 for q in region.queues if q.leader == f"rabbit@{name}"),
    )


def _backends(region: RegionState) -> Iterator[BackendRow]:
    """As the load balancer that holds the VIP has them; without one, as any has them."""
    seers = [*region.vip_holders, *region.states]
    seer = next((region.states[name] for name in seers if region.states[name].backends), None)
    proxies: dict[str, dict[str, bool]] = {}
    for backend in seer.backends if seer else ():
        proxies.setdefault(backend.proxy, {})[backend.server] = backend.up
    for name, servers in proxies.items():
        one = name == DATABASE or name in region.passive
        down = [] if one and any(servers.values()) else [s for s, up in servers.items() if not up]
        of = 1 if name in region.passive else len(servers)
        yield BackendRow(name=name, up=sum(servers.values()), of=of, down=down)


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
