"""Who takes the writes? Pure; docs/decisions/0010-writer-election.md has the safety argument.

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


_HEALTH = {health.value: health for health in Health}
_PREFERENCE = (Health.GOOD, Health.DONOR, Health.SLOW)


@dataclass(frozen=True)
class Row:
    """The replicated row. Epoch 0: nothing recorded yet."""

    host: str = ""
    epoch: int = 0


@dataclass(frozen=True)
class Node:
    """cluster: Galera's state UUID. claim: the epoch this node's agent is about to record itself at, or 0. sees:
    members that its agent hears within `writer_patience` and that could go on as the writer. deaf: it hears too few of
    its view to act, and does not. starting: its host still starts its daemons after a boot. drained: an operator wants
    its host to carry nothing that another one can carry."""

    health: Health
    cluster: str
    row: Row
    claim: int = 0
    sees: frozenset[str] = frozenset()
    deaf: bool = False
    starting: bool = False
    drained: bool = False

    def to_json(self) -> dict[str, Any]:
        row = {"host": self.row.host, "epoch": self.row.epoch}
        said = {**vars(self), "health": self.health.value, "row": row, "sees": sorted(self.sees)}
        return {name: value for name, value in said.items() if value is not False}

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> Node:
        """Takes what it knows: an observer of another release may say more or less. A state that is not known here is
        as good as none. ValueError when it is no node at all."""
        try:
            row = Row(str(said["row"]["host"]), int(said["row"]["epoch"]))
            return Node(
                health=_HEALTH.get(said["health"], Health.BAD),
                cluster=str(said["cluster"]),
                row=row,
                claim=int(said.get("claim", 0)),
                sees=frozenset(said.get("sees", ())),
                deaf=bool(said.get("deaf", False)),
                starting=bool(said.get("starting", False)),
                drained=bool(said.get("drained", False)),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a node: {error!r}") from None


@dataclass(frozen=True)
class Seen:
    """What one agent knows when it decides.

    order: all members, configured order. view: members of the local node's Galera view. nodes: this host's own, and
    those of peers heard within `writer_patience`. confirmed: peers that confirmed hearing this host within half of it.
    deposed: this host has said that it is deaf, and has not heard all of its view since.
    """

    me: str
    order: tuple[str, ...]
    view: frozenset[str]
    nodes: Mapping[str, Node]
    confirmed: frozenset[str]
    deposed: bool = False

    @property
    def reached(self) -> int:
        return len(self.view & (self.confirmed | {self.me}))

    @property
    def unheard(self) -> frozenset[str]:
        """Members of the view that others hear and this host does not."""
        known = frozenset[str]().union(*(node.sees for name, node in self.nodes.items() if name != self.me))
        return (self.view & known) - self.nodes.keys()


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
    if seen.deposed and seen.unheard:
        return Decision("", False, 0, f"was cut off, and {', '.join(sorted(seen.unheard))} may have taken over")
    # Half is enough to stay and not enough to take over, so both can never be true on two sides of a partition.
    if 2 * seen.reached + recorded <= len(seen.view):
        return Decision("", False, 0, f"hears {seen.reached} of the {len(seen.view)} members of its Galera view")
    return Decision(writer, True, 0 if recorded else row.epoch + 1, "")


def _incumbent(host: str, same: Mapping[str, Node]) -> str:
    """The recorded writer, unless it is gone, or is slow or drained while another one is not: load alone, which makes
    all of them slow, must not leave the cloud without a writer. A donor stays: moving would cut every session for
    nothing."""
    node = same.get(host)
    if node is None:
        # Not heard here; somebody who is may still hear it, and then it may still have its majority.
        return host if any(host in n.sees for n in same.values()) else ""
    if node.health is Health.BAD or node.deaf:
        return ""
    others_good = any(
        n.health is Health.GOOD and not n.starting and not n.drained for name, n in same.items() if name != host
    )
    return "" if (node.health is Health.SLOW or node.drained) and others_good else host


def _usable(seen: Seen, same: Mapping[str, Node]) -> list[str]:
    """Candidates in the order in which they are preferred."""
    here = [n for n in seen.order if n in same and n in seen.view and same[n].health is not Health.BAD]
    here = [n for n in here if not same[n].deaf]
    return sorted(here, key=lambda n: (same[n].drained, same[n].starting, _PREFERENCE.index(same[n].health)))
