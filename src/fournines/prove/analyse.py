"""From a fault's history to its result. Pure but for reading the two files: any stored run can be analysed again.

What the campaign writes to `events.jsonl`, in the order in which it happens: began, machine*, sighting*, injecting,
injected, healed | unhealed, redundant?, ended, drained, read* | unread*, finding*. Or began and not_measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from fournines.errors import ProveError
from fournines.prove import history, machine
from fournines.prove.anomalies import Transaction, check_list_append, steps_of
from fournines.prove.checkers import Access, check_queue, check_register, check_set
from fournines.prove.figures import Phases, figures
from fournines.prove.history import Event, History
from fournines.prove.model import Fault, FaultResult, Finding, Operation, Outcome, Sighting, Writes
from fournines.prove.probes import PROBES
from fournines.prove.verdict import judge
from fournines.prove.written import KINDS, Kind

#: A probe sent so much later than intended says that the prober stalled. Seconds, of the 99th percentile.
LATE_S = 0.1
#: The pressure is that of the outage: until the heal, or for so long when the fault heals by itself. Later on,
#: a host that boots takes all there is. Seconds.
SETTLES_S = 5.0


def analyse(directory: Path) -> FaultResult:
    """Raises ProveError when the history cannot be read."""
    result = result_of(history.read(directory))
    verdict, reasons = judge(result)
    return replace(result, verdict=verdict, reasons=reasons)


def result_of(past: History) -> FaultResult:
    """The result, without its verdict."""
    began = next(past.of("began"), None)
    if began is None:
        raise ProveError("the history ends before the fault's measurement began", next="run the campaign again")
    said = began.data
    skipped = next(past.of("not_measured"), None)
    phases = _phases(past, began.at)
    probed = [] if skipped else [figures(PROBES[p], _of(past, p), phases) for p in said["probes"]]
    writes, troubles = ({}, ()) if skipped else _writes(past, said["probes"])
    healed = past.at("healed") or phases.ended
    redundant = past.at("redundant")
    return FaultResult(
        fault=Fault(**said["fault"]),
        profile=said["profile"],
        hosts=tuple(said["hosts"]),
        injected=phases.injected,
        healed=healed,
        redundant_again_s=None if redundant is None else max(0.0, redundant - healed),
        functions=tuple(f for f, _ in probed),
        writes=writes,
        audit=() if skipped else (*_client_findings(past), *_audit(past), *troubles),
        pressure=machine.pressure(past.of("machine"), phases.injected, phases.settled),
        pressure_returning=machine.pressure(past.of("machine"), phases.settled, phases.until),
        verdict="unknown",
        not_measured=skipped.data["why"] if skipped else "",
        series=tuple(s for _, s in probed),
        began=began.at,
        redundant=redundant,
        ended=phases.ended,
        roles=tuple(said["roles"]),
        vips=tuple(_sighting(e) for e in past.of("sighting")),
        idle=tuple((e.at, e.data["idle"]) for e in past.of("machine")),
        busy=said["busy"],
    )


def _phases(past: History, began: float) -> Phases:
    last = max((o.intended for o in past.operations), default=began)
    ended = past.at("ended") or last
    injected = past.at("injecting") or ended
    settled = max(past.at("healed") or ended, injected + SETTLES_S)
    until = max(past.at("redundant") or ended, settled)
    return Phases(began, injected, settled, until, max(ended, until))


def _of(past: History, function: str) -> list[Operation]:
    return [o for o in past.operations if o.function == function]


def _writes(past: History, probed: Iterable[str]) -> tuple[dict[str, Writes], tuple[Finding, ...]]:
    """Counts of each kind whose checker came to a result, and what kept the others from one."""
    counted: dict[str, Writes] = {}
    troubles = [
        Finding(f"{e.data['kind']} as {e.data['reader']} shows them", None, e.data["why"]) for e in past.of("unread")
    ]
    for kind in KINDS.values():
        if kind.function not in probed:
            continue
        try:
            counted[kind.name] = _check(past, kind)
        except Exception as error:  # whatever breaks a checker, the verdict is unknown and the rest still counts
            troubles.append(Finding(f"{kind.name} are checked", None, f"{type(error).__name__}: {error}"))
    return counted, tuple(troubles)


def _check(past: History, kind: Kind) -> Writes:
    attempts: dict[str, Outcome] = {o.value: o.outcome for o in _of(past, kind.function)}
    if kind.query:
        return check_set(attempts, _reads(past, kind.name))
    return check_queue(attempts, [o.value for o in _of(past, "consume")], _left(past))


def _reads(past: History, kind: str) -> dict[str, list[str]]:
    return {e.data["reader"]: e.data["values"] for e in past.of("read") if e.data["kind"] == kind}


def _left(past: History) -> int | None:
    drained = next(past.of("drained"), None)
    return drained.data["left"] if drained else None


def _audit(past: History) -> Iterator[Finding]:
    for event in past.of("finding"):
        yield Finding(event.data["name"], event.data["ok"], event.data["detail"])
    for event in past.of("unhealed"):
        yield Finding("the fault was healed", False, event.data["why"])


def _sighting(event: Event) -> Sighting:
    return Sighting(event.at, event.data["vip"], tuple(event.data["holders"]), tuple(event.data["serving"]))


def _client_findings(past: History) -> Iterator[Finding]:
    """What the client's side alone can tell."""
    yield from _one_vip(past)
    yield _register(past)
    yield from _transactions(past)
    late = sorted(o.started - o.intended for o in past.operations if o.function != "consume")
    if late:
        worst = late[int(len(late) * 0.99)]
        kept = True if worst <= LATE_S else None
        yield Finding("the prober kept its schedule", kept, f"99 % of probes were sent within {worst * 1000:.0f} ms")


