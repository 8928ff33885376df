"""No text of a cloud file holds a line break or a control character: most of them end up in lines of some program's
file, where what follows would be another option."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from fournines.cloud.source import Path, Places
from fournines.cloud.validate import without
from fournines.errors import Problem

#: Prose, which stands in no such file: reasons may be as long as they like.
_PROSE = ("accept",)


def broken_lines(data: Any, places: Places) -> tuple[Any, list[Problem]]:
    """`data` without the entries whose keys or texts have them, and what is wrong."""
    problems: list[Problem] = []
    gone: list[Path] = []
    for path, text, key in list(_texts(data, ())):
        if not text.isprintable() and not (path[0] in _PROSE and not key):
            next = "write it on one line, in quotes"
            problems.append(places.problem(path, f"this has {_named(text)}", next, key=key))
            if not any(path[: len(p)] == p for p in gone):
                gone.append(path)
                data = without(data, path)
    return data, problems


def _texts(data: Any, path: Path) -> Iterator[tuple[Path, str, bool]]:
    """Path, text, whether it is a key; of all texts below `path`."""
    if isinstance(data, dict):
        for key, value in cast(dict[str, Any], data).items():
            yield (*path, key), key, True
            yield from _texts(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(cast(list[Any], data)):
            yield from _texts(value, (*path, index))
    elif isinstance(data, str) and path:
        yield path, data, False


def _named(text: str) -> str:
    found = next(c for c in text if not c.isprintable())
    if found in "\n\r\v\f\x85\u2028\u2029":
        return "a line break"
    return f"a character that is not printable, U+{ord(found):04X}"
