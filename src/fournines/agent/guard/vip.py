"""The VIP on this host: is it here, may it stay, is keepalived alive? `intervene` is pure."""

from __future__ import annotations

import logging
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .. import netlink
from ..cgroup import Cgroup, Idleness
from .config import Vip

#: keepalived touches its file each second; a second second is a stall's. One that works, or waits for a CPU, is slow
#: for longer: on hosts without idle time all would be killed in turn, and nobody would have the VIP.
ALIVE_WITHIN, ALIVE_WITHIN_BUSY = 3.0, 12.0
#: Seconds in which keepalived must have left the VIP after it was told to.
OBEY_WITHIN = 1.0

log = logging.getLogger(__name__)

#: What keepalived adds to its priority (`track_file`, weight 1); below -253 it is in FAULT and leaves the VIP at once.
FORBIDDEN, STANDBY, GRANTED = -254, 0, 100

_RTM_GETADDR = 22
_RTMGRP_IPV4_IFADDR = 0x10
_IFA_LOCAL, _IFA_ADDRESS = 2, 1


def local_addresses() -> frozenset[str]:
    """Every IPv4 address on this host, by rtnetlink (rtnetlink(7)): a fork of `ip` five times a second would cost more
    than the rest of the agent."""
    request = struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0)
    said = netlink.dump(socket.NETLINK_ROUTE, _RTM_GETADDR, request)
    return frozenset(address for message in said for address in _address(message[8:]))


def address_events() -> socket.socket:
    """Readable whenever an IPv4 address comes or goes."""
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    events.bind((0, _RTMGRP_IPV4_IFADDR))
    return events


def _address(attributes: bytes) -> list[str]:
    by_kind: dict[int, bytes] = {}
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        by_kind[kind] = attributes[4:length]
        attributes = attributes[(length + 3) & ~3 :]
    raw = by_kind.get(_IFA_LOCAL) or by_kind.get(_IFA_ADDRESS)
    return [socket.inet_ntoa(raw)] if raw else []


@dataclass(frozen=True)
class Observed:
    """held: VIP addresses found here. forbidden_for: seconds since keepalived was told to leave, 0 when it was not.
    running: keepalived's cgroup has processes. idle_for: seconds in which it neither used nor wanted CPU. silent_for:
    seconds since its script touched the file, or since it was started if that is less. conflict: a peer holds the VIP
    too."""

    held: bool
    forbidden_for: float
    running: bool
    idle_for: float
    silent_for: float
    conflict: bool


def intervene(seen: Observed, patience: float) -> str:
    """Why keepalived is to be killed and the VIP taken off, "" to leave both alone. `patience`: seconds in which one
    that works uses some CPU: a holder sends adverts. One that sends none is about to be taken for dead by the others.

    Only a keepalived that has stopped working is killed; one that does not touch its file in time but holds no VIP is
    killed too, for it would not take over either.
    """
    if seen.held and seen.forbidden_for > OBEY_WITHIN:
        return f"keepalived still holds the VIP {seen.forbidden_for:.1f} s after it was told to leave it"
    if seen.held and not seen.running and seen.conflict:
        return "keepalived is dead, its VIP is still here, and another host has taken it"
    if seen.held and seen.running and seen.idle_for > patience:
        return f"keepalived holds the VIP and has not run for {seen.idle_for:.1f} s"
    if seen.running and seen.silent_for > (ALIVE_WITHIN if seen.idle_for > patience else ALIVE_WITHIN_BUSY):
        return f"keepalived has not run its script for {seen.silent_for:.1f} s"
    return ""


class Keepalived:
    """The effects. `silent_for` counts changes of the file's time, not its value: clocks are set."""

    def __init__(self, vip: Vip) -> None:
        self._vip = vip
        self._cgroup = Cgroup(vip.unit)
        self._touched = (0.0, 0.0)  # file's mtime; when this agent saw it change, or keepalived start
        self._was_running = False
        self._idleness = Idleness(self._cgroup)

    def track(self, value: int) -> None:
        """FORBIDDEN, STANDBY or GRANTED, through the file that keepalived watches; `fallback` may have written it."""
        path, text = Path(self._vip.track_file), f"{value}\n"
        try:
            same = path.read_text() == text
        except OSError:
            same = False
        if not same:
            path.write_text(text)

    def running(self) -> bool:
        return self._cgroup.running()

    def idle_for(self, now: float) -> float:
        """A holder works each time that it sends an advert."""
        return self._idleness.seconds(now)

    def silent_for(self, now: float) -> float:
        running = self.running()
        try:
            mtime = Path(self._vip.alive_file).stat().st_mtime
        except OSError:
            mtime = 0.0
        if mtime != self._touched[0] or (running and not self._was_running):
            self._touched = (mtime, now)
        self._was_running = running
        return now - self._touched[1]

    def kill(self) -> None:
        """systemd starts it again, as a backup."""
        self._cgroup.kill()
        release(self._vip)
        self._was_running = False  # the silence of the one that systemd starts now counts from its start


def release(vip: Vip) -> None:
    """Takes the VIP's addresses off this host, whoever put them there."""
    for address in vip.addresses:
        argv = ["/usr/sbin/ip", "address", "del", f"{address.address}/{address.prefix}", "dev", address.interface]
        subprocess.run(argv, stderr=subprocess.DEVNULL, timeout=2, check=False)