def _one_vip(past: History) -> Iterator[Finding]:
    for event in past.of("unwatched"):
        yield Finding(f"never two {event.data['vip']} VIPs", None, event.data["why"])
    sightings = [_sighting(e) for e in past.of("sighting")]
    for vip in sorted({s.vip for s in sightings}):
        of_vip = [s for s in sightings if s.vip == vip]
        both = next((s for s in of_vip if len(s.serving) > 1), None)
        answered = sum(len(s.holders) > 1 for s in of_vip)
        if both:
            yield Finding(
                f"never two {vip} VIPs", False, f"{' and '.join(both.serving)} both served at {both.at:.1f} s"
            )
        else:
            detail = (
                f"two hosts answered ARP {answered} times, at most one of them served" if answered else "asked by ARP"
            )
            yield Finding(f"never two {vip} VIPs", True, detail)


def _register(past: History) -> Finding:
    name = "reads are never stale"
    try:
        problems = check_register(_accesses(past.operations))
    except Exception as error:  # as above
        return Finding(name, None, f"{type(error).__name__}: {error}")
    return Finding(name, not problems, "; ".join(problems[:3]) or "the register is linearizable")


def _transactions(past: History) -> Iterator[Finding]:
    """Nothing of a history without any: runs of earlier versions are such."""
    name = "transactions are serializable"
    made = [o for o in past.operations if o.steps]
    if not made:
        return
    try:
        problems = check_list_append(
            [Transaction(o.value, steps_of(o.steps), o.started, o.ended, o.outcome) for o in made]
        )
    except Exception as error:  # as above
        yield Finding(name, None, f"{type(error).__name__}: {error}")
    else:
        detail = f"{len(made)} transactions that read two lists and appended to one"
        yield Finding(name, not problems, "; ".join(problems[:3]) or detail)


def _accesses(operations: Iterable[Operation]) -> Iterator[Access]:
    kinds = {"read_row": "read", "write_row": "write"}
    for o in operations:
        if o.function in kinds:
            yield Access(kinds[o.function], o.value, o.started, o.ended, o.outcome)
