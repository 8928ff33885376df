"""What the client's side alone can tell of a fault: VIPs seen by ARP, registers, lists, queues, its own schedule. Pure.

A check without anything to check is unknown, as is one that crashes: neither is fine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from fournines.prove.anomalies import Read, Transaction, check_list_append, steps_of
from fournines.prove.checkers import Access, check_register
from fournines.prove.deliveries import disorder, repeats, returned
from fournines.prove.history import Event, History
from fournines.prove.model import Finding, Operation, Span
from fournines.prove.written import LISTS

#: A probe sent so much later than intended says that the prober stalled. Seconds, of the 99th percentile.
LATE_S = 0.1
#: An acknowledgement has reached the queue's majority so long after the delivery, while nothing is struck. Seconds.
ACKNOWLEDGED_S = 2.0


def client_findings(past: History) -> Iterator[Finding]:
    """Of what the history's functions make possible."""
    probed = set(next(past.of("began")).data["probes"])
    yield from _one_vip(past)
    yield from _one_mount(past)
    if {"read_row", "write_row"} <= probed:
        yield _finding("reads are never stale", "the register is linearizable", lambda: _register(past))
    if "write_row" in probed:
        made = sum(bool(o.steps) for o in past.operations if o.function == "write_row")
        detail = f"{made} transactions that read lists and appended to them, and what each node shows at the end"
        yield _finding("transactions are strictly serializable", detail, lambda: _lists(past))
    if "consume" in probed:
        yield from _queues(past, [o for o in past.operations if o.function == "consume"])
    late = sorted(o.started - o.intended for o in past.operations if o.function != "consume")
    if late:
        worst = late[int(len(late) * 0.99)]
        kept = True if worst <= LATE_S else None
        yield Finding("the prober kept its schedule", kept, f"99 % of probes were sent within {worst * 1000:.0f} ms")


def _finding(name: str, fine: str, check: Callable[[], Iterable[str]]) -> Finding:
    try:
        problems = list(check())
    except Exception as error:  # whatever breaks a checker, the verdict is unknown and the rest still counts
        return Finding(name, None, f"{type(error).__name__}: {error}")
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return Finding(name, not problems, "; ".join(problems[:3]) + more or fine)


def _one_vip(past: History) -> Iterator[Finding]:
    unwatched = tuple(past.of("unwatched"))
    for event in unwatched:
        yield Finding(f"never two {event.data['vip']} VIPs", None, event.data["why"])
    sightings = tuple(past.of("sighting"))
    for vip in sorted({e.data["vip"] for e in sightings}):
        yield _holders(vip, [e for e in sightings if e.data["vip"] == vip])
    if not sightings and not unwatched:
        yield Finding("never two VIPs", None, "nobody watched them")


def _holders(vip: str, seen: Iterable[Event]) -> Finding:
    name, answered = f"never two {vip} VIPs", 0
    for event in seen:
        serving: list[str] = event.data["serving"]
        if len(serving) > 1:
            return Finding(name, False, f"{' and '.join(serving)} both served at {event.at:.1f} s")
        answered += len(event.data["holders"]) > 1
    if answered:
        return Finding(name, True, f"two hosts answered ARP {answered} times, at most one of them served")
    return Finding(name, True, "asked by ARP")


def _one_mount(past: History) -> Iterator[Finding]:
    """Of disks that several hosts see: two mounts destroy one, so nobody may have it before the other has let go of it,
    or is off."""
    seen = tuple(past.of("mounted"))
    for lun in dict.fromkeys(e.data["lun"] for e in seen):
        holders: list[tuple[float, list[str]]] = [(e.at, e.data["holders"]) for e in seen if e.data["lun"] == lun]
        twice = [f"{' and '.join(hosts)} at {at:.1f} s" for at, hosts in holders if len(hosts) > 1]
        order = ", then ".join(" and ".join(hosts) or "nobody" for _, hosts in holders)
        yield Finding(f"LUN {lun} is never mounted twice", not twice, "; ".join(twice[:3]) or order)


def _queues(past: History, consumed: Sequence[Operation]) -> Iterator[Finding]:
    def order() -> Iterable[str]:
        _require(consumed)
        return disorder(consumed)

    def gone() -> Iterable[str]:
        _require(consumed)
        return returned(consumed, _quiet(past))

    fine = f"{len(consumed)} deliveries, in order between each publisher and consumer"
    yield _finding("queues keep their order", fine, order)
    yield _finding("what was acknowledged in quiet does not come again", _repeated(consumed), gone)


def _require(consumed: Sequence[Operation]) -> None:
    if not consumed:
        raise ValueError("no message was delivered")


def _repeated(consumed: Sequence[Operation]) -> str:
    """Delivery is at least once: how often it was more is said, and fails nothing."""
    try:
        found = repeats(consumed)
    except ValueError as error:
        return str(error)
    if not found.messages:
        return "every message came once"
    return (
        f"{found.messages} of {len({o.value for o in consumed})} messages came more than once, as is allowed:"
        f" {found.elsewhere} to another consumer too, {found.unmarked} without a mark of the broker's"
    )


def _quiet(past: History) -> Iterator[Span]:
    """From the beginning until shortly before the strike, and from full redundancy on."""
    struck, whole = past.at("injecting"), past.at("redundant")
    if struck is not None:
        yield -math.inf, struck - ACKNOWLEDGED_S
    if whole is not None:
        yield whole, math.inf


def _register(past: History) -> Iterable[str]:
    accesses = tuple(_accesses(past.operations))
    if not any(a.kind == "read" and a.outcome == "ok" for a in accesses):
        raise ValueError("nothing was read")
    return check_register(accesses)


def _accesses(operations: Iterable[Operation]) -> Iterator[Access]:
    kinds = {"read_row": "read", "write_row": "write"}
    for o in operations:
        if o.function in kinds:
            yield Access(kinds[o.function], o.value, o.started, o.ended, o.outcome)


def transactions(past: History) -> list[Transaction]:
    """On lists, in the order in which they were begun."""
    made = [o for o in past.operations if o.function == "write_row" and o.steps]
    ordered = sorted(made, key=lambda o: o.started)
    return [Transaction(o.value, steps_of(o.steps), o.started, o.ended, o.outcome) for o in ordered]


def last_reads(past: History, keys: Iterable[str]) -> list[Transaction]:
    """What each node showed of all lists when the load had ended. A list that a node does not have is empty there."""
    wanted = sorted(set(keys))
    reads: list[Transaction] = []
    for event in past.of("read"):
        if event.data["kind"] == LISTS:
            shown = {key: tuple(map(int, values)) for key, *values in (line.split() for line in event.data["values"])}
            steps = tuple(Read(key, shown.get(key, ())) for key in sorted({*wanted, *shown}))
            reads.append(Transaction(f"the last read, {event.data['reader']}", steps, event.at, event.at, "ok"))
    return reads


def lists(past: History) -> list[Transaction]:
    """The transactions, and what each node showed at the end."""
    made = transactions(past)
    return [*made, *last_reads(past, (step.key for t in made for step in t.steps))]


def _lists(past: History) -> Iterable[str]:
    """Raises ValueError when there was no transaction, or no node was read at the end."""
    every, made = lists(past), len(transactions(past))
    if not made:
        raise ValueError("no transaction on lists was recorded")
    if len(every) == made:
        raise ValueError("no node's lists were read at the end")
    return check_list_append(every)
