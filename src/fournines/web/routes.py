"""The table of all routes: what each takes and gives, and who may use it. The application and the OpenAPI document are
made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel
from starlette.responses import Response

from fournines.web import documents, handlers, readings, watching
from fournines.web.kinds import KINDS, Kind
from fournines.web.models import (
    AuditList,
    BackupList,
    CloudPage,
    Document,
    FaultList,
    HostPage,
    Job,
    JobList,
    JobPage,
    Lock,
    Log,
    Nothing,
    OperationList,
    RunList,
    SignedIn,
    SignIn,
    Status,
)
from fournines.web.models_watch import (
    ActionList,
    AlertsPage,
    ForeseenList,
    HandlersPage,
    IncidentList,
    IncidentPage,
    LogsPage,
    Resumed,
    TracePage,
    WatchedPage,
)
from fournines.web.roles import Role

if TYPE_CHECKING:
    from fournines.web.call import Call

Handler = Callable[["Call"], Awaitable[BaseModel | Response]]


@dataclass(frozen=True)
class Route:
    """role: the least that may; "public" for who is not signed in. media: of what is not JSON."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    role: Role | Literal["public"]
    summary: str
    handler: Handler
    response: type[BaseModel]
    request: type[BaseModel] | None = None
    status: int = 200
    media: str = "application/json"
    query: tuple[str, ...] = ()


def _of(kind: Kind) -> Route:
    async def begin(call: Call) -> BaseModel:
        return handlers.begin(call, kind)

    begin.__name__ = kind.name
    return Route("POST", f"/v1/{kind.name}", kind.role, kind.what, begin, Job, kind.arguments, 202)


