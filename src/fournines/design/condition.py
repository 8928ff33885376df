"""The exact condition under which a function of one region works: what is needed, and which copies of it there are.

A function works while every component of `base` does and every requirement is met; a requirement is met while at least
`least` of its copies work; a copy works while all of its parts do. Everything that `design` computes, cut sets,
availability, simulation, is computed from this.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from fournines.cloud.source import Path

Kind = Literal["region", "network", "power", "switch", "zone", "host", "process", "outside"]


@dataclass(frozen=True, slots=True)
class Component:
    """Something that fails as a whole. `key` is unique in the cloud. `entry`: where the cloud file speaks of it.

    service: whose process it is, "" for the other kinds.
    """

    key: str
    kind: Kind
    name: str
    region: str
    entry: Path
    service: str = ""

    def __str__(self) -> str:
        return self.name if self.kind == "process" else f"{WORDS[self.kind]} {self.name}"


#: How texts name a component's kind.
WORDS: dict[Kind, str] = {
    "region": "region",
    "network": "network",
    "power": "power feed",
    "switch": "switch",
    "zone": "zone",
    "host": "host",
    "process": "process",
    "outside": "outside",
}


@dataclass(frozen=True)
class Copy:
    """One copy on `host`, or `count` of them that differ in nothing but their hosts (`host`: the first of them).

    parts: what one copy stands on; of several copies, what they share. alike: what each of several has for itself,
    shown by the first one's.
    """

    host: str
    parts: tuple[Component, ...]
    count: int = 1
    alike: tuple[Component, ...] = ()


@dataclass(frozen=True)
class Requirement:
    """At least `least` of the copies. `needed_by`: the services because of which the function needs it.

    name: a service's, or what else needs a majority. pattern: as the service declares it.
    """

    name: str
    least: int
    copies: tuple[Copy, ...]
    pattern: str
    needed_by: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(c.count for c in self.copies)

    def left(self, failed: Collection[str]) -> int:
        """Copies that work while the components with the keys `failed` do not."""
        return sum(c.count for c in self.copies if not any(p.key in failed for p in c.parts))


@dataclass(frozen=True)
class Condition:
    """Of function `name` in `region`. `missing`: needed services that no host of the region carries: it never works.

    without: (service, price): what it goes on without.
    """

    name: str
    does: str
    provider: str
    region: str
    base: tuple[Component, ...]
    requirements: tuple[Requirement, ...]
    missing: tuple[str, ...] = ()
    without: tuple[tuple[str, str], ...] = ()

    def works(self, failed: Collection[str]) -> bool:
        return not self.stopped_by(failed) and not self.missing

    def stopped_by(self, failed: Collection[str]) -> tuple[str, ...]:
        """What is no longer met while the components with the keys `failed` do not work."""
        broken = [c.name for c in self.base if c.key in failed]
        return (*broken, *(r.name for r in self.requirements if r.left(failed) < r.least))

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """Those that are told apart: of many alike copies, only what they share."""
        parts = [p for r in self.requirements for c in r.copies for p in c.parts]
        return tuple({c.key: c for c in (*self.base, *parts)}.values())
