"""What a plan does of its own, beside the resources of services: restart, finish what was cut off, remove, remember.

All that must survive an interruption lives on the host itself, in two places:

- the *manifest* lists what fournines manages there, so that what is no longer wanted can be removed;
- a *pending marker* says that something changed and that what must follow (a restart, a gate) has not yet happened.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from fournines.cloud import maintenance, record, versions
from fournines.errors import PlanError
from fournines.plan.model import Change
from fournines.services.resource import Fact, File, Put, Run, Step

T = TypeVar("T")

MANIFEST = "/var/lib/fournines/manifest"
PENDING = "/var/lib/fournines/pending"
MANIFEST_FACT = Fact("text", MANIFEST)
PENDING_FACT = Fact("shell", f"ls {PENDING} 2>/dev/null | tr '\\n' ' '")
MAINTENANCE_FACT = Fact("text", maintenance.PATH)
RECORD_FACT = Fact("text", record.PATH)
VERSIONS_FACT = Fact("text", versions.PATH)
BOOKKEEPING = (MANIFEST_FACT, PENDING_FACT, MAINTENANCE_FACT, RECORD_FACT, VERSIONS_FACT)

#: key -> its triggers, in the order in which the keys were made.
Manifest = Mapping[str, tuple[str, ...]]


def manifest_file(entries: Manifest) -> File:
    """One JSON list a line: the key, then its triggers."""
    return File(MANIFEST, "".join(_line(key, triggers) for key, triggers in entries.items()), mode=0o600)


@lru_cache(maxsize=4096)
def _line(key: str, triggers: tuple[str, ...]) -> str:
    return json.dumps([key, *triggers], ensure_ascii=False) + "\n"


def read_manifest(host: str, reply: str) -> Manifest:
    """From the reply to `MANIFEST_FACT`."""
    try:
        lines = [json.loads(line) for line in reply.removeprefix("text ").splitlines() if reply != "absent"]
        return {key: tuple(triggers) for key, *triggers in lines}
    except ValueError as error:
        raise PlanError(
            "the list of what fournines manages is damaged",
            where=f"{host}:{MANIFEST}",
            why=str(error),
            next="remove that file: what it listed and is no longer wanted is then left where it is",
        ) from error


def read_maintenance(host: str, reply: str) -> maintenance.Entries:
    """From the reply to `MAINTENANCE_FACT`."""
    path = maintenance.PATH
    return {} if reply == "absent" else _read(host, reply, maintenance.parse, path, "list of hosts in maintenance")


def read_record(host: str, reply: str) -> record.Entries:
    """From the reply to `RECORD_FACT`."""
    return {} if reply == "absent" else _read(host, reply, record.parse, record.PATH, "list of the cloud's hosts")


def read_versions(host: str, reply: str) -> versions.Versions:
    """From the reply to `VERSIONS_FACT`."""
    path = versions.PATH
    return versions.NONE if reply == "absent" else _read(host, reply, versions.parse, path, "lock of package versions")


def _read(host: str, reply: str, parse: Callable[[str], T], path: str, what: str) -> T:
    """Of what every host of a control plane has a copy."""
    try:
        return parse(reply.removeprefix("text "))
    except ValueError as error:
        raise PlanError(
            f"the {what} is damaged",
            where=f"{host}:{path}",
            why=str(error),
            next="remove that file: what the other hosts have of it counts",
        ) from error


def marker(waits: str, subject: str) -> str:
    """Path of the marker that says: `subject` (a unit, a service) still `waits` for restart, reload or gate."""
    return f"{PENDING}/{subject}.{waits}"


def read_pending(reply: str) -> set[str]:
    """From the reply to `PENDING_FACT`: `restart:UNIT`, `reload:UNIT`, `gate:SERVICE`."""
    if reply == "absent":
        return set()
    return {f"{waits}:{subject}" for subject, _, waits in (name.rpartition(".") for name in reply.split())}


def steps_of(change: Change) -> list[Step]:
    """What carries out `change`. Markers first: an interruption after any step leaves behind what must still follow."""
    marks = [Put(marker(*trigger.split(":", 1)), b"", 0o600, "root", "root") for trigger in change.resource.triggers]
    return [*marks, *change.resource.steps()]


@dataclass(frozen=True, slots=True)
class Trigger:
    """Restarts or reloads a unit because something that it reads has changed. A unit that is down stays down: its own
    resource starts it. A restart is also a reload."""

    verb: str  # restart | reload
    unit: str
    triggers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.verb}:{self.unit}"

    def steps(self) -> Sequence[Step]:
        verb = "try-restart" if self.verb == "restart" else "try-reload-or-restart"
        done = ["restart", "reload"] if self.verb == "restart" else ["reload"]
        markers = " ".join(shlex.quote(marker(waits, self.unit)) for waits in done)
        unit = shlex.quote(self.unit)
        return [Run(f"systemctl daemon-reload\nsystemctl {verb} {unit}\nrm -f {markers}", timeout=180.0)]


@dataclass(frozen=True, slots=True)
class Recheck:
    """Changes nothing: a run ended before this service's checks held, so the next one waits for them."""

    service: str
    triggers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"gate:{self.service}"

    def steps(self) -> Sequence[Step]:
        return ()


@dataclass(frozen=True, slots=True)
class Removal:
    """Takes away what fournines once put there. Directories only when empty; packages, data and tasks never."""

    key: str
    triggers: tuple[str, ...] = ()

    def steps(self) -> Sequence[Step]:
        kind, _, name = self.key.partition(":")
        script = _REMOVE.get(kind)
        return [Run(script.replace("NAME", shlex.quote(name)), timeout=180.0)] if script else ()


_REMOVE = {
    "file": "rm -f NAME",
    "directory": "if [ -d NAME ]; then rmdir --ignore-fail-on-non-empty NAME; fi",
    # Of a unit whose file is gone there is nothing to stop.
    "unit": "if systemctl cat NAME >/dev/null 2>&1; then\n  systemctl disable -q --now NAME\nfi",
}


@dataclass(frozen=True, slots=True)
class Left:
    """Puts aside what a service keeps and must not find there should its host carry it again."""

    service: str
    script: str
    triggers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"left:{self.service}"

    def steps(self) -> Sequence[Step]:
        return [Run(self.script)]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An action out of a saved plan: exactly the steps that were planned, whatever this version would do today."""

    key: str
    triggers: tuple[str, ...]
    recorded: tuple[Step, ...]

    def steps(self) -> Sequence[Step]:
        return self.recorded


def removals(old: Manifest, wanted: Mapping[str, object]) -> list[Removal]:
    """What `old` lists and nobody wants, last made first: a unit is stopped before its files go. Only units that are
    wanted still hear of it."""
    gone = [
        Removal(key, tuple(t for t in triggers if f"unit:{t.partition(':')[2]}" in wanted))
        for key, triggers in old.items()
        if key not in wanted
    ]
    return [removal for removal in reversed(gone) if removal.steps()]
