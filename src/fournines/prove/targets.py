"""What a fault may cost at most: the project's own bar. A baseline's results are not held to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from fournines.prove.model import Fault, FaultResult


@dataclass(frozen=True, slots=True)
class Target:
    """`measured` None: there was nothing to measure. Units: s, × (ratio), or a count's noun."""

    what: str
    limit: float
    unit: str
    measured: float | None
    bound: Literal["at most", "at least"] = "at most"

    @property
    def reached(self) -> bool | None:
        if self.measured is None or math.isnan(self.measured):
            return None
        return self.measured <= self.limit if self.bound == "at most" else self.measured >= self.limit


#: (fault, target) or fault alone -> the longest gap between successes of a read, of a write, in seconds.
LONGEST_GAP: dict[tuple[str, ...], tuple[float, float]] = {
    ("host.power_off", "vip"): (1.0, 1.0),
    ("host.power_off", "writer"): (2.0, 4.0),
    ("network.isolate",): (3.0, 3.0),
    ("service.freeze",): (3.0, 3.0),
}
REDUNDANT_AGAIN_S = 60.0
BASELINE = "kolla-22.2"
BASELINE_RATIO = 5.0


def targets(result: FaultResult, baseline: FaultResult | None = None) -> tuple[Target, ...]:
    """Those that hold for this fault, with what was measured. `baseline`: the same fault under a peer's timing."""
    if result.not_measured:
        return ()
    return (*_gaps(result), *_requests(result), *_writes(result), *_redundancy(result), *_ratio(result, baseline))


def worst_gap(result: FaultResult, kinds: Iterable[str] = ("read", "write")) -> float | None:
    """Seconds; None when no function of these kinds was probed."""
    return max((f.longest_gap_s for f in result.functions if f.kind in kinds), default=None)


def _gap_limits(fault: Fault) -> tuple[float, float] | None:
    return LONGEST_GAP.get((fault.name, fault.target), LONGEST_GAP.get((fault.name,)))


def _gaps(result: FaultResult) -> Iterator[Target]:
    limits = _gap_limits(result.fault)
    if limits is None:
        return
    read, write = limits
    if read == write:
        yield Target("longest gap between successes", read, "s", worst_gap(result))
    else:
        yield Target("longest gap of a read", read, "s", worst_gap(result, ["read"]))
        yield Target("longest gap of a write", write, "s", worst_gap(result, ["write"]))


def _requests(result: FaultResult) -> Iterator[Target]:
    if (result.fault.name, result.fault.service) == ("service.kill", "keystone"):
        troubled = sum(f.fail + f.unknown for f in result.functions if f.kind == "read")
        yield Target("reads failed or unknown", 0, "requests", troubled)


def _writes(result: FaultResult) -> Iterator[Target]:
    lost = sum(w.lost for w in result.writes.values()) if result.writes else None
    yield Target("acknowledged writes lost", 0, "writes", lost)


def _redundancy(result: FaultResult) -> Iterator[Target]:
    if result.fault.name.startswith("host."):
        again = math.inf if result.redundant_again_s is None else result.redundant_again_s
        yield Target("redundant again after power-on", REDUNDANT_AGAIN_S, "s", again)


def _ratio(result: FaultResult, baseline: FaultResult | None) -> Iterator[Target]:
    if result.fault.name != "host.power_off" or baseline is None or baseline.profile != BASELINE:
        return
    ours, theirs = worst_gap(result), worst_gap(baseline)
    if ours and theirs is not None:
        yield Target(f"longest gap of {BASELINE} over ours", BASELINE_RATIO, "×", theirs / ours, "at least")
