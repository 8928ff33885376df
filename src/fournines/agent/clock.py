"""One clock for everything that ages: it goes on while the host is suspended, and nobody can set it."""

from __future__ import annotations

import time


def now() -> float:
    """Seconds since the host booted, time in suspend included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
