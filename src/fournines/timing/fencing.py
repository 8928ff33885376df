"""Timers of Pacemaker, Corosync and fencing that contradict one another."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.timing.contradiction import STALL, Contradiction
from fournines.timing.timers import Timers

#: Seconds that a power controller may take until a host is off and is seen to be: fence agents ask once a second.
LEAST_FENCING = 10.0
#: Seconds that an agent may take on a host with no idle time left.
LEAST_AGENT = 5.0
#: Seconds before a stop's timeout at which what does not stop by itself is killed.
KILLED_BEFORE = 10.0
#: A member that is silent for so much of `quorum_device` has lost the witness: qnetd ends a connection after 1.5
#: heartbeats, and a heartbeat is 0.8 of the device's timeout (corosync-qdevice 3.0).
WITNESS_NOTICES = 1.2
#: The least that qnetd takes for a heartbeat, in `quorum_device`.
LEAST_QUORUM_DEVICE = 1.25
#: Seconds after which somebody who has put a power controller right should see the cluster go on.
LONGEST_RETRY = 60.0
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
    if t.fence_retry > LONGEST_RETRY:
        yield Contradiction(
            ("fence_retry",),
            f"a host that could not be fenced ten times in a row is tried again after {t.fence_retry:g} s",
            "what ran on it stays down for so long after its power controller answers again",
            f"fence_retry of at most {LONGEST_RETRY:g}",
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
    yield from _device(t)
    yield from _group("database", "the database", t.database_start, t.database_stop, t)
    yield from _alone(t)
    yield from _group("messaging", "the broker", t.messaging_start, t.messaging_stop, t)
    yield from _group("service", "a service that is passive", t.service_start, t.service_stop, t)


def _device(t: Timers) -> Iterator[Contradiction]:
    if t.quorum_device < LEAST_QUORUM_DEVICE:
        yield Contradiction(
            ("quorum_device",),
            f"quorum_device ({t.quorum_device:g} s) makes heartbeats of {0.8 * t.quorum_device:g} s",
            "the witness takes none shorter than 1 s: it would turn every member away",
            f"quorum_device of at least {LEAST_QUORUM_DEVICE:g}",
        )
    elif t.quorum_device < t.corosync_token:
        yield Contradiction(
            ("quorum_device", "corosync_token"),
            f"quorum_device ({t.quorum_device:g} s) is shorter than corosync_token ({t.corosync_token:g} s)",
            "members lose the witness's vote over a silence for which they do not lose one another",
            f"quorum_device of at least {t.corosync_token:g}",
            fatal=False,
        )


def _alone(t: Timers) -> Iterator[Contradiction]:
    """A primary that was cut off must know it before it goes on without its replicas: half of the time after it has
    said so in the cluster's configuration, of which the majority may have seen nothing."""
    cut_off = max(t.corosync_token + t.corosync_consensus, WITNESS_NOTICES * t.quorum_device)
    if 0 < t.database_alone < 2 * cut_off:
        yield Contradiction(
            ("database_alone", "corosync_token", "corosync_consensus", "quorum_device"),
            f"a primary goes on without a replica after {t.database_alone:g} s; that it was cut off it "
            f"knows after up to {cut_off:g} s",
            "it would acknowledge rows that the primary which the majority promotes does not have",
            f"database_alone of at least {2 * cut_off:g}, or 0",
        )


def _group(name: str, what: str, start: float, stop: float, t: Timers) -> Iterator[Contradiction]:
    """Of a server that moves, with its disk or without one."""
    least = KILLED_BEFORE + LEAST_AGENT
    if stop < least:
        yield Contradiction(
            (f"{name}_stop",),
            f"{what} has {stop:g} s to stop ({name}_stop), the last {KILLED_BEFORE:g} s for killing it",
            f"its host is fenced for every move of {what} that a person asks for",
            f"{name}_stop of at least {least:g}",
        )
    if stop > t.fence_timeout:
        yield Contradiction(
            (f"{name}_stop", "fence_timeout"),
            f"{what} whose stop hangs is given {stop:g} s ({name}_stop), longer than the fencing that ends it "
            f"({t.fence_timeout:g} s)",
            "it is down for longer than if its host had lost power",
            f"{name}_stop of at most {t.fence_timeout:g}",
            fatal=False,
        )
    if start < t.cluster_timeout:
        yield Contradiction(
            (f"{name}_start", "cluster_timeout"),
            f"{what} may take {start:g} s to start ({name}_start), less than any other resource "
            f"({t.cluster_timeout:g} s)",
            "it loads, or recovers from a crash: cut off in that, it is started elsewhere, from the beginning",
            f"{name}_start of at least {t.cluster_timeout:g}",
        )
