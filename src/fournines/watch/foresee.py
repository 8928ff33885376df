"""What handlers would do about the conditions of this moment, and what keeps them from it. Pure; nothing is done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fournines.cloud.handlers import Handler
from fournines.watch.decide import Condition, fits


@dataclass(frozen=True)
class Foreseen:
    """holds: why nothing, or nothing more, is done; "": its steps are taken by the watch that runs."""

    handler: str
    condition: Condition
    do: tuple[str, ...]
    holds: str


def foresee(
    handlers: Sequence[Handler], there: Collection[Condition], state: Mapping[str, Any], now: float, *, watched: bool
) -> Iterator[Foreseen]:
    """`state`: what the watch keeps over a restart, {} where it never ran."""
    for handler in handlers:
        for condition in sorted(there, key=str):
            if fits(handler, condition):
                holds = next(_holds(handler, condition, state, now), "" if watched else "no watch runs")
                yield Foreseen(handler.name, condition, handler.do, holds)


def _holds(handler: Handler, condition: Condition, state: Mapping[str, Any], now: float) -> Iterator[str]:
    """The weightiest first."""
    if not handler.enabled:
        yield "it is switched off in the cloud file"
    for name, about, why in state.get("stopped", []):
        if name == handler.name and Condition(**about) == condition:
            yield f"stopped: {why}"
    since = _kept(state, "since", condition)
    for name, about, at in state.get("handled", []):
        if name == handler.name and Condition(**about) == condition and (since is None or at >= since):
            yield "it has acted on this already"
    lasted = 0.0 if since is None else now - since
    if lasted < handler.lasts:
        yield f"it must last {handler.lasts - lasted:.0f} s longer"
    if handler.times > 1:
        times: list[float] = _kept(state, "beginnings", condition) or []
        begun = [t for t in times if now - t <= handler.within]
        if len(begun) < handler.times:
            yield f"it has begun {len(begun)} times of {handler.times} within {handler.within:g} s"
    notifies = all(do == "notify" for do in handler.do)
    kept: list[tuple[str, bool, list[float]]] = state.get("starts", [])
    starts = [t for name, told, times in kept if (name, told) == (handler.name, notifies) for t in times]
    if sum(now - t < handler.per for t in starts) >= handler.limit:
        yield f"{handler.limit} in {handler.per:g} s are its limit"
    if handler.dry_run:
        yield "dry run"


def _kept(state: Mapping[str, Any], what: str, condition: Condition) -> Any:
    return next((value for c, value in state.get(what, []) if Condition(**c) == condition), None)
