"""A cluster's status as text: a sentence, what is wrong, a table a tier."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fournines.cli.voters_show import voters_lines
from fournines.health import pacemaker
from fournines.health.cluster import Cluster, RegionState
from fournines.health.pacemaker import PacemakerState
from fournines.health.snapshot import HostState, Openstack, Probe

GOOD, WARN, BAD, DIM = "green", "yellow", "red", "dim"
#: Routers on the screen; those that are not active on one host come first.
SHOWN = 20
#: Fencings on the screen; all are in --json.
FENCINGS = 5


def show(seen: Cluster) -> None:
    console = Console(emoji=False, highlight=False)
    if not console.is_terminal:
        console = Console(
            emoji=False, highlight=False, width=160
        )  # who reads a pipe must not get cells cut to 80 columns
    console.print(_whole(seen))


class Screen:
    """The whole terminal, repainted."""

    def __init__(self) -> None:
        self._live = Live(console=Console(emoji=False, highlight=False), screen=True, auto_refresh=False)

    def __enter__(self) -> Screen:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, seen: Cluster) -> None:
        stamp = Text(time.strftime("%H:%M:%S  Ctrl-C ends\n"), style=DIM)
        self._live.update(Group(stamp, _whole(seen)), refresh=True)


def _whole(seen: Cluster) -> RenderableType:
    parts: list[RenderableType] = [Text(seen.sentence(), style=f"bold {GOOD if seen.healthy else BAD}")]
    for problem in seen.problems:
        where = f"{problem.where}: " if problem.where and not problem.what.startswith(problem.where) else ""
        parts.append(Text.assemble("\n", ("✗ ", BAD), (where, "bold"), problem.what))
        parts.append(Text(f"  next: {problem.next}", style=DIM))
    for warning in seen.warnings:
        parts.append(Text.assemble("\n", ("! ", WARN), (f"{warning.where}: ", "bold"), warning.what))
        parts.append(Text(f"  next: {warning.next}", style=DIM))
    if lines := voters_lines(seen.cloud):
        parts.append(Text("\n" + "\n".join(lines), style=DIM))
    for region in seen.regions:
        if len(seen.regions) > 1:
            parts.append(Text(f"\nregion {region.region.name}", style="bold"))
        for title, table in _tables(region):
            parts += [Text(f"\n{title}", style="bold"), table]
    return Group(*parts)


def _tables(region: RegionState) -> Iterator[tuple[str, Table]]:
    carriers = {name: s for name, s in region.states.items() if s.vip or s.galera or s.rabbitmq}
    if carriers:
        yield "Hosts", _hosts(carriers)
    if region.galera:
        clusters = sorted({g.cluster for g in region.galera.values() if g.cluster})
        yield f"Galera  {' and '.join(clusters)}", _galera(region)
    if (seen := pacemaker.view(region.pacemaker)) is not None:
        yield f"Pacemaker  {_controlled(seen)}", _resources(seen)
        if seen.history:
            yield "Fencing, the latest first", _fencing(seen)
    if region.replicas:
        yield f"Database  {_safe(region)}", _replicas(region)
    if region.luns:
        yield "LUNs", _luns(region)
    if region.rabbitmq:
        bad = sum(1 for q in region.queues if not q.quorum)
        thin = sum(1 for q in region.queues if q.quorum and q.missing)
        counts = f"{len(region.queues)} replicated queues, {bad} without quorum, {thin} with missing members"
        yield f"RabbitMQ  {counts}", _rabbitmq(region)
    if region.openstack:
        yield "Services, as their own tables have them", _services(region.openstack)
        if region.openstack.routers:
            yield "Routers", _routers(region.openstack)
    if region.balancers():
        yield "Backends, as each load balancer sees them", _balancers(region)


def _safe(region: RegionState) -> str:
    """What the loss of the primary would cost."""
    if any(r.complete for r in region.replicas.values()):
        return "a replica has every acknowledged row"
    return "no replica is known to have every acknowledged row: none is promoted by itself"


def _replicas(region: RegionState) -> Table:
    table = _table("host", "role", "replication", "lag", "semi-sync", "received", "may be promoted")
    for name, r in region.replicas.items():
        primary = r.state == "primary"
        threads = "" if primary else f"receives {r.receives or 'No'}, applies {r.applies or 'No'}"
        waits = f"commits wait ({r.waiting} now)" if r.waits else "commits do not wait"
        answers = "acknowledges" if r.acknowledges else "does not acknowledge"
        table.add_row(
            name,
            _mark(r.ok and (primary or r.follows), r.state if r.ok else r.error),
            Text(threads, style=GOOD if r.follows else BAD),
            "" if r.lag is None else f"{r.lag:.0f} s",
            _mark(r.waits if primary else r.acknowledges, waits if primary else answers),
            r.position,
            Text("is", style=GOOD) if primary else _mark(not r.why, r.why or "yes"),
        )
    return table


def _luns(region: RegionState) -> Table:
    table = _table("LUN", "device", "mounted on", "seen by")
    for name, hosts in region.luns.items():
        lun = region.region.luns.get(name)
        where = _mark(len(hosts) == 1, " and ".join(hosts) or "no host")
        table.add_row(name, lun.device if lun else "", where, ", ".join(lun.hosts) if lun else "")
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True, header_style=DIM)
    return table


def _hosts(states: dict[str, HostState]) -> Table:
    table = _table(
        "host",
        "VIPs",
        "votes for",
        "delay",
        "HAProxy",
        "keystone",
        "memcached",
        "agent",
        "units",
        "clock",
        "certificate",
        "fernet key",
    )
    for name, s in states.items():
        down = [unit for unit, active in s.units.items() if active != "active"]
        ends = min((e for e in s.certificates.values() if e is not None), default=None)
        table.add_row(
            name,
            Text("holds", style=GOOD) if s.vip and s.vip.held else _may(s),
            s.guard.vote if s.guard else "",
            f"{s.guard.delay * 1000:.0f} ms" if s.guard else "",
            _mark(s.vip.balancer) if s.vip else "",
            _probe(s.keystone),
            _probe(s.memcached),
            _mark(s.age <= 10, f"{s.age:.0f} s"),
            _mark(not down, f"{len(s.units) - len(down)}/{len(s.units)}"),
            f"{s.clock[0]:+.2f} s" if s.clock else "",
            "" if ends is None else f"{(ends - time.time()) / 86400:.0f} days",
            "" if s.fernet_age is None else _ago(s.fernet_age),
        )
    return table


def _may(state: HostState) -> Text:
    if state.vip is None:
        return Text("")
    return Text("standby", style=DIM) if state.vip.may_hold else Text("must not", style=BAD)


def _galera(region: RegionState) -> Table:
    table = _table("host", "role", "component", "state", "size", "seqno", "queue")
    for name, g in region.galera.items():
        table.add_row(
            name,
            Text("writer", style=GOOD) if g.acting else Text("reader" if g.good else "", style=DIM),
            _mark(g.primary, "Primary" if g.primary else "non-Primary"),
            _mark(g.good, g.state if g.answered is not None else "does not run"),
            str(len(g.members)),
            str(g.seqno),
            str(g.receive_queue),
        )
    return table


def _controlled(seen: PacemakerState) -> str:
    """`DC ctl1, quorum, 3 of 3 members online`."""
    online = sum(state == "online" for state in seen.members.values())
    quorum = "quorum" if seen.quorum else "no quorum"
    return f"DC {seen.dc or 'none'}, {quorum}, {online} of {len(seen.members)} members online"


def _resources(seen: PacemakerState) -> Table:
    table = _table("resource", "in", "agent", "role", "runs on")
    for r in seen.resources:
        copy = r.within.endswith("-clone") and not r.on
        good = r.active and not (r.failed or r.blocked)
        table.add_row(
            r.name, r.within, r.agent, Text(r.role, style=DIM if copy else GOOD if good else BAD), ", ".join(r.on)
        )
    return table


def _fencing(seen: PacemakerState) -> Table:
    table = _table("host", "action", "outcome", "by", "when")
    for f in seen.history[:FENCINGS]:
        outcome = f"{f.outcome}: {f.reason}" if f.reason else f.outcome
        table.add_row(f.host, f.action, _mark(f.outcome == "success", outcome), f.by, f.at)
    return table


def _rabbitmq(region: RegionState) -> Table:
    table = _table("host", "answers", "sees running", "alarms", "leads")
    for name, r in region.rabbitmq.items():
        leads = sum(1 for q in region.queues if q.leader == f"rabbit@{name}")
        table.add_row(
            name,
            _mark(r.ok),
            f"{len(r.running)}/{len(r.running) + len(r.stopped)}",
            ", ".join(r.alarms) or "none",
            str(leads),
        )
    return table


def _services(known: Openstack) -> Table:
    table = _table("service", "part", "up", "down", "disabled")
    for service, kind in sorted({(r.service, r.kind) for r in known.reports}):
        mine = [r for r in known.reports if (r.service, r.kind) == (service, kind)]
        down = [r.host for r in mine if not r.up]
        table.add_row(
            service,
            kind,
            _mark(not down, f"{len(mine) - len(down)}/{len(mine)}"),
            ", ".join(down),
            ", ".join(r.host for r in mine if not r.enabled),
        )
    if known.cells:
        cells = ", ".join(f"{name} ({hosts} computes)" for name, hosts in sorted(known.cells.items()))
        table.add_row("nova", "cells", cells)
    return table


def _routers(known: Openstack) -> Table:
    table = _table("router", "active on", "others")
    for router in known.routers[:SHOWN]:
        others = ", ".join(f"{host} {state}" for host, state in router.states.items() if state != "active")
        name, active = router.name or router.id, ", ".join(router.active)
        table.add_row(name, _mark(len(router.active) == 1, active or "nowhere"), others)
    if len(known.routers) > SHOWN:
        table.add_row(f"… {len(known.routers) - SHOWN} more in --json")
    return table


def _balancers(region: RegionState) -> Table:
    seers = [name for name, s in region.states.items() if s.backends]
    table = _table("service", "host", *seers)
    for (proxy, server), seen in region.balancers().items():
        cells = (seen.get(name, "") for name in seers)
        # A database that is not the writer is out on purpose, and the hosts on which what is passive does not run.
        out = DIM if proxy == "mariadb" or proxy in region.passive else BAD
        table.add_row(proxy, server, *(Text(c, style=GOOD if c.startswith("UP") else out) for c in cells))
    return table


def _mark(good: bool, text: str = "") -> Text:
    return Text(text or ("ok" if good else "down"), style=GOOD if good else BAD)


def _probe(probe: Probe | None) -> Text:
    return Text("") if probe is None else _mark(probe.ok)


def _ago(seconds: float) -> str:
    return f"{seconds / 86400:.0f} days" if seconds > 2 * 86400 else f"{seconds / 3600:.0f} h"
