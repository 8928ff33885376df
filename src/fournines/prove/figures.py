"""Figures of one function during one fault, from its operations. Pure; seconds, and milliseconds where named so."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fournines.prove.degraded import degraded_spans
from fournines.prove.model import FunctionFigures, Operation, RequestFigures, Series, Span
from fournines.prove.probes import Probe
from fournines.prove.waits import Request, longest, waits

#: Of the timelines: the interval of a light probe, so that each stands for itself.
BUCKET_S = 0.1
#: Of the published reports (performance-docs, reliability testing): MTTR is the time above baseline mean + 4 sigma.
MTTR_SAMPLES = 21
MTTR_SIGMAS = 4.0


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
    kinds = tuple(dict.fromkeys([*probe.connections, *(o.connection for o in operations)]))
    retried = probe.retried_after(len(kinds))
    waited = {c: waits([o for o in operations if o.connection == c], retried, phases.ended) for c in kinds}
    every = sorted((w for kind in waited.values() for w in kind), key=lambda w: w.intended)
    before, during, after = _split(every, phases)
    within = probe.within(_percentile(before, 50) / 1000)
    by_connection = {c: _requests(w, phases, within, probe.period(len(kinds))) for c, w in waited.items()}
    whole = _requests(every, phases, within, probe.period())
    allowance = probe.interval + _or_zero(_percentile(before, 99)) / 1000
    gaps = success_gaps(every, phases) if whole.sampled else ()
    outages = tuple((start + allowance, end) for start, end in gaps if end - start > allowance)
    result = FunctionFigures(
        function=probe.name,
        interval_s=probe.interval,
        whole=whole,
        by_connection={str(c): found for c, found in by_connection.items()},
        unavailable_s=math.fsum(_length(o) for o in outages) if whole.sampled else math.nan,
        p50_ms=(_percentile(before, 50), _percentile(during, 50), _percentile(after, 50)),
        p99_ms=(_percentile(before, 99), _percentile(during, 99), _percentile(after, 99)),
        downtime_s=_downtime([*during, *after]),
        mttr_s=_mttr(before, [*during, *after]),
        kind=probe.kind,
        idempotent=probe.idempotent,
        on_writer=probe.database,
        on_bus=probe.bus,
        on_api=probe.api,
        within_s=within,
        answered_before=_share(before, within),
    )
    return result, _series(probe.name, every, phases, outages, whole.gap or (phases.injected, phases.injected))


def _requests(every: Sequence[Request], phases: Phases, within: float, period: float) -> RequestFigures:
    """Of one kind of connection, or of all together; `period` of these."""
    _, during, after = _split(every, phases)
    hit = [*during, *after]
    if not hit:
        return RequestFigures(0, 0, 0, math.nan, math.nan, math.nan, math.nan, math.nan, period)
    degraded = degraded_spans(every, period, within, phases.injected, phases.ended)
    worst = longest(hit)
    gaps = success_gaps(every, phases)
    gap = max((g for g in gaps if g[0] < phases.settled), key=_length)
    returning = max((g for g in gaps if g[0] >= phases.settled), key=_length, default=None)
    return RequestFigures(
        ok=_count(hit, "ok"),
        fail=_count(hit, "fail"),
        unknown=_count(hit, "unknown"),
        answered_within_1s=_share(hit, within),
        degraded_s=math.nan if math.isnan(within) else math.fsum(_length(d) for d in degraded),
        worst_wait_s=_length(worst),
        longest_gap_s=_length(gap),
        gap_returning_s=_length(returning) if returning else 0.0,
        period_s=period,
        degraded=degraded,
        worst=worst,
        gap=gap,
        gap_returning=returning,
    )


def success_gaps(every: Iterable[Request], phases: Phases) -> tuple[Span, ...]:
    """Spans between the ends of consecutive successes that touch [injected, ended]. Never empty.

    Without a success before the injection the first begins there; the last runs to the end of the load: what did not
    come back while anyone looked, is out.
    """
    ends = sorted(w.ended for w in every if w.outcome == "ok")
    if not ends or ends[0] > phases.injected:
        ends.insert(0, phases.injected)
    if ends[-1] < phases.ended:
        ends.append(phases.ended)
    return tuple((a, b) for a, b in pairwise(ends) if b > phases.injected and a < phases.ended) or (
        (phases.injected, phases.injected),
    )


def _split(every: Iterable[Request], phases: Phases) -> tuple[list[Request], list[Request], list[Request]]:
    before: list[Request] = []
    during: list[Request] = []
    after: list[Request] = []
    for w in every:
        if w.ended < phases.injected:
            before.append(w)
        else:
            (during if w.intended < phases.until else after).append(w)
    return before, during, after


def _length(span: Span) -> float:
    return span[1] - span[0]


def _count(every: Iterable[Request], outcome: str) -> int:
    return sum(w.outcome == outcome for w in every)


def _share(every: Sequence[Request], within: float) -> float:
    """Of those that were answered well; nan of nothing."""
    return sum(w.good(within) for w in every) / len(every) if every and not math.isnan(within) else math.nan


def _percentile(every: Iterable[Request], percent: float) -> float:
    """Nearest rank, in ms; nan of nothing."""
    ordered = sorted(w.seconds for w in every)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] * 1000 if ordered else math.nan


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _downtime(every: Iterable[Request]) -> float:
    """From the first error's sending to the last one's end."""
    errors = [w for w in every if w.outcome != "ok"]
    return max(w.ended for w in errors) - min(w.intended for w in errors) if errors else 0.0


def _mttr(before: Sequence[Request], since: Sequence[Request]) -> float:
    """How long the sliding mean of latencies was above the baseline's mean + 4 sigma, from first to last."""
    baseline = [w.seconds for w in before]
    if len(baseline) < 2 or len(since) < MTTR_SAMPLES:
        return math.nan
    threshold = statistics.fmean(baseline) + MTTR_SIGMAS * statistics.stdev(baseline)
    middle = MTTR_SAMPLES // 2
    slow = [
        since[i + middle].intended
        for i in range(len(since) - MTTR_SAMPLES + 1)
        if statistics.fmean(w.seconds for w in since[i : i + MTTR_SAMPLES]) > threshold
    ]
    return slow[-1] - slow[0] if slow else 0.0


def _series(name: str, every: Sequence[Request], phases: Phases, outages: tuple[Span, ...], gap: Span) -> Series:
    length = max((w.intended for w in every), default=phases.ended) - phases.began
    buckets = max(1, math.floor(length / BUCKET_S) + 1)
    counts = {outcome: [0] * buckets for outcome in ("ok", "fail", "unknown")}
    slowest = [0.0] * buckets
    for w in every:
        # Intended times are multiples of the bucket: a rounding error must not move one into its neighbour.
        i = max(0, min(buckets - 1, math.floor((w.intended - phases.began) / BUCKET_S + 1e-6)))
        counts[w.outcome][i] += 1
        slowest[i] = max(slowest[i], (w.ended - w.intended) * 1000)
    return Series(
        function=name,
        start=phases.began,
        width=BUCKET_S,
        ok=tuple(counts["ok"]),
        fail=tuple(counts["fail"]),
        unknown=tuple(counts["unknown"]),
        max_ms=tuple(round(ms, 1) for ms in slowest),
        outages=outages,
        gap=gap,
    )
