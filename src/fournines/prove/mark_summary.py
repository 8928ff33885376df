"""Marks for people: a fault has one for each function, connection and figure, of which the worst of a kind tells."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from fournines.prove.pass_marks import PassMark

State = Literal["pass", "fail", "unknown"]


def state(mark: PassMark) -> State:
    """`unknown` also of a miss that is doubtful."""
    if mark.reached is None or (mark.reached is False and mark.doubt):
        return "unknown"
    return "pass" if mark.reached else "fail"


def summary(marks: Iterable[PassMark]) -> tuple[PassMark, ...]:
    """The worst of each name and limit, in the order in which they first stand."""
    groups: dict[tuple[str, float], list[PassMark]] = {}
    for mark in marks:
        groups.setdefault((mark.what, mark.limit), []).append(mark)
    return tuple(max(alike, key=_badness) for alike in groups.values())


def _badness(mark: PassMark) -> tuple[int, float]:
    order = {"pass": 0, "unknown": 1, "fail": 2}[state(mark)]
    if mark.measured is None or math.isnan(mark.measured):
        return order, 0.0
    return order, mark.measured if mark.bound == "at most" else -mark.measured
