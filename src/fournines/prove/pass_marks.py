"""What a fault may cost at most: the project's own bar. A baseline's results are not held to it.

Every fault has marks for every function that was to be probed, over each kind of connection: a fault that nothing holds
would pass whatever it did.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from fournines.prove.fenced import allowance
from fournines.prove.machine import starved
from fournines.prove.model import FaultResult, FunctionFigures, RequestFigures, Span
from fournines.prove.probes import ANSWERED_WITHIN_S, LIGHT_S
from fournines.prove.severity import Severity, severity


@dataclass(frozen=True, slots=True)
class PassMark:
    """`measured` None: there was nothing to measure. Units: s, × (ratio), or a count's noun.

    `doubt`: why a miss says nothing about the cloud, "" if it does. `function`, `connection`: whose figure it is; empty
    of one that stands for the whole fault, or for all connections.
    """

    what: str
    limit: float
    unit: str
    measured: float | None
    bound: Literal["at most", "at least"] = "at most"
    doubt: str = ""
    function: str = ""
    connection: str = ""

    @property
    def reached(self) -> bool | None:
        if self.measured is None or math.isnan(self.measured):
            return None
        return self.measured <= self.limit if self.bound == "at most" else self.measured >= self.limit

    def of(self, f: FunctionFigures, connection: str) -> PassMark:
        return replace(self, function=f.function, connection=connection)

    @property
    def whose(self) -> str:
        """`validate, kept`; "" of the whole fault."""
        return ", ".join(filter(None, (self.function.replace("_", " "), self.connection)))


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. `gap_writer`: of what the database's writer carries, where that was struck, and of its commits where
    another host of the database was: each waits for all members of Galera's view (decision 97). `none_failed`: no
    request that may be sent twice is lost."""

    read: float
    write: float
    degraded: float
    gap: float
    gap_writer: float
    none_failed: bool = False


LIMITS: dict[Severity, Limits] = {
    "operation": Limits(3.0, 3.0, 3.0, 3.0, 3.0, none_failed=True),
    "kill": Limits(1.0, 1.0, 1.0, 0.5, 0.5, none_failed=True),
    "freeze": Limits(3.0, 3.0, 3.0, 1.5, 1.5, none_failed=True),
    "host": Limits(2.0, 3.0, 3.0, 0.75, 1.5),
    "zone": Limits(5.0, 5.0, 5.0, 3.0, 3.0),
}
#: Of the loss of a majority: from the heal, such as the last host's power, until a function is answered well for good.
SERVING_AGAIN_S = 45.0
#: Where the baseline was answered no better than that, what came after the strike is not the strike's.
USUAL_SHARE = 0.99
REDUNDANT_AGAIN_S = 60.0
BASELINE = "kolla-22.2"
#: How much longer clients wait under the baseline's timers, at least.
BASELINE_RATIO: dict[Severity, float] = {"host": 5.0, "freeze": 10.0}

WAIT, DEGRADED, GAP, RETURN, TROUBLED, AGAIN = (
    "worst wait",
    "degraded time",
    "longest gap between successes",
    "longest gap while all comes back",
    "idempotent requests failed or unknown",
    "answered well again after the heal",
)
SATURATED = "on a machine without idle time"
SLOW_BEFORE = "and was no better before the fault"


def pass_marks(result: FaultResult, baseline: FaultResult | None = None) -> tuple[PassMark, ...]:
    """Those that hold for this fault, with what was measured. `baseline`: the same fault under a peer's timing."""
    if result.not_measured:
        return ()
    how = severity(result)
    if result.busy:  # the machine had no time left for the probes: only what must never happen counts
        return tuple(_writes(result))
    functions = (mark for f in result.functions for mark in _function(result, f, how))
    return (*functions, *_absent(result), *_writes(result), *_redundancy(result), *_ratio(result, baseline, how))


def service_gap(figures: RequestFigures, gap: float) -> float:
    """A gap in seconds, as a light probe would have seen it: what the time between two probes has over a light one's
    is taken off."""
    return gap - max(0.0, figures.period_s - LIGHT_S)


