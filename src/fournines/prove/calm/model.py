"""What a calm campaign comes to: nothing was injected, so nothing may have happened."""

from __future__ import annotations

from dataclasses import dataclass, field

from fournines.prove.model import Pressure, Verdict


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened that must not happen in calm. `count` None: it could not be counted, `detail` says
    why; else what happened, with its host. `source`: who counted."""

    what: str
    count: int | None
    source: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Of one function: requests, those that failed or whose outcome is unknown, and the longest wait of any, seconds
    from its intended time."""

    function: str
    requests: int
    fail: int
    unknown: int
    worst_s: float | None


@dataclass(frozen=True, slots=True)
class Calm:
    """`began`, `ended`: on the campaign's clock. `without`: the host that was off. `redundant_again_s`: after its power
    was back, None when it was not within the deadline or none was off."""

    cloud: str
    profile: str
    started_at: str
    command: str
    began: float
    ended: float
    busy: bool
    without: str
    counts: tuple[Count, ...]
    waits: tuple[Wait, ...]
    pressure: Pressure
    verdict: Verdict
    reasons: tuple[str, ...]
    redundant_again_s: float | None = None
    versions: dict[str, str] = field(default_factory=dict[str, str])
