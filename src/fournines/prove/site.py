"""What a campaign needs of the world, as one value: the cloud, who can strike it, and who tells how it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from fournines.cloud.model import Cloud, Region
from fournines.prove.faults.powers import Powers
from fournines.prove.faults.target import Standing
from fournines.prove.grounds import Grounds
from fournines.prove.load.control import Progress
from fournines.prove.model import Fault, FaultResult, Finding, Subject
from fournines.prove.probes import PROBES
from fournines.prove.project import Project
from fournines.prove.reach import Reach


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the cloud. No `problems`: every service runs on all its hosts, every quorum has all members."""

    standing: Standing
    problems: tuple[str, ...] = ()


class Health(Protocol):
    async def look(self) -> Look: ...

    async def confirm(self) -> tuple[str, ...]:
        """What the daemons themselves say against a look that had no problems."""
        ...

    async def audit(self) -> tuple[Finding, ...]:
        """After a fault: one VIP, quorum, same UUID and seqno, queues with all members, configuration as planned."""
        ...


class Reporter(Protocol):
    """Live progress: which fault of how many, its phases, the load's counts twice a second, what came of it."""

    def begin(self, number: int, total: int, fault: Fault, subject: Subject) -> None: ...
    def phase(self, text: str) -> None: ...
    def counts(self, progress: Progress) -> None: ...
    def result(self, result: FaultResult) -> None: ...


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds. `redundant_within`: the deadline for full redundancy after the heal; `timeout`: of one request."""

    before: float = 10.0
    after: float = 5.0
    redundant_within: float = 120.0
    timeout: float = 10.0


@dataclass(frozen=True)
class Site:
    """`now`: the campaign's clock, seconds since its `epoch` on CLOCK_MONOTONIC. `functions`: those that are probed;
    `project`: where those of other services than the core make what they make, None without one of them. `router`: the
    words that make a command run behind one, for those that a second client probes. `versions`: of what runs there."""

    cloud: Cloud
    region: Region
    powers: Powers
    health: Health
    grounds: Grounds
    reach: Reach
    lengths: Lengths
    reporter: Reporter
    epoch: float
    now: Callable[[], float]
    functions: tuple[str, ...]
    project: Project | None = None
    busy: bool = False
    router: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def subject(self) -> Subject:
        return Subject(self.cloud.name, self.cloud.timing.profile)

    @property
    def routed(self) -> tuple[str, ...]:
        """Functions that the second client probes."""
        return tuple(f for f in self.functions if PROBES[f].routed)
