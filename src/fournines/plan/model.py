"""A plan is data: ordered stages of changes, each stage with the checks that must hold before the next begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from fournines.services.resource import Fact, Resource, Step
from fournines.services.service import Check, Rolling

#: host -> fact -> the probe's reply. A host that is missing was not reachable.
Observed = Mapping[str, Mapping[Fact, str]]
#: host -> service -> its resources, in the order in which they must be made; services in the order of their needs.
Desired = Mapping[str, Mapping[str, tuple[Resource, ...]]]


class Action(Protocol):
    """What a plan needs of a resource: every `Resource` is one, and so is what a plan adds of its own (`actions`)."""

    @property
    def key(self) -> str: ...
    @property
    def triggers(self) -> tuple[str, ...]: ...
    def steps(self) -> Sequence[Step]: ...


@dataclass(frozen=True, slots=True)
class Change:
    """One resource on one host that is not as wanted. `diff` is a line, or a unified diff; never a secret's content."""

    host: str
    resource: Action
    kind: Literal["add", "update", "remove"]
    diff: str


@dataclass(frozen=True, slots=True)
class Stage:
    """`changes` in the order in which each host must make them. `rolling` says how the hosts move, `waves` which of
    them move at once; the checks of `gate` must hold between waves and at the end."""

    name: str
    changes: tuple[Change, ...]
    rolling: Rolling
    gate: tuple[Check, ...]
    waves: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """`world` digests the replies to `facts` (host -> facts): a plan is carried out only where they still say the same.

    `source` is the cloud file. `facts` is empty, and `world` with it, when the plan was made without looking. `notes`:
    where hosts differ, and are left so.
    """

    cloud: str
    stages: tuple[Stage, ...]
    world: str
    source: str = ""
    facts: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict[str, tuple[Fact, ...]])
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not any(s.changes for s in self.stages)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts that change, in order of first change."""
        return tuple(dict.fromkeys(c.host for s in self.stages for c in s.changes))
