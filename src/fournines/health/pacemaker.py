"""A Pacemaker cluster as its members see it, and what is wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

#: (what, where, next)
Symptom = tuple[str, str, str]


@dataclass(frozen=True)
class Resource:
    """within: the clone or group that it is part of, "" for none. role: `Started`, `Stopped`, `Promoted` …"""

    name: str
    within: str
    agent: str
    role: str
    on: tuple[str, ...]
    failed: bool
    blocked: bool
    managed: bool

    @property
    def active(self) -> bool:
        return bool(self.on) and self.role not in ("Stopped", "Stopping")


@dataclass(frozen=True)
class Failure:
    """An action that did not work, and that nobody has cleared yet."""

    operation: str
    host: str
    reason: str
    at: str


@dataclass(frozen=True)
class Fencing:
    """outcome: `success`, `failed`, `pending`. by: the member that did it."""

    host: str
    action: str
    outcome: str
    by: str
    at: str
    reason: str


@dataclass(frozen=True)
class PacemakerState:
    """One member's view. ok: its crm_mon answered; else `error`, and the rest is what it said last. members: host ->
    `online`, `offline`, `unclean`, `pending`, `standby`, `maintenance`."""

    ok: bool
    error: str
    dc: str = ""
    quorum: bool = False
    fencing: bool = True
    maintenance: bool = False
    members: Mapping[str, str] = field(default_factory=dict[str, str])
    resources: tuple[Resource, ...] = ()
    failures: tuple[Failure, ...] = ()
    history: tuple[Fencing, ...] = ()


def parse(said: Mapping[str, Any]) -> PacemakerState:
    """`said`: the observer's part of that name."""
    return PacemakerState(
        ok=said["ok"],
        error=said["error"],
        dc=said.get("dc", ""),
        quorum=said.get("quorum", False),
        fencing=said.get("fencing", True),
        maintenance=said.get("maintenance", False),
        members=dict(said.get("members") or {}),
        resources=tuple(
            Resource(r["name"], r["in"], r["agent"], r["role"], tuple(r["on"]), r["failed"], r["blocked"], r["managed"])
            for r in said.get("resources") or ()
        ),
        failures=tuple(Failure(**f) for f in said.get("failures") or ()),
        history=tuple(Fencing(**f) for f in said.get("history") or ()),
    )


def view(states: Mapping[str, PacemakerState]) -> PacemakerState | None:
    """The one to go by: a member's that has the quorum, else any that answers."""
    answering = [s for s in states.values() if s.ok]
    return next((s for s in answering if s.quorum), answering[0] if answering else None)


def problems(cloud: str, states: Mapping[str, PacemakerState]) -> Iterator[Symptom]:
    for name, state in states.items():
        if not state.ok:
            yield f"Pacemaker does not answer: {state.error}", name, "journalctl -u pacemaker -u corosync -n 50"
    seen = view(states)
    if seen is None:
        return
    yield from _membership(cloud, states, seen)
    for resource in seen.resources:
        yield from _resource(resource)
    for failure in seen.failures:
        resource = failure.operation.rsplit("_", 2)[0]
        what = f"{failure.operation} failed: {failure.reason}"
        yield what, failure.host, f"when it is put right: crm_resource --cleanup -r {resource} -N {failure.host}"


def _membership(cloud: str, states: Mapping[str, PacemakerState], seen: PacemakerState) -> Iterator[Symptom]:
    heads = {state.dc for state in states.values() if state.ok and state.dc}
    if len(heads) > 1:
        what = f"the cluster is split: {' and '.join(sorted(heads))} each control a part of it"
        yield what, "", "let UDP port 5405 through between these hosts"
    if not seen.dc:
        yield "the cluster has no designated controller: nothing is decided", "", "journalctl -u pacemaker -n 50"
    elif not seen.quorum:
        yield "the cluster has no quorum: what it manages is stopped", "", "start the members that are away"
    if not seen.fencing:
        yield (
            "fencing is switched off: a host that is only silent may go on",
            "",
            "crm_attribute -t crm_config -n stonith-enabled -v true, or fournines apply",
        )
    if seen.maintenance:
        yield "the cluster is in maintenance: it does nothing", "", "crm_attribute -t crm_config -n maintenance-mode -D"
    for name, state in seen.members.items():
        if state == "unclean":
            yield _unclean(name, seen), name, f"fournines fence {cloud} {name} status"
        elif state == "offline":
            yield "is not in the cluster", name, f"fournines fence {cloud} {name} status; if it is off, on"
        elif state == "pending":
            yield "is joining the cluster", name, "journalctl -u pacemaker -n 50, if it stays so"
        elif state in ("standby", "maintenance"):
            yield f"is in {state}: it runs nothing of the cluster", name, f"crm_attribute -N {name} -n {state} -D"


def _unclean(name: str, seen: PacemakerState) -> str:
    """Who waits for whom."""
    last = next((f for f in seen.history if f.host == name), None)
    waits = "what ran on it starts nowhere until it is fenced"
    if last is None or last.outcome == "success":
        return f"is silent and not known to be off: {waits}"
    said = f" ({last.reason})" if last.reason else ""
    if last.outcome == "failed":
        return f"cannot be fenced{said}: {waits}"
    return f"is being fenced by {last.by or 'the cluster'}: {waits}"


def _resource(resource: Resource) -> Iterator[Symptom]:
    where = ", ".join(resource.on)
    if resource.blocked:
        yield f"the cluster no longer touches {resource.name}", where, f"crm_resource --cleanup -r {resource.name}"
    elif not resource.managed:
        yield (
            f"{resource.name} is not managed: it would not be moved",
            where,
            f"crm_resource -m -d is-managed -r {resource.name}",
        )
    elif resource.failed:
        yield f"{resource.name} has failed", where, "see its failed action"
    elif not resource.active and not (resource.within and resource.within.endswith("-clone")):
        yield f"{resource.name} runs nowhere", "", f"crm_resource --why -r {resource.name}"
    elif len(resource.on) > 1:
        yield f"{resource.name} runs on {' and '.join(resource.on)} at once", "", "crm_resource --cleanup"
