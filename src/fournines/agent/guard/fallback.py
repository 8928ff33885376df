"""Watches this host's guard, from a process of its own, and does nothing while that lives. When it is dead or frozen:
may the VIP stay?

If any other guard lives and can vote, no: it will be served elsewhere, and keepalived is told to leave it at once. A
guard that has just started cannot vote for another host yet, so one that crashes again and again counts as dead. If
all are dead at once, as after a bad update, nobody can be voted for, and moving the VIP would help nobody: it stays
where it is for as long as a majority of the voters' kernels answers, cruder and slower than votes, but no partition
goes unnoticed.
It only ever extends what this host was granted by votes, and never takes the VIP.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from pathlib import Path

from ..clock import now
from . import gate, vip
from .config import Config, load
from .echo import Echo
from .guard import SIGN
from .heartbeat import overhear
from .votes import GUARD_DEAD, majority

#: Seconds between looks at the guard's sign of life, which it gives with each heartbeat; of its age from which the
#: right may be extended, for the gate shuts by itself at `vip_lease`; and of its age from which the VIP may be told to
#: leave: a guard that stalls, or is started again, is back by then.
LOOK, STALE, DEAD = 0.1, 0.3, GUARD_DEAD
#: Seconds of listening for other guards, and for which each round extends the right: at most `votes.FALLBACK`, for
#: which a guard that starts waits before it votes for anybody else.
LISTEN, EXTENDS = 0.2, 0.8
#: Seconds in which a kernel must have answered: of this look or the one before, and less than `dead_host`.
ANSWERS = 0.35
#: Seconds of this guard's silence in which the others' must have died too. Voters that outlive it vote for another host
#: `GUARD_DEAD` after they heard it last, which is a vote's length before its own last sign at the earliest: whoever
#: was still heard by then may have voted since, and this host would not hear of it behind a cut.
AT_ONCE = 0.6
_UDP = 8  # bytes of its header


class Fallback:
    def __init__(self, config: Config) -> None:
        assert config.vip
        self._config = config
        self._vip = config.vip
        self._voters = {p.address: p for p in config.peers if p.votes}
        self._keepalived = vip.Keepalived(config.vip)
        self._echo = Echo(config.address, {p.name: p.address for p in config.peers if p.votes})
        self._answered: dict[str, float] = {}
        self._over = False
        self.why = ""

    def other_guard(self, seconds: float) -> str:
        """The name of a voter whose guard is heard within so long and can vote for another host, "" for none."""
        until = now() + seconds
        # Sees every datagram to the guards' port, whoever has that open: also a guard that is frozen. Opened each time:
        # what came before must not count.
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as wire:
            wire.bind((self._config.address, 0))
            wire.settimeout(0.05)
            return self._listen(wire, until)

    def _listen(self, wire: socket.socket, until: float) -> str:
        while now() < until:
            self._answered.update(dict.fromkeys(self._echo.answers(), now()))
            try:
                packet, (address, _) = wire.recvfrom(4096)
            except TimeoutError:
                continue
            start = 4 * (packet[0] & 15)
            peer = self._voters.get(address)
            if peer is None or int.from_bytes(packet[start + 2 : start + 4]) != self._config.port:
                continue
            said = overhear(peer.name, self._config.host, peer.key, packet[start + _UDP :])
            if said is not None and not said.young:
                return peer.name
        return ""

    def look(self) -> bool:
        """Whether the VIP may stay for now."""
        for peer in self._voters.values():
            self._echo.ask(peer.name)
        if other := self.other_guard(LISTEN):
            self.why = f"the guard of {other} lives and that of this host does not"
            return False
        reached = sum(now() - at <= ANSWERS for at in self._answered.values()) + self._config.votes
        self.why = (
            f"no voter's guard is heard, and the kernels of {reached} of {len(self._config.voters)} voters answer"
        )
        return majority(reached, len(self._config.voters))

    def stays(self, held: bool, signed: float) -> bool:
        """Whether the VIP may stay for now, when the guard signed last at `signed`. Once it may not, it may not until
        the guard lives again: it can have been given to another host since."""
        if self._over or not held:
            return False
        good = self.look()
        self._over = not good and now() - signed > AT_ONCE
        return good

    def run(self) -> None:
        addresses = frozenset(a.address for a in self._vip.addresses)
        extends = told = False
        while True:
            time.sleep(LOOK)
            began, signed = now(), last_sign()
            if began - signed <= STALE:
                extends = told = self._over = False
                continue
            held = addresses & vip.local_addresses()
            stays = self.stays(bool(held), signed)
            if last_sign() != signed:
                continue
            if stays:
                gate.grant(addresses, began + EXTENDS)
            elif now() - signed > DEAD:
                self._keepalived.track(vip.FORBIDDEN)
            if extends and not stays:
                gate.revoke(addresses)
            if held and (not told or stays != extends):
                print(f"VIP: {'stays' if stays else 'leaves'}, {self.why}", file=sys.stderr, flush=True)
                told = True
            extends = stays


def last_sign(path: Path = SIGN) -> float:
    """When the guard signed last, by `clock.now()`; -inf: never since the boot."""
    try:
        return path.stat().st_mtime
    except OSError:
        return float("-inf")


def main() -> None:
    config = load()
    if config.vip is None or not config.arbitrated:
        signal.pause()  # VRRP alone decides: nothing to watch over
    Fallback(config).run()


if __name__ == "__main__":
    main()
