"""What a fault may cost at most: the project's own bar. A baseline's results are not held to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from fournines.prove.model import FaultResult, FunctionFigures


@dataclass(frozen=True, slots=True)
class PassMark:
    """`measured` None: there was nothing to measure. Units: s, × (ratio), or a count's noun.

    `trusted`: False of a time that was taken by a machine without idle time: it says nothing about the cloud.
    """

    what: str
    limit: float
    unit: str
    measured: float | None
    bound: Literal["at most", "at least"] = "at most"
    trusted: bool = True

    @property
    def reached(self) -> bool | None:
        if self.measured is None or math.isnan(self.measured):
            return None
        return self.measured <= self.limit if self.bound == "at most" else self.measured >= self.limit


#: (fault, what its host was) or fault alone -> the longest gap between successes of a read, of a write, in seconds.
#: A host that was both is held to the first row that fits.
LONGEST_GAP: dict[tuple[str, ...], tuple[float, float]] = {
    ("host.power_off", "writer"): (2.0, 4.0),
    ("host.power_off", "vip"): (1.0, 1.0),
    ("network.isolate",): (3.0, 3.0),
    ("service.freeze",): (3.0, 3.0),
}
#: Seconds between probes of a light function; and at most, of one whose gap stands for a whole fault.
LIGHT_S = 0.1
TELLING_S = 0.5
#: Of any other function: a cloud that has lost a controller can be used as before within a minute.
SELDOM_S = 60.0
REDUNDANT_AGAIN_S = 60.0
BASELINE = "kolla-22.2"
BASELINE_RATIO = 5.0


def pass_marks(result: FaultResult, baseline: FaultResult | None = None) -> tuple[PassMark, ...]:
    """Those that hold for this fault, with what was measured. `baseline`: the same fault under a peer's timing."""
    if result.not_measured:
        return ()
    if result.busy:  # the machine had no time left for the probes either: only what must never happen counts
        return tuple(_writes(result))
    return (
        *_gaps(result),
        *_seldom(result),
        *_requests(result),
        *_writes(result),
        *_redundancy(result),
        *_ratio(result, baseline),
    )


def service_gap(figures: FunctionFigures) -> float:
    """The longest gap, in seconds, as a light probe would have seen it.

    Between two probes 2 s apart every gap is at least 2 s: what an interval has over a light probe's is taken off.
    """
    return figures.longest_gap_s - max(0.0, figures.interval_s - LIGHT_S)


def worst_gap(result: FaultResult, kinds: Iterable[str] = ("read", "write"), within: float = math.inf) -> float | None:
    """Of all functions of these kinds, seconds; None when none was probed.

    `within`: the bound that it is held to. A probe every 2 s cannot tell whether an outage was shorter than 1 s.
    """
    chosen = (f for f in result.functions if f.kind in kinds and f.interval_s <= within / 2)
    return max((service_gap(f) for f in chosen), default=None)


def _gaps(result: FaultResult) -> Iterator[PassMark]:
    roles = {result.fault.target, *result.roles}
    limits = next(
        (v for (name, *role), v in LONGEST_GAP.items() if name == result.fault.name and roles >= {*role}), None
    )
    if limits is None:
        return
    read, write = limits
    idle = not result.pressure.saturated
    if read == write:
        yield PassMark("longest gap between successes", read, "s", worst_gap(result, within=read), trusted=idle)
    else:
        yield PassMark("longest gap of a read", read, "s", worst_gap(result, ["read"], read), trusted=idle)
        yield PassMark("longest gap of a write", write, "s", worst_gap(result, ["write"], write), trusted=idle)
    returning = result.pressure_returning
    if returning and not returning.saturated:
        light = (f.gap_returning_s - f.interval_s for f in result.functions if f.interval_s <= write / 2)
        yield PassMark("longest gap while all comes back", write, "s", max(light, default=None))


def _seldom(result: FaultResult) -> Iterator[PassMark]:
    """Of what is probed too seldom to have a say in the gaps above, such as servers. Nothing is taken off: the wait for
    the next try and the time that a good one takes are part of the gap."""
    seldom = [f for f in result.functions if f.interval_s > TELLING_S]
    if result.fault.name == "host.power_off" and seldom:
        told = not any(math.isnan(f.p50_ms[0]) for f in seldom)  # one that never worked says nothing of the fault
        longest = max(max(f.longest_gap_s, f.gap_returning_s) for f in seldom)
        idle = not (result.pressure.saturated or (result.pressure_returning or result.pressure).saturated)
        yield PassMark("longest gap of other functions", SELDOM_S, "s", longest if told else None, trusted=idle)


def _requests(result: FaultResult) -> Iterator[PassMark]:
    if (result.fault.name, result.fault.service) == ("service.kill", "keystone"):
        troubled = sum(f.fail + f.unknown for f in result.functions if f.idempotent)
        idle = not result.pressure.saturated
        yield PassMark("idempotent requests failed or unknown", 0, "requests", troubled, trusted=idle)


def _writes(result: FaultResult) -> Iterator[PassMark]:
    lost = sum(w.lost for w in result.writes.values()) if result.writes else None
    yield PassMark("acknowledged writes lost", 0, "writes", lost)


def _redundancy(result: FaultResult) -> Iterator[PassMark]:
    if result.fault.name.startswith("host."):
        again = math.inf if result.redundant_again_s is None else result.redundant_again_s
        idle = not (result.pressure_returning or result.pressure).saturated
        yield PassMark("redundant again after power-on", REDUNDANT_AGAIN_S, "s", again, trusted=idle)


def _ratio(result: FaultResult, baseline: FaultResult | None) -> Iterator[PassMark]:
    if result.fault.name != "host.power_off" or baseline is None or baseline.profile != BASELINE:
        return
    ours, theirs = (worst_gap(r, within=2 * TELLING_S) for r in (result, baseline))
    if ours and theirs is not None:
        idle = not (result.pressure.saturated or baseline.pressure.saturated)
        what = f"longest gap of {BASELINE} over ours"
        yield PassMark(what, BASELINE_RATIO, "×", theirs / ours, "at least", trusted=idle)
