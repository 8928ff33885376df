"""Positions in MariaDB's history. Pure.

A GTID is `domain-server-sequence`; a position is the last one of each domain, `0-1-15,1-2-3`; a binary log's state is
the last one of each domain and server. Within a domain sequences only grow (`gtid_strict_mode`).
"""

from __future__ import annotations


def parse(text: str) -> list[tuple[int, int, int]]:
    """(domain, server, sequence). Raises ValueError."""
    found: list[tuple[int, int, int]] = []
    for word in text.replace("\n", "").split(","):
        if word.strip():
            domain, server, sequence = word.strip().split("-")
            found.append((int(domain), int(server), int(sequence)))
    return found


def merged(*positions: str) -> str:
    """The furthest of each domain."""
    last: dict[int, tuple[int, int, int]] = {}
    for gtid in (each for position in positions for each in parse(position)):
        if gtid[2] > last.get(gtid[0], (0, 0, -1))[2]:
            last[gtid[0]] = gtid
    return ",".join("-".join(map(str, last[domain])) for domain in sorted(last))


def lacks(position: str, other: str) -> bool:
    """Whether `other` has got further, in any domain."""
    here = {domain: sequence for domain, _, sequence in parse(position)}
    return any(sequence > here.get(domain, -1) for domain, _, sequence in parse(other))


def strangers(position: str, history: str) -> str:
    """Of `position`, what is not in the binary log's state `history`; "" when all of it is."""
    known = {(domain, server): sequence for domain, server, sequence in parse(history)}
    own = (g for g in parse(position) if g[2] > known.get((g[0], g[1]), -1))
    return ",".join("-".join(map(str, gtid)) for gtid in own)
