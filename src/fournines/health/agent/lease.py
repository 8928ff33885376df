"""May this host hold the VIP? Pure; docs/decisions/vip-lease.md has the safety argument.

A host keeps the right as long as a strict majority of the region's agents has confirmed, within the lease, that it
hears this host. The lease counts from when the confirmed heartbeat was *sent*, so neither a slow network nor a slow
agent can stretch it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """What a peer's agent says of its own host: its load balancer answers, and it may hold the VIP."""

    balancer: bool
    may_hold: bool


@dataclass(frozen=True)
class Verdict:
    may_hold: bool
    why: str


def majority(count: int, of: int) -> bool:
    """Strict: half is not enough."""
    return 2 * count > of


def has_quorum(group: int, confirmed: int) -> bool:
    """`group` agents in all, `confirmed` of the *others* within the lease.

    Two agents cannot tell a dead peer from a cut cable: there the VIP is kept, because giving it up on both would turn
    every failure of one into an outage of all. `fournines check` warns about such a cloud.
    """
    return group <= 2 or majority(confirmed + 1, group)


def decide(group: int, confirmed: int, balancer: bool, others: Mapping[str, Endpoint]) -> Verdict:
    """`balancer`: the local one answers. `others`: endpoint hosts heard within the lease.

    A dead balancer costs the VIP only when somebody better may take it: a machine-wide stall, in which no balancer
    answers in time, must not take the VIP from everybody.
    """
    if not has_quorum(group, confirmed):
        return Verdict(False, f"{confirmed} of {group - 1} other agents confirmed this host within the lease")
    if balancer:
        return Verdict(True, "")
    better = sorted(name for name, other in others.items() if other.balancer and other.may_hold)
    if better:
        return Verdict(False, f"HAProxy does not answer here and does on {better[0]}")
    return Verdict(True, "HAProxy does not answer here, nor on any other host that could take the VIP")
