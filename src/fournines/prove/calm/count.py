"""From a calm campaign's history to its counts. Pure: a stored run can be counted again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from fournines.prove import machine
from fournines.prove.calm.model import Calm, Count, Wait
from fournines.prove.history import History
from fournines.prove.model import Operation, Verdict
from fournines.prove.watch import VIPS

#: ARP is asked every 0.1 s; one answer that a busy machine was late with is no absence. Seconds.
ABSENT_S = 1.0
#: One loss is in several journals, each of which may miss it: the one with the most is believed.
LOST = tuple(map(re.compile, (r"Entering FAULT STATE", r"VIP: this host (must not|stands by)", r"VIP: leaves")))
VRRP = (re.compile(r"Entering (MASTER|BACKUP|FAULT) STATE"),)
DEPARTED = (re.compile(r" has departed"),)


def calm_of(past: History, *, command: str, started_at: str, versions: Mapping[str, str]) -> Calm:
    """Raises StopIteration when the history ends before the calm began."""
    opened = next(past.of("calm"))
    ended = past.at("ended") or max((o.ended for o in past.operations), default=opened.at)
    said = opened.data
    waits = tuple(_waits(past.operations, said["probes"], opened.at, ended))
    counts = (*_vips(past, opened.at, ended), *_journals(past), *_galera(past), *_units(past), *_requests(waits))
    verdict, reasons = judge(counts)
    whole = past.at("whole")
    healed = past.at("healed")
    return Calm(
        cloud=said["cloud"],
        profile=said["profile"],
        started_at=started_at,
        command=command,
        began=opened.at,
        ended=ended,
        busy=said["busy"],
        without=said["without"],
        counts=counts,
        waits=waits,
        pressure=machine.pressure(past.of("machine"), opened.at, ended),
        verdict=verdict,
        reasons=reasons,
        redundant_again_s=whole - healed if whole is not None and healed is not None else None,
        versions=dict(versions),
    )


def judge(counts: Sequence[Count]) -> tuple[Verdict, tuple[str, ...]]:
    happened = [f"{c.count} {c.what}: {c.detail}" for c in counts if c.count]
    untold = [f"{c.what}: could not be counted: {c.detail}" for c in counts if c.count is None]
    if happened:
        return "fail", (*happened, *untold)
    return ("unknown", tuple(untold)) if untold else ("pass", ())


def _vips(past: History, began: float, ended: float) -> Iterator[Count]:
    unwatched = {e.data["vip"]: e.data["why"] for e in past.of("unwatched")}
    for vip in VIPS:
        moves, absences = f"moves of the {vip} VIP", f"times that no host answered for the {vip} VIP"
        seen = [(e.at, tuple(e.data["holders"])) for e in past.of("sighting") if e.data["vip"] == vip]
        # What was so when the calm began is the last sighting before it.
        first = max((i for i, (at, _) in enumerate(seen) if at <= began), default=0)
        spans = [(max(at, began), holders) for at, holders in seen[first:] if at < ended]
        if vip in unwatched or not spans:
            why = unwatched.get(vip, "no answer to ARP was ever seen")
            yield Count(moves, None, "ARP", why)
            yield Count(absences, None, "ARP", why)
            continue
        held = [(at, holders) for at, holders in spans if holders]
        moved = [f"{_names(a)} to {_names(b)} at {at - began:.0f} s" for (_, a), (at, b) in pairwise(held) if a != b]
        yield Count(moves, len(moved), "ARP", "; ".join(moved))
        until = [at for at, _ in spans[1:]] + [ended]
        gaps = [
            f"{end - at:.1f} s at {at - began:.0f} s"
            for (at, holders), end in zip(spans, until, strict=True)
            if not holders and end - at >= ABSENT_S
        ]
        yield Count(absences, len(gaps), "ARP", "; ".join(gaps))


def _names(holders: Iterable[str]) -> str:
    return " and ".join(holders)


def _journals(past: History) -> Iterator[Count]:
    lines = [(e.data["host"], line) for e in past.of("journal") for line in e.data["lines"]]
    blind = _blind(past, "last")
    for what, patterns, source in (
        ("changes of VRRP state", VRRP, "journal of keepalived"),
        ("leases lost", LOST, "journals of keepalived, guard and fallback"),
        ("times that a host was declared departed", DEPARTED, "journals of the guards"),
    ):
        found = [f"{host}: {line}" for host, line in lines if any(p.search(line) for p in patterns)]
        count = max(sum(bool(p.search(line)) for line in found) for p in patterns)
        yield Count(what, count if not blind or count else None, source, "; ".join(found[:4]) or blind)


def _census(past: History, when: str) -> dict[str, dict[str, Any]]:
    return {e.data["host"]: e.data for e in past.of("census") if e.data["when"] == when}


def _blind(past: History, *whens: str) -> str:
    """Hosts that could not be asked."""
    failed = [f"{host}: {c['why']}" for when in whens for host, c in _census(past, when).items() if c["why"]]
    return "; ".join(failed) or ("" if all(_census(past, when) for when in whens) else "no host was asked")


def _galera(past: History) -> Iterator[Count]:
    yield _grown(past, "wsrep_cluster_conf_id", "changes of Galera's view", "Galera's own count, wsrep_cluster_conf_id")
    lists = [c["galera"].get("wsrep_evs_evict_list", "") for c in _census(past, "last").values() if c["galera"]]
    evicted = sorted({node for listed in lists for node in listed.split(",") if node})
    known = sorted(
        {n for c in _census(past, "first").values() for n in c["galera"].get("wsrep_evs_evict_list", "").split(",")}
    )
    new = [node for node in evicted if node not in known]
    what, source = "nodes evicted from Galera", "Galera's own list, wsrep_evs_evict_list"
    yield Count(what, len(new), source, ", ".join(new)) if lists else Count(what, None, source, "no node answered")
    yield _grown(past, "epoch", "writer elections", "the epoch that elections are recorded with, in the database")
    writers = [(e.at, e.data["writer"]) for e in past.of("writer") if e.data["writer"]]
    moved = [f"{a} to {b}" for (_, a), (_, b) in pairwise(writers) if a != b]
    what, source = "moves of the writer", "a query a second through the VIP"
    yield Count(what, len(moved), source, "; ".join(moved)) if writers else Count(what, None, source, "no answer")


def _grown(past: History, variable: str, what: str, source: str) -> Count:
    """By how much the highest value that any node has grew."""
    values: list[int] = []
    for when in ("first", "last"):
        told = [c["galera"][variable] for c in _census(past, when).values() if c["galera"].get(variable, "").isdigit()]
        if not told:
            return Count(what, None, source, _blind(past, when) or "no node answered")
        values.append(max(map(int, told)))
    before, after = values
    return Count(what, after - before, source, f"{before} before, {after} after" if after != before else "")


def _units(past: History) -> Iterator[Count]:
    first, last = _census(past, "first"), _census(past, "last")
    found: list[str] = []
    count = 0
    for host in first.keys() & last.keys():
        for unit, was in first[host]["units"].items():
            is_ = last[host]["units"].get(unit)
            if is_ is None or first[host]["why"] or last[host]["why"]:
                continue
            times = max(is_["restarts"] - was["restarts"], int(is_["pid"] != was["pid"]))
            if times:
                count += times
                found.append(f"{host} {unit} {times} times" if times > 1 else f"{host} {unit}")
    blind = _blind(past, "first", "last")
    source = "systemd: NRestarts and main processes"
    yield Count("daemons restarted", count if count or not blind else None, source, "; ".join(found[:6]) or blind)


def _waits(operations: Iterable[Operation], probes: Iterable[str], began: float, ended: float) -> Iterator[Wait]:
    made = [o for o in operations if began <= o.intended < ended]
    for probe in probes:
        of_probe = [o for o in made if o.function == probe]
        outcomes = [o.outcome for o in of_probe]
        worst = max((o.ended - o.intended for o in of_probe), default=None)
        yield Wait(probe, len(of_probe), outcomes.count("fail"), outcomes.count("unknown"), worst)


def _requests(waits: Sequence[Wait]) -> Iterator[Count]:
    silent = [w.function for w in waits if not w.requests]
    for what in ("fail", "unknown"):
        count = sum(getattr(w, what) for w in waits)
        named = ", ".join(f"{w.function} {getattr(w, what)}" for w in waits if getattr(w, what))
        why = f"no request of {', '.join(silent)}" if silent else ""
        title = "requests failed" if what == "fail" else "requests of unknown outcome"
        yield Count(title, count if count or not silent else None, "the prober", named or why)
