"""This host's right to serve the VIP, carried out: the kernel's gate, keepalived's priority, keepalived itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import gate, vip
from .config import Config
from .heartbeat import NEVER, Endpoint
from .journal import complain, say
from .votes import MARGIN, Grants

#: Seconds for which a holder that has lost its votes keeps the addresses, unless another host is granted them: the gate
#: is shut meanwhile, and a stall of the others that ends in time has moved nothing. And for which one that has just
#: taken them, with the gate shut, waits for the votes, which go to who has the addresses: giving them up again at once
#: would have backups take them in turns, and every client told that its connections are gone at each turn.
GRACE = 0.5
#: Seconds in which a host that was granted the VIP must have its addresses, and for which it stands back if it has not.
TAKES, STANDS_BACK = 3.0, 10.0
#: Seconds for which a keepalived that was just killed is no candidate.
RECOVERS = 3.0
#: A new guard knows nobody yet; until then the tracked file stays as the last guard left it.
ACQUAINTANCE = 1.0


class Lease:
    """Times are `clock.now()`."""

    def __init__(self, config: Config, at: float) -> None:
        assert config.vip
        self._config = config
        self._vip = config.vip
        self._addresses = frozenset(a.address for a in config.vip.addresses)
        self._grants = Grants(config.voters)
        self._keepalived = vip.Keepalived(config.vip)
        self._running = True
        self._started = at
        self._granted_at = NEVER  # last seen granted
        self._granted_since: float | None = None
        self._entitled = False  # granted, and not lapsed since
        self.lapses = 0
        self._held_since = NEVER
        self._forbidden_since: float | None = None
        self._stands_back = NEVER
        self._value: int | None = None
        self._gate_until = NEVER
        self.held: frozenset[str] = frozenset()
        self.why = ""

    def start(self) -> None:
        try:
            if self._config.arbitrated:
                gate.build(self._addresses)
            else:
                gate.remove()
        except OSError as error:
            complain("VIP: the kernel's gate cannot be made, the VIP is held back by keepalived alone", error)
        self.look_for_addresses(self._started)

    def voted(self, voter: str, sent: float, lasts: float) -> None:
        self._grants.heard(voter, sent, lasts)

    def granted(self, at: float) -> bool:
        return self._grants.until() > at if self._config.arbitrated else True

    def lapse(self, at: float, deaf: bool) -> None:
        """Where the votes have run out, those that were given are void, and the heartbeat of `at` says so: the voters
        need not wait until the last that they gave would have ended. The kernel's gate is shut by now. A deaf host says
        it again and again: it is voted for until it is known to be deaf."""
        if (self._entitled or deaf) and self._grants.until() + MARGIN < at:
            self._entitled = False
            self._grants.void(at)
            self.lapses += 1

    def endpoint(self, at: float, balancer: bool, starting: bool, drained: bool = False) -> Endpoint:
        able = self._running and at >= self._stands_back
        return Endpoint(balancer, able, bool(self.held), self.granted(at), starting, drained)

    def renew(self, at: float, others: Sequence[Endpoint], deaf: bool, balancer: bool, drained: bool = False) -> None:
        """The gate first: it is what the others count on."""
        if not self._vip.unit:
            return
        if self._config.arbitrated:
            self._open(at)
            value, why = self._arbitrated(at, others, deaf)
        else:
            value, why = _by_vrrp_alone(others, balancer, drained)
        if value is None or (value != vip.GRANTED and at - self._started < ACQUAINTANCE):
            return
        if value != self._value:
            say(f"VIP: {_MEANING[value]}{f' ({why})' if why else ''}")
        self._value, self.why = value, why
        self._forbidden_since = None if value != vip.FORBIDDEN else self._forbidden_since or at
        self._keepalived.track(value)

    def _open(self, at: float) -> None:
        until = self._grants.until()
        if until <= at:
            self._granted_since = None
            return
        self._granted_at = at
        self._entitled = True
        self._granted_since = self._granted_since if self._granted_since is not None else at
        if until > self._gate_until and gate.grant(self._addresses, until):
            self._gate_until = until

    def _arbitrated(self, at: float, others: Sequence[Endpoint], deaf: bool) -> tuple[int | None, str]:
        if self._granted_since is not None:
            if not self.held and at - self._granted_since > TAKES and at >= self._stands_back:
                self._stands_back = at + STANDS_BACK
                say(f"VIP: granted for {TAKES:.0f} s and keepalived has not taken it: stands back")
            return vip.GRANTED, ""
        if self.held and at - self._granted_at <= GRACE and not any(o.granted for o in others):
            return None, ""
        if deaf:
            return vip.FORBIDDEN, "hears no majority of the voters"
        if self.held and (at - self._held_since > GRACE or any(o.granted for o in others)):
            return vip.FORBIDDEN, "no majority of the voters votes for it"
        return vip.STANDBY, ""

    def look_for_addresses(self, at: float) -> None:
        before, self.held = self.held, self._addresses & vip.local_addresses()
        if self.held and not before:
            self._held_since = at

    def look_at_keepalived(self, at: float, conflict: bool) -> None:
        self.look_for_addresses(at)
        if not self._vip.unit:
            return
        self._running = self._keepalived.running()
        seen = vip.Observed(
            held=bool(self.held),
            forbidden_for=0.0 if self._forbidden_since is None else at - self._forbidden_since,
            running=self._running,
            idle_for=self._keepalived.idle_for(at),
            silent_for=self._keepalived.silent_for(at),
            conflict=conflict,
        )
        why = vip.intervene(seen, self._config.vip_lease) if self._config.vip_lease else ""
        if why:
            say(f"VIP: kills keepalived, {why}")
            self._keepalived.kill()
            self._stands_back = max(self._stands_back, at + RECOVERS)
            self.look_for_addresses(at)

    def state(self, at: float) -> dict[str, Any]:
        until = self._grants.until()
        return {
            "held": sorted(self.held),
            "may_hold": self._value != vip.FORBIDDEN,
            "granted": self.granted(at),
            "why": self.why,
            "arbitrated": self._config.arbitrated,
            "remaining": round(until - at, 3) if until > at else 0.0,
        }


_MEANING = {
    vip.GRANTED: "this host serves it",
    vip.STANDBY: "this host stands by",
    vip.FORBIDDEN: "this host must not hold it",
}


def _by_vrrp_alone(others: Sequence[Endpoint], balancer: bool, drained: bool) -> tuple[int, str]:
    """A dead load balancer, or being drained, costs the VIP only when another host has a balancer that answers."""
    if drained and any(o.balancer and o.able and not o.drained for o in others):
        return vip.FORBIDDEN, "this host is drained"
    if not balancer and any(o.balancer and o.able for o in others):
        return vip.FORBIDDEN, "HAProxy does not answer here and does elsewhere"
    return vip.STANDBY, ""
