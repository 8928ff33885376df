"""Timers that cannot be read, and timers that contradict one another."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.cloud.source import Path
from fournines.design.finding import Flaw, Severity
from fournines.timing.profiles import PEERS
from fournines.timing.resolve import resolve
from fournines.timing.rules import Contradiction, contradictions


def contradiction(cloud: Cloud) -> Iterator[Flaw]:
    timers, _ = resolve(cloud)
    for found in contradictions(timers) if timers else ():
        yield Flaw(_path(cloud, found), _severity(cloud, found), found.what, found.why, found.change)


def _path(cloud: Cloud, found: Contradiction) -> Path:
    """The override to blame; without one, it is the profile."""
    overridden = [t for t in found.timers if t in cloud.timing.overrides]
    return ("timing", "overrides", overridden[0]) if overridden else ("timing", "profile")


def _severity(cloud: Cloud, found: Contradiction) -> Severity:
    # A baseline is measured as its project ships it, contradictions included.
    shipped = cloud.timing.profile in PEERS and not any(t in cloud.timing.overrides for t in found.timers)
    return "error" if found.fatal and not shipped else "warning"
