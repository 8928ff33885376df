"""The cases that `recover` knows, in the order in which they are dealt with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fournines.operate.recover import brokers, databases, lost_files, majority
from fournines.operate.recover.evidence import Asked, Seen
from fournines.operate.recover.finding import Finding

Case = Callable[[Seen, Asked], Iterator[Finding]]
#: While one of the first is open, nothing is done about the rest: there is nobody to copy from.
FIRST: tuple[Case, ...] = (majority.find, databases.differing)
THEN: tuple[Case, ...] = (
    databases.unreadable,
    brokers.refusing,
    brokers.waiting,
    brokers.leaderless,
    lost_files.keys,
    lost_files.rings,
)


def found(seen: Seen, asked: Asked) -> list[Finding]:
    """What is found in a region."""
    for case in FIRST:
        if open_ := list(case(seen, asked)):
            return open_
    return [finding for case in THEN for finding in case(seen, asked)]
