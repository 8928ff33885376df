"""What a run tells as it happens, for whoever shows it. A `Report` is called in order, and must not block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fournines.errors import HostError


@dataclass(frozen=True, slots=True)
class HostAnswered:
    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HostFailed:
    host: str
    error: HostError


@dataclass(frozen=True, slots=True)
class StageStarted:
    """`number` counts from 1 to `of`."""

    stage: str
    number: int
    of: int
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeStarted:
    """`number` of `of` changes of this host in this stage."""

    stage: str
    host: str
    number: int
    of: int
    kind: Literal["add", "update", "remove"]
    key: str


@dataclass(frozen=True, slots=True)
class ChangesDone:
    """All changes of this host in this stage."""

    stage: str
    host: str
    changes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class GateWaits:
    """`check` does not hold yet; `left` seconds until that is a failure."""

    stage: str
    host: str
    check: str
    left: float


@dataclass(frozen=True, slots=True)
class StageDone:
    stage: str
    seconds: float


Event = HostAnswered | HostFailed | StageStarted | ChangeStarted | ChangesDone | GateWaits | StageDone
Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """For whoever does not watch."""
