"""Was anything lost? Verdicts over what was acknowledged and what was read afterwards. Pure; times in seconds.

An operation that surely failed must leave no trace (`ghost` if it does); one whose outcome is unknown may or may not
have happened. Nothing here knows which function or daemon a history came from.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fournines.prove.model import Outcome, Writes


def check_set(attempts: Mapping[str, Outcome], reads: Mapping[str, Sequence[str]]) -> Writes:
    """`attempts`: value -> how its write ended. `reads`: reader (a backend, a node) -> every value it shows.

    lost: acknowledged, and missing from at least one reader. ghost: shown by a reader, though its write surely failed
    or was never attempted. duplicate: shown twice by one reader. stuck: of unknown outcome, and the readers disagree.
    Raises ValueError without a reader: nothing read proves nothing.
    """
    if not reads:
        raise ValueError("a set cannot be checked without a reader")
    seen = {reader: Counter(values) for reader, values in reads.items()}
    shown = set[str]().union(*seen.values())
    everywhere = shown.intersection(*seen.values())
    acknowledged = {v for v, outcome in attempts.items() if outcome == "ok"}
    unknown = {v for v, outcome in attempts.items() if outcome == "unknown"}
    return Writes(
        acknowledged=len(acknowledged),
        lost=len(acknowledged - everywhere),
        ghost=len(shown - acknowledged - unknown),
        duplicate=len({v for counts in seen.values() for v, n in counts.items() if n > 1}),
        stuck=len(unknown & (shown - everywhere)),
    )


def check_queue(attempts: Mapping[str, Outcome], delivered: Sequence[str], left: int | None) -> Writes:
    """`attempts`: message -> how its publish ended. `left`: messages in the queue after the drain, None if unread.

    A confirmed message that was not delivered is stuck if the queue may still hold it, else lost. Delivered twice is
    `duplicate`: at-least-once delivery allows it, a consumer must know of it.
    """
    counts = Counter(delivered)
    confirmed = {v for v, outcome in attempts.items() if outcome == "ok"}
    possible = confirmed | {v for v, outcome in attempts.items() if outcome == "unknown"}
    missing = len(confirmed - counts.keys())
    stuck = missing if left is None else min(missing, left)
    return Writes(
        acknowledged=len(confirmed),
        lost=missing - stuck,
        ghost=len(counts.keys() - possible),
        duplicate=sum(n > 1 for n in counts.values()),
        stuck=stuck,
    )


@dataclass(frozen=True, slots=True)
class Access:
    """A read or write of one register. A read's `value` is what it saw, `INITIAL` where nothing was written yet."""

    kind: str  # "read" | "write"
    value: str
    began: float
    ended: float
    outcome: Outcome


INITIAL = ""


@dataclass(frozen=True, slots=True)
class _Zone:
    """One value's life. Forward (first end before last beginning): the register must hold it all that while."""

    value: str
    first_end: float
    last_begin: float

    @property
    def forward(self) -> bool:
        return self.first_end < self.last_begin


def check_register(accesses: Iterable[Access]) -> tuple[str, ...]:
    """What makes the history not linearizable, one line each; empty when it is.

    Every write has a value of its own, for which Gibbons and Korach ("Testing Shared Memories", 1997) give an exact
    test: no two forward zones overlap, and no backward zone lies within a forward one.
    """
    writes: dict[str, Access] = {INITIAL: Access("write", INITIAL, float("-inf"), float("-inf"), "ok")}
    reads: dict[str, list[Access]] = {}
    for access in accesses:
        if access.kind == "write":
            writes[access.value] = access
        elif access.outcome == "ok":
            reads.setdefault(access.value, []).append(access)
    problems = [f"{v!r} was read and never written" for v in reads if v not in writes]
    problems += [
        f"{v!r} was read, and its write had failed" for v in reads if v in writes and writes[v].outcome == "fail"
    ]
    zones: list[_Zone] = []
    for value, write in writes.items():
        seen = reads.get(value, [])
        if write.outcome == "fail" or (write.outcome == "unknown" and not seen):
            continue
        if any(r.ended < write.began for r in seen):
            problems.append(f"{value!r} was read before it was written")
        ends = [r.ended for r in seen] + ([write.ended] if write.outcome == "ok" else [])
        zones.append(_Zone(value, min(ends), max([write.began, *(r.began for r in seen)])))
    return (*problems, *_clashes(zones))


def _clashes(zones: Sequence[_Zone]) -> Iterable[str]:
    forward = sorted((z for z in zones if z.forward), key=lambda z: z.first_end)
    for one, other in itertools.pairwise(forward):
        if other.first_end < one.last_begin:
            yield f"{one.value!r} was still seen after {other.value!r}"
    for zone in zones:
        if not zone.forward:
            for held in forward:
                if held.first_end < zone.last_begin and zone.first_end < held.last_begin:
                    yield f"{held.value!r} was seen before and after {zone.value!r}, which came later and was not seen"
                    break
