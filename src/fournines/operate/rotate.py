"""Rotation of what is secret: changes of the cloud's secrets, phase by phase, each of which is a plan.

Where a rotation stands is one of the cloud's secrets: whoever has the file knows of it, and may finish it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from fournines.cloud.model import Cloud
from fournines.errors import CloudFileError, PlanError, UsageError
from fournines.plan.desired import desired
from fournines.plan.model import Desired, Plan
from fournines.services import registry
from fournines.services.rotation import PHASES, Phase, Rotates, Rotation

STATE = "rotation"
ALL = "all"


@dataclass(frozen=True)
class State:
    """A rotation that has begun: of what, the phase that the secrets are in, and who began it when."""

    what: tuple[str, ...]
    phase: Phase
    begun: str

    @property
    def names(self) -> str:
        return ", ".join(self.what)

    def __str__(self) -> str:
        return f"the rotation of {self.names} that {self.begun} began is in phase {self.phase}"


@dataclass(frozen=True)
class Step:
    """The cloud as it is to be in a phase of its rotation: `cloud.secrets` are a copy, to be saved before the plan of
    this phase is carried out. wanted: of its hosts. begins: the secrets of the phase are not saved yet."""

    phase: Phase
    cloud: Cloud
    wanted: Desired
    begins: bool


def rotations(cloud: Cloud) -> dict[str, Rotation]:
    """What can be rotated in this cloud: name -> how."""
    placed = {name for host in cloud.hosts for name in host.services}
    services = (s for name, s in registry().items() if name in placed and isinstance(s, Rotates))
    return {name: rotation for service in services for name, rotation in service.rotations().items()}


def chosen(cloud: Cloud, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Names out of what the user asked for. `all` is what nobody notices. Raises UsageError."""
    known = rotations(cloud)
    if ALL in asked:
        return tuple(name for name, rotation in known.items() if not rotation.cost)
    for name in asked:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UsageError(f"nothing is called {name}", next=f"{hint}{cloud.name} has {', '.join(known)}, or {ALL}")
    return tuple(name for name in known if name in asked)


def state(cloud: Cloud) -> State | None:
    """The rotation that has begun, if any. Raises CloudFileError."""
    if STATE not in cloud.secrets.names():
        return None
    try:
        stored: Mapping[str, Any] = json.loads(cloud.secrets.get(STATE))
        found = State(tuple(map(str, stored["what"])), stored["phase"], str(stored["begun"]))
        PHASES.index(found.phase)
    except (ValueError, KeyError, TypeError) as error:
        raise CloudFileError(
            "the state of a rotation is damaged",
            where=f"{cloud.source.parent / cloud.name}.secrets.yaml: {STATE}",
            why=str(error),
            next="restore the file from your copy of the time when the rotation began, then apply",
        ) from error
    return found


def require_settled(cloud: Cloud, pending: Plan) -> None:
    """Raises PlanError when `pending`, what `apply` would change now, is anything: a host that has missed the last
    rotation would not take what the others show after this one."""
    if not pending.empty:
        raise PlanError(
            "a rotation begins only on a cloud that is as its file says",
            where=", ".join(pending.hosts),
            why=f"{sum(len(s.changes) for s in pending.stages)} changes are pending",
            next=f"fournines apply {cloud.source}",
        )


def steps(cloud: Cloud, what: tuple[str, ...], now: float, who: str) -> Iterator[Step]:
    """The phases of the rotation of `what` from where it stands. `cloud` itself is not changed.

    now: seconds since the epoch. who: begins it. Raises PlanError when another rotation has begun.
    """
    begun = state(cloud)
    if begun and set(begun.what) != set(what):
        raise PlanError(
            "another rotation has not ended",
            where=f"{cloud.source.parent / cloud.name}.secrets.yaml",
            why=str(begun),
            next=f"fournines rotate {cloud.source} {' '.join(begun.what)}: it continues from there",
        )
    todo = PHASES[PHASES.index(begun.phase) :] if begun else PHASES
    known, secrets = rotations(cloud), cloud.secrets
    for phase in todo:
        begins = begun is None or phase != begun.phase
        secrets = secrets.copy()
        made = replace(cloud, secrets=secrets)
        if begins:
            for name in what:
                known[name].change(made, phase, now)
            begun = State(what, phase, begun.begun if begun else who)
            secrets.set(STATE, json.dumps({"what": what, "phase": phase, "begun": begun.begun}))
        # What is made on first use is made now: the next phase begins with it.
        yield Step(phase, made, desired(made, registry()), begins)


def ended(cloud: Cloud) -> None:
    """Forgets the rotation, after its last phase. Not yet saved."""
    cloud.secrets.remove(STATE)
