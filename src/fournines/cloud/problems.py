"""What is wrong with one file, collected while reading goes on."""

from __future__ import annotations

from collections.abc import Collection

from fournines.cloud.names import suggest
from fournines.cloud.source import Path, Places
from fournines.errors import Problem


class Problems:
    def __init__(self, places: Places) -> None:
        self.places = places
        self.found: list[Problem] = []

    def wrong(self, path: Path, message: str, next: str = "", *, key: bool = False) -> None:
        """`key`: it is the key at `path`, not its value, that is to blame."""
        self.found.append(self.places.problem(path, message, next, key=key))

    def known(self, path: Path, what: str, name: str, known: Collection[str], *, key: bool = False) -> bool:
        """Whether `name` is one of `known`; if not, that is a problem with the nearest one as its way out."""
        if name in known:
            return True
        self.wrong(path, f"unknown {what} {name}", suggest(name, known), key=key)
        return False
