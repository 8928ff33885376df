"""From what is wanted and what is observed to ordered stages of changes. Pure.

One stage a service, in the order of needs; two where hosts join a group that runs: its members are told of them first,
and none restarts for it. Around them: the manifest learns the new keys before anything is made, and
forgets the old ones after they are removed, so that an interruption never leaves something that nobody knows of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fournines.cloud.model import Cloud, Host
from fournines.plan.actions import (
    MANIFEST_FACT,
    PENDING_FACT,
    Left,
    Manifest,
    Recheck,
    Removal,
    Trigger,
    manifest_file,
    marker,
    read_manifest,
    read_pending,
    removals,
)
from fournines.plan.desired import Registry, facts, ordered
from fournines.plan.model import Change, Desired, Observed, Plan, Stage
from fournines.plan.pins import beyond, unfinished
from fournines.plan.waves import at_most, strictest, waves
from fournines.services.capabilities import Leaves
from fournines.services.resource import Fact, Resource
from fournines.services.service import Check, HaPattern, Rolling, Service

NOTHING = {
    "path": "absent",
    "text": "absent",
    "unit": "inactive not-found",
    "package": "absent",
    "shell": "absent",
    "python": "absent",
}
_NEW = frozenset(NOTHING.values())


def make(cloud: Cloud, services: Registry, wanted: Desired, observed: Observed) -> Plan:
    """The plan for the hosts that are in both `wanted` and `observed`.

    A fact without a reply counts as absent, so that an empty reply plans a host from nothing. Raises `PlanError`.
    """
    present = {host: wanted[host] for host in wanted if host in observed}
    return _Maker(cloud, services, present, observed).plan()


def digest(observed: Observed, asked: Mapping[str, Sequence[Fact]]) -> str:
    """One string for the whole world. A unit on its way up counts as up: it changes by itself between two looks."""
    world = hashlib.sha256()
    for host in sorted(asked):
        for fact in asked[host]:
            reply = observed[host][fact]
            if fact.kind == "unit" and reply.startswith(("activating ", "reloading ")):
                reply = "active " + reply.partition(" ")[2]
            world.update(f"{host}\0{fact.kind}\0{fact.subject}\0{reply}\0".encode())
    return world.hexdigest()


@dataclass(frozen=True)
class _Maker:
    cloud: Cloud
    services: Registry
    wanted: Desired
    observed: Observed

    def plan(self) -> Plan:
        made = {s.name: self._changes(s) for s in ordered(self.services)}
        early: list[Stage] = []
        late: list[Stage] = []
        for name, by_host in made.items():
            service = self.services[name]
            waiting = {h: c for h, c in by_host.items() if self._waits_for_backends(service, h, made)}
            early += self._stage(service, {h: c for h, c in by_host.items() if h not in waiting})
            late += self._stage(service, waiting)
        stages = (*self._remember(), *early, *late, *self._remove())
        asked = facts(self.wanted) if any(self.observed.values()) else {}
        world = digest(self.observed, asked) if asked else ""
        notes = (*unfinished(self.cloud), *beyond(self.cloud, self.wanted, self.observed))
        return Plan(self.cloud.name, stages, world, str(self.cloud.source), asked, notes)

    # What the hosts say

    def _reply(self, host: str, fact: Fact) -> str:
        return self.observed[host].get(fact, NOTHING[fact.kind])

    def _runs(self, service: Service, host: str) -> bool:
        if not service.units:
            return False
        return self._reply(host, Fact("unit", service.units[0])).startswith(("active ", "reloading "))

    def _runs_in(self, service: Service, region: str) -> bool:
        return any(h.name in self.wanted and self._runs(service, h.name) for h in self._members(service, region))

    def _members(self, service: Service, region: str) -> tuple[Host, ...]:
        return self.cloud.hosts_of(service.name, region)

    @cached_property
    def _pending(self) -> dict[str, set[str]]:
        """host -> what an interrupted run left to do there."""
        replies = ((host, self._reply(host, PENDING_FACT)) for host in self.wanted)
        return {host: pending for host, reply in replies if (pending := read_pending(reply))}

    @cached_property
    def _manifests(self) -> dict[str, Manifest]:
        return {host: read_manifest(host, self._reply(host, MANIFEST_FACT)) for host in self.wanted}

    @cached_property
    def _entries(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """host -> what its manifest should say in the end."""
        return {
            host: {r.key: r.triggers for mine in services.values() for r in mine}
            for host, services in self.wanted.items()
        }

    # Changes of one service

    def _changes(self, service: Service) -> dict[str, list[Change]]:
        """host -> changes, of hosts with any."""
        found: dict[str, list[Change]] = {}
        for host, services in self.wanted.items():
            resources = services.get(service.name)
            if resources and (changes := self._changes_on(host, service, resources)):
                found[host] = changes
        return found

    def _changes_on(self, host: str, service: Service, resources: Sequence[Resource]) -> list[Change]:
        numbered: list[tuple[float, Change]] = []
        due: dict[str, float] = {}
        for number, resource in enumerate(resources):
            reply = self._reply(host, resource.fact)
            diff = resource.diff(reply)
            if diff is not None:
                numbered.append((number, Change(host, resource, "add" if reply in _NEW else "update", diff)))
                due |= dict.fromkeys(resource.triggers, number)
        pending = self._pending.get(host)
        if not (numbered or pending):
            return []
        places = {r.key: number for number, r in enumerate(resources)}
        for left in pending or ():
            if f"unit:{left.partition(':')[2]}" in places:
                due.setdefault(left, -1)
        numbered += _placed_triggers(host, due, places)
        numbered.sort(key=lambda item: item[0])
        changes = [change for _, change in numbered]
        if pending and f"gate:{service.name}" in pending:
            changes.append(Change(host, Recheck(service.name), "update", "its checks have not held since the last run"))
        return changes

    # Stages

    def _waits_for_backends(self, service: Service, host: str, made: Mapping[str, Mapping[str, object]]) -> bool:
        """Whether a front that already runs is told of its backends after they are up: when every service behind it
        that changes already serves in the region. A service that is new there may need its frontend to come up."""
        if not (service.fronts and self._runs(service, host)):
            return False
        region = self.cloud.host_by_name[host].region
        behind = [s for s in self._behind(service) if self._touches(made[s.name], region)]
        return bool(behind) and all(self._runs_in(s, region) for s in behind)

    def _behind(self, front: Service) -> list[Service]:
        """Services that need `front`, directly or not."""
        names = {front.name}
        for service in ordered(self.services):
            if names & set(service.follows):
                names.add(service.name)
        return [self.services[n] for n in names - {front.name}]

    def _touches(self, by_host: Iterable[str], region: str) -> bool:
        return any(self.cloud.host_by_name[host].region == region for host in by_host)

    def _stage(self, service: Service, by_host: Mapping[str, Sequence[Change]]) -> list[Stage]:
        joining = {host: changes for host, changes in by_host.items() if self._joins(service, host)}
        told = {host: changes for host, changes in by_host.items() if host not in joining}
        stages: list[Stage] = []
        if told:
            changes = tuple(c for mine in told.values() for c in mine)
            involved = [service, *(s for s in self._owners(changes) if s is not service)]
            rolling, moves = self._waves(told, involved)
            gate = self._gate(involved, told)
            if joining:
                gate = tuple(check.by_itself for check in gate if check.host not in joining)
            stages.append(Stage(service.name, changes, rolling, gate, moves))
        if joining:
            changes = tuple(c for mine in joining.values() for c in mine)
            moves = tuple((host,) for host in joining)
            stages.append(Stage(service.name, changes, "joining", self._gate([service], joining), moves))
        return stages

    def _joins(self, service: Service, host: str) -> bool:
        """Whether `host` is new in a group that runs. One whose unit was started before is a member that is down."""
        if service.pattern is not HaPattern.QUORUM or not service.units:
            return False
        state, _, enabled = self._reply(host, Fact("unit", service.units[0])).partition(" ")
        started = state in ("active", "activating", "reloading") or enabled in ("enabled", "static", "generated")
        return not started and self._runs_in(service, self.cloud.host_by_name[host].region)

    def _owners(self, changes: Iterable[Change]) -> list[Service]:
        """Services whose units `changes` stop, or restart or reload where they run."""
        found: dict[str, Service] = {}
        for change in changes:
            unit = change.resource.key.partition(":")[2]
            for service in self.services.values() if isinstance(change.resource, (Trigger, Removal)) else ():
                stops = isinstance(change.resource, Removal)
                if unit in service.units_in(self.cloud) and (stops or self._runs(service, change.host)):
                    found[service.name] = service
        return list(found.values())

    def _waves(
        self, by_host: Iterable[str], involved: Sequence[Service]
    ) -> tuple[Rolling, tuple[tuple[str, ...], ...]]:
        """How the hosts move: as the most careful of the `involved` services wants it, region after region."""
        regions: dict[str, list[Host]] = {}
        for host in by_host:
            regions.setdefault(self.cloud.host_by_name[host].region, []).append(self.cloud.host_by_name[host])
        together: list[str] = []
        rolled: list[tuple[str, ...]] = []
        seen: list[Rolling] = []
        for region, hosts in regions.items():
            rolling = strictest(s.rolling if self._runs_in(s, region) else s.first_start for s in involved)
            limit = min((at_most(self.cloud, s, region) for s in involved), default=len(hosts))
            seen.append(rolling)
            moves = waves(hosts, rolling, limit)
            if rolling == "together":
                together += moves[0]
            else:
                rolled += moves
        return strictest(seen), tuple(([tuple(together)] if together else []) + rolled)

    def _gate(self, involved: Sequence[Service], by_host: Mapping[str, object]) -> tuple[Check, ...]:
        """Checks on every host that a change could have hurt: a cluster's members; of a per-host service, itself."""
        regions = dict.fromkeys(self.cloud.host_by_name[host].region for host in by_host)
        return tuple(
            check
            for service in involved
            for region in regions
            for host in self._members(service, region)
            if host.name in (by_host if service.pattern is HaPattern.PER_HOST else self.wanted)
            and (service is involved[0] or self._runs(service, host.name))
            for check in service.checks(self.cloud, host)
        )

    # The manifest, and what is no longer wanted

    def _remember(self) -> list[Stage]:
        changes: list[Change] = []
        for host, entries in self._entries.items():
            old = self._manifests[host]
            if new := [key for key in entries if key not in old]:
                said = f"{len(new)} more to manage"
                changes.append(Change(host, manifest_file({**entries, **_without(old, entries)}), "update", said))
        return self._bookkeeping_stage("remember", changes)

    def _remove(self) -> list[Stage]:
        changes: dict[str, list[Change]] = {}
        for host, entries in self._entries.items():
            old = self._manifests[host]
            actions = [*removals(old, entries), *self._orphans(host)]
            mine = [Change(host, action, "remove", "no longer wanted") for action in actions]
            mine += [Change(host, action, "remove", "put aside") for action in self._left(host)]
            due = {trigger for action in actions for trigger in action.triggers}
            mine += [c for _, c in _placed_triggers(host, dict.fromkeys(due, 0.0), {})]
            gone = [key for key in old if key not in entries]
            if gone or (old != entries and not set(entries) - set(old)):
                mine.append(Change(host, manifest_file(entries), "update", f"{len(gone)} less to manage"))
            if mine:
                changes[host] = mine
        flat = [c for mine in changes.values() for c in mine]
        if not (owners := self._owners(flat)):
            return self._bookkeeping_stage("remove", flat)
        rolling, moves = self._waves(changes, owners)
        return [Stage("remove", tuple(flat), rolling, self._gate(owners, changes), moves)]

    def _left(self, host: str) -> list[Left]:
        """Of services that `host` has carried, and does not any more."""
        gone = {s for s in self._manifests[host] if s.startswith("unit:") and s not in self._entries[host]}
        return [
            Left(service.name, service.left)
            for service in self.services.values()
            if isinstance(service, Leaves) and service.units and f"unit:{service.units[0]}" in gone
        ]

    def _orphans(self, host: str) -> list[Removal]:
        """Pending markers of units and services that are not wanted on `host` any more."""
        entries, services = self._entries[host], self.wanted[host]
        known = {f"unit:{key.partition(':')[2]}" for key in entries if key.startswith("unit:")}
        orphans: list[Removal] = []
        for left in sorted(self._pending.get(host, ())):
            waits, _, subject = left.partition(":")
            if not (subject in services if waits == "gate" else f"unit:{subject}" in known):
                orphans.append(Removal(f"file:{marker(waits, subject)}"))
        return orphans

    def _bookkeeping_stage(self, name: str, changes: Sequence[Change]) -> list[Stage]:
        hosts = tuple(dict.fromkeys(c.host for c in changes))
        return [Stage(name, tuple(changes), "together", (), (hosts,))] if changes else []


def _without(old: Manifest, entries: Mapping[str, object]) -> Manifest:
    return {key: triggers for key, triggers in old.items() if key not in entries}


def _placed_triggers(host: str, due: Mapping[str, float], places: Mapping[str, int]) -> list[tuple[float, Change]]:
    """Each trigger once: before its unit's own place when all its causes come earlier (what follows may need the unit
    as it will be), else last. A unit that is restarted is not reloaded as well."""
    placed: list[tuple[float, Change]] = []
    for name in sorted(due):
        verb, _, unit = name.partition(":")
        if verb == "reload" and f"restart:{unit}" in due:
            continue
        last = max(due[name], due.get(f"reload:{unit}", -1))
        place = places.get(f"unit:{unit}", -1)
        where = place - 0.5 if place > last else float("inf")
        placed.append((where, Change(host, Trigger(verb, unit), "update", f"{verb} {unit}")))
    return placed
