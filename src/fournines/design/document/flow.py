"""The request drawing: what one function calls, in the order in which it needs it, with how many of each must work."""

from __future__ import annotations

from collections.abc import Mapping

from fournines.design.condition import Condition, Requirement
from fournines.design.document.svg import FAINT, TINTS, Canvas, Rect, fitted

_BOX, _TALL, _GAP, _STEP = 170.0, 48.0, 26.0, 96.0
_ACROSS = 6


def draw(condition: Condition) -> str:
    wanted = {r.name: r for r in condition.requirements}
    depth = _depths(condition, wanted)
    canvas = Canvas()
    rows: dict[int, list[str]] = {}
    for name in wanted:
        rows.setdefault(depth[name], []).append(name)
    lines = [row[i : i + _ACROSS] for _, row in sorted(rows.items()) for i in range(0, len(row), _ACROSS)]
    widest = max(len(line) for line in lines)
    across = widest * (_BOX + _GAP)
    place: dict[str, tuple[float, float]] = {}
    for y, line in enumerate(lines, 1):
        left = 10 + (across - len(line) * (_BOX + _GAP)) / 2
        for i, name in enumerate(line):
            place[name] = left + i * (_BOX + _GAP), 10 + y * _STEP
    users = 10 + across / 2 - _BOX / 2 - _GAP / 2
    canvas.box(Rect(users, 10, _BOX, _TALL))
    canvas.text(users + _BOX / 2, 39, "a user", anchor="middle", bold=True)
    for name, (x, y) in place.items():
        _box(canvas, x, y, wanted[name])
        for by in wanted[name].needed_by:
            if by in place and place[by][1] < y:
                canvas.arrow((place[by][0] + _BOX / 2, place[by][1] + _TALL), (x + _BOX / 2, y))
        if not wanted[name].needed_by:
            canvas.arrow((users + _BOX / 2, 10 + _TALL), (x + _BOX / 2, y))
    needs = "; ".join(f"{r.name}: {_enough(r)}" for r in wanted.values())
    return canvas.svg(f"What {condition.name} needs. {needs}.")


def _depths(condition: Condition, wanted: Mapping[str, Requirement]) -> dict[str, int]:
    """Rows below the user: below all that need it."""
    depth = dict.fromkeys(wanted, 1)
    for _ in wanted:  # as often as the longest chain can be
        for name, r in wanted.items():
            above = [depth[by] + 1 for by in r.needed_by if by in depth and by != name]
            depth[name] = min(max([depth[name], *above]), len(wanted))
    return depth


def _enough(requirement: Requirement) -> str:
    r = requirement
    return f"{r.least} of {r.total}" if r.least > 1 else f"any of {r.total}" if r.total > 1 else "the only one"


def _box(canvas: Canvas, x: float, y: float, requirement: Requirement) -> None:
    tint = TINTS[1] if requirement.least > 1 else TINTS[2] if requirement.total > 1 else TINTS[6]
    canvas.box(Rect(x, y, _BOX, _TALL), tint)
    canvas.text(x + 10, y + 20, fitted(requirement.name, _BOX - 20), bold=True)
    words = f"{_enough(requirement)}, {requirement.pattern}"
    canvas.text(x + 10, y + 37, fitted(words, _BOX - 16, 11), size=11, ink=FAINT)
