"""The order of Debian's version numbers (deb-version(7)): EPOCH:UPSTREAM-REVISION, where `~` sorts before the end."""

from __future__ import annotations

import re
from functools import lru_cache

_Part = tuple[tuple[tuple[int, ...], int], ...]
_END = ((0,), 0)


@lru_cache(maxsize=4096)
def order(version: str) -> tuple[int, _Part, _Part]:
    """A key to sort by: greater is newer. What is no version sorts as text does, and raises nothing."""
    epoch, colon, rest = version.partition(":")
    if not (colon and epoch.isdecimal()):
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return int(epoch), _part(upstream), _part(revision or "0")


def newer(version: str, than: str) -> bool:
    return order(version) > order(than)


def _part(text: str) -> _Part:
    pieces = re.findall(r"([^0-9]*)([0-9]*)", text)[:-1]
    return (*((_letters(letters), int(digits or 0)) for letters, digits in pieces), _END)


def _letters(text: str) -> tuple[int, ...]:
    """Letters before other characters, `~` before the end, which is 0."""
    return (*(-1 if c == "~" else ord(c) if c.isalpha() else ord(c) + 0x110000 for c in text), 0)


def upstream(version: str) -> str:
    """Without epoch and Debian's revision."""
    rest = version.partition(":")[2] or version
    return rest.rpartition("-")[0] or rest
