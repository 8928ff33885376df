"""What was typed after `prove`, and what follows from it: the faults, and how long they take."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from fournines.cloud.model import Cloud
from fournines.errors import UsageError
from fournines.prove.estimate import Estimate, estimates, spell
from fournines.prove.faults.selection import select
from fournines.prove.faults.text import seconds, spelled
from fournines.prove.model import Fault
from fournines.prove.report_text import plural
from fournines.prove.site import Lengths
from fournines.prove.suites import soak, texts


@dataclass(frozen=True)
class Wish:
    """The command line, as it was typed. Lengths in seconds."""

    faults: str
    functions: str
    duration: str | None
    baseline: str | None
    busy: bool
    repeat: int
    before: float
    after: float
    redundant_within: float
    timeout: float
    region: str | None
    force: bool
    yes: bool
    command: str
    suite: str | None = None
    soak: bool = False
    lasts: str | None = None
    seed: int | None = None

    @property
    def lengths(self) -> Lengths:
        return Lengths(self.before, self.after, self.redundant_within, self.timeout)


@dataclass(frozen=True)
class Plan:
    """What is injected, and how long that takes; `absent`: what one of the clouds cannot be struck with, beside why. Of
    a soak `lasts` seconds, with its seed."""

    estimates: tuple[Estimate, ...]
    absent: tuple[tuple[Cloud, Fault, str], ...] = ()
    suite: str = ""
    seed: int | None = None
    lasts: float | None = None

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(e.fault for e in self.estimates)

    def said(self, times: int, clouds: int = 1) -> str:
        """One line a fault, the sum last. `times`: that each of so many clouds is struck."""
        if self.lasts is not None:
            return f"soak for {spell(self.lasts)}, seed {self.seed}: about {len(self.estimates)} faults"
        width = max(len(str(e.fault)) for e in self.estimates)
        lines = [
            f"{e.fault!s:{width}}  {spell(e.total):>6}: baseline {e.baseline:.0f} s, fault {e.duration:g} s,"
            f" redundant again {e.redundancy:.0f} s, then checks {e.rest:.0f} s"
            for e in self.estimates
        ]
        total = spell(times * clouds * sum(e.total for e in self.estimates))
        often = f", each {times} times" if times > 1 else ""
        often += " on each cloud" if clouds > 1 else ""
        absent = [
            f"not measured, for {cloud.name} cannot be struck with it: {f}: {why}" for cloud, f, why in self.absent
        ]
        return "\n".join([*lines, *absent, f"{plural(len(lines), 'fault')}{often}: about {total}"])


def plan_of(places: Sequence[tuple[Cloud, str]], wish: Wish, functions: tuple[str, ...]) -> Plan:
    """`places`: the clouds, each with its region's name. Raises ProveError, UsageError."""
    length = seconds(wish.duration) if wish.duration else None
    if wish.soak:
        return _soak(places[0][0], wish, functions)
    asked = [
        t for cloud, _ in places for t in (texts(wish.suite, cloud) if wish.suite else spelled(wish.faults, cloud))
    ]
    found = select(asked, places, length)
    return Plan(estimates(found.faults, functions, wish.lengths), found.absent, wish.suite or "")


def _soak(cloud: Cloud, wish: Wish, functions: tuple[str, ...]) -> Plan:
    """As many faults as there is time for, by estimate, and half as many again: some cannot be injected."""
    lasts = seconds(wish.lasts or "")
    if not lasts:
        raise UsageError("a soak that lasts no time says nothing", next="--soak --for 2h")
    seed = secrets.randbelow(2**31) if wish.seed is None else wish.seed
    planned: list[Estimate] = []
    for fault in soak(cloud, seed):
        planned += estimates([fault], functions, wish.lengths)
        if sum(e.total for e in planned) >= 1.5 * lasts:
            break
    return Plan(tuple(planned), (), "soak", seed, lasts)
