"""What is said of timers that contradict one another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`timers` are the fields that disagree, the one to change first. `fatal`: a daemon or the design breaks."""

    timers: tuple[str, ...]
    what: str
    why: str
    change: str
    fatal: bool = True


#: Seconds for which a guard, real-time and locked in memory, was seen to be late on saturated hosts.
STALL = 0.2
