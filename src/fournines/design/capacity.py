"""How far a region carries: each limit as a formula with its source, and how many hypervisors meet it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from fournines.cloud.model import Cloud, Host, Region
from fournines.errors import UsageError
from fournines.services import broker
from fournines.services.capabilities import control_plane, present
from fournines.services.rendered import Rendered, Size, in_bytes, rendered
from fournines.services.service import HaPattern
from fournines.timing import timers

Origin = Literal["from the files", "a default", "assumed"]

#: What a host looks like that nobody described.
SIZE = Size(cores=32, memory=128.0)
#: Memory of one process of a service, its masters' and helpers' along with it, MiB: up to 6.6 GiB of a whole controller
#: with little to do, of which 0.5 are the database's and the cache's, for 53 processes; and a tenth more.
PROCESS = 130.0
#: Memory of one connection to the database that waits: its thread's stack and buffers, MiB.
CONNECTION = 0.25
#: Connections of one process, to listen on and to send by: 226 of the 84 processes of a whole cloud, at rest.
BUS_CONNECTIONS = 3
#: A report is a call: the request and its answer.
MESSAGES = 2
#: Durable commits a second of a Galera cluster whose every member flushes at commit.
COMMITS = 1000.0
_FILES = 65536
#: Limits of which a running cloud shows how near it is.
DATABASE, SESSIONS, BUS = (
    "connections to the database, every pool full",
    "sessions of the load balancer that holds the VIP",
    "connections to the bus, one broker lost",
)


@dataclass(frozen=True)
class Limit:
    """`now`, `then`: of the hypervisors that there are, and of those that are asked about. reached: the number of
    hypervisors at which `most` is met; None: hypervisors do not add to it. beyond: the way on."""

    region: str
    name: str
    formula: str
    now: float
    then: float
    most: float
    reached: int | None
    origin: Origin
    source: str
    beyond: str

    @property
    def met(self) -> bool:
        return self.then > self.most


@dataclass(frozen=True)
class Footprint:
    """What a host's services take: `memory` GiB, by `formula`."""

    memory: float
    formula: str


def footprint(cloud: Cloud, host: Host, size: Size) -> Footprint:
    here = list(rendered(cloud, host, size))
    pools = sum(in_bytes(r.option("innodb_buffer_pool_size")) for r in here) / 1024**3
    cache = sum(r.argument("-m") for r in here) / 1024
    count = sum(r.processes for r in here)
    let_in = sum(int(r.option("max_connections") or 0) for r in here)
    formula = f"{count} processes × {PROCESS:g} MiB + buffer pool {pools:g} + cache {cache:g}"
    if let_in:
        formula += f" + {let_in:,} database connections × {CONNECTION:g} MiB"
    return Footprint(count * PROCESS / 1024 + pools + cache + let_in * CONNECTION / 1024, formula)


@dataclass(frozen=True)
class Capacity:
    """hypervisors: now; asked: then."""

    region: str
    hypervisors: int
    asked: int
    size: Size
    limits: tuple[Limit, ...]

    @property
    def first(self) -> Limit | None:
        """The limit that is exceeded already, by most; else the one that is met first as hypervisors are added."""
        over = [x for x in self.limits if x.now > x.most]
        if over:
            return max(over, key=lambda x: x.now / x.most)
        growing = [x for x in self.limits if x.reached is not None]
        return min(growing, key=lambda x: x.reached or 0, default=None)

    @property
    def verdict(self) -> str:
        """What stops the region's growth, in a sentence; "" where nothing is known to."""
        first = self.first
        if first is None:
            return ""
        if first.now > first.most:
            return f"exceeded already: {first.name}, {figure(first.now)} of at most {figure(first.most)}"
        return f"first met: {first.name}, at {first.reached or 0:,} hypervisors"


