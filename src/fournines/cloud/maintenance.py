"""Hosts in maintenance: what an operator has asked of single hosts, beside what the cloud file says of them.

It is kept on the hosts themselves, so that a boot, `apply` and another operator's machine all know it: each host that
belongs to the control plane has the entries of its whole region, every other host its own. Where copies differ, as
after an interruption, the newest entry of a host counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

PATH = "/etc/fournines/maintenance.json"


@dataclass(frozen=True)
class Maintenance:
    """drained: it must carry nothing that another host can carry. reason: the operator's. since: when that was said,
    in UTC as ISO 8601, so that text sorts as time. boot: the kernel's boot ID that a reboot which was asked for is to
    end; "": none was."""

    drained: bool
    reason: str
    since: str
    boot: str = ""


Entries = Mapping[str, Maintenance]


def dumps(entries: Entries) -> str:
    return json.dumps({name: asdict(entries[name]) for name in sorted(entries)}, indent=2, ensure_ascii=False) + "\n"


def parse(text: str) -> dict[str, Maintenance]:
    """ValueError when it is something else. Keys of another release are ignored."""
    return entries(json.loads(text))


def entries(document: Any) -> dict[str, Maintenance]:
    """As `parse`, of what was read already."""
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return {name: _entry(said) for name, said in cast("dict[str, Any]", document).items()}


def _entry(said: Any) -> Maintenance:
    try:
        return Maintenance(bool(said["drained"]), str(said["reason"]), str(said["since"]), str(said.get("boot", "")))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an entry: {said!r}") from error


def newest(copies: Iterable[Entries]) -> dict[str, Maintenance]:
    """Of each host the entry that was made last."""
    found: dict[str, Maintenance] = {}
    for copy in copies:
        for name, entry in copy.items():
            if name not in found or entry.since > found[name].since:
                found[name] = entry
    return found
