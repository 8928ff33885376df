"""Routes that ask hosts, or the design, at an operator's word: each answer is made in a process of its own."""

from __future__ import annotations

import asyncio
import math

from pydantic import BaseModel

from fournines.commands.backup import listed
from fournines.commands.logs import PRIORITIES
from fournines.errors import UsageError
from fournines.web.call import Call
from fournines.web.models import BackupList, Document
from fournines.web.models_watch import AlertsPage, LogsPage, TracePage

#: Lines of a host, unless more are asked for, and the most that may be.
LINES, MOST_LINES = 500, 5000
#: Of a query's value.
LONGEST = 20_000


async def logs(call: Call) -> LogsPage:
    priority = _query(call, "priority")
    if priority and priority not in PRIORITIES:
        raise UsageError(f"there is no priority {priority}", next=", ".join(PRIORITIES))
    asked = {
        "since": _query(call, "since") or "10m",
        "until": _query(call, "until") or "now",
        "units": _names(call, "unit"),
        "hosts": _names(call, "hosts"),
        "grep": _query(call, "grep"),
        "priority": priority,
        "lines": _number(call, "lines", LINES, MOST_LINES),
    }
    return LogsPage.model_validate(await call.server.computed.ask("logs", asked))


async def trace(call: Call) -> TracePage:
    asked = {
        "request": call.path("id"),
        "since": _query(call, "since") or "24h",
        "until": _query(call, "until") or "now",
        "hosts": _names(call, "hosts"),
    }
    return TracePage.model_validate(await call.server.computed.ask("trace", asked))


async def alerts(call: Call) -> AlertsPage:
    return AlertsPage.model_validate(await call.server.computed.ask("alerts", {}))


async def what_if(call: Call) -> BaseModel:
    return Document.model_validate(await call.server.computed.ask("what-if", {"failed": _names(call, "failed")}))


async def why(call: Call) -> BaseModel:
    return Document.model_validate(await call.server.computed.ask("why", {"function": call.path("name")}))


async def capacity(call: Call) -> BaseModel:
    asked = {
        "hosts": _number(call, "hosts", 0, 100_000) or None,
        "cores": _number(call, "cores", 32, 4096),
        "memory": float(_number(call, "memory", 128, 65_536)),
    }
    return Document.model_validate(await call.server.computed.ask("capacity", asked))


async def backups(call: Call) -> BackupList:
    """Newest first."""
    served, directory = call.server.feed.cloud, call.server.jobs.backups
    found = await asyncio.to_thread(listed, directory, served.name)
    rows = [{**b, "name": str(b["path"]).rpartition("/")[2]} for b in reversed(found)]
    return BackupList.model_validate({"directory": str(directory), "backups": rows})


def _query(call: Call, name: str) -> str:
    value = call.request.query_params.get(name, "").strip()
    if len(value) > LONGEST:
        raise UsageError(f"{name} is too long", next=f"at most {LONGEST} characters")
    return value


def _names(call: Call, name: str) -> list[str]:
    return [word for word in _query(call, name).split(",") if word]


def _number(call: Call, name: str, otherwise: int, most: int) -> int:
    text = _query(call, name)
    if not text:
        return otherwise
    if not text.isdecimal() or len(text) > 1 + math.ceil(math.log10(most)) or not 1 <= int(text) <= most:
        raise UsageError(f"{name}={text[:20]} is no number from 1 to {most}", next=f"{name}={otherwise or most}")
    return int(text)
