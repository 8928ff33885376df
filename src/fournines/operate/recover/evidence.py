"""What a host says when `recover` looks (`programs/recovery_look.py`), typed. Parts that it does not carry are None."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from fournines.cloud.model import Cloud, Region
from fournines.cloud.record import Entries
from fournines.health.cluster import RegionState

MARKER = "/var/lib/fournines/recovery.json"


@dataclass(frozen=True)
class Database:
    """unit: `ActiveState/SubState`. answers: mysqld does, if only to refuse. cluster, seqno: the history that it holds
    and how far, "" and -1 where nobody can tell. saved: the UUID in grastate.dat. written: when a service's table was
    last written to disk, seconds since the epoch. rows: of some tables. errors: of InnoDB, while it does not answer.
    data: there is a database. mount: its directory is a file system of its own. size, free: bytes."""

    unit: str
    answers: bool = False
    primary: bool = False
    state: str = ""
    cluster: str = ""
    seqno: int = -1
    saved: str = ""
    written: float = 0.0
    rows: Mapping[str, int] = field(default_factory=dict[str, int])
    errors: tuple[str, ...] = ()
    data: bool = True
    mount: bool = False
    size: int = 0
    free: int = 0

    @property
    def waits(self) -> bool:
        """galera-start knows its position, and asks its peers who begins."""
        return self.unit == "activating/start-pre" and bool(self.cluster)

    @property
    def unreadable(self) -> bool:
        """It does not start, for its data."""
        return not self.answers and not self.waits and bool(self.errors or not self.data)


@dataclass(frozen=True)
class Broker:
    """members: nodes of its cluster, as it has last seen them. store: where the cluster's metadata is, `mnesia` or
    `khepri`. errors: why it forms none. last: nodes that ran when it stopped."""

    unit: str
    runs: bool = False
    members: tuple[str, ...] = ()
    store: str = "mnesia"
    errors: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    data: bool = True
    size: int = 0
    free: int = 0


@dataclass(frozen=True)
class Marker:
    """Of a recovery that has begun: its copies' stamp, and the hosts that a person has said are lost."""

    stamp: str
    gone: tuple[str, ...] = ()

    def dumps(self) -> str:
        return json.dumps({"stamp": self.stamp, "gone": list(self.gone)}) + "\n"


@dataclass(frozen=True)
class Evidence:
    """cloud: whose observer is installed, "" for none. alive: hosts of `gone` that answer this one, and by what. keys:
    kind of repository -> how many lie there. rings: ring files that are missing or not what was made."""

    host: str
    cloud: str = ""
    marker: Marker | None = None
    alive: Mapping[str, str] = field(default_factory=dict[str, str])
    database: Database | None = None
    broker: Broker | None = None
    keys: Mapping[str, int] | None = None
    rings: tuple[str, ...] | None = None


def parse(host: str, text: str) -> Evidence:
    """ValueError when it is something else."""
    said = json.loads(text)
    try:
        marker = said["marker"]
        return Evidence(
            host=host,
            cloud=str(said["cloud"]),
            marker=Marker(str(marker["stamp"]), tuple(map(str, marker["gone"]))) if marker else None,
            alive={str(k): str(v) for k, v in said["alive"].items()},
            database=Database(**_known(Database, said["database"])) if said["database"] else None,
            broker=Broker(**_known(Broker, said["broker"])) if said["broker"] else None,
            keys=said["keys"],
            rings=None if said["rings"] is None else tuple(said["rings"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not what a host says: {error!r}") from error


def _known(kind: type[Any], said: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {n: tuple(v) if isinstance(v, list) else v for n, v in said.items() if n in names}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


@dataclass(frozen=True, eq=False)
class Seen:
    """A region as it was looked at. cloud: as its file says, with the hosts of `known` that are on their way out.
    hosts: those that answer. unreachable: why the others do not. agents: what the observers say. known: the hosts that
    the hosts say the cloud has."""

    cloud: Cloud
    region: Region
    hosts: Mapping[str, Evidence]
    unreachable: Mapping[str, str]
    agents: RegionState
    known: Entries

    @property
    def databases(self) -> Mapping[str, Database]:
        return {name: e.database for name, e in self.hosts.items() if e.database}

    @property
    def brokers(self) -> Mapping[str, Broker]:
        return {name: e.broker for name, e in self.hosts.items() if e.broker}

    @property
    def marker(self) -> Marker | None:
        return next((e.marker for e in self.hosts.values() if e.marker), None)

    @property
    def primaries(self) -> tuple[str, ...]:
        return tuple(name for name, d in self.databases.items() if d.primary)


@dataclass(frozen=True)
class Asked:
    """What a person has decided. gone: hosts that are lost for good. history: the host whose database is right. stamp:
    of this recovery's copies. new_keys: Keystone's keys are lost everywhere, and new ones shall be made."""

    stamp: str
    gone: tuple[str, ...] = ()
    history: str = ""
    new_keys: bool = False
