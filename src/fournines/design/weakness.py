"""What the cut sets of a region amount to: alike ones together, each kind with a sentence and with what removes it.

Whether a host is lost by itself, with its rack, its power or its switch makes no difference to what is left. Cut sets
that differ in that only, or in which of several alike hosts they take, are one weakness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fournines.cloud.model import Cloud
from fournines.design.condition import WORDS, Component, Condition, Kind, Requirement
from fournines.design.cutsets import CutSet, CutSets
from fournines.design.finding import listed
from fournines.services.capabilities import HasSingles, Single, present
from fournines.services.service import HaPattern

#: Failure domains that several hosts may share.
SHARED: tuple[Kind, ...] = ("zone", "power", "switch")
_MACHINES: tuple[Kind, ...] = ("host", *SHARED)


@dataclass(frozen=True)
class Weakness:
    """`count` cut sets of `order` components that amount to the same; `cut` is the most probable of them.

    probability: that one of them is down at a random moment (a sum, so an upper bound). stops: the functions.
    what: the fact. removes: the way out.
    """

    region: str
    order: int
    cut: CutSet
    count: int
    probability: float
    stops: tuple[str, ...]
    what: str
    removes: str


@dataclass(frozen=True)
class Degraded:
    """The functions still work after the hosts `lost`, by one of `causes`; then one of `then` (hosts, domains), or of
    the processes of `services`, stops `stops`."""

    region: str
    lost: tuple[str, ...]
    causes: tuple[Component, ...]
    then: tuple[str, ...]
    services: tuple[str, ...]
    stops: tuple[str, ...]

    @property
    def what(self) -> str:
        more = f"one more of {_some(self.then)}" if len(self.then) > 1 else "".join(self.then)
        parts = ([more] if self.then else []) + ([f"{listed(self.services, 'or')} elsewhere"] if self.services else [])
        causes = listed((str(c) for c in self.causes), "or")
        return f"after losing {_some(self.lost)} ({causes}): {', or '.join(parts)} stops {listed(self.stops)}"


@dataclass(frozen=True)
class Local:
    """The functions of one region, and what each component takes down in it."""

    region: str
    conditions: Mapping[str, Condition]
    cut_sets: CutSets

    @cached_property
    def hosts(self) -> Mapping[str, tuple[str, ...]]:
        """Component's key -> hosts whose copies stand on it."""
        found: dict[str, dict[str, None]] = {}
        for copy in (c for f in self.conditions.values() for r in f.requirements for c in r.copies):
            for part in copy.parts:
                found.setdefault(part.key, {})[copy.host] = None
        return {key: tuple(hosts) for key, hosts in found.items()}

    @cached_property
    def cuts(self) -> Mapping[CutSet, tuple[str, ...]]:
        """Every cut set of some function -> the functions that it stops."""
        cuts: dict[frozenset[str], tuple[CutSet, list[str]]] = {}
        for name, condition in self.conditions.items():
            for cut in self.cut_sets.of(condition):
                cuts.setdefault(cut.keys, (cut, []))[1].append(name)
        return {cut: tuple(names) for cut, names in cuts.values()}

    def role(self, component: Component) -> tuple[str, str]:
        """What a component is in a cut set, whichever of several alike ones it is."""
        if component.kind == "process":
            return "process", component.service
        if component.kind not in _MACHINES:
            return component.kind, component.name
        return ("domain", "") if len(self.hosts[component.key]) > 1 else ("one host", "")


def locals_of(conditions: Sequence[Condition], cut_sets: CutSets) -> Iterator[Local]:
    for region in dict.fromkeys(c.region for c in conditions):
        # What is missing never worked: no cut set would say more.
        yield Local(region, {c.name: c for c in conditions if c.region == region and not c.missing}, cut_sets)


def weaknesses(conditions: Sequence[Condition], cut_sets: CutSets) -> tuple[Weakness, ...]:
    """Of all regions, by order, the most probable first."""
    found: list[Weakness] = []
    for local in locals_of(conditions, cut_sets):
        alike: dict[tuple[object, ...], list[CutSet]] = {}
        for cut, stops in local.cuts.items():
            roles = tuple(sorted(local.role(c) for c in cut.components))
            broken = tuple(r.name for r in _broken(local, cut, stops))
            alike.setdefault((roles, broken, stops), []).append(cut)
        found += [_weakness(local, cuts) for cuts in alike.values()]
    return tuple(sorted(found, key=lambda w: (w.order, -w.probability, w.region, w.what)))


def singles(cloud: Cloud, conditions: Sequence[Condition]) -> tuple[Weakness, ...]:
    """What services say there is one of: places outside the cloud, disks of single hosts. How probable is not known."""
    found: list[Weakness] = []
    for region in cloud.regions.values():
        for service in present(cloud, region.name):
            if isinstance(service, HasSingles):
                stops = tuple(
                    c.name
                    for c in conditions
                    if c.region == region.name and service.name in (c.provider, *(r.name for r in c.requirements))
                )
                found += [_single(region.name, service.name, s, stops) for s in service.singles(cloud, region)]
    return tuple(found)


def _single(region: str, service: str, single: Single, stops: tuple[str, ...]) -> Weakness:
    component = Component(f"outside:{region}/{service}/{single.what}", "outside", single.what, region, single.entry)
    cut = CutSet((component,), 0.0)
    return Weakness(region, 1, cut, 1, 0.0, stops, f"{single.what}: {single.loss}", single.removes)