def service_degraded(figures: RequestFigures) -> float:
    """Degraded time, less what is only not known for want of a request in each second."""
    unknown = max(0.0, figures.period_s - 1.0)
    return math.nan if math.isnan(figures.degraded_s) else max(0.0, figures.degraded_s - unknown)


def tells(figures: RequestFigures, limit: float) -> bool:
    """A probe every 2 s cannot tell whether an outage was shorter than 1 s."""
    return figures.period_s <= limit / 2


def _function(result: FaultResult, f: FunctionFigures, how: Severity) -> Iterator[PassMark]:
    for connection, figures in f.connections():
        if how == "whole":
            yield _again(result, f, connection, figures)
        else:
            limits = _limits(result, f, how)
            yield from _waits(result, f, connection, figures, limits)
            yield from _gaps(result, f, connection, figures, limits, usual=LIMITS[how])
    if how != "whole" and LIMITS[how].none_failed and f.idempotent:
        troubled = f.whole.fail + f.whole.unknown if f.whole.sampled else None
        doubt = _doubt(result, f, f.whole.degraded)
        yield PassMark(TROUBLED, 0, "requests", troubled, doubt=doubt, function=f.function)


def _limits(result: FaultResult, f: FunctionFigures, how: Severity) -> Limits:
    """Of a host's loss, those of what starts elsewhere once the host is fenced."""
    usual = LIMITS[how]
    if how != "host" or result.fault.service:
        return usual
    roles = {result.fault.target, *result.roles}
    commits = f.on_writer and f.kind == "write" and result.database_member
    fenced = allowance(result.moved, roles, database=f.on_writer, bus=f.on_bus, api=f.on_api, commits=commits)
    if not fenced:
        return usual
    return replace(
        usual,
        read=max(usual.read, fenced),
        write=max(usual.write, fenced),
        degraded=max(usual.degraded, fenced),
        gap=max(usual.gap, fenced),
        gap_writer=max(usual.gap_writer, fenced),
    )


def _waits(
    result: FaultResult, f: FunctionFigures, connection: str, figures: RequestFigures, limits: Limits
) -> Iterator[PassMark]:
    usual = limits.read if f.kind == "read" else limits.write
    # Of work that takes seconds: the time in which it counts as done well.
    limit = usual if f.within_s == ANSWERED_WITHIN_S else max(f.within_s, usual)
    waited = None if math.isnan(limit) else figures.worst_wait_s
    worst = (figures.worst,) if figures.worst else ()
    yield PassMark(WAIT, limit, "s", waited, doubt=_doubt(result, f, worst)).of(f, connection)
    sure = [span for span in figures.degraded if not starved(result.idle, [span])]
    doubt = _doubt(result, f, figures.degraded if sum(b - a for a, b in sure) <= limits.degraded else sure)
    yield PassMark(DEGRADED, limits.degraded, "s", service_degraded(figures), doubt=doubt).of(f, connection)


def _gaps(
    result: FaultResult,
    f: FunctionFigures,
    connection: str,
    figures: RequestFigures,
    limits: Limits,
    *,
    usual: Limits,
) -> Iterator[PassMark]:
    """usual: of what comes back, for which nobody is fenced."""
    writer = f.on_writer and "writer" in {result.fault.target, *result.roles}
    commits = f.on_writer and f.kind == "write" and result.database_member
    gap = limits.gap_writer if writer or commits else limits.gap
    returning = usual.gap_writer if writer else usual.gap  # no member is lost then
    for what, limit, length, span in (
        (GAP, gap, figures.longest_gap_s, figures.gap),
        (RETURN, returning, figures.gap_returning_s, figures.gap_returning),
    ):
        if not tells(figures, limit):
            continue
        doubt = SATURATED if span and starved(result.idle, [span]) else ""
        yield PassMark(what, limit, "s", service_gap(figures, length), doubt=doubt).of(f, connection)


