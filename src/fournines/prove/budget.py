"""What faults cost in a year, against what 99.99 % allows: the measured cost of one × how often its component fails.

Rates are those of `design`: assumptions, until the operator states his own. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fournines.design.reliability import DEFAULTS, MINUTES_A_YEAR, YEAR
from fournines.prove.model import Campaign, FailureRate, Fault, FaultResult, Subject
from fournines.prove.pass_marks import worst_degraded
from fournines.prove.repeats import Repeated, repeated

#: Of four nines.
ALLOWED_MIN = MINUTES_A_YEAR * 1e-4
#: Fault -> what fails of itself in that way. Others are an operator's doing, or of causes whose rate nobody states.
COMPONENT = {
    **dict.fromkeys(("service.kill", "service.freeze", "service.crash_loop"), "process"),
    **dict.fromkeys(("host.power_off", "host.reset", "host.freeze"), "host"),
    **dict.fromkeys(("network.isolate", "network.flap", "network.deaf", "network.mute", "network.loss"), "switch"),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """`each_s`: degraded time of one occurrence, the median of all runs. `a_year`: how many to expect. None, and `why`,
    where it cannot be told. `figure`: the rate's name."""

    fault: Fault
    each_s: float | None
    a_year: float | None
    figure: str = ""
    why: str = ""

    @property
    def minutes(self) -> float | None:
        return None if self.each_s is None or self.a_year is None else self.each_s * self.a_year / 60


@dataclass(frozen=True, slots=True)
class Budget:
    """`minutes`: the sum; of several faults that are one component's, the dearest counts. `rates`: those used."""

    subject: Subject
    costs: tuple[Cost, ...]
    minutes: float
    rates: dict[str, FailureRate]

    @property
    def share(self) -> float:
        return self.minutes / ALLOWED_MIN


def budget(campaign: Campaign, subject: Subject) -> Budget:
    """Of the faults on `subject`; of several all by the same rates, those of the first one's cloud file."""
    rates = campaign.failures or {f.name: FailureRate(f.mttf, f.source, f.assumed) for f in DEFAULTS.values()}
    groups = [g for g in repeated(campaign) if g.subject == subject and not g.busy]
    costs = tuple(_cost(g, rates) for g in groups)
    dearest: dict[tuple[str, ...], float] = {}
    for group, cost in zip(groups, costs, strict=True):
        if cost.minutes is not None:
            key = _component(group.runs[0])
            dearest[key] = max(dearest.get(key, 0.0), cost.minutes)
    used = {c.figure: rates[c.figure] for c in costs if c.minutes is not None}
    return Budget(subject, costs, sum(dearest.values()), used)


def _cost(group: Repeated, rates: Mapping[str, FailureRate]) -> Cost:
    fault = group.fault
    seen = group.spread(worst_degraded)
    if seen is None:
        return Cost(fault, None, None, why="not measured")
    if fault.parts:
        return Cost(fault, seen.median, None, why="two at once: no rate is stated")
    kind = COMPONENT.get(fault.name)
    result = group.runs[0]
    if kind and len(result.hosts) > 1:
        kind = "zone" if kind == "host" and _is_zone(result) else None
    if kind is None:
        why = "several at once: no rate is stated" if len(result.hosts) > 1 else "no rate is stated"
        return Cost(fault, seen.median, None, why=why)
    figure = fault.service if kind == "process" and fault.service in rates else kind
    return Cost(fault, seen.median, _alike(result, kind) * YEAR / rates[figure].mttf_s, figure)


def _is_zone(result: FaultResult) -> bool:
    return result.fault.target not in ("minority", "half", "majority", "all", "one", *result.hosts)


def _alike(result: FaultResult, kind: str) -> int:
    """How many components it stands for: what has a role is one of its kind, all others are alike."""
    if kind == "zone" or result.roles or result.fault.target in result.hosts:
        return 1
    return max(1, result.candidates - 1)


def _component(result: FaultResult) -> tuple[str, ...]:
    where = result.roles or (("one",) if len(result.hosts) == 1 else result.hosts)
    return (COMPONENT[result.fault.name], result.fault.service, *where)
