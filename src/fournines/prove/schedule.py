"""In which order a campaign that repeats measures two subjects: a cloud under its own timing and a peer's, or two
clouds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fournines.prove.model import Subject


@dataclass(frozen=True, slots=True)
class Block:
    """Every fault once, on `subject`."""

    run: int
    subject: Subject


def blocks(repeat: int, subjects: Sequence[Subject], *, interleaved: bool = True) -> tuple[Block, ...]:
    """Interleaved as ABBA: the first and the second, then the second and the first, and so on. What changes slowly,
    such as how warm the machine is, then weighs on both alike, and timers are exchanged half as often. Not interleaved:
    all runs of one subject before the next, for those that cannot be there at the same time."""
    if not interleaved:
        return tuple(Block(run, subject) for subject in subjects for run in range(1, repeat + 1))
    found: list[Block] = []
    for run in range(1, repeat + 1):
        every = [Block(run, subject) for subject in subjects]
        found += every if run % 2 else every[::-1]
    return tuple(found)
