"""How long a campaign takes, before it begins: from what such runs took on two cores. Seconds. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fournines.prove.faults.catalogue import CATALOGUE
from fournines.prove.faults.injection import steps
from fournines.prove.measure import PHASE_S, STABLE_S, THEN_S
from fournines.prove.model import Fault
from fournines.prove.probes import PROBES
from fournines.prove.site import Lengths

#: From the heal until everything is whole: a host that boots, what was cut off or frozen, one process.
BOOT_S, REJOIN_S, RESTART_S = 35.0, 12.0, 4.0
#: The same of a host that boots beside a whole OpenStack: some hundred Python processes start.
BOOT_WITH_SERVICES_S = 150.0
#: Of work in turns: until the first one is done, and from redundancy until the next one is.
FIRST_TURN_S, NEXT_TURN_S = 30.0, 35.0
#: Clients connect, the queue is drained, all is read back and audited; and with a project: what was made is removed.
CHECKS_S, REMOVAL_S = 6.0, 20.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one fault once. `baseline`: load before the strike; `redundancy`: from the heal until it is seen to be whole;
    `rest`: load afterwards, and all that is read and looked at."""

    fault: Fault
    baseline: float
    duration: float
    redundancy: float
    rest: float

    @property
    def total(self) -> float:
        return self.baseline + self.duration + self.redundancy + self.rest


def estimates(faults: Iterable[Fault], functions: Iterable[str], lengths: Lengths) -> tuple[Estimate, ...]:
    probed = [PROBES[name] for name in functions]
    turns, project = any(p.turns for p in probed), any(p.in_project for p in probed)
    baseline = lengths.before + PHASE_S / 2
    rest = lengths.after + CHECKS_S + (REMOVAL_S if project else 0.0) + (NEXT_TURN_S if turns else 0.0)
    return tuple(
        Estimate(
            fault=fault,
            baseline=max(baseline, FIRST_TURN_S) if turns else baseline,
            duration=fault.duration + THEN_S * (len(steps(fault)) - 1),
            redundancy=min(_redundant_again(fault, project), lengths.redundant_within) + STABLE_S,
            rest=rest,
        )
        for fault in faults
    )


def _redundant_again(fault: Fault, services: bool) -> float:
    return max(_of_one(single, services) for single in fault.singles)


def _of_one(fault: Fault, services: bool) -> float:
    if CATALOGUE[fault.name].boots:
        return BOOT_WITH_SERVICES_S if services else BOOT_S
    return REJOIN_S if CATALOGUE[fault.name].subject == "host" and fault.duration > 1 else RESTART_S


def spell(seconds: float) -> str:
    """`45 s`, `4 min`, `1 h 20 min`: as exactly as an estimate is."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
