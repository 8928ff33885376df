"""Cycles of a graph of what comes before what. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

#: The first comes before the second. A name that begins with @ is a moment rather than a transaction.
Edge = tuple[str, str]


def cycle(edges: Iterable[Edge]) -> list[str]:
    """The transactions of one, the first again at the end; empty when there is none."""
    before: dict[str, set[str]] = {}
    for first, then in edges:
        if first != then:
            before.setdefault(then, set()).add(first)
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        # From each to what comes after it, as graphlib finds them; moments only lead from one to the next.
        named = [name for name in error.args[1] if not name.startswith("@")]
        return named if named[0] == named[-1] else [*named, named[0]]
    return []
