"""The request drawing: what one function calls, in the order in which it needs it, with how many of each must work.

Boxes stand in rows, each below all that need it. An arrow that skips a row has a lane of its own in that row, so that
none runs through a box. One that others imply is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from graphlib import TopologicalSorter

from fournines.design.condition import Condition, Requirement
from fournines.design.document.svg import FAINT, TINTS, Canvas, Rect, fitted

_BOX, _TALL, _GAP, _STEP, _LANE = 178.0, 48.0, 22.0, 92.0, 8.0
_ACROSS = 6
USER = "a user"

#: From what needs to what is needed.
Arrow = tuple[str, str]
#: What takes room in a row: a box, or an arrow that passes.
Slot = str | Arrow


def draw(condition: Condition) -> str:
    wanted = {r.name: r for r in condition.requirements}
    boxes = _boxes(wanted)
    row = {name: y for y, names in enumerate(boxes) for name in names}
    arrows = _needed(wanted, row)
    rows = [[*names, *(a for a in arrows if row[a[0]] < y < row[a[1]])] for y, names in enumerate(boxes)]
    place = _place(rows, arrows, row)
    canvas = Canvas()
    for name, y in row.items():
        _box(canvas, place[name, y], y, wanted.get(name))
    for arrow in arrows:
        _arrow(canvas, arrow, place, row)
    needs = "; ".join(f"{r.name}: {enough(r)}" for r in wanted.values())
    return canvas.svg(f"What {condition.name} needs. {needs}.")


def enough(requirement: Requirement) -> str:
    r = requirement
    return f"{r.least} of {r.total}" if r.least > 1 else f"any of {r.total}" if r.total > 1 else "the only one"


def _boxes(wanted: Mapping[str, Requirement]) -> list[list[str]]:
    """Names, row by row: the user, and each requirement below all that need it."""
    above = {name: [by for by in r.needed_by if by in wanted] for name, r in wanted.items()}
    depth: dict[str, int] = {}
    for name in TopologicalSorter(above).static_order():
        depth[name] = 1 + max((depth[by] for by in above[name]), default=0)
    rows: dict[int, list[str]] = {}
    for name in wanted:
        rows.setdefault(depth[name], []).append(name)
    return [
        [USER],
        *(names[i : i + _ACROSS] for _, names in sorted(rows.items()) for i in range(0, len(names), _ACROSS)),
    ]


def _needed(wanted: Mapping[str, Requirement], row: Mapping[str, int]) -> list[Arrow]:
    below: dict[str, set[str]] = {name: set() for name in row}
    for name, r in wanted.items():
        for by in r.needed_by or (USER,):
            if by in row and row[by] < row[name]:
                below[by].add(name)
    return [
        (by, name)
        for by, names in below.items()
        for name in sorted(names, key=lambda name: (row[name], name))
        if not any(_reaches(other, name, below) for other in names - {name})
    ]


def _reaches(start: str, end: str, below: Mapping[str, Collection[str]]) -> bool:
    return start == end or any(_reaches(n, end, below) for n in below[start])


def _place(
    rows: Sequence[Sequence[Slot]], arrows: Sequence[Arrow], row: Mapping[str, int]
) -> dict[tuple[Slot, int], float]:
    """(slot, row) -> the middle of its slot. Each row is centred; slots stand in the order of what leads to them."""
    place: dict[tuple[Slot, int], float] = {}
    for y, slots in enumerate(rows):

        def wish(slot: Slot, y: int = y) -> float:
            to = slot if isinstance(slot, str) else slot[1]
            above = [place[_at(a, y - 1, row), y - 1] for a in arrows if a[1] == to and row[a[0]] < y]
            return sum(above) / len(above) if above else 0.0

        ordered = sorted(slots, key=wish)
        x = -sum(_wide(s) + _GAP for s in ordered) / 2
        for slot in ordered:
            place[slot, y] = x + _wide(slot) / 2
            x += _wide(slot) + _GAP
    left = min(x - _wide(slot) / 2 for (slot, _), x in place.items())
    return {at: x - left + 10 for at, x in place.items()}


def _wide(slot: Slot) -> float:
    return _BOX if isinstance(slot, str) else _LANE


def _at(arrow: Arrow, y: int, row: Mapping[str, int]) -> Slot:
    """Where `arrow` is in a row: at its ends a box, between them its own lane."""
    return arrow[0] if row[arrow[0]] == y else arrow[1] if row[arrow[1]] == y else arrow


def _arrow(canvas: Canvas, arrow: Arrow, place: Mapping[tuple[Slot, int], float], row: Mapping[str, int]) -> None:
    first, last = row[arrow[0]], row[arrow[1]]
    middles = [place[_at(arrow, y, row), y] for y in range(first, last + 1)]
    tops = [10 + y * _STEP for y in range(first, last + 1)]
    canvas.arrow([(x, top, top + _TALL) for x, top in zip(middles, tops, strict=True)])


def _box(canvas: Canvas, middle: float, y: int, requirement: Requirement | None) -> None:
    """`requirement` None: the user."""
    x, top = middle - _BOX / 2, 10 + y * _STEP
    if requirement is None:
        canvas.box(Rect(x, top, _BOX, _TALL))
        canvas.text(middle, top + 29, USER, anchor="middle", bold=True)
        return
    tint = TINTS[1] if requirement.least > 1 else TINTS[2] if requirement.total > 1 else TINTS[6]
    canvas.box(Rect(x, top, _BOX, _TALL), tint)
    canvas.text(x + 10, top + 20, fitted(requirement.name, _BOX - 20, bold=True), bold=True)
    words = f"{enough(requirement)}, {requirement.pattern}"
    canvas.text(x + 10, top + 37, fitted(words, _BOX - 16, 11), size=11, ink=FAINT)
