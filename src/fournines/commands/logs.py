"""The journals of all hosts, and one request's way through them: what the command line and the API call."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

from fournines.cloud.model import Cloud
from fournines.engine import SshOptions, connect
from fournines.errors import UsageError
from fournines.logs.collect import Logs, Query, collect, follow
from fournines.logs.entries import REQUEST
from fournines.logs.times import clock, moment

PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


def window(since: str, until: str) -> tuple[float, float]:
    """Raises UsageError."""
    now = time.time()
    begin, end = moment(since, now), moment(until, now)
    if begin >= end:
        raise UsageError(f"--since {since} is not before --until {until}", next="give the earlier moment to --since")
    return begin, end


def checked(pattern: str) -> str:
    """Raises UsageError. Python's expressions are close enough to PCRE's to find what is broken."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--grep {pattern!r} is no regular expression", next=str(error)) from None
    return pattern


async def gather(cloud: Cloud, names: Iterable[str], ssh: SshOptions, query: Query) -> Logs:
    """Of the hosts `names`, over SSH. One that does not answer is among the failures."""
    async with connect([cloud.host_by_name[name] for name in names], ssh) as hosts:
        found = await collect(hosts, query)
        return Logs(found.journals, {**hosts.failures, **found.failures})


async def trace(
    cloud: Cloud, names: Iterable[str], ssh: SshOptions, request: str, query: Query
) -> tuple[Logs, frozenset[str]]:
    """Lines of `request` and of those made for it, and all their ids. Raises UsageError."""
    if not REQUEST.fullmatch(request):
        raise UsageError(
            f"{request!r} is no request id", next="it is req- and a UUID, as in the header x-openstack-request-id"
        )
    async with connect([cloud.host_by_name[name] for name in names], ssh) as hosts:
        found, ids = await follow(hosts, request, query)
        return Logs(found.journals, {**hosts.failures, **found.failures}), ids


def remarks(found: Logs, query: Query) -> list[str]:
    """What keeps the answer from being whole."""
    said = [f"✗ {name}: {error.what}" for name, error in found.failures.items()]
    for journal in found.journals:
        if journal.offset:
            ahead = "ahead of" if journal.offset > 0 else "behind"
            said.append(f"{journal.host}: its clock is {abs(journal.offset):.2f} s {ahead} ours; its lines are moved")
        if journal.begins is None:
            said.append(f"{journal.host}: its journal is empty")
        elif journal.begins > query.since + 1:
            said.append(f"{journal.host}: its journal begins only at {clock(journal.begins, date=True)}")
        if journal.cut:
            said.append(f"{journal.host}: only the last {query.most} lines; see --lines")
    return said


def document(found: Logs, query: Query) -> dict[str, Any]:
    return {
        "since": query.since,
        "until": query.until,
        "hosts": {
            j.host: {"lines": len(j.entries), "begins": j.begins, "clock_ahead_s": j.offset, "cut": j.cut}
            for j in found.journals
        },
        "failures": {name: error.what for name, error in found.failures.items()},
        "entries": [
            {"time": e.time, "host": e.host, "unit": e.unit, "level": e.level, "message": e.message}
            for e in found.entries
        ],
    }
