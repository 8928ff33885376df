"""Minimal cut sets: the fewest components whose loss together stops a function, up to three, common causes included.

A component takes down the copies that stand on it: its mask. A requirement fails when the union of some masks covers
more copies than it can spare. What has the same mask is found once and written out afterwards, so that the search is
over what is shared and not over hosts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product

from fournines.design.condition import Component, Condition, Requirement
from fournines.design.reliability import Reliability

MOST = 3
Keys = frozenset[str]


@dataclass(frozen=True)
class CutSet:
    """`probability` that all of `components` are down at a random moment."""

    components: tuple[Component, ...]
    probability: float

    @property
    def keys(self) -> Keys:
        return frozenset(c.key for c in self.components)


class CutSets:
    """Remembers what it found for a requirement: the functions of a region share most of theirs."""

    def __init__(self, reliability: Reliability, order: int = MOST) -> None:
        self.reliability = reliability
        self.order = order
        self._found: dict[tuple[int, int], tuple[Requirement, tuple[Keys, ...]]] = {}

    def of(self, condition: Condition) -> tuple[CutSet, ...]:
        """The most probable first, then the smallest."""
        alone = [frozenset((c.key,)) for c in condition.base]
        candidates = [*alone, *(k for r in condition.requirements for k in self._requirement(r))]
        by_key = {c.key: c for c in condition.components}
        place = {key: i for i, key in enumerate(by_key)}
        q = {key: self.reliability.unavailability(c) for key, c in by_key.items()}
        # In one order: a product's last digit depends on it, and on that the order of what is equally probable.
        ordered = [sorted(keys, key=place.__getitem__) for keys in minimal(candidates)]
        found = [CutSet(tuple(by_key[k] for k in keys), math.prod(q[k] for k in keys)) for keys in ordered]
        return tuple(sorted(found, key=lambda c: (-c.probability, len(c.components), sorted(c.keys))))

    def _requirement(self, requirement: Requirement) -> tuple[Keys, ...]:
        at = (id(requirement.copies), requirement.least)
        if at not in self._found:  # the requirement is kept, so that no other object gets its id
            self._found[at] = (requirement, tuple(_cuts(requirement, self.order)))
        return self._found[at][1]


def minimal(candidates: Iterable[Keys]) -> list[Keys]:
    """Those that contain no other, each once; the smallest first."""
    kept: set[Keys] = set()
    for keys in sorted(set(candidates), key=len):
        smaller = (frozenset(s) for n in range(1, len(keys)) for s in combinations(keys, n))
        if not any(s in kept for s in smaller):
            kept.add(keys)
    return sorted(kept, key=lambda k: (len(k), sorted(k)))


def _cuts(requirement: Requirement, order: int) -> Iterator[Keys]:
    fatal = requirement.total - requirement.least + 1
    weights = [c.count for c in requirement.copies]
    classes: dict[int, list[str]] = {}
    for mask, key in _masks(requirement):
        classes.setdefault(mask, []).append(key)
    for masks in _covers(sorted(classes), weights, fatal, order):
        yield from (frozenset(keys) for keys in product(*(classes[m] for m in masks)))


def _masks(requirement: Requirement) -> Iterator[tuple[int, str]]:
    """(copies that stand on it, as bits; key) of every component."""
    masks: dict[str, int] = {}
    for bit, copy in enumerate(requirement.copies):
        for part in copy.parts:
            masks[part.key] = masks.get(part.key, 0) | 1 << bit
    for key, mask in masks.items():
        yield mask, key


def _covers(masks: list[int], weights: list[int], fatal: int, order: int) -> Iterator[tuple[int, ...]]:
    """Sets of at most `order` masks whose union weighs at least `fatal`, none of them superfluous."""
    weight = {m: _weigh(m, weights) for m in masks}
    heavy = sorted(masks, key=lambda m: -weight[m])

    def grow(start: int, chosen: tuple[int, ...], union: int, left: int) -> Iterator[tuple[int, ...]]:
        lacking = fatal - _weigh(union, weights)
        for i in range(start, len(heavy)):
            mask = heavy[i]
            if weight[mask] * left < lacking:
                return  # those that follow are lighter still
            if mask & ~union == 0:
                continue
            both = (*chosen, mask)
            if _weigh(union | mask, weights) >= fatal:
                if all(_weigh(_union(m for m in both if m != out), weights) < fatal for out in both):
                    yield both
            elif left > 1:
                yield from grow(i + 1, both, union | mask, left - 1)

    yield from grow(0, (), 0, order)


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


def _weigh(mask: int, weights: list[int]) -> int:
    total, bit = 0, 0
    while mask:
        if mask & 1:
            total += weights[bit]
        mask >>= 1
        bit += 1
    return total
