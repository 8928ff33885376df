"""What a campaign is made of, as plain data: faults, operations, figures, verdicts.

Times are seconds on the prober's monotonic clock since the campaign began, unless the name says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

#: Opened for each request, or left open for the next one, as a pool does.
Connection = Literal["fresh", "kept"]
Outcome = Literal["ok", "fail", "unknown"]
Verdict = Literal["pass", "fail", "unknown"]


#: Names of a fault that consists of others: all at once; each while what the one before struck comes back.
TOGETHER, THEN = "and", "then"


@dataclass(frozen=True, slots=True)
class Fault:
    """`name` such as `host.power_off`, `service.freeze`; `service` for service faults; `target` as the user wrote it:
    one, vip, writer, leader, dc, active, passive, minority, half, majority, all, or a host's or zone's name. `duration`
    until the heal; `lasting`: as the user wrote it, "" if not.

    Of several, `name` is TOGETHER or THEN, `target` their text, and `parts` the faults themselves.
    """

    name: str
    service: str
    target: str
    duration: float
    lasting: str = ""
    parts: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        # JSON has neither tuples nor faults: `Fault(**read)` is the one that `asdict` was made of.
        parts = tuple(Fault(**p) if isinstance(p, dict) else p for p in self.parts)  # pyright: ignore
        object.__setattr__(self, "parts", parts)

    def __str__(self) -> str:
        if self.parts:
            return self.target
        subject = "+".join(x for x in (self.service, self.target) if x)
        return f"{self.name}@{subject}" + (f"/{self.lasting}" if self.lasting else "")

    @property
    def singles(self) -> tuple[Fault, ...]:
        return self.parts or (self,)


@dataclass(frozen=True, slots=True)
class Operation:
    """One probe. Latency counts from `intended`, not from `started`: a closed loop would hide outages.

    `value` identifies what was written or read (a project's name, a row, a message), for the checkers. `steps`: what a
    transaction did to lists, as `anomalies.steps_of` reads it; how a message came, as `deliveries.delivery_of` does.
    """

    function: str
    connection: Connection
    intended: float
    started: float
    ended: float
    outcome: Outcome
    value: str = ""
    error: str = ""
    steps: str = ""


#: From one moment to a later one.
Span = tuple[float, float]
#: Share of idle time below which a machine measures only itself.
SATURATED_IDLE = 0.05


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """Of one function's requests during one fault, over one kind of connection or over all: those that were in flight
    when it struck or due later. Seconds; nan where there was no request to tell it from.

    `worst`: the request that waited longest, from its intended time until it was answered. One that was not answered
    waits on until a later one is, at least until it timed out. `degraded`: the seconds in which fewer than 99 % of
    the requests that were due were answered well within the time that their probe allows. `longest_gap_s`: between the
    ends of two consecutive successes; `gap_returning_s`: the same, of those that began after the heal.
    """

    ok: int
    fail: int
    unknown: int
    answered_within_1s: float  # share of all of them, 0..1
    degraded_s: float
    worst_wait_s: float
    longest_gap_s: float
    gap_returning_s: float
    period_s: float = 0.0  # the longest time from one request that is due to the next
    degraded: tuple[Span, ...] = ()
    worst: Span | None = None
    gap: Span | None = None
    gap_returning: Span | None = None

    @property
    def sampled(self) -> bool:
        return bool(self.ok or self.fail or self.unknown)


@dataclass(frozen=True, slots=True)
class FunctionFigures:
    """Of one function during one fault. `whole`: over all its connections; `by_connection`: fresh, kept.

    `within_s`: how soon a request counts as answered well. `answered_before`: the share so answered before the fault.
    `unavailable_s`: time not covered by a success within one probe interval plus the function's own p99 before the
    fault. `downtime_s`, `mttr_s`: the published reports' figures (first to last error; 21-sample sliding mean over
    baseline mean + 4 sigma), for comparison only.
    """

    function: str
    interval_s: float
    whole: RequestFigures
    by_connection: dict[str, RequestFigures]
    unavailable_s: float
    p50_ms: tuple[float, float, float]  # before, during, after; what was not answered waited as `worst` says
    p99_ms: tuple[float, float, float]
    downtime_s: float
    mttr_s: float
    kind: Literal["read", "write"] = "read"  # a target may allow writes longer than reads
    idempotent: bool = True  # a request that may be sent twice: a load balancer can retry it
    on_writer: bool = True  # whether the database's writer carries it
    on_bus: bool = False  # whether the message bus does
    on_api: bool = True  # whether an API does
    within_s: float = 1.0
    answered_before: float = float("nan")

    def connections(self) -> Iterator[tuple[str, RequestFigures]]:
        """("", over all), then each kind of which there is more than one."""
        yield "", self.whole
        if len(self.by_connection) > 1:
            yield from self.by_connection.items()


@dataclass(frozen=True, slots=True)
class Series:
    """What a timeline is drawn from: one function during one fault, in buckets of `width` seconds.

    Bucket i holds the operations whose *intended* time is in [start + i·width, start + (i + 1)·width): their counts by
    outcome and the greatest latency in ms (0.0 where nothing ended). `outages` are the spans [from, to] that
    `FunctionFigures.unavailable_s` adds up, exact rather than by bucket; `gap` is the longest gap's span.
    """

    function: str
    start: float
    width: float
    ok: tuple[int, ...]
    fail: tuple[int, ...]
    unknown: tuple[int, ...]
    max_ms: tuple[float, ...]
    outages: tuple[tuple[float, float], ...] = ()
    gap: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Writes:
    """Counts over all acknowledged writes of one kind, seen through every backend afterwards."""

    acknowledged: int
    lost: int
    ghost: int
    duplicate: int
    stuck: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One audit line. `ok` None: could not be told."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Pressure:
    """The prober's machine during the fault: cpu idle share 0..1, PSI `some` average share 0..1."""

    cpu_idle: float
    cpu_some: float
    io_some: float
    memory_some: float

    @property
    def saturated(self) -> bool:
        return self.cpu_idle < SATURATED_IDLE


