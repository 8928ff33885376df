"""Who may make a Primary component where there is none? Pure; docs/decisions/0011-non-primary-heal.md and
0012-cold-start.md have the safety argument.

Two grounds, either is enough:

*Survivors.* Running, non-Primary nodes in one component, whose own last Primary view is V and which are a strict
majority of V. No other Primary can descend from V without one of them, and every acknowledged transaction reached all
of V before it was acknowledged.

*Complete knowledge.* Every node that could know more than the chosen one has reported, stopped or running: all
configured members; or all members of the one last Primary view that anybody remembers, one of which has on disk all
that came before that view; or the chosen one was the last to leave, and said so. The most advanced node is chosen, so
nothing acknowledged is lost when all were killed at once.

The chosen node acts only when everybody whose report the ground rests on has voted for it (`Ballot`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from .galera_files import View


class Kind(Enum):
    PRIMARY = "primary"  # mysqld runs in a Primary component
    RUNNING = "running"  # mysqld runs, not Primary, and has been Synced in this run
    STOPPED = "stopped"  # galera-start waits, position known
    STARTING = "starting"  # galera-start has let it bootstrap; not Primary yet
    JOINING = "joining"  # galera-start has let it join; not Synced yet
    UNKNOWN = "unknown"  # none of these, or mysqld does not answer


_KINDS = {kind.value: kind for kind in Kind}


class Action(Enum):
    NONE = "none"  # Primary already, or nothing this node could do
    WAIT = "wait"
    JOIN = "join"
    BOOTSTRAP = "bootstrap"  # stopped: start with --wsrep-new-cluster; running: pc_bootstrap


@dataclass(frozen=True)
class Report:
    """One node's, from its own agent.

    cluster: state UUID, "" when it has no state (a new or replaced node). seqno: last committed; for stopped nodes
    recovered from InnoDB. node: its gcomm UUID. view: last Primary view; view_seqno: where in history that view
    begins, -1 when its agent was too late to learn it. clean: it left gracefully, so `view` None is right and not lost.
    last: it was the last to leave. component: members' gcomm UUIDs of its current, non-Primary component. vote: the
    member that its agent finds should act, "" for none.
    """

    kind: Kind
    cluster: str = ""
    seqno: int = -1
    node: str = ""
    view: View | None = None
    view_seqno: int = -1
    clean: bool = False
    last: bool = False
    component: frozenset[str] = frozenset()
    vote: str = ""

    def to_json(self) -> dict[str, Any]:
        view = [self.view.id, sorted(self.view.members)] if self.view else None
        return {**vars(self), "kind": self.kind.value, "view": view, "component": sorted(self.component)}

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> Report:
        """Takes what it knows: an observer of another release may say more or less. A kind that is not known here is
        UNKNOWN: it neither votes nor counts as knowledge. ValueError when it is no report at all."""
        try:
            known = {f.name for f in fields(Report)}
            values: dict[str, Any] = {name: value for name, value in said.items() if name in known}
            values["kind"] = _KINDS.get(said["kind"], Kind.UNKNOWN)
            values["component"] = frozenset(said.get("component", ()))
            if said.get("view") is not None:
                name, members = said["view"]
                values["view"] = View(name, frozenset(members))
            return Report(**values)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a report: {error!r}") from None


@dataclass(frozen=True)
class Choice:
    """`chosen` may act once all of `required` vote for it; "": nobody, `why` says so, and `missing` may know more."""

    chosen: str
    required: frozenset[str]
    why: str
    missing: tuple[str, ...] = ()


def choose(members: tuple[str, ...], reports: Mapping[str, Report]) -> Choice:
    """`members`: configured order. `reports`: this host's own, and those of peers that confirmed hearing this host
    within the last `VOTE_LASTS` seconds."""
    reports = {name: r for name, r in reports.items() if name in members and r.kind not in (Kind.UNKNOWN, Kind.JOINING)}
    kinds = {r.kind for r in reports.values()}
    if Kind.PRIMARY in kinds or Kind.STARTING in kinds:
        return Choice("", frozenset(), "a Primary component exists or is being made")
    return _survivors(members, reports) or _complete_knowledge(members, reports)


def _survivors(members: tuple[str, ...], reports: Mapping[str, Report]) -> Choice | None:
    running = {name: r for name, r in reports.items() if r.kind is Kind.RUNNING}
    for name in members:
        mine = running.get(name)
        if mine is None or mine.view is None:
            continue
        # pc_bootstrap makes exactly the current component Primary, so the majority must be in it already.
        within = mine.component & mine.view.members
        agreeing = frozenset(
            other
            for other, r in running.items()
            if r.node in within and r.view == mine.view and r.component == mine.component
        )
        if name in agreeing and 2 * len(agreeing) > len(mine.view.members):
            return Choice(name, agreeing, f"{len(agreeing)} of {len(mine.view.members)} nodes survived, in contact")
    return None


def _complete_knowledge(members: tuple[str, ...], reports: Mapping[str, Report]) -> Choice:
    missing = [m for m in members if m not in reports]
    holders = {name: r for name, r in reports.items() if r.cluster}
    clusters = sorted({r.cluster for r in holders.values()})
    if len(clusters) > 1:
        return Choice("", frozenset(), f"members hold different histories: {', '.join(clusters)}; remove the wrong one")
    if holders:
        return _most_advanced(members, missing, holders)
    if missing:
        return Choice("", frozenset(), f"first start: waits for {', '.join(missing)}", tuple(missing))
    return Choice(members[0], frozenset(members), "first start: all members are here and none has any state")


def _most_advanced(members: tuple[str, ...], missing: list[str], holders: Mapping[str, Report]) -> Choice:
    best = max(r.seqno for r in holders.values())
    top = [m for m in members if m in holders and holders[m].seqno == best]
    views = [r.view for r in holders.values() if r.view is not None]
    # Members of the remembered views first, so that those views' other members can never again do without the chosen
    # one. Then a running node: it keeps its clients' sessions and its buffer pool.
    top.sort(key=lambda m: (sum(holders[m].node not in v.members for v in views), holders[m].kind is not Kind.RUNNING))
    last = next((m for m in top if holders[m].last), "")
    if last:
        return Choice(last, frozenset({last}), f"{last} was the last to leave, at seqno {best}")
    if not missing:
        return Choice(top[0], frozenset(members), f"all members reported; {top[0]} is the most advanced, seqno {best}")
    whole = _whole_last_view(holders, best)
    chosen = next((m for m in top if m in whole), "")
    if chosen:
        return Choice(chosen, whole, f"the whole last Primary view reported; {chosen} is the most advanced")
    why = f"{' or '.join(missing)} may hold writes that the others have not"
    return Choice("", frozenset(), f"waits for {', '.join(missing)}: {why}", tuple(missing))


def _whole_last_view(holders: Mapping[str, Report], best: int) -> frozenset[str]:
    """Names of the members of the last Primary view, when all who crashed remember the same one, all of it reported,
    and `best` lies in it; else empty.

    The last condition: survivors of a dead writer hold its last writes in memory at first. When they are killed too
    before those are on disk, only the dead writer, who is not in their view, has them.
    """
    views = {r.view for r in holders.values() if r.view is not None}
    lost = any(r.view is None and not r.clean for r in holders.values())
    if len(views) != 1 or lost:
        return frozenset()
    (view,) = views
    inside = {name: r for name, r in holders.items() if r.node in view.members}
    begins = max((r.view_seqno for r in inside.values()), default=-1)
    if len(inside) != len(view.members) or not 0 <= begins <= best:
        return frozenset()
    return frozenset(inside)


#: Seconds for which a vote counts after it was cast.
VOTE_LASTS = 1.0
#: Seconds for which a choice must have stood, unchanged, before it is acted on.
SETTLE = 1.5
#: Seconds for which somebody must have been Primary while this node waits, before it joins. Of a node that was killed
#: together with this one, its observer still says Primary for that long (`database.FRESH`).
JOIN_AFTER = 1.0


class Ballot:
    """Turns a choice into an action: stable here for `SETTLE`, and voted for by all it rests on.

    SETTLE > VOTE_LASTS: of two nodes in one another's `required` never both act, for whoever acts has not voted for
    the other for longer than a vote counts.
    """

    def __init__(self) -> None:
        self._choice: tuple[str, frozenset[str]] = ("", frozenset())
        self._since = 0.0
        self._joinable: float | None = None

    @property
    def vote(self) -> str:
        return self._choice[0]

    def action(self, now: float, me: str, choice: Choice, reports: Mapping[str, Report]) -> Action:
        if (choice.chosen, choice.required) != self._choice:
            self._choice, self._since = (choice.chosen, choice.required), now
        mine = reports[me]
        joinable = mine.kind is Kind.STOPPED and any(r.kind is Kind.PRIMARY for r in reports.values())
        self._joinable = (now if self._joinable is None else self._joinable) if joinable else None
        if mine.kind not in (Kind.RUNNING, Kind.STOPPED):
            return Action.NONE
        if self._joinable is not None:
            lasts = now - self._joinable >= JOIN_AFTER
            return Action.JOIN if lasts and _my_turn(me, reports) else Action.WAIT
        if any(r.kind is Kind.PRIMARY for r in reports.values()):
            return Action.WAIT
        agreed = all(name in reports and reports[name].vote == me for name in choice.required - {me})
        if choice.chosen == me and agreed and now - self._since >= SETTLE:
            return Action.BOOTSTRAP
        return Action.WAIT


def _my_turn(me: str, reports: Mapping[str, Report]) -> bool:
    """One joiner at a time. Two at once compete for donors, the last good one among them; and with Galera 26.4.23 the
    second can be left disconnected ("IST didn't contain all write sets")."""
    joining = any(r.kind is Kind.JOINING for r in reports.values())
    return not joining and me == min(name for name, r in reports.items() if r.kind is Kind.STOPPED)
