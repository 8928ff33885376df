"""What was measured, as an operator counts it: availability, minutes of the year's budget, burn rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fournines.watch.ledger import Counts, Ledger

YEAR_S = 365 * 86_400
TARGET = 99.99
#: Over which a burn rate is given: 1 is a rate by which the year's budget lasts a year.
WINDOWS = {"1 h": 3600.0, "6 h": 6 * 3600.0, "3 d": 3 * 86_400.0}


@dataclass(frozen=True)
class Availability:
    """Of one function. target: per cent. seconds: of the last 365 days, as far as it was watched. burn: window -> how
    many times faster than allowed the budget is used; None: nothing is known of that window."""

    function: str
    target: float
    seconds: Counts
    burn: Mapping[str, float | None]

    @property
    def percent(self) -> float | None:
        """Of the seconds of which it is known."""
        return 100.0 * self.seconds.good / self.seconds.known if self.seconds.known else None

    @property
    def minutes(self) -> float:
        """Used of the budget."""
        return self.seconds.bad / 60

    @property
    def budget(self) -> float:
        """Minutes a year."""
        return YEAR_S / 60 * (1 - self.target / 100)


def measured(ledger: Ledger, now: float, targets: Mapping[str, float]) -> tuple[Availability, ...]:
    """`targets`: function -> per cent, 99.99 of the others. Seconds in which nobody watched are unknown."""
    began = ledger.began()
    if began is None:
        return ()
    year = ledger.since(now - YEAR_S, now)
    windows = {name: ledger.since(now - length, now) for name, length in WINDOWS.items()}
    span = int(min(YEAR_S, max(0.0, now - began)))
    found: list[Availability] = []
    for function, counts in year.items():
        target = targets.get(function, TARGET)
        seconds = Counts(counts.good, counts.bad, max(counts.unknown, span - counts.known))
        burn = {name: _burn(sums.get(function, Counts()), target) for name, sums in windows.items()}
        found.append(Availability(function, target, seconds, burn))
    return tuple(found)


def _burn(counts: Counts, target: float) -> float | None:
    if not counts.known:
        return None
    allowed = 1 - target / 100
    share = counts.bad / counts.known
    return share / allowed if allowed else (0.0 if not counts.bad else float("inf"))
