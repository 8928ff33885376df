"""In which order a campaign that repeats measures its own timing and a baseline's. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """Every fault once, under the cloud's own timers or the baseline's."""

    run: int
    baseline: bool


def blocks(repeat: int, *, baseline: bool) -> tuple[Block, ...]:
    """Interleaved as ABBA: own and baseline's, then baseline's and own, and so on. What changes slowly, such as how
    warm the machine is, then weighs on both alike, and timers are exchanged half as often."""
    found: list[Block] = []
    for run in range(1, repeat + 1):
        both = [Block(run, False), Block(run, True)] if baseline else [Block(run, False)]
        found += both if run % 2 else both[::-1]
    return tuple(found)
