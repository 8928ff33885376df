"""Who votes on the VIP's holder, and why: a line a region, for `check` and `status`."""

from __future__ import annotations

from itertools import groupby

from fournines.cloud.model import Cloud
from fournines.services.capabilities import voting
from fournines.timing import timers


def voters_lines(cloud: Cloud) -> list[str]:
    """None of a region without a VIP, or of timers with which VRRP alone decides."""
    if not timers(cloud).vip_quorum:
        return []
    return [line for region in cloud.regions if (line := _line(region, dict(voting(cloud, region))))]


def _line(region: str, votes: dict[str, str]) -> str:
    if not votes:
        return ""
    alike = [(why, [name for name, _ in group]) for why, group in groupby(votes.items(), key=lambda vote: vote[1])]
    who = ", ".join(f"{', '.join(names)} ({why})" for why, names in alike)
    few = "" if len(votes) > 2 else "; fewer than three cannot outvote anybody, VRRP alone decides"
    return f"votes for the VIP in {region}: {who}{few}"
