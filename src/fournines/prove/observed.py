"""What stored proofs tell `design`: how long clients waited when a host, or one service's process, was lost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from fournines.design.switches import Observed
from fournines.prove import store
from fournines.prove.model import Campaign, FaultResult, Subject
from fournines.prove.pass_marks import service_degraded

#: Faults that are what a design counts as failures: a host that is gone, a process that died.
_HOST, _PROCESS = "host.power_off", "service.kill"


def observed(campaigns: Iterable[Campaign], profile: str) -> tuple[Observed, ...]:
    """The longest degraded time of each function and kind of loss, of the cloud whose campaigns they are, under timing
    `profile`. A host's loss counts where the host had something to hand over: the VIP, the writer. A run that did not
    measure it counts for nothing."""
    longest: dict[tuple[str, str], float] = {}
    measured = (r for c in campaigns for r in c.of(Subject(c.own.cloud, profile)) if not r.not_measured)
    for result in measured:
        for function, service, seconds in _losses(result):
            longest[function, service] = max(seconds, longest.get((function, service), 0.0))
    return tuple(Observed(function, service, seconds) for (function, service), seconds in sorted(longest.items()))


def _losses(result: FaultResult) -> Iterator[tuple[str, str, float]]:
    lost_host = result.fault.name == _HOST and bool(result.roles)
    lost_process = result.fault.name == _PROCESS and len(result.hosts) == 1
    for figures in result.functions if lost_host or lost_process else ():
        seconds = max((service_degraded(seen) for _, seen in figures.connections() if seen.sampled), default=math.nan)
        if not math.isnan(seconds):
            yield figures.function, result.fault.service, seconds


def stored(state: Path, profile: str) -> tuple[Observed, ...]:
    """Of all runs that are kept beside the cloud file. Raises ProveError when one cannot be read."""
    return observed((store.load(path) for path in sorted(state.glob(f"runs/*/{store.FILE}"))), profile)
