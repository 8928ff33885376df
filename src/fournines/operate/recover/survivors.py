"""What those that are left of a lost majority do, to go on without the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from fournines.operate.recover.databases import copied_anew, kept, synced
from fournines.operate.recover.evidence import MARKER, Database, Evidence, Marker, Seen
from fournines.operate.recover.finding import Act, Shell, change, stage
from fournines.plan.model import Change, Stage
from fournines.services import broker, rabbitmq, swift_rings
from fournines.services.capabilities import control_plane
from fournines.services.resource import File
from fournines.services.service import Check

#: Seconds for a component that was told to be Primary, and for one that has to start first.
PRIMARY, STARTED = 60.0, 180.0
#: As `programs/recovery_database.py` has it.
COPIES = "/var/lib/fournines/recovered"


@dataclass(frozen=True)
class Left:
    """Whom the way out is gone with. history: of the host that a person named, "" for none. plane: of the control
    plane. every: all their databases; `databases`: those that go on; `others`: with another history than the one that
    is right, or data that cannot be read: they take a copy afterwards."""

    seen: Seen
    gone: tuple[str, ...]
    stamp: str
    history: str = ""

    @cached_property
    def hosts(self) -> dict[str, Evidence]:
        return {name: e for name, e in self.seen.hosts.items() if name not in self.gone}

    @cached_property
    def plane(self) -> list[str]:
        named = {h.name for h in control_plane(self.seen.cloud, self.seen.region.name)}
        return [name for name in self.hosts if name in named]

    @cached_property
    def every(self) -> dict[str, Database]:
        return {name: e.database for name, e in self.hosts.items() if e.database}

    @property
    def chosen(self) -> str:
        """The history that a person has chosen: its cluster's UUID."""
        return self.every[self.history].cluster if self.history in self.every else ""

    @cached_property
    def databases(self) -> dict[str, Database]:
        right = {n: d for n, d in self.every.items() if not self.chosen or d.cluster in ("", self.chosen)}
        return {n: d for n, d in right.items() if not d.unreadable}

    @cached_property
    def others(self) -> list[str]:
        return [name for name in self.every if name not in self.databases]

    @property
    def unserved(self) -> bool:
        return bool(self.databases) and not any(d.primary for d in self.databases.values())

    @cached_property
    def halting(self) -> list[str]:
        """Hosts whose broker stops, to go on without the lost ones; []: the cluster bears it, or has done it."""
        brokers = {name: e.broker for name, e in self.hosts.items() if e.broker}
        lost = {rabbitmq.node_name(name) for name in self.gone}
        known = {member for b in brokers.values() for member in b.members}
        return list(brokers) if known & lost and 2 * len(known - lost) <= len(known) else []


def keeps(left: Left) -> Iterator[str]:
    if left.unserved:
        yield f"{best(left.databases)}:{COPIES}/{left.stamp}: Galera's memory of its last group"
    for name in left.halting:
        yield f"{name}:{broker.DATA}.kept-{left.stamp}: what RabbitMQ has on disk"
    yield from (kept(name, left.stamp) for name in left.others)


def best(databases: Mapping[str, Database]) -> str:
    """The most advanced; of several, one that runs: it keeps its clients and its buffer pool."""
    order = list(databases)
    return max(order, key=lambda n: (databases[n].seqno, databases[n].answers, -order.index(n)))


def stages(left: Left) -> Iterator[Stage]:
    marker = Marker(left.stamp, left.gone)
    marked = File(MARKER, marker.dumps(), mode=0o600)
    if unmarked := [name for name in left.plane if left.hosts[name].marker != marker]:
        yield stage("mark", (change(name, marked, "a recovery has begun") for name in unmarked))
    if left.unserved:
        chosen = best(left.databases)
        act = Act("the database is Primary", "recovery_database", ("primary", left.stamp), 240)
        gate = [synced(name, PRIMARY if name == chosen else STARTED) for name in left.databases]
        yield stage("database", [change(chosen, act, "not Primary → Primary")], gate)
    if left.others:
        yield copied_anew(left.others, left.stamp)
    if left.halting:
        yield from _broker(left, *left.halting)
    if rings := list(_rings(left)):
        yield stage("rings", rings)


def _rings(left: Left) -> Iterator[Change]:
    """A host that makes rings refuses to move two copies of a partition at once, by what it made last. Of these copies
    nothing is moved: they are lost."""
    cloud, region = left.seen.cloud, left.seen.region.name
    storage = {h.name for h in cloud.hosts_of("swift_storage", region)} & set(left.gone)
    made = f"{swift_rings.DIRECTORY}/{swift_rings.MADE}"
    aside = Shell("rings may lose several copies", f"[ ! -e {made} ] || mv -n {made} {made}.kept-{left.stamp}")
    for host in cloud.regions[region].hosts:
        if len(storage) > 1 and host.name in left.hosts and {"swift", "swift_storage"} & host.services:
            yield change(host.name, aside, f"{', '.join(sorted(storage))} are lost")


def _broker(left: Left, first: str, *others: str) -> Iterator[Stage]:
    lost = tuple(rabbitmq.node_name(name) for name in left.gone)
    halt = Act("RabbitMQ is stopped, a copy of its data kept", "recovery_broker", ("halt", left.stamp), 900)
    yield stage("broker-halt", (change(name, halt, f"kept-{left.stamp}") for name in left.halting))
    alone = Act("RabbitMQ goes on without the lost nodes", "recovery_broker", ("alone", *lost), 400)
    start = Act("RabbitMQ runs", "recovery_broker", ("start",), 200)
    yield stage(
        "broker",
        [change(first, alone, f"without {', '.join(lost)}"), *(change(n, start, f"joins {first}") for n in others)],
        [runs(name) for name in left.halting],
        [(first,), *([others] if others else [])],
    )
    shrink = Act("queues have a majority", "recovery_broker", ("shrink",), 600)
    yield stage("queues", [change(first, shrink, "the most advanced copy that is left is the only one")])
    if others:
        grow = "\n".join(f"{rabbitmq.MEMBERS} grow {rabbitmq.node_name(name)}" for name in left.halting)
        yield stage("copies", [change(first, Shell("queues have copies", grow, 1800), "on each host that is left")])


def runs(host: str) -> Check:
    script = "rabbitmq-diagnostics -q --timeout 10 check_running"
    return Check("RabbitMQ runs", host, script, within=STARTED, unit=broker.UNIT)
