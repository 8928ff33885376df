"""What the API gives of what `watch` has measured and its handlers have done, of alerts and of journals."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from fournines.web.models import Seconds


class WatchedFunction(BaseModel):
    """What `watch` has measured in the last 365 days. Seconds of which nothing is known count for nothing; None: none
    is known. burn_rate: window -> how many times faster than allowed the year's budget is used."""

    function: str
    target_percent: float
    availability_percent: float | None
    minutes_used: float
    minutes_a_year: float
    good_s: int
    bad_s: int
    unknown_s: int
    burn_rate: dict[str, float | None]


class IncidentRow(BaseModel):
    """An outage that `watch` saw. ended None: it goes on. bad_s: function -> seconds in which it was not answered well.
    sentence: what the agents said when it began."""

    id: str
    region: str
    began: Seconds
    ended: float | None
    interrupted: bool
    functions: list[str]
    bad_s: dict[str, int]
    sentence: str


class WatchedRegion(BaseModel):
    """watched: a watch runs now; else what is now is unknown, and `as_of` is its last word. out: functions that are not
    answered well now. actions: what handlers did, newest first; stopped: where they do nothing more."""

    watched: bool
    as_of: float | None
    out: list[str]
    incident: str
    functions: list[WatchedFunction]
    incidents: list[IncidentRow]
    actions: list[dict[str, Any]]
    stopped: list[dict[str, str]]


class WatchedPage(BaseModel):
    """Regions that were ever watched."""

    regions: dict[str, WatchedRegion]


class IncidentList(BaseModel):
    incidents: list[IncidentRow]


class IncidentPage(BaseModel):
    """lines: all that is known of it, in the order in which it became known."""

    incident: IncidentRow
    lines: list[dict[str, Any]]


class HandlerRow(BaseModel):
    """A handler as the cloud file has it, or every cloud (`shipped`). Times in seconds. means: what its event is."""

    name: str
    when: str
    means: str
    do: list[str]
    of: list[str]
    hosts: list[str]
    lasts: float
    times: int
    within: float
    limit: int
    per: float
    settle: float
    receivers: list[str]
    plan: str
    dry_run: bool
    enabled: bool
    shipped: bool


class Stop(BaseModel):
    """Where a handler does nothing more, until it is resumed."""

    region: str
    handler: str
    condition: str
    why: str


class HandlersPage(BaseModel):
    """watched: region -> whether a watch, which carries handlers out, runs there now."""

    handlers: list[HandlerRow]
    watched: dict[str, bool]
    stopped: list[Stop]


class ActionList(BaseModel):
    """What was done, would have been done, or was refused: `actions.jsonl` of the watch, newest first."""

    actions: list[dict[str, Any]]


class ForeseenRow(BaseModel):
    """holds: why a handler does nothing about it, or nothing more; "": the watch that runs takes its steps."""

    region: str
    handler: str
    condition: str
    text: str
    do: list[str]
    holds: str


class ForeseenList(BaseModel):
    """A dry run: the conditions of this moment that handlers are for."""

    foreseen: list[ForeseenRow]


class Resumed(BaseModel):
    handler: str
    regions: list[str]


class AlertsPage(BaseModel):
    """rules: all that are made of this cloud's design. firing: now. asked: region -> the host whose Alertmanager said
    so; failures: region -> why nothing is known."""

    rules: list[dict[str, Any]]
    firing: list[dict[str, str]]
    asked: dict[str, str]
    failures: dict[str, str]


class LogsPage(BaseModel):
    """hosts: of each, how many lines, since when its journal reaches back, whether lines were cut. left_out: lines that
    are too many for one answer: the older ones. remarks: what keeps the answer from being whole."""

    since: Seconds
    until: Seconds
    hosts: dict[str, dict[str, Any]]
    failures: dict[str, str]
    entries: list[dict[str, Any]]
    remarks: list[str]
    left_out: int


class TracePage(LogsPage):
    """requests: the ids that were followed."""

    request: str
    requests: list[str]
