"""The exact probability that a condition holds at a random moment, and what each component contributes to it.

A decision diagram over single components would grow with two to the power of the hosts times the services. Two exact
reductions keep it small. Components on which the same copies stand are one module: a host, its rack, its power. And
what belongs to one copy alone (a daemon's process) is no variable: given how many of a service's hosts stand, the
chance that enough of its daemons run is a binomial tail, one event a count, shared by all services on the same hosts.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fournines.design.bdd import Diagram
from fournines.design.condition import Component, Condition, Copy, Requirement
from fournines.design.reliability import Reliability

#: Modules (by number) that a copy stands on, beside what is its own.
Stand = tuple[int, ...]


@dataclass(frozen=True)
class Exact:
    """`birnbaum`: component's key -> the derivative of `availability` by the component's own: the probability that it
    decides. Of components of one copy alone, the mean over the copies of their service."""

    availability: float
    birnbaum: Mapping[str, float]


@dataclass
class _Tier:
    """Requirements whose copies stand on the same: (least, availability of what is each copy's own, its components)."""

    stands: tuple[Stand, ...]
    members: list[tuple[int, float, tuple[Component, ...]]] = field(
        default_factory=list[tuple[int, float, tuple[Component, ...]]]
    )

    def outcome(self, standing: int) -> float:
        """The chance that every member has enough, given that so many copies stand."""
        return math.prod(tail(standing, least, own) for least, own, _ in self.members)

    def slope(self, member: int, standing: int) -> float:
        """Its derivative by the availability of what is a copy's own in one member, summed over the copies."""
        others = math.prod(tail(standing, k, a) for i, (k, a, _) in enumerate(self.members) if i != member)
        least, own, _ = self.members[member]
        return others * tail_slope(standing, least, own)


def tail(n: int, least: int, p: float) -> float:
    """The chance of at least `least` of `n` that are up with probability `p` each."""
    if least <= 0:
        return 1.0
    return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(least, n + 1))


def tail_slope(n: int, least: int, p: float) -> float:
    if not 0 < least <= n:
        return 0.0
    return n * math.comb(n - 1, least - 1) * p ** (least - 1) * (1 - p) ** (n - least)


def shape(condition: Condition) -> Hashable:
    """Equal for conditions that differ in names only, as regions built alike do: their figures are the same."""
    number: dict[str, int] = {}

    def seen(component: Component) -> tuple[int, str, str]:
        return number.setdefault(component.key, len(number)), component.kind, component.service

    base = tuple(seen(c) for c in condition.base)
    requirements = tuple(
        (
            r.least,
            tuple((c.count, tuple(map(seen, c.parts)), tuple((p.kind, p.service) for p in c.alike)) for c in r.copies),
        )
        for r in condition.requirements
    )
    return base, requirements, bool(condition.missing)


def exact(condition: Condition, reliability: Reliability) -> Exact:
    if condition.missing:
        return Exact(0.0, {})
    return _Model(condition, reliability).solve()


