"""Moments as people write them."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

from fournines.cloud.values import UNITS
from fournines.errors import UsageError

_AGO = re.compile(r"-?(\d+(?:\.\d+)?) ?(s|m|h|d)")
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?")
#: The year 2100.
_LATEST = 4.1e9


def moment(text: str, now: float) -> float:
    """Seconds since the epoch. A time of day is the last such time before `now`; what names no time zone is in this
    machine's. Raises UsageError."""
    try:
        at = _moment(text.strip(), now)
    except (ValueError, OverflowError, OSError):
        at = math.nan
    if not 0 <= at < _LATEST:
        raise UsageError(f"{text!r} is no moment", next="write 10m or 2h (ago), 03:12, 2026-11-28T03:12, or now")
    return at


def _moment(said: str, now: float) -> float:
    if said == "now":
        return now
    if ago := _AGO.fullmatch(said):
        return now - float(ago[1]) * UNITS[ago[2]]
    if said.startswith("@"):
        return float(said[1:])
    if _CLOCK.fullmatch(said):
        here = datetime.fromtimestamp(now).astimezone()
        hour, minute, *rest = said.split(":")
        second = float(rest[0]) if rest else 0.0
        at = here.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0) + timedelta(seconds=second)
        return (at if at <= here else at - timedelta(days=1)).timestamp()
    return datetime.fromisoformat(said).astimezone().timestamp()


def clock(at: float, *, date: bool = False) -> str:
    """`03:12:04.125` in this machine's time zone; with `date`, the day before it."""
    local = datetime.fromtimestamp(at).astimezone()
    day = f"{local:%Y-%m-%d} " if date else ""
    return f"{day}{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