def _again(result: FaultResult, f: FunctionFigures, connection: str, figures: RequestFigures) -> PassMark:
    """Most of what carries it was struck: it may be gone meanwhile, and must be back soon afterwards."""
    measured: float | None = None
    if figures.sampled and not math.isnan(figures.degraded_s):
        until = figures.degraded[-1][1] if figures.degraded else result.healed
        slack = max(0.0, figures.period_s - 1.0)
        measured = math.inf if until >= result.ended > result.healed else max(0.0, until - result.healed - slack)
    doubt = _doubt(result, f, figures.degraded[-1:])
    return PassMark(AGAIN, SERVING_AGAIN_S, "s", measured, doubt=doubt).of(f, connection)


def _doubt(result: FaultResult, f: FunctionFigures, spans: Iterable[Span]) -> str:
    if not math.isnan(f.answered_before) and f.answered_before < USUAL_SHARE:
        return SLOW_BEFORE
    return SATURATED if starved(result.idle, spans) else ""


def _absent(result: FaultResult) -> Iterator[PassMark]:
    """Of what was to be probed and was not."""
    there = {f.function for f in result.functions}
    for function in result.expected:
        if function not in there:
            yield PassMark(WAIT, 0, "s", None, function=function)


def _writes(result: FaultResult) -> Iterator[PassMark]:
    lost = sum(w.lost for w in result.writes.values()) if result.writes else None
    yield PassMark("acknowledged writes lost", 0, "writes", lost)


def _redundancy(result: FaultResult) -> Iterator[PassMark]:
    if result.fault.name.startswith("host."):
        again = math.inf if result.redundant_again_s is None else result.redundant_again_s
        doubt = SATURATED if starved(result.idle, [(result.healed, result.redundant or result.ended)]) else ""
        yield PassMark("redundant again after power-on", REDUNDANT_AGAIN_S, "s", again, doubt=doubt)


def _ratio(result: FaultResult, baseline: FaultResult | None, how: Severity) -> Iterator[PassMark]:
    """Of one run beside one; of several `repeats` tells."""
    if how in BASELINE_RATIO and baseline and baseline.subject.profile == BASELINE and not baseline.not_measured:
        ours, theirs = compared(result), compared(baseline)
        ratio = theirs / ours if ours and theirs is not None else None
        spans = [(r.idle, [(r.injected, r.healed)]) for r in (result, baseline)]
        doubt = SATURATED if any(starved(idle, span) for idle, span in spans) else ""
        yield PassMark(ratio_name(how), BASELINE_RATIO[how], "×", ratio, "at least", doubt)


def ratio_name(how: Severity) -> str:
    figure = DEGRADED if how == "freeze" else "longest gap"
    return f"{figure} under {BASELINE} timers over ours"


def compared(result: FaultResult) -> float | None:
    """The one figure by which a fault is set beside the same under other timers, in seconds.

    A freeze of one in three hardly shows as a gap: its cost is the time in which some requests are not answered.
    """
    return worst_degraded(result) if severity(result) == "freeze" else worst_gap(result)


def light(result: FaultResult) -> Iterator[FunctionFigures]:
    """Functions that are probed every 0.1 s: only they can tell a short outage."""
    return (f for f in result.functions if f.interval_s <= LIGHT_S and f.whole.sampled)


def worst_gap(result: FaultResult, kinds: Iterable[str] = ("read", "write")) -> float | None:
    """Of the light functions of these kinds, also while all comes back; seconds, None when none was probed."""
    chosen = [f.whole for f in light(result) if f.kind in kinds]
    return _worst(gap for w in chosen for gap in (w.longest_gap_s, w.gap_returning_s))


def worst_degraded(result: FaultResult) -> float | None:
    """Of the light functions, over the kind of connection that suffered most; seconds, None when none was probed."""
    return _worst(figures.degraded_s for f in light(result) for _, figures in f.connections())


def worst_wait(result: FaultResult) -> float | None:
    """Of all functions but those whose work takes seconds when nothing is wrong; None when none was probed."""
    usual = (f for f in result.functions if f.within_s == ANSWERED_WITHIN_S and f.whole.sampled)
    return _worst(f.whole.worst_wait_s for f in usual)


def _worst(values: Iterable[float]) -> float | None:
    """Of those that there are."""
    return max((v for v in values if not math.isnan(v)), default=None)
