"""What the API takes and gives, typed: the OpenAPI document is made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fournines.web.roles import Role

Seconds = Annotated[float, Field(description="Seconds since 1970, UTC, or a number of them")]


class Refusal(BaseModel):
    """An error: what happened, where, why, and what to do next."""

    what: str
    where: str = ""
    why: str = ""
    next: str = ""


class Error(BaseModel):
    error: Refusal


class SignIn(BaseModel):
    """Either a token, of Keystone's or break-glass, or a user with a password."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(max_length=4096)] = ""
    user: Annotated[str, Field(max_length=255)] = ""
    password: Annotated[str, Field(max_length=4096)] = ""
    domain: Annotated[str, Field(max_length=64)] = "Default"


class SignedIn(BaseModel):
    """csrf: for the header X-CSRF-Token of every request that changes anything; "" of a request with a token."""

    name: str
    role: Role
    how: str
    csrf: str
    cloud: str
    version: str


class Problem(BaseModel):
    """`where`: the hosts that say it, "" for the region. `hosts`: those that are not well by it."""

    hosts: list[str]
    what: str
    where: str
    next: str
    region: str


State = Literal["ok", "warning", "down", "unknown"]


class Tier(BaseModel):
    """One of the tiers that the control plane stands on. `text` is a few words."""

    name: str
    state: State
    text: str


class HostRow(BaseModel):
    """age: seconds since its agent wrote what is known of it; None: nothing is. marks: what it holds now."""

    name: str
    region: str
    zone: str
    roles: list[str]
    state: State
    marks: list[str]
    text: str
    age: float | None


class GaleraRow(BaseModel):
    """`state`: a few words. None: it does not run, or its host does not answer."""

    host: str
    role: str
    state: str
    primary: bool
    size: int | None
    seqno: int | None
    queue: int | None
    ok: bool


class BrokerRow(BaseModel):
    """`running` of `of` brokers, as this one sees them; None: its host does not answer."""

    host: str
    ok: bool
    running: int | None
    of: int
    alarms: list[str]
    leads: int


class BackendRow(BaseModel):
    """A service behind the load balancer that holds the VIP: servers up, and those that are not."""

    name: str
    up: int
    of: int
    down: list[str]


class RegionRow(BaseModel):
    name: str
    vips: dict[str, str]
    vip_holders: list[str]
    writers: list[str]
    not_served: list[str]
    voters: list[str]
    tiers: list[Tier]
    galera: list[GaleraRow]
    brokers: list[BrokerRow]
    queues: dict[str, int]
    backends: list[BackendRow]


class Status(BaseModel):
    """at: when this was told. age: seconds since any host last said anything. ready: every host has had the time to."""

    at: Seconds
    age: float
    ready: bool
    cloud: str
    healthy: bool
    sentence: str
    problems: list[Problem]
    warnings: list[Problem]
    regions: list[RegionRow]
    hosts: list[HostRow]
    lock: str | None
    file_error: Refusal | None = None


class HostPage(BaseModel):
    """Everything that is known of one host. said: as its agent has it; None while it does not answer."""

    name: str
    region: str
    zone: dict[str, str]
    address: str
    roles: list[str]
    services: list[str]
    said: dict[str, Any] | None
    unknown: Refusal | None


class Log(BaseModel):
    host: str
    unit: str
    lines: list[str]


class CloudPage(BaseModel):
    name: str
    file: str
    release: str
    profile: str
    regions: list[str]
    hosts: int
    lab: bool
    applied: bool


class Document(BaseModel):
    """A document as the command line's `--json` gives it."""

    model_config = ConfigDict(extra="allow")


class Nothing(BaseModel):
    """A body that says nothing more than its route."""

    model_config = ConfigDict(extra="forbid")


class Job(BaseModel):
    """interrupted: its process is gone and left no result; what it changed is continued by a plan and its apply."""

    id: str
    kind: str
    state: Literal["running", "done", "failed", "cancelled", "interrupted"]
    by: str
    began: Seconds
    ended: float | None = None
    arguments: dict[str, Any] = {}
    error: Refusal | None = None
    pid: int = 0


class JobPage(BaseModel):
    """events: progress after the first `since` bytes of it; `seen`: what to ask from next."""

    job: Job
    events: list[dict[str, Any]]
    seen: int
    result: dict[str, Any] | None


class JobList(BaseModel):
    jobs: list[Job]


class Lock(BaseModel):
    """Who holds the cloud; None: nobody, and a run may begin."""

    holder: str | None


class Operation(BaseModel):
    """arguments: their JSON Schema. confirm: what to ask before. group: among which operations it is offered; "": it
    has a page of its own. typed: the argument whose value is typed to confirm it, or "cloud". again: begun anew with
    the same arguments, it continues what was interrupted."""

    name: str
    title: str
    what: str
    role: Role
    confirm: str
    group: str
    typed: str
    again: bool
    arguments: dict[str, Any]


class OperationList(BaseModel):
    operations: list[Operation]


class FaultKind(BaseModel):
    name: str
    subject: str
    what: str
    until: str
    seen: str
    targets: list[str]


class FaultList(BaseModel):
    """each: every fault where it hurts most, as it is written."""

    faults: list[FaultKind]
    each: list[str]


class Run(BaseModel):
    """A stored campaign. longest_gap_s: the worst of all functions and faults; None: not measured."""

    name: str
    started_at: str
    verdict: str
    profile: str
    suite: str
    faults: list[dict[str, Any]]
    report: bool


class RunList(BaseModel):
    runs: list[Run]


class BackupRow(BaseModel):
    """problem: why it cannot be used. verified: it was restored beside the database, and asked. taken: RFC 3339."""

    name: str
    problem: str
    cloud: str = ""
    taken: str = ""
    verified: bool = False
    bytes: int = 0
    rows: int = 0


class BackupList(BaseModel):
    """directory: on the server."""

    directory: str
    backups: list[BackupRow]


class AuditList(BaseModel):
    entries: list[dict[str, Any]]
