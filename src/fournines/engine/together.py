"""Many hosts at once, where one that fails must not stop the others half-way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from fournines.errors import FourninesError

T = TypeVar("T")


async def together(jobs: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results, in order, when all have ended. Raises one error for all that failed."""
    results = await asyncio.gather(*jobs, return_exceptions=True)
    good: list[T] = []
    errors: list[FourninesError] = []
    for result in results:
        if isinstance(result, FourninesError):
            errors.append(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            good.append(result)
    if errors:
        raise merged(errors)
    return good


def merged(errors: Sequence[FourninesError]) -> FourninesError:
    """One error that says them all; of the first one's kind."""
    first, *others = errors
    if not others:
        return first
    return type(first)(
        f"{len(errors)} hosts failed: {'; '.join(e.what for e in errors)}",
        where=", ".join(dict.fromkeys(e.where for e in errors)),
        why="\n        ".join(dict.fromkeys(e.why for e in errors if e.why)),
        next=first.next,
    )
