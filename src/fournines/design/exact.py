"""The exact probability that a condition holds at a random moment, and what each component contributes to it.

A decision diagram over single components would grow with two to the power of the hosts times the services. Two exact
reductions keep it small. Components on which the same copies stand are one module: a host, its rack, its power. And
what belongs to one copy alone (a daemon's process) is no variable: given how many of a service's hosts stand, the
chance that enough of its daemons run is a binomial tail, one event a count, shared by all services on the same hosts.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class _Member:
    """One requirement of a tier: any of its copies stands for all; `parts` are what belongs to single copies."""

    least: int
    copy: Copy
    parts: tuple[Component, ...]


@dataclass
class _Tier:
    """Requirements whose copies stand on the same."""

    stands: tuple[Stand, ...]
    members: list[_Member] = field(default_factory=list[_Member])


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
    return Exact(0.0, {}) if condition.missing else Model(condition, reliability).solve()


class Model:
    """The diagram of a condition that lacks nothing, and the figures with which it is evaluated."""

    def __init__(self, condition: Condition, reliability: Reliability) -> None:
        self.condition = condition
        self.requirements = [_told_apart(r) for r in condition.requirements]
        self._figures(reliability)
        self.tiers, self.rest = self._tiers()
        self.diagram = Diagram(self._order())
        roots = [self._tier(t, tier) for t, tier in enumerate(self.tiers)]
        roots += [self._singly(r, requirement) for r, requirement in self.rest]
        self.root = self.diagram.every(roots)

    def _figures(self, reliability: Reliability) -> None:
        self.reliability = reliability
        self.up = {c.key: 1 - reliability.unavailability(c) for c in self.condition.components}

    def availability(self, reliability: Reliability) -> float:
        """With other figures, the same for all components of a kind that the first ones did not tell apart."""
        before = self.reliability
        self._figures(reliability)
        result = self._base() * self.diagram.probability(self.root, self._chances())
        self._figures(before)
        return result

    def _base(self) -> float:
        return math.prod(self.up[c.key] for c in self.condition.base)

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

    def _chances(self) -> dict[str, float]:
        """Of every variable: modules, the counts of each tier, single copies."""
        p = {f"m{i}": math.prod(self.up[k] for k in keys) for i, keys in enumerate(self._modules)}
        for t, tier in enumerate(self.tiers):
            own = [(m.least, self._own(m.copy)[1]) for m in tier.members]
            for n in range(len(tier.stands) + 1):
                p[f"t{t}.{n}"] = math.prod(tail(n, least, up) for least, up in own)
        for r, requirement in self.rest:
            p |= {f"r{r}.{j}": self._own(copy)[1] for j, copy in enumerate(requirement.copies)}
        return p

    def _order(self) -> list[str]:
        """What several hosts stand on comes first. Then tier by tier, the one with the fewest hosts that are not there
        yet first, of those the one that decides least: its hosts, and at once what they decide, so that the diagram
        remembers no host for longer than it must. (With all hosts before all outcomes, 30 hosts in six tiers took
        minutes.)"""
        order = dict.fromkeys(f"m{m}" for m, keys in enumerate(self._modules) if len(self._hosts(keys[0])) > 1)
        todo = list(self._outcomes())

        def waits(outcome: tuple[list[str], list[str]]) -> tuple[int, int]:
            modules, names = outcome
            return sum(m not in order for m in modules), len(names)

        while todo:
            modules, names = min(todo, key=waits)
            todo.remove((modules, names))
            order |= dict.fromkeys((*modules, *names))
        return list(order)

    def _hosts(self, key: str) -> set[str]:
        return {self.requirements[i].copies[j].host for i, j in self._incidence[key]}

    def _outcomes(self) -> Iterator[tuple[list[str], list[str]]]:
        """(modules that decide, variables of what they decide): a tier's counts, a single copy."""
        for t, tier in enumerate(self.tiers):
            modules = sorted({m for stand in tier.stands for m in stand})
            yield [f"m{m}" for m in modules], [f"t{t}.{n}" for n in range(len(tier.stands) + 1)]
        for r, requirement in self.rest:
            for j, copy in enumerate(requirement.copies):
                yield [f"m{m}" for m in self._stand(copy)], [f"r{r}.{j}"]

    def solve(self) -> Exact:
        p, base = self._chances(), self._base()
        inner, gradient = self.diagram.gradient(self.root, p)
        slopes = {k: base * v for k, v in gradient.items()}
        birnbaum = {c.key: base * inner / self.up[c.key] for c in self.condition.base}
        for i, keys in enumerate(self._modules):
            birnbaum |= {k: slopes.get(f"m{i}", 0.0) * p[f"m{i}"] / self.up[k] for k in keys}
        for t, tier in enumerate(self.tiers):
            birnbaum |= self._of_tier(t, tier, slopes)
        for r, requirement in self.rest:
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
                member = _Member(requirement.least, requirement.copies[0], parts)
                tiers.setdefault(stands, _Tier(stands)).members.append(member)
            else:
                rest.append((i, requirement))
        return list(tiers.values()), rest

    def _tier(self, t: int, tier: _Tier) -> int:
        outcomes = [self.diagram.variable(f"t{t}.{n}") for n in range(len(tier.stands) + 1)]
        return self.diagram.count([self._standing(s) for s in tier.stands], outcomes)

    def _singly(self, r: int, requirement: Requirement) -> int:
        works = [
            self.diagram.every((self.diagram.variable(f"r{r}.{j}"), self._standing(self._stand(copy))))
            for j, copy in enumerate(requirement.copies)
        ]
        return self.diagram.at_least(requirement.least, works)

    def _standing(self, stand: Stand) -> int:
        return self.diagram.every(self.diagram.variable(f"m{m}") for m in reversed(stand))

    def _of_tier(self, t: int, tier: _Tier, slopes: Mapping[str, float]) -> dict[str, float]:
        found: dict[str, float] = {}
        own = [(m.least, self._own(m.copy)[1]) for m in tier.members]
        for i, member in enumerate(tier.members):
            least, up = own[i]
            total = 0.0  # over all copies
            for n in range(len(tier.stands) + 1):
                others = math.prod(tail(n, k, a) for j, (k, a) in enumerate(own) if j != i)
                total += slopes.get(f"t{t}.{n}", 0.0) * others * tail_slope(n, least, up)
            found |= {c.key: total / len(tier.stands) * up / self.up[c.key] for c in member.parts}
        return found


def _told_apart(requirement: Requirement) -> Requirement:
    """Alike copies of which more than one is needed, one by one; where any of them is enough they stay together."""
    if requirement.least == 1 or all(c.count == 1 for c in requirement.copies):
        return requirement
    copies: Sequence[Copy] = [Copy(c.host, c.parts, 1, c.alike) for c in requirement.copies for _ in range(c.count)]
    return Requirement(requirement.name, requirement.least, tuple(copies), requirement.pattern, requirement.needed_by)