WATCH: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/availability",
        "reader",
        "What `watch` has measured: availability, minutes used of the year's budget, burn rates.",
        watching.availability,
        WatchedPage,
    ),
    Route(
        "GET", "/v1/incidents", "reader", "Outages that `watch` saw, newest first.", watching.incidents, IncidentList
    ),
    Route(
        "GET",
        "/v1/incidents/{id}",
        "operator",
        "An outage: what clients noticed, what the agents said, the journals around it.",
        watching.incident,
        IncidentPage,
    ),
    Route(
        "GET", "/v1/handlers", "reader", "Event handlers, and where they are stopped.", watching.handlers, HandlersPage
    ),
    Route("GET", "/v1/handlers/actions", "reader", "What handlers did, newest first.", watching.actions, ActionList),
    Route(
        "GET",
        "/v1/handlers/foreseen",
        "operator",
        "A dry run: what handlers would do about this moment, and what keeps them from it.",
        watching.foreseen,
        ForeseenList,
    ),
    Route(
        "POST",
        "/v1/handlers/{name}/resume",
        "admin",
        "Let a handler act again where it was stopped.",
        watching.resume,
        Resumed,
        Nothing,
        202,
    ),
)
READINGS: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/alerts",
        "reader",
        "The alert rules of this cloud, and which of them fire now.",
        readings.alerts,
        AlertsPage,
    ),
    Route(
        "GET",
        "/v1/logs",
        "operator",
        "What all hosts' journals say of a stretch of time, in one order.",
        readings.logs,
        LogsPage,
        query=("since", "until", "unit", "hosts", "grep", "priority", "lines"),
    ),
    Route(
        "GET",
        "/v1/traces/{id}",
        "operator",
        "One request of a user, through every service that had a part in it.",
        readings.trace,
        TracePage,
        query=("since", "until", "hosts"),
    ),
    Route("GET", "/v1/backups", "operator", "Backups of this cloud, newest first.", readings.backups, BackupList),
    Route(
        "GET",
        "/v1/design/what-if",
        "reader",
        "Which functions work while the components `failed` do not, and what stops the others.",
        readings.what_if,
        Document,
        query=("failed",),
    ),
    Route(
        "GET",
        "/v1/design/capacity",
        "reader",
        "The limits at a number of hypervisors, with controllers of a size.",
        readings.capacity,
        Document,
        query=("hosts", "cores", "memory"),
    ),
    Route(
        "GET",
        "/v1/design/why/{name}",
        "reader",
        "The exact condition under which a function works, as a tree.",
        readings.why,
        Document,
    ),
)
DOCUMENTS: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/documents/architecture",
        "reader",
        "The architecture document: `design document`, with its drawings.",
        documents.architecture,
        Document,
        media="text/html",
    ),
    Route(
        "GET",
        "/v1/documents/architecture.md",
        "reader",
        "The same as Markdown.",
        documents.architecture_markdown,
        Document,
        media="text/markdown",
    ),
    Route(
        "GET",
        "/v1/documents/inventory",
        "operator",
        "The hosts as an Ansible inventory.",
        documents.inventory,
        Document,
        media="application/yaml",
    ),
    Route("GET", "/v1/documents/grafana", "reader", "A dashboard for Grafana, to import.", documents.grafana, Document),
    Route("GET", "/v1/documents/schema", "reader", "The JSON Schema of a cloud file.", documents.schema, Document),
)
ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/session", "public", "Sign in.", handlers.sign_in, SignedIn, SignIn),
    Route("GET", "/v1/session", "reader", "Who is signed in.", handlers.who, SignedIn),
    Route("DELETE", "/v1/session", "reader", "Sign out.", handlers.sign_out, Document),
    Route("GET", "/v1/openapi.json", "reader", "This document.", handlers.openapi, Document),
    Route("GET", "/v1/cloud", "reader", "The cloud that is served.", handlers.cloud, CloudPage),
    Route("GET", "/v1/status", "reader", "What is true now, as the agents say.", handlers.status, Status),
    Route(
        "GET",
        "/v1/events",
        "reader",
        "Server-sent events: `status` and `jobs` when they change, and each second.",
        handlers.events,
        Document,
        media="text/event-stream",
    ),
    Route("GET", "/v1/hosts/{name}", "reader", "All that is known of a host.", handlers.host, HostPage),
    Route(
        "GET",
        "/v1/hosts/{name}/log",
        "operator",
        "The last lines of a unit's journal.",
        handlers.host_log,
        Log,
        query=("unit",),
    ),
    Route("GET", "/v1/check", "reader", "What is wrong with the cloud file and its design.", handlers.check, Document),
    Route("GET", "/v1/design", "reader", "Availability, what stops it, what removes that.", handlers.design, Document),
    Route("GET", "/v1/locks", "reader", "Who holds the cloud.", handlers.locks, Lock),
    Route(
        "GET", "/v1/operations", "reader", "The kinds of jobs, with what they take.", handlers.operations, OperationList
    ),
    *(_of(kind) for kind in KINDS.values()),
    Route("GET", "/v1/jobs", "reader", "All jobs, newest first.", handlers.jobs, JobList),
    Route("GET", "/v1/jobs/{id}", "reader", "A job, its progress and result.", handlers.job, JobPage, query=("since",)),
    Route("POST", "/v1/jobs/{id}/cancel", "operator", "Cancel a job that runs.", handlers.cancel, Job, status=202),
    Route("GET", "/v1/faults", "reader", "Every fault that can be injected.", handlers.faults, FaultList),
    Route("GET", "/v1/runs", "reader", "Stored campaigns, newest first.", handlers.runs, RunList),
    Route(
        "GET",
        "/v1/runs/{id}/report",
        "reader",
        "A campaign's report.",
        handlers.run_report,
        Document,
        media="text/html",
    ),
    Route(
        "GET",
        "/v1/runs/{id}/table",
        "reader",
        "A campaign's figures as a Markdown table.",
        handlers.run_table,
        Document,
        media="text/markdown",
    ),
    Route(
        "GET",
        "/v1/runs/{id}/junit",
        "reader",
        "A campaign as JUnit's XML.",
        handlers.run_junit,
        Document,
        media="application/xml",
    ),
    *WATCH,
    *READINGS,
    *DOCUMENTS,
    Route("GET", "/v1/audit", "admin", "Who did what, newest first.", handlers.audit, AuditList),
)
