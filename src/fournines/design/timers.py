"""Timers that cannot be read, and timers that contradict one another, whether `timing:` or an option sets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fournines.cloud.model import Cloud
from fournines.cloud.source import Path
from fournines.design import effective
from fournines.design.finding import Flaw, Severity
from fournines.timing.profiles import PEERS
from fournines.timing.resolve import resolve
from fournines.timing.rules import Contradiction, contradictions
from fournines.timing.timers import Timers


def contradiction(cloud: Cloud) -> Iterator[Flaw]:
    timers, unreadable = resolve(cloud)
    if timers is None:
        return
    of_profile = tuple(contradictions(timers))
    for found in of_profile:
        yield Flaw(_path(cloud, found), _severity(cloud, found), found.what, found.why, found.change)
    if unreadable:
        return  # what is behind the load balancer asks for timers that can be read
    yield from _of_options(cloud, timers, of_profile)
    for wrong in effective.settings(cloud)[1]:
        yield Flaw(wrong.path, "error", wrong.what, "the timer that it sets cannot be told", "a value of that form")
    for path, idle in effective.sessions(cloud):
        if idle < timers.db_pool_recycle:
            yield Flaw(
                path,
                "error",
                f"sessions to the database end after {idle:g} s of silence, pools keep them for "
                f"{timers.db_pool_recycle:g} s (db_pool_recycle)",
                "the next request that takes one from its pool fails",
                f"at least {timers.db_pool_recycle:g}s",
            )


def _of_options(cloud: Cloud, timers: Timers, before: tuple[Contradiction, ...]) -> Iterator[Flaw]:
    """What an option brings about; each once, however many services are concerned."""
    seen: set[tuple[Path, str]] = {(_path(cloud, found), found.what) for found in before}
    for variant in effective.variants(cloud, timers):
        for found in contradictions(variant.timers):
            path = _option(found, variant.options)
            if not path or variant.foreign.intersection(found.timers):
                continue
            if found not in before and (path, found.what) not in seen:
                seen.add((path, found.what))
                severity: Severity = "error" if found.fatal else "warning"
                yield Flaw(path, severity, found.what, found.why, found.change)


def _option(found: Contradiction, options: Mapping[str, Path]) -> Path | None:
    return next((options[t] for t in found.timers if t in options), None)


def _path(cloud: Cloud, found: Contradiction) -> Path:
    """The override to blame; without one, it is the profile."""
    overridden = [t for t in found.timers if t in cloud.timing.overrides]
    return ("timing", "overrides", overridden[0]) if overridden else ("timing", "profile")


def _severity(cloud: Cloud, found: Contradiction) -> Severity:
    # A baseline is measured as its project ships it, contradictions included.
    shipped = cloud.timing.profile in PEERS and not any(t in cloud.timing.overrides for t in found.timers)
    return "error" if found.fatal and not shipped else "warning"