@dataclass(frozen=True, slots=True)
class Sighting:
    """From `at` on, until the next one of the same `vip`: the hosts that answered ARP for it, seen from the client.

    `serving`: of several holders, those that also accepted a connection. An unknown MAC stands for itself.
    """

    at: float
    vip: str  # "internal" | "public"
    holders: tuple[str, ...]
    serving: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What is struck: a cloud under a timing profile, its own or a peer's."""

    cloud: str
    profile: str


@dataclass(frozen=True, slots=True)
class FaultResult:
    fault: Fault
    subject: Subject
    hosts: tuple[str, ...]  # those the target resolved to
    injected: float
    healed: float
    redundant_again_s: float | None  # since the heal; None: not within the deadline
    functions: tuple[FunctionFigures, ...]
    writes: dict[str, Writes]  # "projects", "rows", "messages"
    audit: tuple[Finding, ...]
    pressure: Pressure
    verdict: Verdict
    reasons: tuple[str, ...] = ()  # why the verdict is not "pass"
    not_measured: str = ""  # why the fault could not be injected here
    series: tuple[Series, ...] = ()  # one a function, from some seconds before the injection to the audit
    began: float = 0.0  # load began: the baseline is [began, injected]
    redundant: float | None = None  # the moment that ends the fault: "during" is [injected, redundant]
    ended: float = 0.0  # load ended
    roles: tuple[str, ...] = ()  # what the hosts were when it struck: "vip", "writer"
    database_member: bool = False  # a struck host has a node of the database's group
    moved: tuple[str, ...] = ()  # tiers of which the cloud has one, which starts elsewhere once a lost host is fenced
    vips: tuple[Sighting, ...] = ()
    idle: tuple[tuple[float, float], ...] = ()  # (time, the prober's machine's idle share 0..1 since the one before)
    pressure_returning: Pressure | None = None  # after the heal: a host that boots may take all the machine has
    busy: bool = False  # every core was kept busy on purpose: figures are recorded, not judged
    run: int = 1  # of so many as the campaign repeats it
    candidates: int = 0  # hosts that the fault could have struck; 0: not recorded
    expected: tuple[str, ...] = ()  # functions that were to be probed


@dataclass(frozen=True, slots=True)
class FailureRate:
    """Mean time between failures of one component, seconds. `assumed`: not stated by the operator."""

    mttf_s: float
    source: str
    assumed: bool = True


@dataclass(frozen=True, slots=True)
class Campaign:
    """Of the same faults on one subject, in whose rows a reference's figures stand, too; or on two, which have rows of
    their own and are set side by side."""

    subjects: tuple[Subject, ...]  # held to the pass marks; the run is kept beside the first one's cloud file
    started_at: str  # ISO 8601, UTC
    command: str  # repeats this run
    versions: dict[str, str]
    results: tuple[FaultResult, ...]
    verdict: Verdict
    machine: dict[str, str] = field(default_factory=dict[str, str])
    reference: Subject | None = None  # the first one's cloud under a peer's timing: compared with, and not judged
    suite: str = ""  # the suite's name, or "soak"; "" of faults that were named
    seed: int | None = None  # of a soak: repeats its sequence
    failures: dict[str, FailureRate] = field(default_factory=dict[str, FailureRate])  # as `design` counts with them

    @property
    def own(self) -> Subject:
        return self.subjects[0]

    @property
    def clouds(self) -> str:
        """`acme`, or `acme beside duo`."""
        return " beside ".join(s.cloud for s in self.subjects)

    @property
    def pair(self) -> tuple[Subject, Subject] | None:
        """The two that are set side by side, the first of which is the measure; None of one that stands alone."""
        return (self.subjects[0], self.subjects[1]) if len(self.subjects) > 1 else None

    def of(self, subject: Subject) -> tuple[FaultResult, ...]:
        return tuple(r for r in self.results if r.subject == subject)

    def on(self, subject: Subject) -> str:
        """Where a fault struck, to be said after its name: ` on duo`, ` under kolla-22.2 timers`; "" where it can have
        been nowhere else."""
        if subject == self.reference:
            return f" under {self.called(subject)}"
        return f" on {self.called(subject)}" if len(self.subjects) > 1 else ""

    def called(self, subject: Subject) -> str:
        """By what tells it from the one that it is set beside."""
        return subject.cloud if len(self.subjects) > 1 else f"{subject.profile} timers"