def _broken(local: Local, cut: CutSet, stops: Iterable[str]) -> tuple[Requirement, ...]:
    keys = cut.keys
    broken = {r.name: r for f in stops for r in local.conditions[f].requirements if r.left(keys) < r.least}
    return tuple(broken.values())


def _weakness(local: Local, cuts: list[CutSet]) -> Weakness:
    worst = max(cuts, key=lambda c: c.probability)
    stops = local.cuts[worst]
    broken = _broken(local, worst, stops)
    return Weakness(
        region=local.region,
        order=len(worst.components),
        cut=worst,
        count=len(cuts),
        probability=min(1.0, sum(c.probability for c in cuts)),
        stops=stops,
        what=f"{_who(local, cuts)}: {_left(worst, broken)}",
        removes=_removes(worst, broken),
    )


def _who(local: Local, cuts: list[CutSet]) -> str:
    """`2 of ctl1, ctl2 and ctl3 (by host, zone or switch) and mariadb on another host`."""
    if len(cuts) == 1:
        return listed(str(c) for c in cuts[0].components)
    parts: list[str] = []
    for (role, name), count in Counter(local.role(c) for c in cuts[0].components).items():
        if role == "process":
            where = "another host" if parts and count == 1 else f"{count} host{'s' if count > 1 else ''}"
            parts.append(f"{name} on {where}")
            continue
        members = list(dict.fromkeys(c for cut in cuts for c in cut.components if local.role(c)[0] == role))
        if role == "one host":
            hosts = list(dict.fromkeys(h for c in members for h in local.hosts[c.key]))
            kinds = [WORDS[k] for k in _MACHINES if any(c.kind == k for c in members)]
            parts.append(f"{count} of {_some(hosts)}" + (f" (by {listed(kinds, 'or')})" if len(kinds) > 1 else ""))
        else:
            parts.append(f"{count} of {_some([str(c) for c in members])}")
    return listed(parts)


def _some(names: Sequence[str]) -> str:
    return listed(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} more"


def _left(cut: CutSet, broken: Sequence[Requirement]) -> str:
    if not broken:
        return "everything in the region stands on it"
    left: dict[str, list[str]] = {}
    for r in broken:
        copies = f"{r.left(cut.keys)} of {r.total} left" if r.left(cut.keys) else f"none of {r.total} left"
        left.setdefault(copies + (f", {r.least} needed" if r.least > 1 else ""), []).append(r.name)
    return "; ".join(f"{listed(names)}: {copies}" for copies, names in left.items())


def _removes(cut: CutSet, broken: Sequence[Requirement]) -> str:
    kinds = {c.kind for c in cut.components}
    if "region" in kinds:
        return "a second region; nothing inside one removes it"
    if "network" in kinds:
        return "two switches and a bond behind it; how often both fail then belongs under design.failures.network"
    worst = max(broken, key=lambda r: (r.least > 1, -r.total))
    spare, lost = worst.total - worst.least, len(cut.components)
    shared = [c for c in cut.components if c.kind in SHARED and _carried(worst, c) > 1]
    if shared and lost <= spare:
        kind, most = WORDS[shared[0].kind], max(1, spare // lost)
        return f"spread {worst.name} so that no {kind} carries more than {most} of its {worst.total} copies"
    enough = 2 * lost + 1 if worst.pattern == HaPattern.QUORUM.value else lost + worst.least
    apart = f", each in a {WORDS[shared[0].kind]} of its own" if shared else ""
    return f"{enough} hosts that carry {worst.name} instead of {worst.total}{apart}"


def _carried(requirement: Requirement, component: Component) -> int:
    return requirement.total - requirement.left({component.key})


def degraded(conditions: Sequence[Condition], cut_sets: CutSets) -> tuple[Degraded, ...]:
    """What the loss of each host or shared failure domain leaves: one more, and something stops."""
    return tuple(d for local in locals_of(conditions, cut_sets) for d in _degraded(local))


def _degraded(local: Local) -> Iterator[Degraded]:
    next_of: dict[Component, dict[Component, tuple[str, ...]]] = {}
    for cut, stops in local.cuts.items():
        if len(cut.components) == 2:
            one, other = cut.components
            next_of.setdefault(one, {})[other] = stops
            next_of.setdefault(other, {})[one] = stops
    causes: dict[tuple[str, ...], list[Component]] = {}
    for component in next_of:
        if component.kind in _MACHINES:
            causes.setdefault(local.hosts[component.key], []).append(component)
    for lost, because in sorted(causes.items(), key=lambda item: (-len(item[0]), item[0])):
        then = {c: s for component in because for c, s in next_of[component].items()}
        machines = [c for c in then if c.kind in _MACHINES]
        hosts = [h for c in machines if len(local.hosts[c.key]) == 1 for h in local.hosts[c.key]]
        domains = [str(c) for c in machines if len(local.hosts[c.key]) > 1]
        services = dict.fromkeys(c.service for c in then if c.kind == "process")
        stops = dict.fromkeys(f for names in then.values() for f in names)
        ordered = sorted(because, key=lambda c: _MACHINES.index(c.kind))
        more = tuple(dict.fromkeys(hosts + domains))
        yield Degraded(local.region, lost, tuple(ordered), more, tuple(services), tuple(stops))
