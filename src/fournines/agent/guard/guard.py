"""One host's guard: a single loop that never waits for anything but time and datagrams."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import process
from ..cgroup import Cgroup, Idleness
from ..clock import now
from . import channel, vip
from .balancer import EVERY, Balancer
from .config import Config
from .departure import Echoes, departed
from .echo import Echo
from .heartbeat import NEVER, PROTOCOL, Endpoint, Links, Said
from .journal import complain, say
from .lease import ACQUAINTANCE, Lease
from .votes import FALLBACK, MARGIN, Candidate, Voter, majority

#: Heartbeats within which a peer must have been heard, and have confirmed, to have a say in who has departed.
CONTACT = 5
#: Heartbeats without a majority after which a host that stands by may not take the VIP: before VRRP would, after three
#: adverts of three heartbeats each. Its gate is shut, but keepalived would tell everybody that the VIP is here, and
#: clients whose network is not the one that is broken would believe it for seconds.
ALONE = 6
#: Seconds between the signs of life for systemd, which kills a guard that gives none for a second.
WATCHDOG = 0.25
#: The sign of life for `fallback`, with each heartbeat: a file whose time is of `clock.now()`.
SIGN = channel.RUN / "guard.alive"
#: Seconds between looks at a keepalived that holds the VIP, and at one that does not.
LOOK_HOLDER, LOOK = 0.1, 1.0
#: Heartbeats between two words to the observer, unless there is news.
TELL = 2
#: Heartbeats of a peer's silence from which every datagram is read as it comes; seconds of it after which no more.
ALERT, STRANGER = 3, 5.0
#: Seconds over which the worst scheduling delay is told.
DELAY_WINDOW = 60.0
#: Seconds for which the observer's word about this host is worth anything, and after which its word for others is too
#: old to be passed on: less than `primary.SETTLE` is above `primary.VOTE_LASTS`.
OBSERVER_LASTS, STALE = 5.0, 0.3


class Guard:
    def __init__(self, config: Config, protocol: int = PROTOCOL) -> None:
        at = now()
        self.config = config
        self.links = Links(config.host, {p.name: p.key for p in config.peers}, protocol)
        self.departed: frozenset[str] = frozenset()
        self.silent: frozenset[str] = frozenset()
        self.lease = Lease(config, at) if config.vip else None
        self.voter: Voter | None = None
        self._remembered = ""  # the vote in its file: it may stand for a while after it was taken back
        if config.votes and config.arbitrated:
            settled = at + max(FALLBACK, config.vip_lease, config.degraded) + MARGIN
            self._remembered = read_vote()
            self.voter = Voter(config.host, config.candidates, self._remembered, settled)
        self._names = {p.address: p.name for p in config.peers}
        self._addresses = {p.name: (p.address, config.port) for p in config.peers}
        self._echoes = Echoes(self.links.others, config.dead_host, config.heartbeat)
        self._started = at
        self._missing: frozenset[str] = frozenset()
        self._lapses: dict[str, tuple[bytes, int]] = {}  # of a candidate: its guard's run, and what that said last
        self._acquainted = at + ACQUAINTANCE
        #: By peer, what its observer has said since this host's was told last, when, and what heartbeat that echoed.
        self._heard_from: dict[str, tuple[bytes, float, float]] = {}
        self._payload = NEVER, b""
        longest = max(config.candidates, key=len, default="")
        flags = Endpoint(*[True] * 6)
        busiest = Said(longest, config.degraded, frozenset(self.links.others), True, True, flags, 10**9)
        self._room = self.links.room(busiest)
        self._own = (NEVER, False, False)  # when the observer said whether this host is starting, and is drained
        self._delay = Delay(at)
        self._balancer: Balancer | None = None
        if config.vip:
            idle = Idleness(Cgroup(config.vip.balancer))
            self._balancer = Balancer(config.address, config.vip.monitor_port, idle, at)
        self._selector = selectors.DefaultSelector()
        self._alert = True
        self._beats = 0
        self._told: object = None
        self._due: dict[str, float] = {}

    # What peers say

    def hear(self, at: float, address: str, datagram: bytes) -> None:
        name = self._names.get(address)
        if name is None:
            return
        before = self.links.payload(name)
        echoed = self.links.receive(at, name, datagram)
        if echoed is None:
            return
        said = self.links.said(name)
        self._echoes.heard(name, at, said.deaf)
        self._release(name, said.lapses)
        if self.lease and said.vote == self.config.host:
            self.lease.voted(name, echoed, said.lasts)
        if (payload := self.links.payload(name)) is not before and payload:
            self._heard_from[name] = payload, at, echoed

    def _release(self, name: str, lapses: int) -> None:
        run, before = self._lapses.get(name, (b"", 0))
        if run != self.links.run(name):
            before = lapses  # its votes before it was heard are another run's, or answer what it sent before
        elif lapses > before and self.voter:
            self.voter.released(name)
        self._lapses[name] = self.links.run(name), max(before, lapses)

    # Once a heartbeat

    @property
    def degraded(self) -> bool:
        """A voter has departed, and has not been heard again: the next loss takes more than moving the VIP, and one
        more stall must not be taken for it."""
        return bool(self._missing)

    @property
    def patience(self) -> float:
        """Seconds for which a vote stands, and a host may be silent."""
        lease = self.config.vip_lease
        return max(lease, self.config.degraded) if self.degraded else lease

    def look_for_departed(self, at: float, ask: Callable[[str], None]) -> None:
        links, dead_host = self.links, self.config.dead_host
        ages = {name: links.age(name, at) for name in links.others}
        for name in self._echoes.due(at, ages):
            ask(name)
        self.silent = self._echoes.silent(at, ages, self.patience, self.departed)
        within = max(CONTACT * self.config.heartbeat, self.patience if self.degraded else 0.0)
        in_contact = (links.heard(at, within) & links.confirmed(at, within)) - self.silent
        # A peer that finds this host silent is not in contact: what it says of a third might be said of both.
        reports = {n: said for n in in_contact if self.config.host not in (said := links.said(n).silent)}
        gone = departed(len(self.config.peers) + 1, self.silent, reports)
        for name in sorted(gone - self.departed):
            say(f"{name} has departed: neither its guard nor its kernel answers any of us")
        for name in sorted(self.departed - gone):
            say(f"{name} is back")
        self.departed = gone
        back = frozenset(n for n in self._missing if (age := ages[n]) is not None and age < dead_host)
        self._missing = (self._missing | gone & set(self.config.voters)) - back

    def deaf(self, at: float) -> bool:
        """It has heard no majority of the voters, where nobody votes of the guards, for as long as makes a silent host
        dead. A guard that has just started has met nobody yet."""
        within = max(CONTACT * self.config.heartbeat, self.config.dead_host, self.patience)
        return at > self._acquainted and not self._hears_majority(at, within)

    def _hears_majority(self, at: float, within: float) -> bool:
        voters = set(self.config.voters) or {self.config.host, *self.links.others}
        heard = len(self.links.heard(at, within) & voters) + (self.config.host in voters)
        return majority(heard, len(voters))

    def vote(self, at: float, own: Endpoint | None, deaf: bool) -> Said:
        """This host's vote, and all else that its next heartbeats say."""
        said = Said(silent=self.silent, deaf=deaf, endpoint=own)
        if self.voter is None:
            return said
        reach = max(self.config.dead_host, self.patience)
        before = self.voter.vote.host
        vote = self.voter.decide(at, self.patience, self._candidates(at, own, deaf), reach)
        if vote.host != before:
            say(f"VIP: votes for {vote.host or 'nobody yet'} ({vote.why})")
        if vote.host and vote.host != self._remembered:
            write_vote(vote.host)  # before it is sent; one that cannot be remembered is not given
            self._remembered = vote.host
        if self.lease and vote.host == self.config.host:
            self.lease.voted(vote.host, at, vote.lasts)
        return Said(vote.host, vote.lasts, self.silent, deaf, self.voter.young(at), own)

    def _candidates(self, at: float, own: Endpoint | None, deaf: bool) -> dict[str, Candidate]:
        voters = self.links.heard(at, 1.0) & set(self.config.voters)
        votes = [self.links.said(name).vote for name in voters]
        found: dict[str, Candidate] = {}
        for name in self.config.candidates:
            if name == self.config.host:
                found[name] = Candidate(at, False, deaf, own, votes.count(name))
            elif name in self._addresses:
                said, gone = self.links.said(name), name in self.silent or name in self.departed
                found[name] = Candidate(self.links.heard_at(name), gone, said.deaf, said.endpoint, votes.count(name))
        return found

    def beat(self, at: float, ask: Callable[[str], None]) -> dict[str, bytes]:
        """The datagrams of this beat, by peer."""
        own = said = None
        deaf = False
        try:
            if self.config.dead_host:
                self.look_for_departed(at, ask)
            deaf = self.deaf(at)
            if self.lease and self._balancer:
                self._lapse(at, self.lease, deaf)
                own = self.lease.endpoint(at, self._balancer.alive(at), *self._word(at))
            said = self.vote(at, own, deaf)
        except Exception as error:  # whatever it is, this host is heard, votes for nobody, and goes on
            complain("beat", error)
        (since, payload), self._payload = self._payload, (NEVER, b"")
        # Whatever else it says: a count that fell and grew again would free voters from promises that still hold.
        said = replace(said or Said(deaf=deaf, endpoint=own), lapses=self.lease.lapses if self.lease else 0)
        return self.links.beat(at, said, payload if at - since <= STALE else b"")

    def _lapse(self, at: float, lease: Lease, deaf: bool) -> None:
        before = lease.lapses
        lease.lapse(at, deaf)
        if lease.lapses != before and self.voter:
            self.voter.released(self.config.host)

    def _word(self, at: float) -> tuple[bool, bool]:
        """Whether this host is starting, and is drained, as long as its observer's word is worth anything."""
        since, starting, drained = self._own
        return (starting, drained) if at - since <= OBSERVER_LASTS else (False, False)

    def claim(self, at: float) -> None:
        """May this host serve the VIP? As often as votes arrive."""
        if self.lease and self._balancer:
            others = [
                endpoint
                for name in self.links.heard(at, 1.0) - self.departed - self.silent
                if (endpoint := self.links.said(name).endpoint) is not None
            ]
            deaf = self.deaf(at)
            if self.config.arbitrated and not self.lease.granted(at):
                deaf = deaf or not self._hears_majority(at, ALONE * self.config.heartbeat)
            self.lease.renew(at, others, deaf, self._balancer.alive(at), self._word(at)[1])

    # The loop

    def run(self) -> None:
        config = self.config
        wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wire.bind((config.address, config.port))
        self._watch(wire, lambda: self._read(wire))
        echo = Echo(config.address, {p.name: p.address for p in config.peers})
        self._watch(echo.socket, lambda: [self._echoes.answered(name) for name in echo.answers()])
        observer = channel.bind(channel.GUARD)
        self._watch(observer, lambda: self._read_observer(observer))
        if self.lease:
            self.lease.start()
            addresses = vip.address_events()
            self._watch(addresses, lambda: self._read_addresses(addresses))
        SIGN.touch()
        process.notify("READY=1")
        due = now()
        while True:
            for key, _ in self._wait(due - now()):
                self._safely("datagram", key.data)
            at = now()
            if at >= due:
                self._delay.note(at, at - due)
                self._beat(wire, echo, observer)
                # A fixed pace, but what a stall has cost is not made up for.
                due = max(due + config.heartbeat, now())

    def _wait(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        """What came until the next heartbeat. While all is well it is read with that heartbeat, all at once: being
        woken for every datagram costs much more CPU (2.6 % of a core, not 1.5 %, on a busy lab)."""
        if seconds > 0 and not self._alert:
            time.sleep(seconds)
            seconds = 0.0
        return self._selector.select(max(0.0, seconds))

    def _beat(self, wire: socket.socket, echo: Echo, observer: socket.socket) -> None:
        self._beats += 1
        self._safely("beat", lambda: self._send(wire, echo, now()))
        self._safely("lease", lambda: self.claim(now()))
        at = now()
        news = (self.departed, self.lease and (self.lease.held, self.lease.granted(at)))
        if news != self._told or self._beats % TELL == 0:
            self._told = news
            self._safely("observer", lambda: self._tell(observer, at))
        self._safely("sign", lambda: os.utime(SIGN, (at, at)))
        self._at_its_pace("watchdog", WATCHDOG, at, lambda: process.notify("WATCHDOG=1"))
        if self.lease and self._balancer:
            self._at_its_pace("balancer", EVERY, at, self._ask_balancer)
            every = LOOK_HOLDER if self.lease.held else LOOK
            self._at_its_pace("keepalived", every, at, lambda: self._look(now()))
        late = ALERT * self.config.heartbeat
        self._alert = bool(self.links.heard(at, STRANGER) - self.links.heard(at, late)) or (
            self.lease is not None and bool(self.lease.held) != self.lease.granted(at)
        )

    def _watch(self, what: socket.socket, then: Callable[[], object]) -> None:
        self._selector.register(what, selectors.EVENT_READ, then)

    def _safely(self, where: str, act: Callable[[], object]) -> None:
        """Heartbeats go on whatever one odd datagram or file does; a right that is not renewed ends by itself."""
        try:
            act()
        except Exception as error:
            complain(where, error)

    def _at_its_pace(self, name: str, every: float, at: float, act: Callable[[], object]) -> None:
        if at >= self._due.get(name, 0.0):
            self._due[name] = at + every
            self._safely(name, act)

    def _send(self, wire: socket.socket, echo: Echo, at: float) -> None:
        for name, datagram in self.beat(at, echo.ask).items():
            with contextlib.suppress(OSError):  # a peer's host is up and its guard is not: the silence is what counts
                wire.sendto(datagram, self._addresses[name])

    def _read(self, wire: socket.socket) -> None:
        while True:
            try:
                datagram, (address, _) = wire.recvfrom(4096)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error that answers what was sent
            self._safely("datagram", lambda a=address, d=datagram: self.hear(now(), a, d))
        if self.lease and not self.lease.granted(now()):
            self.claim(now())

    def _read_addresses(self, events: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while events.recv(1 << 16):
                pass
        if self.lease:
            self.lease.look_for_addresses(now())

    def _ask_balancer(self) -> None:
        assert self._balancer
        waiting = self._balancer.connection
        if (fresh := self._balancer.ask(now())) is not None:
            self._forget(waiting)
            self._watch(fresh, lambda: self._read_balancer(fresh))
        elif self._balancer.connection is None:
            self._forget(waiting)

    def _read_balancer(self, connection: socket.socket) -> None:
        assert self._balancer
        self._forget(connection)
        self._balancer.answer(now())

    def _forget(self, connection: socket.socket | None) -> None:
        if connection is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(connection)

    def _look(self, at: float) -> None:
        assert self.lease
        conflict = any((e := self.links.said(n).endpoint) is not None and e.held for n in self.links.heard(at, 1.0))
        self.lease.look_at_keepalived(at, conflict)

    # The observer

    def _read_observer(self, by: socket.socket) -> None:
        while (said := channel.receive(by)) is not None:
            document, more = said
            at = float(document["at"])
            self._own = at, bool(document.get("starting")), bool(document.get("drained"))
            if more:
                self._payload = at, more[0]

    def _tell(self, by: socket.socket, at: float) -> None:
        more: list[bytes] = []
        for name, (payload, heard, echoed) in self._heard_from.items():
            more += [f"{name} {heard} {echoed}".encode(), payload]
        self._heard_from.clear()
        channel.send(by, channel.OBSERVER, self.state(at), *more)

    def state(self, at: float) -> dict[str, Any]:
        """What the observer goes by, and `fournines status` shows."""
        links = self.links
        return {
            "at": at,
            "started": self._started,
            "peers": {n: [_or_none(links.heard_at(n)), _or_none(links.confirmed_at(n))] for n in links.others},
            "departed": sorted(self.departed),
            "silent": sorted(self.silent),
            "degraded": self.degraded,
            "deaf": self.deaf(at),
            "room": self._room,
            "vote": self.voter.vote.host if self.voter else "",
            "votes": {n: links.said(n).vote for n in sorted(links.heard(at, 1.0) & set(self.config.voters))},
            "voters": list(self.config.voters),
            "delay": self._delay.worst(),
            "dropped": links.dropped,
            "vip": self._vip_state(at),
        }

    def _vip_state(self, at: float) -> dict[str, Any] | None:
        if self.lease is None or self._balancer is None:
            return None
        return {**self.lease.state(at), "balancer": self._balancer.alive(at)}


class Delay:
    """The worst scheduling delay of late: how much later than it was due a heartbeat began, in seconds."""

    def __init__(self, at: float) -> None:
        self._since = at
        self._now = 0.0
        self._before = 0.0

    def note(self, at: float, late: float) -> None:
        if at - self._since > DELAY_WINDOW:
            self._since, self._before, self._now = at, self._now, 0.0
        self._now = max(self._now, late)

    def worst(self) -> float:
        return round(max(self._now, self._before), 4)


_VOTE = channel.RUN / "vote"


def read_vote(path: Path = _VOTE) -> str:
    """The host that this host's last guard voted for since the boot, "" for none: /run is empty then."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def write_vote(host: str, path: Path = _VOTE) -> None:
    """Whole or not at all. OSError: it is not remembered."""
    fresh = path.with_suffix(".new")
    fresh.write_text(host + "\n")
    fresh.replace(path)


def _or_none(at: float) -> float | None:
    return None if at == NEVER else round(at, 4)
