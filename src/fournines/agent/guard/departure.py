"""Which peers have departed: lost power, or the network. Pure; docs/decisions/0014-departed-hosts.md has the argument.

A peer is *silent* when its guard's heartbeats have stopped and its kernel leaves echo requests unanswered. A busy
host's kernel still answers, so load silences nobody, and a guard that died does not make its host look dead. A peer
that is heard and says for as long that it hears no majority itself is as good as silent: no answer reaches it.

A peer has *departed* when a strict majority of the region's guards, in contact with this one, find it silent, all of
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .votes import majority

#: Requests that must stay unanswered, and the share of `dead_host` over which they must have been sent: a guard that
#: was itself stopped finds old news first, and must have asked anew before it believes them.
ECHOES = 3
ASKED_OVER = 0.4
#: Multiples of `dead_host` of silence for which a peer is asked with each heartbeat.
PRESSING = 5
#: Seconds between requests to a peer that is well. One that has never answered any (a firewall) is never silent.
PROOF = 1.0


@dataclass
class _Peer:
    proven: bool = False  # it has answered an echo request in this run of the agent
    asked: float = float("-inf")
    unanswered: int = 0
    since: float = 0.0  # first unanswered request
    deaf: float | None = None  # since when it says so


class Echoes:
    """Bookkeeping of echo requests. `dead_host`: seconds of silence of guard and kernel that make a peer silent; a
    quarter of it makes the kernel worth asking, each heartbeat. Times are `clock.now()`."""

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
            pressing = age is not None and self._suspicious <= age <= PRESSING * self._dead_host
            if pressing or at - peer.asked >= PROOF:
                peer.asked = at
                peer.since = peer.since if peer.unanswered else at
                peer.unanswered += 1
                found.append(name)
        return found

    def answered(self, name: str) -> None:
        peer = self._peers[name]
        peer.proven, peer.unanswered = True, 0

    def heard(self, name: str, at: float, deaf: bool) -> None:
        """`name`'s guard was heard, and says whether it is deaf."""
        peer = self._peers[name]
        peer.deaf = (peer.deaf if peer.deaf is not None else at) if deaf else None

    def silent(
        self, at: float, ages: Mapping[str, float | None], patience: float, gone: frozenset[str]
    ) -> frozenset[str]:
        """`patience`: seconds, at least `dead_host`, for those that are not `gone` already."""
        return frozenset(
            name
            for name, peer in self._peers.items()
            if (age := ages[name]) is not None
            and self._is_silent(peer, at, age, self._dead_host if name in gone else max(patience, self._dead_host))
        )

    def _is_silent(self, peer: _Peer, at: float, age: float, after: float) -> bool:
        asked = peer.unanswered >= ECHOES and at - peer.since >= ASKED_OVER * self._dead_host
        unanswered = age >= after and peer.proven and asked
        return unanswered or (peer.deaf is not None and at - peer.deaf >= after)


def departed(group: int, silent: frozenset[str], reports: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """`group`: guards in all. `silent`: as found here. `reports`: what peers in contact, both ways and just now, find.

    Nobody departs from a minority, which may itself be what was cut off, nor from a group of two, which cannot tell.
    """
    if not majority(len(reports) + 1, group):
        return frozenset()
    return frozenset(n for n in silent if n not in reports and all(n in said for said in reports.values()))
