"""A plan is data: ordered stages of changes, each stage with the checks that must hold before the next begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fournines.services.resource import Fact, Resource
from fournines.services.service import Check, Rolling

#: host -> fact -> the probe's reply. A host that is missing was not reachable.
Observed = Mapping[str, Mapping[Fact, str]]


@dataclass(frozen=True, slots=True)
class Change:
    """One resource on one host that is not as wanted. `diff` is a line, or a unified diff; never a secret's content."""

    host: str
    resource: Resource
    kind: Literal["add", "update", "remove"]
    diff: str


@dataclass(frozen=True, slots=True)
class Stage:
    """`changes` in the order in which each host must make them. `rolling` says how many hosts move at once."""

    name: str
    changes: tuple[Change, ...]
    rolling: Rolling
    gate: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """`world` digests what was observed: `apply FILE` refuses when the hosts no longer say the same."""

    cloud: str
    stages: tuple[Stage, ...]
    world: str

    @property
    def empty(self) -> bool:
        return not any(s.changes for s in self.stages)
