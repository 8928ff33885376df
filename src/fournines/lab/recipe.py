"""What an image is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_CUSTOMIZE = Path(__file__).with_name("customize.sh")


def _nothing(_: Path) -> None:
    """A tree of files is all that is wanted."""


@dataclass(frozen=True)
class Recipe:
    """`scripts`: mmdebstrap's customize hooks, in order. `finish`: what is made of the image's directory, in which
    `root` is whole by then."""

    packages: tuple[str, ...]
    scripts: tuple[Path, ...] = (_CUSTOMIZE,)
    finish: Callable[[Path], None] = _nothing

    def with_own(self, *scripts: Path, finish: Callable[[Path], None]) -> Recipe:
        return Recipe(self.packages, (*self.scripts, *scripts), finish)
