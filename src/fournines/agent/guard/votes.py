"""Who may serve the VIP? Pure; docs/decisions/0021-votes-for-the-vip.md has the safety argument.

Every voter votes for one host at a time, in each of its heartbeats. A vote stands for `lasts` seconds from the sending
of the holder's heartbeat that it echoes, so neither a slow network nor a slow guard stretches it. A host may serve
while a strict majority of the voters' votes for it stand. A voter votes for another host only when its last vote for
the first has surely ended: two hosts never may serve at once, whatever is lost, delayed, partitioned, frozen or
restarted.

A host for which the votes ran out may say so (`Said.lapses`): from then on it counts no vote that answers an earlier
heartbeat, so that a voter that hears it has promised it nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .heartbeat import NEVER, Endpoint

#: Seconds after which a guard that is silent is taken for dead although its host's kernel answers. Its own watchdog
#: has killed it by then, and a restart takes less.
GUARD_DEAD = 1.0
#: Seconds for which `fallback` extends a holder's right when all guards are dead: what a guard that has just started
#: cannot know of, and waits for.
FALLBACK = 3.0
#: Seconds added to every promise: a holder opens its kernel's gate within less, or shuts it (`gate.grant`).
MARGIN = 0.05


def majority(count: int, of: int) -> bool:
    """Strict: half is not enough."""
    return 2 * count > of


@dataclass(frozen=True)
class Candidate:
    """A host that can hold the VIP, as one voter sees it. heard: when its guard was heard last. gone: neither its
    guard nor its kernel answers, for long enough. deaf: it says that it hears no majority. votes: other voters'."""

    heard: float = NEVER
    gone: bool = False
    deaf: bool = False
    endpoint: Endpoint | None = None
    votes: int = 0


@dataclass(frozen=True)
class Vote:
    """What the next heartbeats say. `why` the vote moved, for the log."""

    host: str = ""
    lasts: float = 0.0
    why: str = ""


class Voter:
    """One host's vote. order: the candidates, as configured. before: the host that this voter's last run voted for, ""
    when the host has booted since. settled: by when all that the last run has promised, and all that `fallback` may
    have granted meanwhile, has ended."""

    def __init__(self, me: str, order: Iterable[str], before: str, settled: float) -> None:
        self._me = me
        self._order = tuple(order)
        self._promised: str = before
        self._until = settled if before else NEVER
        self._settled = settled
        self.vote = Vote(before)

    def young(self, at: float) -> bool:
        return at <= self._settled

    def released(self, host: str) -> None:
        """`host` has said that it counts no vote given so far."""
        if self._promised == host:
            self._until = NEVER

    def decide(self, at: float, lasts: float, seen: Mapping[str, Candidate], reach: float) -> Vote:
        """`lasts`: of a vote given now. `seen`: all candidates. `reach`: seconds within which a candidate must have
        been heard to be voted for."""
        why = self._leave(at, seen, reach) if self.vote.host else "no vote yet"
        host = self.vote.host
        if why:
            host = self._best(at, seen, reach)
            if host != self._promised and at <= self._until:
                host = ""  # the last vote for the other one may still stand
        if host:
            # It echoes what was heard last of that host; a vote for oneself needs no echo.
            basis = at if host == self._me else seen[host].heard
            self._promised, self._until = host, max(basis + lasts + MARGIN, self._until)
        if host == self.vote.host:
            why = self.vote.why
        self.vote = Vote(host, lasts, why)
        return self.vote

    def _leave(self, at: float, seen: Mapping[str, Candidate], reach: float) -> str:
        """Why the vote's host should not have it any more, "" if it should."""
        host = self.vote.host
        now = seen.get(host)
        if now is None or now.gone:
            return f"{host} has departed" if now else f"{host} is no candidate any more"
        if now.heard == NEVER and at <= self._settled:
            return ""  # not heard yet in this run
        if at - now.heard > max(GUARD_DEAD, reach):
            return f"the guard of {host} is silent"
        return _unfit(host, now) or self._outdone(at, seen, reach)

    def _outdone(self, at: float, seen: Mapping[str, Candidate], reach: float) -> str:
        """Why another host should have it although the vote's could serve, "" if none should."""
        host = self.vote.host
        endpoint = seen[host].endpoint
        if endpoint and not endpoint.granted and (elected := self._elected(at, seen, reach)):
            return f"the majority votes for {elected}"
        if endpoint and not endpoint.balancer and self._better(at, seen, reach):
            return f"HAProxy of {host} does not answer"
        if endpoint and endpoint.drained and self._better(at, seen, reach, drained=False):
            return f"{host} is drained"
        return ""

    def _elected(self, at: float, seen: Mapping[str, Candidate], reach: float) -> str:
        """Another host for which a majority votes already, "" for none: one vote more is one loss that it survives."""
        return next(
            (
                name
                for name, now in seen.items()
                if name != self.vote.host and now.endpoint and now.endpoint.granted
                if self._eligible(at, name, now, reach)
            ),
            "",
        )

    def _better(self, at: float, seen: Mapping[str, Candidate], reach: float, *, drained: bool = True) -> bool:
        """Whether another host could serve, if need be a `drained` one: a stall of every HAProxy must not take the VIP
        from everybody."""
        return any(
            (e := now.endpoint) is not None and e.balancer and (drained or not e.drained)
            for name, now in seen.items()
            if name != self.vote.host and self._eligible(at, name, now, reach)
        )

    def _eligible(self, at: float, name: str, now: Candidate, reach: float) -> bool:
        there = name == self._me or at - now.heard <= reach
        return there and not now.gone and not now.deaf and now.endpoint is not None and now.endpoint.able

    def _best(self, at: float, seen: Mapping[str, Candidate], reach: float) -> str:
        able = [n for n in self._order if n in seen and self._eligible(at, n, seen[n], reach)]
        if at <= self._settled:
            # It cannot know yet who was voted for while it was away: it follows the holder, or waits.
            able = [n for n in able if (e := seen[n].endpoint) is not None and e.held]

        def preference(name: str) -> tuple[object, ...]:
            now = seen[name]
            endpoint = now.endpoint or Endpoint()
            return (
                not endpoint.balancer,
                endpoint.drained,
                not endpoint.granted,
                endpoint.starting,
                -now.votes,
                not endpoint.held,
                self._order.index(name),
            )

        return min(able, key=preference, default="")


def _unfit(host: str, now: Candidate) -> str:
    """Why `host`, which is heard, cannot serve by its own word, "" if it can."""
    if now.endpoint is None:
        return f"{host} cannot hold the VIP"
    if not now.endpoint.able:
        return f"keepalived of {host} does not work"
    return f"{host} hears no majority" if now.deaf else ""


class Grants:
    """The candidate's side: until when each voter's vote for this host stands."""

    def __init__(self, voters: Iterable[str]) -> None:
        self._ends = dict.fromkeys(voters, NEVER)
        self._void = NEVER

    def void(self, at: float) -> None:
        """No vote counts that answers a heartbeat sent before `at`."""
        self._ends = dict.fromkeys(self._ends, NEVER)
        self._void = at

    def heard(self, voter: str, sent: float, lasts: float) -> None:
        """`voter` votes for this host, in answer to the heartbeat that this host sent at `sent`."""
        if voter in self._ends and sent >= self._void:
            self._ends[voter] = max(self._ends[voter], sent + lasts)

    def until(self) -> float:
        """The moment at which the majority ends; there is none where nobody votes."""
        if not self._ends:
            return NEVER
        return sorted(self._ends.values(), reverse=True)[len(self._ends) // 2]
