"""Hosts of a cloud that does not come back: they say what `recover` looks for, and change as its programs would change
them. What they say is as real hosts have said it, or as the program's own document has it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from fournines.cloud import record
from fournines.cloud.model import Cloud, Host
from fournines.commands import recover as recovering
from fournines.commands import recover_fence as fencing
from fournines.commands import recover_look as looking
from fournines.commands import scale as scaling
from fournines.engine.connect import Connected
from fournines.engine.fake import FakeHost
from fournines.engine.transport import Completed
from fournines.errors import HostError
from fournines.health.cluster import Cluster, RegionState
from fournines.operate import scale
from fournines.operate.recover.evidence import MARKER
from fournines.services.base import entry_of
from fournines.services.resource import File, Resource
from fournines.services.service import HaPattern
from samples import cases, toy

CLUSTER = "0f5b2f8e-cb1e-11f0-9d4f-3b6e0c6d1a55"
OTHER = "7c1d9b1a-cb20-11f0-8a77-7f2a9b1c2d3e"
NODES = ["rabbit@ctl1", "rabbit@ctl2", "rabbit@ctl3"]

DATABASE: dict[str, Any] = {
    "unit": "active/running",
    "answers": True,
    "primary": True,
    "state": "Synced",
    "cluster": CLUSTER,
    "seqno": 4711,
    "saved": CLUSTER,
    "written": 1_795_878_000.0,
    "rows": {"keystone.project": 4},
    "errors": [],
    "data": True,
    "mount": False,
    "size": 400 << 20,
    "free": 8 << 30,
}
BROKER: dict[str, Any] = {
    "unit": "active/running",
    "runs": True,
    "members": NODES,
    "store": "mnesia",
    "errors": [],
    "data": True,
    "size": 40 << 20,
    "free": 8 << 30,
}


def evidence(**changed: Any) -> dict[str, Any]:
    """What a healthy controller says. `database`, `broker`: laid over its part."""
    said: dict[str, Any] = {
        "cloud": "acme",
        "marker": None,
        "alive": {},
        "database": {**DATABASE, **changed.pop("database", {})},
        "broker": {**BROKER, **changed.pop("broker", {})},
        "keys": {"fernet": 2, "credential": 2},
        "rings": None,
    }
    return said | changed


#: A survivor of three: mysqld runs and refuses, and the broker has paused itself.
ALONE = evidence(database={"primary": False, "state": "Initialized"}, broker={"runs": False, "unit": "active/running"})


@dataclass
class Rescued(FakeHost):
    """said: what the host says of itself; `acts` is what programs were told to do there. rows: of its database,
    counted while it is stopped. texts: its files."""

    rows: dict[str, int] = field(default_factory=dict[str, int])
    texts: dict[str, str] = field(default_factory=dict[str, str])
    said: dict[str, Any] = field(default_factory=dict[str, Any])
    acts: list[str] = field(default_factory=list[str])

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        if script.startswith("python3 - '{"):
            assert "Changes nothing." in stdin
            marker = self.files.get(MARKER)
            said = copy.deepcopy(self.said) | {"marker": json.loads(marker[0]) if marker else None}
            return Completed(0, json.dumps(said), "")
        if script.startswith("python3 - '["):
            asked = json.loads(script.split("'")[1])
            if "scratch instance" in stdin:
                return Completed(0, json.dumps(self.rows), "")
            return Completed(0, json.dumps({path: self.texts[path] for path in asked if path in self.texts}), "")
        return await super().run(script, stdin=stdin, timeout=timeout)

    def _script(self, script: str) -> Completed:
        if found := re.match(r"python3 - (\S+)(.*)", script):
            self.acts.append(f"{found[1]}{found[2]}")
            self._act(found[1])
            return Completed(0, "", "")
        return super()._script(script)

    def _act(self, what: str) -> None:
        if what == "primary":
            self.said["database"] |= {"primary": True, "answers": True, "state": "Synced"}
        if what == "alone":
            self.said["broker"] |= {"runs": True, "members": [f"rabbit@{self.host}"]}


class Base(toy.Toy):
    """As the real one does: every host keeps the list of hosts."""

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        left = [r.entry for r in cloud.retired.values() if not r.done and r.entry.name not in cloud.host_by_name]
        yield File(record.PATH, record.dumps([*map(entry_of, cloud.hosts), *left]))
        yield from super().desired(cloud, host)


class Group(toy.Toy):
    """Every member lists all, and does not restart for it."""

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield from super().desired(cloud, host)
        yield File("/etc/db/members", " ".join(h.name for h in cloud.hosts_of("mariadb", host.region)))


SERVICES = toy.registry(Base("base"), Group("mariadb", needs=("base",), pattern=HaPattern.QUORUM))


class Site:
    """The three controllers of `examples/three-controllers.yaml`; `gone` do not answer. switched: hosts that were
    switched off, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *gone: str) -> None:
        self.cloud = cases.Case(Path("none"), {"cloud": {"components": "core", "cloud": "acme"}}).cloud(tmp_path)
        self.hosts = {h.name: Rescued(h.name, said=evidence()) for h in self.cloud.hosts}
        (tmp_path / "acme.secrets.yaml").touch(mode=0o600)
        self.gone = set(gone)
        self.switched: list[str] = []
        self.states: dict[str, Any] = {}
        for module in (recovering, scaling, scale):
            monkeypatch.setattr(module, "registry", lambda: SERVICES)
        for module in (recovering, scaling):
            monkeypatch.setattr(module, "connect", self._connect)
        monkeypatch.setattr(looking, "look", self._look)
        monkeypatch.setattr(fencing.lab, "exists", lambda name: True)
        monkeypatch.setattr(fencing, "_lab", lambda cloud, host: self.switched.append(host))
        for host in self.hosts.values():
            kept = record.dumps(map(entry_of, self.cloud.hosts))
            host.files[record.PATH] = (kept.encode(), 0o644)

    @asynccontextmanager
    async def _connect(self, hosts: Iterable[Host], options: object = None) -> AsyncGenerator[Connected]:
        found = Connected()
        for host in hosts:
            if host.name in self.gone:
                found.failures[host.name] = HostError(f"{host.name} does not answer", where=host.name)
            else:
                found[host.name] = self.hosts[host.name]
        yield found

    async def _look(self, cloud: Cloud, *_: object) -> Cluster:
        return Cluster(cloud, tuple(RegionState(r, cast(Any, self.states), ()) for r in cloud.regions.values()), ())
