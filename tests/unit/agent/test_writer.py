"""The writer: single decisions, and every small history of failures with gossip that arrives late."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace

import pytest

from fournines.agent.observer.writer import Decision, Health, Node, Row, Seen, able, decide

ORDER = ("a", "b", "c")
RECORDED = Row("a", 3)


def node(health: Health = Health.GOOD, row: Row = RECORDED, claim: int = 0, cluster: str = "u") -> Node:
    return Node(health, cluster, row, claim)


def seen(me: str, nodes: dict[str, Node], confirmed: str = "abc", view: str = "abc") -> Seen:
    return Seen(me, ORDER, frozenset(view), nodes, frozenset(confirmed) - {me})


def everybody(**changed: Node) -> dict[str, Node]:
    return {name: changed.get(name, node()) for name in ORDER}


def test_the_recorded_writer_stays_whatever_its_place_in_the_order() -> None:
    nodes = {n: node(row=Row("c", 9)) for n in ORDER}
    assert decide(seen("c", nodes)) == Decision("c", True, 0, "")
    assert decide(seen("a", nodes)).writer == "c"


def test_a_silent_writer_is_replaced_by_the_first_in_order_at_the_next_epoch() -> None:
    rest = {"b": node(), "c": node()}
    assert decide(seen("b", rest, "c")) == Decision("b", True, 4, "")
    assert not decide(seen("c", rest, "b")).acting


def test_a_standing_claim_keeps_a_returning_writer_out_until_it_is_recorded() -> None:
    nodes = everybody(b=node(claim=4))
    assert not decide(seen("a", nodes)).acting
    assert decide(seen("b", nodes)) == Decision("b", True, 4, "")


def test_a_recorded_claim_is_the_new_writer_for_those_whose_row_is_older() -> None:
    assert decide(seen("a", everybody(b=node(row=Row("b", 4))))).writer == "b"


def test_the_first_in_order_wins_among_claims() -> None:
    nodes = {"b": node(claim=4), "c": node(claim=4)}
    assert not decide(seen("c", nodes, "b")).acting


def test_a_drained_writer_yields_to_one_that_is_not() -> None:
    drained = replace(node(), drained=True)
    nodes = everybody(a=drained)
    assert not decide(seen("a", nodes)).acting
    assert decide(seen("b", nodes)) == Decision("b", True, 4, "")
    assert Node.from_json(drained.to_json()) == drained


def test_a_drained_host_writes_while_nobody_else_can() -> None:
    drained = replace(node(), drained=True)
    assert decide(seen("a", dict.fromkeys(ORDER, drained))) == Decision("a", True, 0, "")
    starting = replace(node(), starting=True)
    assert decide(seen("a", {"a": drained, "b": starting, "c": node(Health.BAD)})).acting
    assert decide(seen("a", {"a": drained, "b": node(Health.BAD)}, "b", "ab")).acting


def test_a_slow_writer_yields_only_to_one_that_is_not() -> None:
    slow = node(Health.SLOW)
    assert not decide(seen("a", everybody(a=slow))).acting
    assert decide(seen("a", dict.fromkeys(ORDER, slow))) == Decision("a", True, 0, "")


def test_a_donor_stays_and_is_not_preferred() -> None:
    assert decide(seen("a", everybody(a=node(Health.DONOR)))).acting
    assert decide(seen("c", {"b": node(Health.DONOR), "c": node()}, "b")).acting


def test_a_node_of_another_cluster_has_no_say() -> None:
    assert decide(seen("b", {"b": node(), "c": node(), "a": node(cluster="other", row=Row("a", 99))}, "ac")).acting


def test_the_first_start_records_the_first_in_order() -> None:
    nodes = {n: node(row=Row()) for n in ORDER}
    assert decide(seen("a", nodes)) == Decision("a", True, 1, "")
    assert decide(seen("b", nodes)).writer == "a"


@pytest.mark.parametrize("health", list(Health))
def test_a_node_that_is_not_primary_and_synced_never_acts(health: Health) -> None:
    assert decide(seen("a", everybody(a=node(health)))).acting == (health in (Health.GOOD, Health.DONOR))


@pytest.mark.parametrize("size", range(1, 8))
def test_two_sides_of_a_view_never_both_have_a_writer(size: int) -> None:
    names = tuple("abcdefg"[:size])
    for split in range(1, size):
        left, right = names[:split], names[split:]
        for writer in names:
            acting = []
            for side, me in itertools.chain(((left, m) for m in left), ((right, m) for m in right)):
                nodes = {n: node(row=Row(writer, 1)) for n in side}
                here = Seen(me, names, frozenset(names), nodes, frozenset(side) - {me})
                acting += [me] * decide(here).acting
            assert len(acting) <= 1


def test_half_of_the_view_keeps_its_writer() -> None:
    """Two members, the other's agent restarts: no other could take over, so stopping would be for nothing."""
    assert decide(seen("a", {"a": node()}, "", view="ab")).acting
    assert not decide(seen("b", {"b": node()}, "", view="ab")).acting


