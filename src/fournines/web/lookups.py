"""What hosts are asked for at an operator's word, and what a design would be otherwise: one process an answer, for
`computed`. Each takes the cloud file and what the route was asked for, as JSON values."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fournines.cloud.model import Cloud
from fournines.commands.clouds import load_cloud
from fournines.engine import SshOptions
from fournines.errors import UsageError

SSH = SshOptions(connect_timeout=6.0)
#: Lines in one answer: the newest ones.
MOST = 5000
Asked = Mapping[str, Any]


def logs(path: Path, asked: Asked) -> dict[str, Any]:
    from fournines.commands.logs import checked, document, gather, remarks, window
    from fournines.logs.collect import Query

    units = tuple(asked.get("units", ()))
    query = Query(
        *window(asked["since"], asked["until"]),
        units,
        checked(asked.get("grep", "")),
        asked.get("priority", ""),
        int(asked.get("lines", 500)),
    )
    cloud = load_cloud(path)
    found = asyncio.run(gather(cloud, _names(cloud, asked), SSH, query))
    return _cut({**document(found, query), "remarks": remarks(found, query)})


def trace(path: Path, asked: Asked) -> dict[str, Any]:
    from fournines.commands.logs import document, remarks, window
    from fournines.commands.logs import trace as follow
    from fournines.logs.collect import Query

    query = Query(*window(asked["since"], asked["until"]))
    cloud = load_cloud(path)
    found, ids = asyncio.run(follow(cloud, _names(cloud, asked), SSH, asked["request"], query))
    said = {"request": asked["request"], "requests": sorted(ids), "remarks": remarks(found, query)}
    return _cut({**document(found, query), **said})


def _names(cloud: Cloud, asked: Asked) -> list[str]:
    """Raises UsageError."""
    names = asked.get("hosts") or [h.name for h in cloud.hosts]
    if unknown := [name for name in names if name not in cloud.host_by_name]:
        raise UsageError(f"{cloud.name} has no host {unknown[0]}", next="see the list of hosts")
    return list(names)


def _cut(document: dict[str, Any]) -> dict[str, Any]:
    entries = document["entries"]
    return {**document, "entries": entries[-MOST:], "left_out": max(0, len(entries) - MOST)}


def alerts(path: Path, _asked: Asked) -> dict[str, Any]:
    from fournines.commands.alerts import firing, rules

    cloud = load_cloud(path)
    return {"rules": rules(cloud), **dataclasses.asdict(asyncio.run(firing(cloud, SSH)))}


def what_if(path: Path, asked: Asked) -> dict[str, Any]:
    from fournines.commands.what_if import what_if as make

    return make(load_cloud(path), frozenset(asked.get("failed", ())))


def capacity(path: Path, asked: Asked) -> dict[str, Any]:
    from fournines.design.capacity import capacity as compute
    from fournines.services.rendered import Size

    cloud = load_cloud(path)
    found = compute(cloud, asked.get("hosts"), Size(asked["cores"], asked["memory"]))
    regions = [
        {**dataclasses.asdict(c), "limits": [{**dataclasses.asdict(x), "met": x.met} for x in c.limits]} for c in found
    ]
    return {"cloud": cloud.name, "regions": regions}


def why(path: Path, asked: Asked) -> dict[str, Any]:
    from fournines.design import why as texts
    from fournines.design.derive import require

    found = require(load_cloud(path), asked["function"])
    return {"function": asked["function"], "trees": ["\n".join(texts.tree(c)) for c in found]}


LOOKUPS: Mapping[str, Callable[[Path, Asked], dict[str, Any]]] = {
    "logs": logs,
    "trace": trace,
    "alerts": alerts,
    "what-if": what_if,
    "capacity": capacity,
    "why": why,
}