class _Model:
    def __init__(self, condition: Condition, reliability: Reliability) -> None:
        self.condition = condition
        self.up = {c.key: 1 - reliability.unavailability(c) for c in condition.components}
        self.reliability = reliability
        self.requirements = [_told_apart(r) for r in condition.requirements]

    @cached_property
    def _incidence(self) -> Mapping[str, frozenset[tuple[int, int]]]:
        """Component -> the (requirement, copy) that stand on it."""
        found: dict[str, set[tuple[int, int]]] = {}
        for i, requirement in enumerate(self.requirements):
            for j, copy in enumerate(requirement.copies):
                for part in copy.parts:
                    found.setdefault(part.key, set()).add((i, j))
        return {key: frozenset(at) for key, at in found.items()}

    @cached_property
    def _modules(self) -> list[tuple[str, ...]]:
        """Keys of the components of each module; those on which most copies stand first."""
        groups: dict[frozenset[tuple[int, int]], list[str]] = {}
        for key, at in self._incidence.items():
            if len(at) > 1:
                groups.setdefault(at, []).append(key)
        return [tuple(groups[at]) for at in sorted(groups, key=lambda at: (-len(at), sorted(at)))]

    def _stand(self, copy: Copy) -> Stand:
        parts = {p.key for p in copy.parts}
        return tuple(m for m, keys in enumerate(self._modules) if keys[0] in parts)

    def _own(self, copy: Copy) -> tuple[tuple[Component, ...], float]:
        """What belongs to this copy alone, and its availability; of alike copies, that any of them works."""
        own = tuple(p for p in copy.parts if len(self._incidence[p.key]) == 1)
        up = math.prod(self.up[p.key] for p in own)
        if copy.count > 1 or copy.alike:
            each = math.prod(1 - self.reliability.unavailability(p) for p in copy.alike)
            up *= 1 - (1 - each) ** copy.count
        return own, up

    def solve(self) -> Exact:
        tiers, rest = self._tiers()
        modules = [f"m{i}" for i in range(len(self._modules))]
        p = {m: math.prod(self.up[k] for k in keys) for m, keys in zip(modules, self._modules, strict=True)}
        for t, tier in enumerate(tiers):
            p |= {f"t{t}.{n}": tier.outcome(n) for n in range(len(tier.stands) + 1)}
        for r, requirement in rest:
            p |= {f"r{r}.{j}": self._own(copy)[1] for j, copy in enumerate(requirement.copies)}
        diagram = Diagram(list(p))
        roots = [self._tier(diagram, t, tier) for t, tier in enumerate(tiers)]
        roots += [self._singly(diagram, r, requirement) for r, requirement in rest]
        root = diagram.every(roots)
        base = math.prod(self.up[c.key] for c in self.condition.base)
        inner = diagram.probability(root, p)
        slopes = {k: base * v for k, v in diagram.gradient(root, p).items()}
        birnbaum = {c.key: base * inner / self.up[c.key] for c in self.condition.base}
        for m, keys in zip(modules, self._modules, strict=True):
            birnbaum |= {k: slopes.get(m, 0.0) * p[m] / self.up[k] for k in keys}
        for t, tier in enumerate(tiers):
            birnbaum |= self._of_tier(t, tier, slopes)
        for r, requirement in rest:
            for j, copy in enumerate(requirement.copies):
                own, up = self._own(copy)
                birnbaum |= {c.key: slopes.get(f"r{r}.{j}", 0.0) * up / self.up[c.key] for c in own}
        return Exact(base * inner, birnbaum)

    def _tiers(self) -> tuple[list[_Tier], list[tuple[int, Requirement]]]:
        """The requirements whose copies are alike, together where they stand on the same; and the others."""
        tiers: dict[tuple[Stand, ...], _Tier] = {}
        rest: list[tuple[int, Requirement]] = []
        for i, requirement in enumerate(self.requirements):
            own = [self._own(c) for c in requirement.copies]
            if len({up for _, up in own}) == 1:
                stands = tuple(self._stand(c) for c in requirement.copies)
                parts = tuple(c for components, _ in own for c in components)
                tiers.setdefault(stands, _Tier(stands)).members.append((requirement.least, own[0][1], parts))
            else:
                rest.append((i, requirement))
        return list(tiers.values()), rest

    def _tier(self, diagram: Diagram, t: int, tier: _Tier) -> int:
        outcomes = [diagram.variable(f"t{t}.{n}") for n in range(len(tier.stands) + 1)]
        return diagram.count([self._standing(diagram, s) for s in tier.stands], outcomes)

    def _singly(self, diagram: Diagram, r: int, requirement: Requirement) -> int:
        works = [
            diagram.every((diagram.variable(f"r{r}.{j}"), self._standing(diagram, self._stand(copy))))
            for j, copy in enumerate(requirement.copies)
        ]
        return diagram.at_least(requirement.least, works)

    @staticmethod
    def _standing(diagram: Diagram, stand: Stand) -> int:
        return diagram.every(diagram.variable(f"m{m}") for m in reversed(stand))

    def _of_tier(self, t: int, tier: _Tier, slopes: Mapping[str, float]) -> dict[str, float]:
        found: dict[str, float] = {}
        copies = len(tier.stands)
        for i, (_, own, parts) in enumerate(tier.members):
            total = sum(slopes.get(f"t{t}.{n}", 0.0) * tier.slope(i, n) for n in range(copies + 1))
            found |= {c.key: total / copies * own / self.up[c.key] for c in parts}
        return found


def _told_apart(requirement: Requirement) -> Requirement:
    """Alike copies of which more than one is needed, one by one; where any of them is enough they stay together."""
    if requirement.least == 1 or all(c.count == 1 for c in requirement.copies):
        return requirement
    copies: Sequence[Copy] = [Copy(c.host, c.parts, 1, c.alike) for c in requirement.copies for _ in range(c.count)]
    return Requirement(requirement.name, requirement.least, tuple(copies), requirement.pattern, requirement.needed_by)
