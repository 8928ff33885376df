"""What a watch that runs says of itself: one small file, written anew every few seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "now.json"
EVERY_S = 5.0
#: An older word is that of a watch that no longer runs. Seconds.
STALE_S = 20.0


@dataclass(frozen=True)
class Now:
    """at: seconds since the epoch. functions: name -> good, bad, unknown. unready: what cannot be asked for. incident:
    the one that goes on, or ""."""

    at: float
    functions: Mapping[str, str]
    unready: tuple[str, ...]
    incident: str

    def runs(self, now: float) -> bool:
        return now - self.at <= STALE_S


def told(directory: Path) -> Now | None:
    """None: no watch has ever said anything here."""
    try:
        said: Any = json.loads((directory / FILE).read_text(encoding="utf-8"))
        return Now(float(said["at"]), dict(said["functions"]), tuple(said["unready"]), str(said["incident"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
