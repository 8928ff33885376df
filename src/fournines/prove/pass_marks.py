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

    `figure`: a time, which says nothing about the cloud when the machine that took it had none left.
    """

    what: str
    limit: float
    unit: str
    measured: float | None
    bound: Literal["at most", "at least"] = "at most"
    figure: bool = True

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
#: Seconds between probes of a light function.
LIGHT_S = 0.1
REDUNDANT_AGAIN_S = 60.0
BASELINE = "kolla-22.2"
BASELINE_RATIO = 5.0


def pass_marks(result: FaultResult, baseline: FaultResult | None = None) -> tuple[PassMark, ...]:
    """Those that hold for this fault, with what was measured. `baseline`: the same fault under a peer's timing."""
    if result.not_measured:
        return ()
    if result.busy:  # the machine had no time left for the probes either: only what must never happen counts
        return tuple(_writes(result))
    return (*_gaps(result), *_requests(result), *_writes(result), *_redundancy(result), *_ratio(result, baseline))


def service_gap(figures: FunctionFigures) -> float:
    """The longest gap, in seconds, as a light probe would have seen it.

    Between two probes 2 s apart every gap is at least 2 s: what an interval has over a light probe's is taken off.
    """
    return figures.longest_gap_s - max(0.0, figures.interval_s - LIGHT_S)


def worst_gap(result: FaultResult, kinds: Iterable[str] = ("read", "write")) -> float | None:
    """Of all functions of these kinds, seconds; None when none was probed."""
    return max((service_gap(f) for f in result.functions if f.kind in kinds), default=None)


def _gaps(result: FaultResult) -> Iterator[PassMark]:
    roles = {result.fault.target, *result.roles}
    limits = next(
        (v for (name, *role), v in LONGEST_GAP.items() if name == result.fault.name and roles >= {*role}), None
    )
    if limits is None:
        return
    read, write = limits
    if read == write:
        yield PassMark("longest gap between successes", read, "s", worst_gap(result))
    else:
        yield PassMark("longest gap of a read", read, "s", worst_gap(result, ["read"]))
        yield PassMark("longest gap of a write", write, "s", worst_gap(result, ["write"]))


def _requests(result: FaultResult) -> Iterator[PassMark]:
    if (result.fault.name, result.fault.service) == ("service.kill", "keystone"):
        troubled = sum(f.fail + f.unknown for f in result.functions if f.idempotent)
        yield PassMark("idempotent requests failed or unknown", 0, "requests", troubled)


def _writes(result: FaultResult) -> Iterator[PassMark]:
    lost = sum(w.lost for w in result.writes.values()) if result.writes else None
    yield PassMark("acknowledged writes lost", 0, "writes", lost, figure=False)


def _redundancy(result: FaultResult) -> Iterator[PassMark]:
    if result.fault.name.startswith("host."):
        again = math.inf if result.redundant_again_s is None else result.redundant_again_s
        yield PassMark("redundant again after power-on", REDUNDANT_AGAIN_S, "s", again)


def _ratio(result: FaultResult, baseline: FaultResult | None) -> Iterator[PassMark]:
    if result.fault.name != "host.power_off" or baseline is None or baseline.profile != BASELINE:
        return
    ours, theirs = worst_gap(result), worst_gap(baseline)
    if ours and theirs is not None:
        yield PassMark(f"longest gap of {BASELINE} over ours", BASELINE_RATIO, "×", theirs / ours, "at least")
