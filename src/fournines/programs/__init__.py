"""Programs that run on hosts, with Python's own library and what the host's packages bring: `services` puts them there
as they are."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def source(name: str) -> str:
    """Of the program `fournines/programs/NAME`."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
