"""Figures of one function during one fault, from its operations. Pure; seconds, and milliseconds where named so."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fournines.prove.model import FunctionFigures, Operation, Series
from fournines.prove.probes import Probe

#: Of the timelines: the interval of a light probe, so that each stands for itself.
BUCKET_S = 0.1
#: Of the published reports (performance-docs, reliability testing): MTTR is the time above baseline mean + 4 sigma.
MTTR_SAMPLES = 21
MTTR_SIGMAS = 4.0

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Phases:
    """Before is [began, injected), during [injected, until), after [until, ended]. From `settled` on, what was struck
    comes back. A request in flight when the fault strikes belongs to `during`: it is the first that the fault can hit.

    What the fault cost is counted to the end: a session that hangs for a while after redundancy hangs because of it.
    """

    began: float
    injected: float
    settled: float
    until: float
    ended: float


def figures(probe: Probe, operations: Sequence[Operation], phases: Phases) -> tuple[FunctionFigures, Series]:
    """`operations` of this probe only, in any order."""
    ordered = sorted(operations, key=lambda o: o.intended)
    before, during, after = _split(ordered, phases)
    gaps = success_gaps(ordered, phases)
    longest = max((g for g in gaps if g[0] < phases.settled), key=_length)
    allowance = probe.interval + _or_zero(_percentile(before, 99)) / 1000
    outages = tuple((start + allowance, end) for start, end in gaps if end - start > allowance)
    result = FunctionFigures(
        function=probe.name,
        interval_s=probe.interval,
        longest_gap_s=_length(longest),
        unavailable_s=math.fsum(_length(o) for o in outages),
        ok=_count([*during, *after], "ok"),
        fail=_count([*during, *after], "fail"),
        unknown=_count([*during, *after], "unknown"),
        p50_ms=(_percentile(before, 50), _percentile(during, 50), _percentile(after, 50)),
        p99_ms=(_percentile(before, 99), _percentile(during, 99), _percentile(after, 99)),
        downtime_s=_downtime([*during, *after]),
        mttr_s=_mttr(before, [*during, *after]),
        kind=probe.kind,
        idempotent=probe.idempotent,
        gap_by_connection={
            c: max(
                _length(g)
                for g in success_gaps([o for o in ordered if o.connection == c], phases)
                if g[0] < phases.settled
            )
            for c in probe.connections
        },
        gap_returning_s=max((_length(g) for g in gaps if g[0] >= phases.settled), default=0.0),
    )
    return result, _series(probe.name, ordered, phases, outages, longest)


def success_gaps(operations: Iterable[Operation], phases: Phases) -> tuple[Span, ...]:
    """Spans between the ends of consecutive successes that touch [injected, ended]. Never empty.

    Without a success before the injection the first begins there; the last runs to the end of the load: what did not
    come back while anyone looked, is out.
    """
    ends = sorted(o.ended for o in operations if o.outcome == "ok")
    if not ends or ends[0] > phases.injected:
        ends.insert(0, phases.injected)
    if ends[-1] < phases.ended:
        ends.append(phases.ended)
    return tuple((a, b) for a, b in pairwise(ends) if b > phases.injected and a < phases.ended) or (
        (phases.injected, phases.injected),
    )


def _split(operations: Iterable[Operation], phases: Phases) -> tuple[list[Operation], list[Operation], list[Operation]]:
    before: list[Operation] = []
    during: list[Operation] = []
    after: list[Operation] = []
    for o in operations:
        if o.ended < phases.injected:
            before.append(o)
        else:
            (during if o.intended < phases.until else after).append(o)
    return before, during, after


def _length(span: Span) -> float:
    return span[1] - span[0]


def _count(operations: Iterable[Operation], outcome: str) -> int:
    return sum(o.outcome == outcome for o in operations)


def _latencies(operations: Iterable[Operation]) -> list[float]:
    # A quick refusal is no service: counted, it would make an outage look fast.
    return [o.ended - o.intended for o in operations if o.outcome != "fail"]


def _percentile(operations: Iterable[Operation], percent: float) -> float:
    """Nearest rank, in ms; nan of nothing."""
    ordered = sorted(_latencies(operations))
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] * 1000 if ordered else math.nan


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _downtime(operations: Iterable[Operation]) -> float:
    """From the first error's sending to the last one's end."""
    errors = [o for o in operations if o.outcome != "ok"]
    return max(o.ended for o in errors) - min(o.intended for o in errors) if errors else 0.0


def _mttr(before: Sequence[Operation], since: Sequence[Operation]) -> float:
    """How long the sliding mean of latencies was above the baseline's mean + 4 sigma, from first to last."""
    baseline = _latencies(before)
    if len(baseline) < 2 or len(since) < MTTR_SAMPLES:
        return math.nan
    threshold = statistics.fmean(baseline) + MTTR_SIGMAS * statistics.stdev(baseline)
    waited = [o.ended - o.intended for o in since]
    middle = MTTR_SAMPLES // 2
    slow = [
        since[i + middle].intended
        for i in range(len(since) - MTTR_SAMPLES + 1)
        if statistics.fmean(waited[i : i + MTTR_SAMPLES]) > threshold
    ]
    return slow[-1] - slow[0] if slow else 0.0


def _series(
    name: str, operations: Sequence[Operation], phases: Phases, outages: tuple[Span, ...], longest: Span
) -> Series:
    length = max((o.intended for o in operations), default=phases.ended) - phases.began
    buckets = max(1, math.floor(length / BUCKET_S) + 1)
    counts = {outcome: [0] * buckets for outcome in ("ok", "fail", "unknown")}
    slowest = [0.0] * buckets
    for operation in operations:
        # Intended times are multiples of the bucket: a rounding error must not move one into its neighbour.
        i = max(0, min(buckets - 1, math.floor((operation.intended - phases.began) / BUCKET_S + 1e-6)))
        counts[operation.outcome][i] += 1
        slowest[i] = max(slowest[i], (operation.ended - operation.intended) * 1000)
    return Series(
        function=name,
        start=phases.began,
        width=BUCKET_S,
        ok=tuple(counts["ok"]),
        fail=tuple(counts["fail"]),
        unknown=tuple(counts["unknown"]),
        max_ms=tuple(round(ms, 1) for ms in slowest),
        outages=outages,
        gap=longest,
    )
