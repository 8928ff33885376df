"""The logical drawing: what users reach, and below it the tiers that it stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fournines.cloud.model import Cloud, Region
from fournines.design.document.svg import FAINT, TINTS, Canvas, Rect, fitted
from fournines.services.capabilities import Balanced, Dispensable, Leased, present
from fournines.services.service import HaPattern, Service

_BOX, _TALL, _LINE, _GAP, _LEFT = 166.0, 46.0, 15.0, 12.0, 156.0
_ACROSS = 6

#: Tier -> its tint.
TIERS: Mapping[str, str] = {
    "entry": TINTS[0],
    "APIs": TINTS[2],
    "behind the APIs": TINTS[7],
    "state": TINTS[1],
    "cache": TINTS[4],
    "on their hosts": TINTS[5],
}


def tier(service: Service) -> str:
    """By what the service says of itself."""
    if isinstance(service, Leased) or service.fronts:
        return "entry"
    if service.pattern is HaPattern.QUORUM:
        return "state"
    if service.pattern is HaPattern.PER_HOST:
        return "on their hosts"
    if isinstance(service, Dispensable):
        return "cache"
    return "APIs" if isinstance(service, Balanced) else "behind the APIs"


def draw(cloud: Cloud, region: Region) -> str:
    services = [s for s in present(cloud, region.name) if s.units]
    canvas = Canvas()
    canvas.box(Rect(_LEFT, 10, _BOX * 2 + _GAP, 34), "#ffffff")
    canvas.text(_LEFT + _BOX + _GAP / 2, 32, f"users: public VIP {region.vips.public}, TLS", anchor="middle")
    y = 60.0
    for name, tint in TIERS.items():
        members = [s for s in services if tier(s) == name]
        if not members:
            continue
        tall = _TALL + (_LINE if any(_ports(s, cloud, region) for s in members) else 0)
        rows = (len(members) + _ACROSS - 1) // _ACROSS
        height = rows * (tall + 8) + 8
        canvas.box(Rect(10, y, _LEFT + _ACROSS * (_BOX + _GAP), height), tint, tint)
        canvas.text(22, y + 26, name, size=14, bold=True)
        for i, service in enumerate(members):
            at = Rect(_LEFT + i % _ACROSS * (_BOX + _GAP), y + 8 + i // _ACROSS * (tall + 8), _BOX, tall)
            copies = f"{len(cloud.hosts_of(service.name, region.name))} × {service.pattern_in(cloud).value}"
            _box(canvas, at, service, copies, _ports(service, cloud, region))
        y += height + 10
    return canvas.svg(f"Services of region {region.name} by tier: {', '.join(s.name for s in services)}.")


def _ports(service: Service, cloud: Cloud, region: Region) -> list[int]:
    """Those that users or other services reach on a VIP."""
    if not isinstance(service, Balanced):
        return []
    return sorted({f.public_port or f.port for f in service.frontends(cloud, region)})


def _box(canvas: Canvas, at: Rect, service: Service, copies: str, ports: Sequence[int]) -> None:
    canvas.box(at)
    canvas.text(at.x + 9, at.y + 19, fitted(service.name, _BOX - 18, 13, bold=True), size=13, bold=True)
    canvas.text(at.x + 9, at.y + 36, fitted(copies, _BOX - 18, 11), size=11, ink=FAINT)
    if ports:
        words = f"port{'s' if len(ports) > 1 else ''} {', '.join(map(str, ports))}"
        canvas.text(at.x + 9, at.y + 36 + _LINE, fitted(words, _BOX - 18, 11), size=11, ink=FAINT)
