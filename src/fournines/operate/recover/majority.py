"""A majority that is lost for good: who is left goes on alone, once a person has named those that never come back.

Why a person: hosts that are only cut off may be a majority themselves, and serve. Two databases that both take writes
cannot be made one again. So the hosts that are named must not answer anybody, and are switched off first
(`commands.recover`); the rules by which agents act alone (decisions 11, 12) stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fournines.errors import PlanError, UsageError
from fournines.health.problems import STALE
from fournines.operate.recover import room, survivors
from fournines.operate.recover.databases import HISTORY, histories, told
from fournines.operate.recover.evidence import Asked, Seen
from fournines.operate.recover.finding import Finding
from fournines.operate.recover.survivors import Left
from fournines.services import registry
from fournines.services.capabilities import KeepsData, control_plane, members, voters
from fournines.services.service import HaPattern

VOTES = "the VIP's voters"


@dataclass(frozen=True)
class Group:
    """left: its members that answer, and are not named as lost."""

    name: str
    members: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def majority(self) -> bool:
        return 2 * len(self.left) > len(self.members)

    @property
    def away(self) -> tuple[str, ...]:
        return tuple(name for name in self.members if name not in self.left)


def groups(seen: Seen, gone: Sequence[str]) -> list[Group]:
    """All whose majority something rests on."""
    region = seen.region.name
    found = {s.name: members(seen.cloud, region, s.name) for s in registry().values() if s.pattern is HaPattern.QUORUM}
    found[VOTES] = voters(seen.cloud, region)
    there = [name for name in seen.hosts if name not in gone]
    return [
        Group(name, names, tuple(n for n in names if n in there))
        for name, hosts in found.items()
        if (names := tuple(h.name for h in hosts))
    ]


def find(seen: Seen, asked: Asked) -> Iterator[Finding]:
    gone = tuple(name for name in asked.gone if _of_region(seen, name))
    lacking = [g for g in groups(seen, gone) if not g.majority and g.left]
    if not gone and not lacking and not _waits(seen):
        return
    if gone:
        yield _way_out(seen, asked, gone, lacking)
        return
    away = tuple(dict.fromkeys(name for g in lacking for name in g.away)) or _waits(seen)
    yield Finding(
        "majority",
        seen.region.name,
        "no majority is left" if lacking else f"the database does not begin without {', '.join(away)}",
        tuple(seen.hosts),
        evidence=tuple(_evidence(seen, lacking, away)),
        loses=tuple(losses(seen, away)),
        choose=f"--gone {','.join(away)}, if they are lost for good and off; else bring one of them back: "
        "with a majority all of it continues by itself",
    )


def _of_region(seen: Seen, name: str) -> bool:
    return name in {h.name for h in seen.region.hosts} or name in seen.known


def _waits(seen: Seen) -> tuple[str, ...]:
    """Hosts without which no node will begin, though a majority may be there."""
    if seen.primaries:
        return ()
    return tuple(dict.fromkeys(m for g in seen.agents.galera.values() if not g.primary for m in g.missing))


def require(seen: Seen, asked: Asked) -> None:
    """Raises UsageError or PlanError where the hosts that were named as gone cannot be given up."""
    known = {h.name for h in seen.region.hosts} | seen.known.keys()
    gone = [name for name in asked.gone if name in known]
    for name in gone:
        if by := _speaks(seen, name):
            raise PlanError(
                f"{name} is not gone: it answers",
                where=name,
                why=by,
                next="what answers can be repaired: leave it out of --gone. A host that works is taken out by "
                "fournines scale --remove; one whose disk is lost is replaced by fournines replace",
            )
    if not gone:
        return
    wanted = {h.name for h in control_plane(seen.cloud, seen.region.name)} - set(gone)
    if silent := sorted(wanted - seen.hosts.keys()):
        raise PlanError(
            "hosts are neither here nor named as gone",
            where=", ".join(silent),
            why="each of them may know more than those that answer, or serve somewhere: "
            + "; ".join(f"{n}: {seen.unreachable.get(n, 'it was not asked')}" for n in silent),
            next="bring them back; or name them too, if they are lost for good",
        )
    if not (set(seen.hosts) - set(gone)) & wanted:
        raise UsageError("nobody is left", next="a cloud that is lost: fournines backup extract, then restore")
    if leaving := [name for name in _departing(seen) if name not in gone]:
        raise PlanError(
            f"{leaving[0]} is on its way out of the cloud",
            where=leaving[0],
            why="another operation has begun and not ended",
            next=f"name it with --gone, if it is lost as well; else bring it back, and fournines scale "
            f"{seen.cloud.source} --remove {leaving[0]} continues afterwards",
        )
    if seen.marker and set(gone) <= {*seen.marker.gone, *_departing(seen)}:
        return
    if all(g.majority for g in groups(seen, gone)) and (seen.primaries or not set(_waits(seen)) & set(gone)):
        database = f"the database is Primary on {', '.join(seen.primaries)}" if seen.primaries else "it heals by itself"
        raise PlanError(
            "nothing has to be recovered: a majority is there",
            where=", ".join(gone),
            why=f"{database}; every group has more than half of its members without {', '.join(gone)}",
            next=f"fournines scale {seen.cloud.source} --remove {gone[0]} --lost, or fournines replace "
            f"{seen.cloud.source} {gone[0]}",
        )


def _departing(seen: Seen) -> list[str]:
    return [name for name, entry in seen.known.items() if entry.state != "serves"]


def _speaks(seen: Seen, name: str) -> str:
    """By what `name` is known to live, "" if by nothing."""
    if name in seen.hosts:
        return "it can be reached from here"
    for host, evidence in seen.hosts.items():
        if by := evidence.alive.get(name):
            return f"seen from {host}: {by}"
    state = seen.agents.states.get(name)
    return "its observer speaks" if state and state.age <= STALE else ""


def _way_out(seen: Seen, asked: Asked, gone: tuple[str, ...], lacking: Sequence[Group]) -> Finding:
    left = Left(seen, gone, asked.stamp, asked.history)
    evidence = tuple(_evidence(seen, lacking, gone))
    if len(histories(left.every)) > 1 and not left.chosen:
        what = "no majority is left, and those that are hold different histories"
        return Finding("majority", seen.region.name, what, tuple(left.hosts), evidence, choose=HISTORY)
    _require_sound(left)
    room.require(left.hosts, broker=left.halting, databases=left.others)
    return Finding(
        "majority",
        seen.region.name,
        f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} lost for good, by your word",
        tuple(left.plane),
        evidence,
        tuple(losses(seen, gone)),
        tuple(survivors.keeps(left)),
        stages=tuple(survivors.stages(left)),
    )


def _require_sound(left: Left) -> None:
    """Raises PlanError where no database is left to go on with, or which one has most is not known."""
    if left.every and not any(d.answers or d.cluster for d in left.databases.values()):
        raise PlanError(
            "no host that is left holds a database that can be read",
            where=", ".join(left.every),
            why="; ".join(line for d in left.every.values() for line in d.errors) or "none of them has any state",
            next=f"fournines restore {left.seen.cloud.source} BACKUP, onto a database that is made anew",
        )
    if serving := [name for name in left.others if left.every[name].primary]:
        raise PlanError(
            f"{serving[0]} serves, with another history than that of {left.history}",
            where=serving[0],
            why="two Primary components at once would both take writes",
            next=f"systemctl stop mariadb on {', '.join(serving)}, if {left.history} is right; then the same command",
        )
    unknown = [n for n, d in left.databases.items() if d.cluster and d.seqno < 0]
    if left.unserved and unknown and len(left.databases) > 1:
        raise PlanError(
            f"how far the database of {', '.join(unknown)} is, is not known",
            where=", ".join(unknown),
            why="it may have more than the others, and the most advanced one goes on",
            next="systemctl start --no-block mariadb there: galera-start finds it in seconds; then the same command",
        )


def _evidence(seen: Seen, lacking: Sequence[Group], away: Sequence[str]) -> Iterator[str]:
    for g in lacking:
        yield f"{g.name}: {len(g.left)} of {len(g.members)} members answer ({', '.join(g.left)})"
    for name in away:
        why = seen.unreachable.get(name, "it was not asked")
        yield f"{name}: {why}; no host that answers hears it" if name not in seen.hosts else f"{name}: answers"
    for name, d in seen.databases.items():
        yield f"{name}: {told(d)}"
    for name, b in seen.brokers.items():
        if not b.runs:
            yield f"{name}: RabbitMQ does not serve ({b.unit}); its cluster: {', '.join(b.members) or 'none'}"


def losses(seen: Seen, gone: Sequence[str]) -> Iterator[str]:
    """What is lost with these hosts, a line each."""
    named = " and ".join(gone)
    yield f"what {named} acknowledged after the hosts that are left were no longer in their group"
    hosts = [h for h in seen.region.hosts if h.name in gone]
    for service in registry().values():
        carriers = seen.cloud.hosts_of(service.name, seen.region.name)
        here = [h for h in carriers if h in hosts]
        if here and len(here) == len(carriers) and service.pattern is not HaPattern.PER_HOST:
            yield f"{service.name}: no other host carries it, so it is gone until another does"
        for host in here:
            if isinstance(service, KeepsData) and (why := service.keeps(seen.cloud, host)):
                yield f"{service.name} on {host.name}: {why}"
    if seen.brokers:
        yield "queues that no host that is left has a copy of; fanout streams, which their clients declare anew"