def figure(value: float) -> str:
    """As people read it: whole above a hundred, else three digits."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def capacity(cloud: Cloud, asked: int | None = None, size: Size = SIZE) -> tuple[Capacity, ...]:
    """One a region. `asked`: hypervisors in it; None: as many as there are. Raises UsageError for fewer than none."""
    if (asked or 0) < 0 or size.cores < 1 or size.memory <= 0:
        raise UsageError("hosts, cores and memory are above zero")
    return tuple(_Region(cloud, region, asked, size).capacity() for region in cloud.regions.values())


class _Region:
    def __init__(self, cloud: Cloud, region: Region, asked: int | None, size: Size) -> None:
        self.cloud, self.region, self.size = cloud, region, size
        self.voters = control_plane(cloud, region.name)
        self.hypervisors = [h for h in region.hosts if "compute" in h.roles and h not in self.voters]
        self.asked = len(self.hypervisors) if asked is None else asked
        self.shared = self._shared()
        self.each = list(rendered(cloud, self._hypervisor(), size)) if self.voters else []

    def _shared(self) -> list[tuple[Rendered, int]]:
        """What the region's services want of a host, and on how many hosts."""
        found: list[tuple[Rendered, int]] = []
        seen: set[str] = set()
        for host in self.voters:
            if host.services - seen:
                found += [
                    (r, len(self.cloud.hosts_of(r.service.name, self.region.name)))
                    for r in rendered(self.cloud, host, self.size)
                    if r.service.name not in seen and r.service.pattern is not HaPattern.PER_HOST
                ]
                seen |= host.services
        return found

    def _hypervisor(self) -> Host:
        if self.hypervisors:
            return self.hypervisors[0]
        known = {s.name for s in present(self.cloud, self.region.name)} | self.cloud.components
        return replace(self.voters[-1], roles=("compute",), services=self.cloud.roles["compute"] & known)

    def capacity(self) -> Capacity:
        limits = tuple(self._limits()) if self.voters else ()
        return Capacity(self.region.name, len(self.hypervisors), self.asked, self.size, limits)

    def _limits(self) -> Iterator[Limit]:
        yield from self._addresses()
        yield from self._neighbours()
        yield from self._database()
        yield from self._bus()
        yield from self._reports()
        yield from self._memory()

    def _limit(
        self,
        name: str,
        formula: str,
        *,
        fixed: float,
        each: float = 0.0,
        most: float,
        origin: Origin,
        source: str,
        beyond: str,
    ) -> Limit:
        """`fixed`, and `each` for every hypervisor, together at most `most`."""
        now, then = (fixed + each * n for n in (len(self.hypervisors), self.asked))
        reached = None if each <= 0 else max(0, math.floor((most - fixed) / each))
        return Limit(self.region.name, name, formula, now, then, most, reached, origin, source, beyond)

    def _addresses(self) -> Iterator[Limit]:
        network = self.region.networks["management"]
        others = len(self.region.hosts) - len(self.hypervisors)
        yield self._limit(
            "addresses of the management network",
            f"other hosts {others} + VIP 1 + hypervisors ≤ addresses of {network.cidr}",
            fixed=others + 1,
            each=1,
            most=network.cidr.num_addresses - 2,
            origin="from the files",
            source="networks.management of the cloud file",
            beyond="a wider network, or another region",
        )

    def _neighbours(self) -> Iterator[Limit]:
        names = ("-net.ipv4.neigh.default.gc_thresh3", "net.ipv4.neigh.default.gc_thresh3")
        set_to = next((v for r, _ in self._everything() for name in names if (v := r.option(name))), "")
        yield self._limit(
            "neighbours that a host can know",
            "hosts of the management network ≤ net.ipv4.neigh.default.gc_thresh3",
            fixed=len(self.region.hosts) - len(self.hypervisors),
            each=1,
            most=float(set_to or 1024),
            origin="from the files" if set_to else "a default",
            source="Linux, ip-sysctl: gc_thresh3; beyond it new hosts cannot be reached",
            beyond="raise it: services.base.options.sysctl.conf; or one routed network a rack",
        )

    def _database(self) -> Iterator[Limit]:
        users = [(r, n) for r, n in self.shared if r.pool]
        total = sum(r.processes * r.pool * n for r, n in users)
        ceiling = next((r.option("max_connections") for r, _ in self.shared if r.option("max_connections")), "")
        if not (users and ceiling):
            return
        names = " + ".join(f"{r.service.name} {r.processes} × {r.pool} × {n}" for r, n in users)
        yield self._limit(
            DATABASE,
            f"processes × (max_pool_size + max_overflow) × hosts: {names} ≤ max_connections",
            fixed=total,
            most=float(ceiling),
            origin="from the files",
            source="rendered configuration of each service, my.cnf",
            beyond="smaller pools, or fewer processes; a second cell takes its own database",
        )
        balancers = max((n for r, n in self.shared if r.service.fronts), default=0)
        if balancers:
            yield self._limit(
                SESSIONS,
                "one a database connection, two file descriptors each ≤ LimitNOFILE / 2",
                fixed=total,
                most=_FILES / 2,
                origin="from the files",
                source="services/templates/daemon.conf.j2: LimitNOFILE",
                beyond="a larger LimitNOFILE",
            )
            yield self._limit(
                "ports from the load balancer to the writer",
                "database connections ≤ ports of net.ipv4.ip_local_port_range",
                fixed=total,
                most=28_232,
                origin="a default",
                source="Linux, ip-sysctl: 32768 to 60999",
                beyond="a wider range",
            )

    def _bus(self) -> Iterator[Limit]:
        brokers = len(broker.addresses(self.cloud, self.region))
        fixed = sum(BUS_CONNECTIONS * r.on_the_bus * n for r, n in self.shared)
        each = sum(BUS_CONNECTIONS * r.on_the_bus for r in self.each)
        if not brokers or fixed + each == 0:
            return
        survivors = max(1, brokers - 1)
        yield self._limit(
            BUS,
            f"{BUS_CONNECTIONS} a process: {fixed} of the control plane + {each} a hypervisor "
            f"≤ {survivors} brokers × 0.9 × LimitNOFILE",
            fixed=fixed,
            each=each,
            most=survivors * 0.9 * _FILES,
            origin="assumed",
            source="measured on a whole cloud at rest: 226 of 84 processes; RabbitMQ: sockets take 90 % of descriptors",
            beyond="a second cell with a bus of its own",
        )

    def _reports(self) -> Iterator[Limit]:
        reporting = [r.service.name for r in self.each if r.on_the_bus]
        if not reporting:
            return
        interval = timers(self.cloud).report_interval
        each = len(reporting) / interval
        yield self._limit(
            "reports of agents, each a commit",
            f"{len(reporting)} agents a hypervisor ({', '.join(reporting)}) / report_interval {interval:g} s, "
            f"{MESSAGES} messages each ≤ {COMMITS:g} commits a second",
            fixed=0,
            each=each,
            most=COMMITS,
            origin="assumed",
            source="timers: report_interval; the rate is of a cluster that flushes at every commit",
            beyond="a longer report_interval (timing.overrides, with agent_down and service_down), or a second cell",
        )

    def _memory(self) -> Iterator[Limit]:
        busiest = max(self.voters, key=lambda h: len(h.services))
        taken = footprint(self.cloud, busiest, self.size)
        yield self._limit(
            f"memory of {busiest.name}, GiB",
            taken.formula,
            fixed=taken.memory,
            most=self.size.memory,
            origin="assumed",
            source="measured on whole controllers with little to do: 6.6 GiB; innodb_buffer_pool_size; memcached -m; "
            "max_connections",
            beyond="more memory, or hosts of their own for database and bus",
        )

    def _everything(self) -> Iterator[tuple[Rendered, int]]:
        yield from self.shared
        yield from ((r, 1) for r in self.each)
