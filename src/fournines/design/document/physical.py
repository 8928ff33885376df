"""The physical drawing: racks side by side, tinted by power feed, with their switch and what stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import digits

from fournines.cloud.model import Host, Region, Zone
from fournines.design.document.svg import FAINT, TINTS, Canvas, Rect, fitted, wide

_GAP, _HOST, _HEAD = 16.0, 40.0, 62.0
#: A rack is as wide as its longest name, within these.
_NARROWEST, _WIDEST = 190.0, 300.0
#: Of the drawing, so that it fits a page of paper turned on its side.
_PAGE = 1250.0
#: Hosts of a rack with the same roles beyond which they are one box.
_MOST = 4


@dataclass(frozen=True)
class _Stack:
    """Hosts that are drawn as one box."""

    hosts: list[Host]

    @property
    def name(self) -> str:
        """`cmp001 … 040`: of names that differ in their number alone, the last one's is enough."""
        first, last = self.hosts[0].name, self.hosts[-1].name
        stem, other = first.rstrip(digits), last.rstrip(digits)
        return first if first == last else f"{first} … {last.removeprefix(stem) if stem == other else last}"

    @property
    def roles(self) -> str:
        count = f"{len(self.hosts)} × " if len(self.hosts) > 1 else ""
        return count + ", ".join(self.hosts[0].roles)


def draw(region: Region) -> str:
    racks = {name: [h for h in region.hosts if h.zone.name == name] for name in region.zones}
    used = {name: _stacks(hosts) for name, hosts in racks.items() if hosts}
    feeds = list(dict.fromkeys(region.zones[name].power for name in used))
    tints = {feed: TINTS[i % len(TINTS)] for i, feed in enumerate(feeds)}
    canvas = Canvas()
    longest = max((wide(s.name, bold=True) for stacks in used.values() for s in stacks), default=0.0)
    rack = min(max(longest + 36, _NARROWEST), _WIDEST)
    across = int(_PAGE // (rack + _GAP))
    names = sorted(used, key=lambda n: feeds.index(region.zones[n].power))
    y = 10.0
    for start in range(0, len(names), across):
        row = names[start : start + across]
        tallest = max(len(used[n]) for n in row)
        height = _HEAD + tallest * (_HOST + 6) + 8
        for i, name in enumerate(row):
            zone = region.zones[name]
            _rack(canvas, Rect(10 + i * (rack + _GAP), y, rack, height), zone, used[name], tints[zone.power])
        y += height + _GAP
    for i, feed in enumerate(feeds):
        x = 10 + i % across * (rack + _GAP)
        canvas.box(Rect(x, y + i // across * 24, 14, 14), tints[feed])
        canvas.text(x + 20, y + 12 + i // across * 24, f"power {feed}" if feed else "power not stated", ink=FAINT)
    return canvas.svg(_says(region, used))


def _stacks(hosts: Sequence[Host]) -> list[_Stack]:
    alike: dict[tuple[str, ...], list[Host]] = {}
    for host in hosts:
        alike.setdefault(host.roles, []).append(host)
    stacks: list[_Stack] = []
    for members in alike.values():
        stacks += [_Stack(members)] if len(members) > _MOST else [_Stack([h]) for h in members]
    return stacks


def _rack(canvas: Canvas, at: Rect, zone: Zone, stacks: Sequence[_Stack], tint: str) -> None:
    x, y, inside = at.x, at.y, at.w - 20
    canvas.box(at, tint)
    canvas.text(x + 10, y + 20, fitted(zone.name, inside, 14, bold=True), size=14, bold=True)
    canvas.text(x + 10, y + 37, fitted(f"power {zone.power or 'not stated'}", inside, 11), size=11, ink=FAINT)
    canvas.text(x + 10, y + 52, fitted(f"switch {zone.switch or 'not stated'}", inside, 11), size=11, ink=FAINT)
    for i, stack in enumerate(stacks):
        top = y + _HEAD + i * (_HOST + 6)
        if len(stack.hosts) > 1:  # a pile
            canvas.box(Rect(x + 13, top + 3, inside, _HOST))
        canvas.box(Rect(x + 9, top, inside, _HOST))
        canvas.text(x + 17, top + 17, fitted(stack.name, inside - 16, bold=True), bold=True)
        canvas.text(x + 17, top + 32, fitted(stack.roles, inside - 16, 11), size=11, ink=FAINT)


def _says(region: Region, used: dict[str, list[_Stack]]) -> str:
    racks = "; ".join(f"{n}: {', '.join(s.name for s in stacks)}" for n, stacks in used.items())
    return f"Racks of region {region.name}. {racks}."