# A small world: agents exchange reports that are one tick late, and may be cut off, slow or dead.


@dataclass
class Agent:
    name: str
    health: Health = Health.GOOD
    row: Row = RECORDED
    claim: int = 0
    acting: bool = False


PATIENCE = 4  # ticks of silence before a peer counts as gone; half of it before one's own reach does


class World:
    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.agents = {n: Agent(n) for n in names}
        self.cut: frozenset[str] = frozenset()
        self.one_way: frozenset[tuple[str, str]] = frozenset()  # from, to
        self.deposed: set[str] = set()
        self.heard = {n: {m: (0, node()) for m in names if m != n} for n in names}
        self.confirmed = {n: {m: 0 for m in names if m != n} for n in names}
        self.now = 0

    def linked(self, one: str, other: str) -> bool:
        """What `other` says reaches `one`."""
        return (one in self.cut) == (other in self.cut) and (other, one) not in self.one_way

    def tick(self) -> None:
        said: dict[str, Node] = {}
        for n, agent in self.agents.items():
            recent = {m: report for m, (at, report) in self.heard[n].items() if self.now - at <= PATIENCE}
            mine = Node(agent.health, "u", agent.row, agent.claim)
            here = self.seen(n, {**recent, n: mine})
            deaf = 2 * here.reached + (agent.row.host == n) <= len(here.view)
            self.deposed = self.deposed | {n} if deaf or (n in self.deposed and here.unheard) else self.deposed - {n}
            said[n] = replace(mine, sees=able({**recent, n: mine}), deaf=deaf)
        for n, agent in self.agents.items():
            recent = {m: report for m, (at, report) in self.heard[n].items() if self.now - at <= PATIENCE}
            decision = decide(self.seen(n, {**recent, n: said[n]}))
            agent.acting, agent.claim = decision.acting, decision.claim
        self.commit()
        self.now += 1
        for n in self.names:
            for m in self.names:
                if m != n and self.linked(n, m):
                    self.heard[n][m] = (self.now, said[m])
                    if self.linked(m, n):
                        self.confirmed[n][m] = self.now

    def seen(self, name: str, nodes: dict[str, Node]) -> Seen:
        """A heartbeat is confirmed by an answer, which takes both ways."""
        confirmed = frozenset(m for m, at in self.confirmed[name].items() if self.now - at <= PATIENCE // 2)
        return Seen(name, self.names, frozenset(self.names), nodes, confirmed, name in self.deposed)

    def commit(self) -> None:
        """Galera orders the claims of the side that has a majority; the others cannot commit."""
        for n in self.names:
            side = [m for m in self.names if self.linked(n, m) and self.linked(m, n)]
            agent = self.agents[n]
            if agent.claim == agent.row.epoch + 1 and 2 * len(side) > len(self.names):
                for m in side:
                    self.agents[m].row = Row(n, agent.claim)

    def acting(self) -> list[str]:
        return [n for n, a in self.agents.items() if a.acting]


def test_every_history_of_three_agents_has_one_writer_at_most_but_for_a_moment() -> None:
    """Two at once only for as long as a word lasts, when the network changes again in the very moment of a claim; the
    second cannot commit then."""
    states = (Health.GOOD, Health.SLOW, Health.BAD)
    events = [(n, h) for n in ORDER for h in states] + [("cut", frozenset(c)) for c in ("", "a", "b", "c")]
    rng = random.Random(5)
    for _ in range(400):
        world = World(ORDER)
        overlap = 0
        for _ in range(60):
            if rng.random() < 0.3:
                name, value = rng.choice(events)
                if isinstance(value, Health):
                    world.agents[name].health = value
                else:
                    world.cut = value
            world.tick()
            overlap = overlap + 1 if len(world.acting()) > 1 else 0
            assert overlap <= PATIENCE, world.acting()


def test_a_writer_is_back_soon_after_everything_is_well() -> None:
    rng = random.Random(6)
    for _ in range(100):
        world = World(ORDER)
        for _ in range(20):
            world.agents[rng.choice(ORDER)].health = rng.choice(list(Health))
            world.cut = frozenset(rng.choice(["", "a", "b", "c"]))
            world.tick()
        world.cut = frozenset()
        for agent in world.agents.values():
            agent.health = Health.GOOD
        for _ in range(PATIENCE):
            world.tick()
        assert len(world.acting()) == 1


def test_isolation_leaves_a_pause_between_two_writers() -> None:
    world = World(ORDER)
    for _ in range(3):
        world.tick()
    world.cut = frozenset("a")
    history = []
    for _ in range(3 * PATIENCE):
        world.tick()
        history.append(world.acting())
    assert [] in history
    assert history[-1] == ["b"]
    assert all(len(h) <= 1 for h in history)


def deafen(name: str) -> frozenset[tuple[str, str]]:
    """It sends, and does not hear."""
    return frozenset((n, name) for n in ORDER if n != name)


@pytest.mark.parametrize("name", ORDER)
def test_a_writer_that_does_not_hear_says_so_and_another_acts(name: str) -> None:
    """Its own word is still heard, and once kept everybody from taking over until Galera gave it up."""
    world = World(ORDER)
    for agent in world.agents.values():
        agent.row = Row(name, 3)
    for _ in range(3):
        world.tick()
    assert world.acting() == [name]
    world.one_way = deafen(name)
    history: list[list[str]] = []
    for _ in range(4 * PATIENCE):
        world.tick()
        history.append(world.acting())
    assert all(len(h) <= 1 for h in history)
    assert [] in history
    assert history[-1] and history[-1] != [name]
    world.one_way = frozenset()
    for _ in range(2 * PATIENCE):
        world.tick()
        assert len(world.acting()) <= 1
    assert world.acting() == history[-1]


def test_every_history_with_cuts_in_one_direction_has_one_writer_but_for_a_moment() -> None:
    rng = random.Random(7)
    pairs = [(a, b) for a in ORDER for b in ORDER if a != b]
    moments = 0
    for _ in range(300):
        world = World(ORDER)
        overlap = 0
        for _ in range(60):
            if rng.random() < 0.15:
                choices = [frozenset[tuple[str, str]](), deafen(rng.choice(ORDER)), frozenset(rng.sample(pairs, 2))]
                world.one_way = rng.choice(choices)
            if rng.random() < 0.1:
                world.agents[rng.choice(ORDER)].health = rng.choice([Health.GOOD, Health.GOOD, Health.SLOW])
            world.tick()
            overlap = overlap + 1 if len(world.acting()) > 1 else 0
            moments += bool(world.acting())
            assert overlap <= PATIENCE, world.acting()
    assert moments > 300 * 30  # somebody acts most of the time


def test_nodes_survive_the_wire_and_what_another_release_adds() -> None:
    said = replace(node(Health.DONOR, claim=4), sees=frozenset("ab"))
    assert Node.from_json({**said.to_json(), "mood": "fine"}) == said


def test_a_writer_that_a_reachable_member_still_hears_is_not_replaced() -> None:
    """b and a do not hear each other, c hears both: a has its majority."""
    still = replace(node(), sees=frozenset("abc"))
    assert decide(seen("b", {"b": node(), "c": still}, "c")).writer == "a"
    gone = replace(node(), sees=frozenset("bc"))
    assert decide(seen("b", {"b": node(), "c": gone}, "c")).acting
