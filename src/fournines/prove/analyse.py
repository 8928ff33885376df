"""From a fault's history to its result. Pure but for reading the two files: any stored run can be analysed again.

What the campaign writes to `events.jsonl`, in the order in which it happens: began, machine*, sighting*, mounted*,
injecting, injected, seen, held | hold_failed, healed | unhealed, redundant?, ended, drained, read* | unread*, finding*,
broken?.
Or began and not_measured. `seen`: from outside, that it struck. `broken`: the measurement did not get to its end; what
it saw until then still counts. Of a fault that strikes again: then, injecting again, injected again, and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from fournines.errors import ProveError
from fournines.prove import history, machine
from fournines.prove.checkers import check_queue, check_set
from fournines.prove.client_findings import client_findings
from fournines.prove.deliveries import deliveries
from fournines.prove.figures import Phases, figures
from fournines.prove.history import History
from fournines.prove.model import (
    Fault,
    FaultResult,
    Finding,
    FunctionFigures,
    Operation,
    Outcome,
    Series,
    Sighting,
    Subject,
    Writes,
)
from fournines.prove.probes import PROBES
from fournines.prove.verdict import judge
from fournines.prove.written import KINDS, Kind

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
    skipped = _not_measured(past)
    phases = _phases(past, began.at)
    probed, broken = ({}, ()) if skipped else _figures(past, said["probes"], phases)
    writes, troubles = ({}, ()) if skipped else _writes(past, said["probes"])
    healed = past.at("healed") or phases.ended
    redundant = past.at("redundant")
    return FaultResult(
        fault=Fault(**said["fault"]),
        subject=Subject(said.get("cloud", ""), said["profile"]),
        hosts=tuple(dict.fromkeys(h for e in (began, *past.of("then")) for h in e.data["hosts"])),
        injected=phases.injected,
        healed=healed,
        redundant_again_s=None if redundant is None else max(0.0, redundant - healed),
        functions=tuple(f for f, _ in probed.values()),
        writes=writes,
        audit=() if skipped else (*_struck(past), *client_findings(past), *_audit(past), *broken, *troubles),
        pressure=machine.pressure(past.of("machine"), phases.injected, phases.settled),
        pressure_returning=machine.pressure(past.of("machine"), phases.settled, phases.until),
        verdict="unknown",
        not_measured=skipped,
        series=tuple(s for _, s in probed.values()),
        began=began.at,
        redundant=redundant,
        ended=phases.ended,
        roles=tuple(said["roles"]),
        database_member=said.get("database_member", False),
        moved=tuple(said.get("moved", ())),
        vips=tuple(Sighting(e.at, e.data["vip"], *_hosts(e.data)) for e in past.of("sighting")),
        idle=tuple((e.at, e.data["idle"]) for e in past.of("machine")),
        busy=said["busy"],
        run=said.get("run", 1),
        candidates=said.get("candidates", 0),
        expected=tuple(said["probes"]),
    )


def _hosts(sighting: dict[str, list[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(sighting["holders"]), tuple(sighting["serving"])


def _not_measured(past: History) -> str:
    """Why nothing was, "" when the strike was seen: then whatever went wrong later on, what was measured counts."""
    if next(past.of("seen"), None):
        return ""
    why = next((e.data["why"] for e in past.of("not_measured")), "")
    if why or next(past.of("injected"), None):
        return why
    return next((e.data["why"] for e in past.of("broken")), "the measurement ended before the fault was injected")


def _phases(past: History, began: float) -> Phases:
    last = max((o.intended for o in past.operations), default=began)
    ended = past.at("ended") or last
    injected = past.at("injecting") or ended
    settled = max(past.at("healed") or ended, injected + SETTLES_S)
    until = max(past.at("redundant") or ended, settled)
    return Phases(began, injected, settled, until, max(ended, until))


def _of(past: History, function: str) -> list[Operation]:
    return [o for o in past.operations if o.function == function]


def _figures(
    past: History, functions: Iterable[str], phases: Phases
) -> tuple[dict[str, tuple[FunctionFigures, Series]], tuple[Finding, ...]]:
    """Those of each function that can be worked out, and why others cannot."""
    found: dict[str, tuple[FunctionFigures, Series]] = {}
    troubles: list[Finding] = []
    for name in functions:
        operations = _of(past, name)
        if name == "consume" and "publish" in functions:
            operations = deliveries(_of(past, "publish"), operations, phases.ended)
        try:
            found[name] = figures(PROBES[name], operations, phases)
        except Exception as error:  # whatever breaks, the verdict is unknown and the rest still counts
            troubles.append(Finding(f"figures of {name}", None, f"{type(error).__name__}: {error}"))
    return found, tuple(troubles)


def _struck(past: History) -> Iterator[Finding]:
    """A strike that nobody saw from outside may not have happened."""
    name = "the strike was seen from outside"
    seen = [str(line) for e in past.of("seen") for line in e.data["what"]]
    yield Finding(name, True if seen else None, "; ".join(seen) or "nobody looked")


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
    made = tuple(past.of("finding"))
    for event in made:
        yield Finding(event.data["name"], event.data["ok"], event.data["detail"])
    if not made:
        yield Finding("audit", None, "it was not made")
    for event in past.of("unhealed"):
        yield Finding("the fault was healed", False, event.data["why"])
    for name in ("hold_failed", "broken", "not_measured"):
        for event in past.of(name):
            yield Finding("the measurement went to its end", None, event.data["why"])
