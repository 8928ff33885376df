"""Which peers have departed: lost power, or the network. Pure; docs/decisions/0014-departed-hosts.md has the argument.

A peer is *silent* when its agent's heartbeats have stopped and its kernel leaves echo requests unanswered. A busy
host's kernel still answers, so load silences nobody, and an agent that died does not make its host look dead.

A peer has *departed* when a strict majority of the region's agents, in contact with this one, find it silent, all of
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .lease import majority

#: Requests that must stay unanswered, and the share of `dead_host` over which they must have been sent: an agent that
#: was itself stopped finds old news first, and must have asked anew before it believes them.
ECHOES = 3
ASKED_OVER = 0.4
#: Seconds between requests to a peer that is well. One that has never answered any (a firewall) is never silent.
PROOF = 1.0


@dataclass
class _Peer:
    proven: bool = False  # it has answered an echo request in this run of the agent
    asked: float = float("-inf")
    unanswered: int = 0
    since: float = 0.0  # first unanswered request


class Echoes:
    """Bookkeeping of echo requests. `after`: seconds of silence of the agent that make a peer's kernel worth asking,
    each heartbeat; `dead_host`: of both together that make it silent. Times are `clock.now()`."""

    def __init__(self, peers: Iterable[str], dead_host: float, heartbeat: float) -> None:
        self._peers = {name: _Peer() for name in peers}
        self._dead_host = dead_host
        self._suspicious = max(dead_host / 4, 2 * heartbeat)

    def due(self, at: float, ages: Mapping[str, float | None]) -> list[str]:
        """Peers to ask now. `ages`: seconds since each was heard, None: never."""
        found: list[str] = []
        for name, peer in self._peers.items():
            age = ages[name]
            if age is not None and age < self._suspicious:
                peer.unanswered = 0
            pressing = age is not None and self._suspicious <= age <= 4 * self._dead_host
            if pressing or at - peer.asked >= PROOF:
                peer.asked = at
                peer.since = peer.since if peer.unanswered else at
                peer.unanswered += 1
                found.append(name)
        return found

    def answered(self, name: str) -> None:
        peer = self._peers[name]
        peer.proven, peer.unanswered = True, 0

    def silent(self, at: float, ages: Mapping[str, float | None]) -> frozenset[str]:
        return frozenset(
            name
            for name, peer in self._peers.items()
            if (age := ages[name]) is not None
            and age >= self._dead_host
            and peer.proven
            and peer.unanswered >= ECHOES
            and at - peer.since >= ASKED_OVER * self._dead_host
        )


def departed(group: int, silent: frozenset[str], reports: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """`group`: agents in all. `silent`: as found here. `reports`: what peers in contact, both ways and just now, find.

    Nobody departs from a minority, which may itself be what was cut off, nor from a group of two, which cannot tell.
    """
    if not majority(len(reports) + 1, group):
        return frozenset()
    return frozenset(n for n in silent if n not in reports and all(n in said for said in reports.values()))
