"""The nearest known name: an error that says "did you mean" saves a look into the manual."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that `name` was most probably meant to be, or "" when none is near."""
    by_fold = {k.casefold(): k for k in sorted(known)}
    close = get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[close[0]] if close else ""


def suggest(name: str, known: Iterable[str]) -> str:
    """`did you mean vips?`, or the list of what there is when nothing is near and the list is short enough to read."""
    known = sorted(known)
    if near := nearest(name, known):
        return f"did you mean {near}?"
    if not known:
        return ""
    shown = ", ".join(known[:12]) + (f", and {len(known) - 12} more" if len(known) > 12 else "")
    return f"known here: {shown}"
