"""Which of the disks that several hosts see this host has mounted. `parse` is pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: The observer's own view has mounts of its own sandbox in it.
MOUNTS = Path("/proc/1/mountinfo")
#: Seconds between two looks.
EVERY = 2.0


async def look(luns: Mapping[str, str]) -> dict[str, Any]:
    """luns: name -> where it is mounted. Raises OSError."""
    return {"luns": mounted(luns)}


def mounted(luns: Mapping[str, str]) -> dict[str, Any]:
    return parse(MOUNTS.read_text(), luns)


def parse(text: str, luns: Mapping[str, str]) -> dict[str, Any]:
    """`mountinfo` (proc(5)): a line's fifth word is where, its sixth are the options, those of the file system last."""
    mounts = {words[4]: words for line in text.splitlines() if len(words := line.split()) > 5}
    return {name: _state(mounts.get(at)) for name, at in luns.items()}


def _state(words: list[str] | None) -> dict[str, Any]:
    options = {*words[5].split(","), *words[-1].split(",")} if words else set[str]()
    return {"mounted": words is not None, "read_only": "ro" in options}
