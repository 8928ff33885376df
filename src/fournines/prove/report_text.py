"""Figures as people read them: three significant digits, the unit beside the number, a dash for "none"."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from fournines.design.reliability import spell

NONE = "–"


def seconds(value: float | None) -> str:
    """`0.65 s`, `14.2 s`, `358 s`; infinity is `never`: it did not come within the time watched."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "never"
    return f"{_digits(value, 2)} s"


def offset(value: float) -> str:
    """Seconds relative to the injection: `−3 s`, `0 s`, `+12.5 s`."""
    rounded = round(value, 2)
    return f"{'−' if rounded < 0 else '+' if rounded > 0 else ''}{abs(rounded):g} s"


def change(value: float | None) -> str:
    """A difference in seconds: `+3.2 s`, `−0.12 s`, `0 s`."""
    said = seconds(None if value is None else abs(value))
    if value is None or said in (NONE, "0 s"):
        return said
    return f"{'−' if value < 0 else '+'}{'∞' if math.isinf(value) else said}"


class Spread(Protocol):
    """Of a figure over several runs: `worst` and the bootstrap interval of the median, None of a single run."""

    @property
    def runs(self) -> int: ...
    @property
    def median(self) -> float: ...
    @property
    def worst(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def of_runs(spread: Spread | None) -> str:
    """Median and worst, seconds: `0.65 s / 0.9 s`; of one run, what it was."""
    if spread is None:
        return NONE
    return f"{seconds(spread.median)} / {seconds(spread.worst)}" if spread.runs > 1 else seconds(spread.median)


def between(spread: Spread | None, said: Callable[[float | None], str]) -> str:
    """A difference or ratio with its interval: `+3.2 s (+2.9 s to +3.6 s)`."""
    if spread is None:
        return NONE
    interval = "" if spread.low is None else f" ({said(spread.low)} to {said(spread.high)})"
    return f"{said(spread.median)}{interval}"


def function(name: str) -> str:
    return name.replace("_", " ") or "all"


def milliseconds(value: float | None) -> str:
    """Without its unit: it stands in the column's head."""
    if value is None or math.isnan(value):
        return NONE
    return "never" if math.isinf(value) else _digits(value, 1)


def minutes(value: float | None) -> str:
    """`0.27 min`; what is less than a hundredth is said to be."""
    if value is None or math.isnan(value):
        return NONE
    return "< 0.01 min" if 0 < value < 0.01 else f"{_digits(value, 2)} min"


def span(value: float) -> str:
    """A mean time between failures in the largest unit that fits: `1 y`, `90 d`."""
    return spell(value)


def ratio(value: float | None) -> str:
    if value is None or math.isnan(value):
        return NONE
    return "∞" if math.isinf(value) else f"{_digits(value, 1)}×"


def share(value: float) -> str:
    """0..1 as per cent."""
    return NONE if math.isnan(value) else f"{100 * value:.0f} %"


def fine_share(value: float) -> str:
    """0..1 as per cent, so that 99.9 % is not 100 %: rounded down."""
    return NONE if math.isnan(value) else f"{math.floor(1000 * value + 1e-9) / 10:g} %"


def count(value: float | None) -> str:
    """Thousands apart by a thin space, as in 12 345."""
    return NONE if value is None else f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(value: int, noun: str) -> str:
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def amount(value: float | None, unit: str) -> str:
    """A target's figure in its unit: seconds, a ratio, or a count of something."""
    if unit == "s":
        return seconds(value)
    return ratio(value) if unit == "×" else count(value)


def limit(value: float, unit: str) -> str:
    """A round figure that somebody chose: `1 s`, `5×`, `0`."""
    return f"{round(value, 2):g}{'×' if unit == '×' else ' s' if unit == 's' else ''}"


def _digits(value: float, decimals: int) -> str:
    """At most `decimals` decimals and about three significant digits: 0.65, 14.2, 358."""
    size = abs(value)
    if size < 0.5 * 10**-decimals:
        return "0"
    places = 0 if size >= 100 else min(decimals, 1) if size >= 10 else decimals
    return f"{value:.{places}f}"
