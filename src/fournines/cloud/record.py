"""The hosts that a cloud has, as its hosts have it: how one that the file no longer has is still reached and told from
one that never was.

Every host of a region's control plane keeps the list of its region. Where copies differ, as after an interruption, the
one that is furthest on its way out counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address
from typing import Any, Literal, cast

PATH = "/etc/fournines/hosts.json"

#: serves: as the file says. leaves: the others no longer count on it, and its daemons stop. gone: they have stopped, or
#: it is lost, and what others know of it is being deleted.
State = Literal["serves", "leaves", "gone"]
STATES: tuple[State, ...] = ("serves", "leaves", "gone")


@dataclass(frozen=True)
class Entry:
    """A host, and what is needed to reach it. services: what it carries, sorted."""

    name: str
    region: str
    zone: str
    address: str
    services: tuple[str, ...]
    state: State = "serves"
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])
    devices: Mapping[str, str] = field(default_factory=dict[str, str])
    roles: tuple[str, ...] = ()
    user: str = "root"
    port: int = 22


@dataclass(frozen=True)
class Retired:
    """A host that has left. done: nothing of it is left to delete, and the record may forget it."""

    entry: Entry
    done: bool = False


Entries = Mapping[str, Entry]


def dumps(entries: Iterable[Entry]) -> str:
    """One host a line: a diff shows which."""
    lines = [json.dumps(asdict(entry), ensure_ascii=False) for entry in entries]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def parse(text: str) -> dict[str, Entry]:
    """ValueError when it is something else. Keys of another release are ignored."""
    said = json.loads(text)
    if not isinstance(said, list):
        raise ValueError("not a list of hosts")
    return {entry.name: entry for entry in map(_entry, cast("list[Any]", said))}


def _entry(said: Any) -> Entry:
    try:
        IPv4Address(said["address"])
        return Entry(
            name=str(said["name"]),
            region=str(said["region"]),
            zone=str(said["zone"]),
            address=str(said["address"]),
            services=tuple(map(str, said["services"])),
            state=STATES[STATES.index(said.get("state", "serves"))],
            addresses={str(k): str(IPv4Address(v)) for k, v in said.get("addresses", {}).items()},
            devices={str(k): str(v) for k, v in said.get("devices", {}).items()},
            roles=tuple(map(str, said.get("roles", ()))),
            user=str(said.get("user", "root")),
            port=int(said.get("port", 22)),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not a host: {said!r}") from error


def furthest(copies: Iterable[Entries]) -> dict[str, Entry]:
    """Of each host the entry that is furthest on its way out."""
    found: dict[str, Entry] = {}
    for copy in copies:
        for name, entry in copy.items():
            if name not in found or STATES.index(entry.state) > STATES.index(found[name].state):
                found[name] = entry
    return found
