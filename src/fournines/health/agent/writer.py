"""Who takes the writes? Pure; docs/decisions/writer-election.md has the safety argument.

The writer is recorded in a replicated row, (host, epoch), so that Galera's total order settles every race. Between a
failure and the commit that records the successor, agents agree on an *acting* writer by what they hear from one
another: the first usable member in configured order claims the next epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Health(Enum):
    """Of a database node, by its own agent."""

    GOOD = "good"  # Primary and Synced, answered just now
    DONOR = "donor"  # the same, but it sends its state to a joiner and may fall behind
    SLOW = "slow"  # Primary when it last answered, which is too long ago
    BAD = "bad"  # refuses, not Primary, joining, stopped


_PREFERENCE = (Health.GOOD, Health.DONOR, Health.SLOW)


@dataclass(frozen=True)
class Row:
    """The replicated row. Epoch 0: nothing recorded yet."""

    host: str = ""
    epoch: int = 0


@dataclass(frozen=True)
class Node:
    """cluster: Galera's state UUID. claim: the epoch this node's agent is about to record itself at, or 0. sees:
    members that its agent hears within `writer_patience` and that could go on as the writer."""

    health: Health
    cluster: str
    row: Row
    claim: int = 0
    sees: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, Any]:
        row = {"host": self.row.host, "epoch": self.row.epoch}
        return {**vars(self), "health": self.health.value, "row": row, "sees": sorted(self.sees)}

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> Node:
        """Takes what it knows: an agent of another release may say more or less."""
        row = Row(said["row"]["host"], said["row"]["epoch"])
        sees = frozenset(said.get("sees", ()))
        return Node(Health(said["health"]), said["cluster"], row, said.get("claim", 0), sees)


@dataclass(frozen=True)
class Seen:
    """What one agent knows when it decides.

    order: all members, configured order. view: members of the local node's Galera view. nodes: this host's own, and
    those of peers heard within `writer_patience`. confirmed: peers that confirmed hearing this host within half of it.
    """

    me: str
    order: tuple[str, ...]
    view: frozenset[str]
    nodes: Mapping[str, Node]
    confirmed: frozenset[str]


@dataclass(frozen=True)
class Decision:
    """`writer`: whom this agent takes for the writer. `acting`: it is this host, and it may say so to load balancers.
    `claim`: the epoch to record this host at, or 0."""

    writer: str
    acting: bool
    claim: int
    why: str


def able(nodes: Mapping[str, Node]) -> frozenset[str]:
    """What an agent that hears `nodes` says it sees."""
    return frozenset(name for name in nodes if _incumbent(name, nodes))


def decide(seen: Seen) -> Decision:
    mine = seen.nodes[seen.me]
    if mine.health is Health.BAD:
        return Decision("", False, 0, "the local node is not Primary and Synced")
    same = {name: node for name, node in seen.nodes.items() if node.cluster == mine.cluster and name in seen.order}
    row = max((node.row for node in same.values()), key=lambda r: r.epoch)
    usable = _usable(seen, same)
    claimant = next((n for n in usable if same[n].claim == row.epoch + 1), "")
    writer = claimant or _incumbent(row.host, same) or next(iter(usable), "")
    if writer != seen.me:
        return Decision(writer, False, 0, f"{writer or 'nobody'} is the writer")
    recorded = row.host == seen.me and not claimant
    reached = len(seen.view & (seen.confirmed | {seen.me}))
    # Half is enough to stay and not enough to take over, so both can never be true on two sides of a partition.
    if 2 * reached + recorded <= len(seen.view):
        return Decision("", False, 0, f"hears {reached} of the {len(seen.view)} members of its Galera view")
    return Decision(writer, True, 0 if recorded else row.epoch + 1, "")


def _incumbent(host: str, same: Mapping[str, Node]) -> str:
    """The recorded writer, unless it is gone, or is slow while another one is not: load alone, which makes all of them
    slow, must not leave the cloud without a writer. A donor stays: moving would cut every session for nothing."""
    node = same.get(host)
    if node is None:
        # Not heard here; somebody who is may still hear it, and then it may still have its majority.
        return host if any(host in n.sees for n in same.values()) else ""
    if node.health is Health.BAD:
        return ""
    others_good = any(n.health is Health.GOOD for name, n in same.items() if name != host)
    return "" if node.health is Health.SLOW and others_good else host


def _usable(seen: Seen, same: Mapping[str, Node]) -> list[str]:
    """Candidates in the order in which they are preferred."""
    here = [n for n in seen.order if n in same and n in seen.view and same[n].health is not Health.BAD]
    return sorted(here, key=lambda n: _PREFERENCE.index(same[n].health))
