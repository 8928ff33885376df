"""The logical drawing: what users reach, and below it the tiers that it stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fournines.cloud.model import Cloud, Region
from fournines.design.document.svg import FAINT, TINTS, Canvas, Rect, fitted
from fournines.services.capabilities import Balanced, Dispensable, Leased, present
from fournines.services.service import HaPattern, Service

_BOX, _TALL, _GAP, _LEFT = 158.0, 46.0, 12.0, 172.0
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
    canvas.text(_LEFT + _BOX + _GAP / 2, 32, "users: public VIP, TLS", anchor="middle")
    canvas.text(_LEFT + _BOX + _GAP / 2 + 200, 32, str(region.vips.public), ink=FAINT)
    y = 60.0
    for name, tint in TIERS.items():
        members = [s for s in services if tier(s) == name]
        if not members:
            continue
        rows = (len(members) + _ACROSS - 1) // _ACROSS
        height = rows * (_TALL + 8) + 8
        canvas.box(Rect(10, y, _LEFT + _ACROSS * (_BOX + _GAP), height), tint, tint)
        canvas.text(22, y + 26, name, size=14, bold=True)
        _members(canvas, cloud, region, members, y)
        y += height + 10
    return canvas.svg(f"Services of region {region.name} by tier: {', '.join(s.name for s in services)}.")


def _members(canvas: Canvas, cloud: Cloud, region: Region, members: Sequence[Service], y: float) -> None:
    for i, service in enumerate(members):
        x, top = _LEFT + i % _ACROSS * (_BOX + _GAP), y + 8 + i // _ACROSS * (_TALL + 8)
        count = len(cloud.hosts_of(service.name, region.name))
        ports = sorted({f.port for f in service.frontends(cloud, region)}) if isinstance(service, Balanced) else []
        words = f"{count} × {service.pattern.value}" + (f" :{', '.join(map(str, ports))}" if ports else "")
        canvas.box(Rect(x, top, _BOX, _TALL))
        canvas.text(x + 9, top + 19, fitted(service.name, _BOX - 18, 13), size=13, bold=True)
        canvas.text(x + 9, top + 36, fitted(words, _BOX - 14, 10.5), size=10.5, ink=FAINT)
