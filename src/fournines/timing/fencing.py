"""Timers of Pacemaker, Corosync and fencing that contradict one another."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.timing.contradiction import STALL, Contradiction
from fournines.timing.timers import Timers

#: Seconds that a power controller may take until a host is off and is seen to be: fence agents ask once a second.
LEAST_FENCING = 10.0
#: Seconds that an agent may take on a host with no idle time left.
LEAST_AGENT = 5.0
#: Seconds from the decision to fence until the host cannot decide the same any more.
FENCING_ACTS = 1.5


def rules(t: Timers) -> Iterator[Contradiction]:
    if t.corosync_consensus < 1.2 * t.corosync_token - 1e-9:
        yield Contradiction(
            ("corosync_consensus", "corosync_token"),
            f"corosync_consensus ({t.corosync_consensus:g} s) is less than 1.2 times corosync_token "
            f"({t.corosync_token:g} s)",
            "corosync does not start with it",
            f"corosync_consensus of at least {1.2 * t.corosync_token:g}",
        )
    if t.corosync_token < 3 * STALL - 1e-9:
        yield Contradiction(
            ("corosync_token",),
            f"a member of the cluster is suspected after {t.corosync_token:g} s of silence",
            f"a busy host was seen to stall for {STALL:g} s: it would be fenced with nothing broken",
            f"corosync_token of at least {3 * STALL:g}",
            fatal=False,
        )
    silent = t.corosync_token + t.corosync_consensus
    if silent >= t.server_timeout:
        yield Contradiction(
            ("corosync_token", "corosync_consensus", "server_timeout"),
            f"the cluster notices a dead host after {silent:g} s, clients time out after {t.server_timeout:g} s",
            "every request to the VIPs of a dead host fails before anything is done about it",
            f"corosync_token below {t.server_timeout / 2.2:.3g}",
        )
    if t.fence_timeout < LEAST_FENCING + t.fence_delay:
        yield Contradiction(
            ("fence_timeout", "fence_delay"),
            f"fence_timeout ({t.fence_timeout:g} s) leaves {t.fence_timeout - t.fence_delay:g} s after fence_delay "
            f"({t.fence_delay:g} s) to cut a host's power and to see that it is off",
            "a power controller takes some seconds: fencing would fail again and again, and what ran on the host stays "
            "down",
            f"fence_timeout of at least {LEAST_FENCING + t.fence_delay:g}",
        )
    if t.fence_delay < FENCING_ACTS:
        yield Contradiction(
            ("fence_delay",),
            f"fence_delay ({t.fence_delay:g} s) is shorter than the {FENCING_ACTS:g} s until a power controller acts",
            "of two hosts that lose sight of each other, both are switched off",
            f"fence_delay of at least {FENCING_ACTS:g}",
            fatal=False,
        )
    if t.cluster_timeout < LEAST_AGENT:
        yield Contradiction(
            ("cluster_timeout",),
            f"a resource agent has {t.cluster_timeout:g} s to start, stop or look",
            "a busy host takes seconds to run one: what is only slow loses the VIPs, and who is late to stop is fenced",
            f"cluster_timeout of at least {LEAST_AGENT:g}",
        )
    if t.cluster_timeout > t.fence_timeout:
        yield Contradiction(
            ("cluster_timeout", "fence_timeout"),
            f"a stop that hangs is given {t.cluster_timeout:g} s (cluster_timeout), longer than the fencing that ends "
            f"it ({t.fence_timeout:g} s)",
            "what ran on the host is down for longer than if the host had lost power",
            f"cluster_timeout of at most {t.fence_timeout:g}",
            fatal=False,
        )
