"""Packets that are late at a host's switch port: netem at the machine's end of the cable, so what the host receives."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from typing import Any

from fournines.errors import LabError
from fournines.lab.shell import run


def apply(device: str, seconds: float) -> None:
    """From now on each packet is so late. Raises LabError when the port is not there, or the kernel has no netem."""
    run(["tc", "qdisc", "replace", "dev", device, "root", "netem", "delay", f"{seconds * 1000:g}ms"])


def late(device: str) -> int:
    """Packets that were late so far. Raises LabError when none is made late at this port."""
    found: list[dict[str, Any]] = json.loads(run(["tc", "-s", "-json", "qdisc", "show", "dev", device]) or "[]")
    for discipline in found:
        if discipline["kind"] == "netem":
            return int(discipline["packets"])
    raise LabError("No packet is made late at this port", where=device)


def remove(devices: Iterable[str]) -> None:
    """Of no effect where none is late, or the port is not there."""
    for device in devices:
        with contextlib.suppress(LabError):
            late(device)
            run(["tc", "qdisc", "del", "dev", device, "root"])
