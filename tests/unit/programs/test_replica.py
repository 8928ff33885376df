"""Who may be promoted, and when rows may be acknowledged without a replica: as pure functions, and in a world in which
hosts come and go and nobody may ever be promoted who lacks an acknowledged row."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.programs.replica import crm, gtid, server
from fournines.programs.replica.decide import LAST, REPLICA, Memory, Semi, apart, barred, known, lead, score
from fournines.programs.replica.record import Record, Seen, record, seen
from fournines.programs.replica.server import FOR_EVER

HOSTS = ("ctl1", "ctl2", "ctl3")
PATIENCE = 8.0


def word(host: str, run: str = "a", at: int = 10, **other: str | int) -> Seen:
    position = f"0-1-{at}"
    told = Seen(host, run, "replica", position, position, "", "life", 1, "ctl1")
    return replace(told, **other)  # pyright: ignore[reportArgumentType]


def kept(**sync: str) -> Record:
    return Record(1, "ctl1", "life", sync, complete=True)


def semi(**other: object) -> Semi:
    usual = Semi(True, True, 1, 0, 5, 0, frozenset({"ctl2"}), "0-1-10")
    return replace(usual, **other)  # pyright: ignore[reportArgumentType]


# Positions


@pytest.mark.parametrize(
    ("position", "other", "lacks"),
    [
        ("", "", False),
        ("", "0-1-1", True),
        ("0-1-5", "0-2-5", False),
        ("0-1-5", "0-2-6", True),
        ("0-1-9", "0-1-9,1-1-1", True),
        ("0-1-9,1-1-1", "0-1-9", False),
    ],
)
def test_who_lacks_something(position: str, other: str, lacks: bool) -> None:
    assert gtid.lacks(position, other) is lacks


def test_the_furthest_of_each_domain() -> None:
    assert gtid.merged("0-1-5,1-1-2", "0-2-7", "") == "0-2-7,1-1-2"


def test_transactions_that_a_history_does_not_have() -> None:
    assert gtid.strangers("0-1-9", "0-1-9,0-2-12") == ""
    assert gtid.strangers("0-1-10", "0-1-9,0-2-12") == "0-1-10"
    assert gtid.strangers("0-3-4", "0-1-9,0-2-12") == "0-3-4"
    assert gtid.strangers("", "0-1-9") == ""


# What is kept in the cluster


def test_record_and_word_are_read_as_they_were_written() -> None:
    for wanted in (kept(), kept(ctl2="a", ctl3="b"), Record(3, "ctl2", "life")):
        assert record(wanted.text) == wanted
    assert seen("ctl2", word("ctl2").text) == word("ctl2")
    assert record("") is None and record("term=x;primary=ctl1") is None
    assert seen("ctl2", "something else") is None


def test_words_of_all_members() -> None:
    text = f"""<pacemaker-result api-version="2.38" request="attrd_updater">
      <attribute name="fournines-database" value="{word("ctl1").text}" host="ctl1"/>
      <attribute name="fournines-database" value="" host="ctl2"/>
      <status code="0" message="OK"/></pacemaker-result>"""
    assert crm.values(text) == {"ctl1": word("ctl1")}
    assert crm.values("attrd_updater: Could not query") == {}


# Who may be promoted


def test_a_replica_with_everything_may_be_promoted() -> None:
    everybody = {"ctl2": word("ctl2")}
    assert barred("ctl2", kept(ctl2="a"), everybody, HOSTS) == ""
    assert score("ctl2", kept(ctl2="a"), everybody, HOSTS) == REPLICA


def test_the_last_primary_before_any_replica() -> None:
    everybody = {"ctl1": word("ctl1", state="idle"), "ctl2": word("ctl2")}
    assert score("ctl1", kept(ctl2="a"), everybody, HOSTS) == LAST > score("ctl2", kept(ctl2="a"), everybody, HOSTS)


@pytest.mark.parametrize(
    ("known", "others", "why"),
    [
        (replace(kept(ctl2="a"), complete=False), {}, "ctl1 has acknowledged rows that no replica may have"),
        (kept(ctl3="a"), {"ctl3": word("ctl3")}, "it was not known to have what ctl1 acknowledged"),
        (kept(ctl2="before"), {}, "it was not known to have what ctl1 acknowledged"),
        (kept(ctl2="a", ctl3="a"), {}, "ctl3 may have rows that it lacks, and cannot be asked"),
        (
            kept(ctl2="a", ctl3="a"),
            {"ctl3": word("ctl3", "b")},
            "ctl3 may have rows that it lacks, and cannot be asked",
        ),
        (kept(ctl2="a", ctl3="a"), {"ctl3": word("ctl3", at=11)}, "ctl3 has got further"),
        (replace(kept(ctl2="a"), lineage="other"), {}, "its data are those of another database"),
    ],
)
def test_a_replica_that_may_lack_a_row_is_not_promoted(known: Record, others: dict[str, Seen], why: str) -> None:
    assert barred("ctl2", known, {"ctl2": word("ctl2"), **others}, HOSTS) == why


def test_who_does_not_run_or_has_no_copy_is_not_promoted() -> None:
    assert barred("ctl2", kept(ctl2="a"), {}, HOSTS) == "its server does not run"
    assert "no copy" in barred("ctl2", kept(ctl2="a"), {"ctl2": word("ctl2", lineage="")}, HOSTS)
    assert "no copy" in barred("ctl1", kept(), {"ctl1": word("ctl1", lineage="")}, HOSTS), "its disk was replaced"


def test_the_first_primary_is_the_first_host_once_all_can_be_asked() -> None:
    fresh = {host: Seen(host, "a") for host in HOSTS}
    assert [barred(host, None, fresh, HOSTS) for host in HOSTS] == ["", "ctl1 is the first", "ctl1 is the first"]
    del fresh["ctl3"]
    assert barred("ctl1", None, fresh, HOSTS) == "the database has no primary yet, and ctl3 cannot be asked"


def test_a_cluster_that_was_made_anew_goes_on_with_the_last_primary() -> None:
    everybody = {host: word(host, term=4, primary="ctl2") for host in HOSTS}
    assert [barred(host, None, everybody, HOSTS) for host in HOSTS] == ["ctl2 is the first", "", "ctl2 is the first"]
    everybody["ctl3"] = word("ctl3", lineage="other")
    assert barred("ctl2", None, everybody, HOSTS) == "the hosts have different databases"


def test_an_old_record_that_was_restored_promotes_nobody_of_before() -> None:
    later = {"ctl1": word("ctl1"), "ctl2": word("ctl2", term=2, primary="ctl2")}
    assert known(kept(ctl2="a"), later) == Record(2, "ctl2", "life")
    assert barred("ctl1", kept(ctl2="a"), later, HOSTS) == "ctl2 has acknowledged rows that no replica may have"


# Who may follow


def test_a_former_primary_with_rows_of_its_own_is_not_rejoined() -> None:
    primary = word("ctl2", state="primary", history="0-1-10,0-2-14")
    assert apart(word("ctl1", at=10), primary) == ""
    assert apart(word("ctl1", at=11), primary) == "it has transactions that ctl2 does not have: 0-1-11"
    assert apart(word("ctl1", lineage=""), primary) == "it has no copy of the database"
    assert apart(word("ctl1", lineage="other"), primary) == "its data are those of another database"


# The primary


def step(known: Record, everybody: dict[str, Seen], now: Semi, memory: Memory, at: float, **other: object):
    given = {"patience": PATIENCE, "quorate": True, **other}
    return lead("ctl1", known, everybody, now, memory, now=at, **given)  # pyright: ignore[reportArgumentType]


def test_a_replica_comes_first_into_the_record_then_commits_wait_then_it_may_be_promoted() -> None:
    everybody = {"ctl1": word("ctl1", state="primary"), "ctl2": word("ctl2")}
    alone = semi(waits=False, on=False, clients=0)
    found = step(Record(1, "ctl1", "life"), everybody, alone, Memory(), 0.0)
    assert found.record.sync == {"ctl2": "a"} and not found.record.complete and not found.mode
    found = step(found.record, everybody, replace(alone, clients=1), found.memory, 2.0)
    assert found.mode == "wait" and not found.record.complete
    found = step(found.record, everybody, semi(), found.memory, 4.0)
    assert found.memory.armed == "0-1-10" and not found.record.complete
    found = step(found.record, everybody, semi(), found.memory, 6.0)
    assert found.record.complete and not found.mode


def test_a_replica_that_is_behind_or_unknown_makes_nothing_complete() -> None:
    memory = Memory(armed="0-1-10", off=0)
    behind = {"ctl2": word("ctl2", at=9)}
    partial = replace(kept(ctl2="a"), complete=False)
    assert not step(partial, behind, semi(), memory, 0.0).record.complete
    other = semi(followers=frozenset({"ctl2", "ctl3"}), clients=2)
    assert not step(partial, {"ctl2": word("ctl2")}, other, memory, 0.0).record.complete, "ctl3 acknowledges as well"
    stranger = semi(clients=2)
    assert not step(partial, {"ctl2": word("ctl2")}, stranger, memory, 0.0).record.complete, "so does somebody else"
    again = step(partial, {"ctl2": word("ctl2")}, semi(switched_off=1), memory, 0.0)
    assert not again.record.complete and again.memory.off == 1, "MariaDB went on by itself meanwhile"


def test_fenced_replicas_are_not_waited_for() -> None:
    found = step(kept(ctl2="a"), {}, semi(), Memory(), 0.0, stopped=frozenset({"ctl2"}))
    assert (found.record.sync, found.record.complete, found.mode) == ({}, False, "alone")


def test_one_of_two_replicas_that_is_fenced_has_the_other_shown_to_have_everything() -> None:
    both = kept(ctl2="a", ctl3="a")
    found = step(both, {"ctl2": word("ctl2")}, semi(), Memory(armed="0-1-3", off=0), 0.0, stopped=frozenset({"ctl3"}))
    assert found.record.sync == {"ctl2": "a"} and not found.record.complete and not found.mode
    found = step(found.record, {"ctl2": word("ctl2")}, semi(), found.memory, 2.0)
    assert found.record.complete


def test_the_record_is_taken_back_long_before_the_primary_goes_on_alone() -> None:
    silent = semi(clients=0, waiting=1)
    known, memory = kept(ctl2="a"), Memory(acknowledged=5)
    said: list[tuple[float, bool, str]] = []
    for at in range(0, 12, 2):
        found = step(known, {}, silent, memory, float(at))
        known, memory = found.record, found.memory
        said.append((float(at), known.complete, found.mode))
    assert said == [
        (0, True, ""),
        (2, True, ""),
        (4, False, ""),
        (6, False, ""),
        (8, False, "alone"),
        (10, False, "alone"),
    ]


@pytest.mark.parametrize("other", [{"quorate": False}, {"patience": 0.0}])
def test_without_a_majority_or_by_the_operators_word_it_waits(other: dict[str, object]) -> None:
    known, memory = kept(ctl2="a"), Memory(acknowledged=5)
    for at in range(0, 60, 2):
        found = step(known, {}, semi(clients=0, waiting=1), memory, float(at), **other)
        assert found.record.complete and not found.mode
        known, memory = found.record, found.memory


def test_a_replica_that_acknowledges_again_ends_the_stall() -> None:
    found = step(kept(ctl2="a"), {}, semi(clients=0), Memory(acknowledged=5), 0.0)
    assert found.memory.stalled == 0.0
    assert step(found.record, {"ctl2": word("ctl2")}, semi(), found.memory, 2.0).memory.stalled is None


# The server


def test_what_a_server_says() -> None:
    text = (
        "read_only\t1\ngtid_binlog_pos\t0-1-9\ngtid_slave_pos\t0-1-9\ngtid_binlog_state\t0-1-9\n"
        "rpl_semi_sync_slave_enabled\t1\nrpl_semi_sync_master_enabled\t0\n"
        f"rpl_semi_sync_master_timeout\t{FOR_EVER}\nrpl_semi_sync_master_clients\t0\n"
        "rpl_semi_sync_master_status\tOFF\ntold\t2\tctl1\tlife\n"
        "follows\t198.18.0.11\tConnecting\tYes\t0-1-12\tNULL\t2003\t0\terror connecting\t\n"
    )
    answer = server.parse(text)
    assert (answer.applied, answer.received) == ("0-1-9", "0-1-12"), "what waits in the relay log counts"
    assert (answer.term, answer.primary, answer.lineage) == (2, "ctl1", "life")
    assert answer.follows and not answer.follows.well and answer.follows.lag is None and answer.follows.errno == 2003
    assert not answer.waits and answer.acknowledges
    assert server.parse(text.partition("told")[0]).follows is None


def test_a_password_stays_one_word_of_sql() -> None:
    assert server.quoted("it's\\") == "'it\\'s\\\\'"


# The world: rows are numbers; every host's position is how many it has.


@dataclass
class Copy:
    host: str
    run: int = 1
    received: int = 0
    acknowledges: bool = False
    up: bool = True
    said: Seen | None = None

    def word(self) -> Seen:
        return word(self.host, str(self.run), self.received)


@dataclass
class World:
    """ctl1 is the primary; the others are lost, fenced, restarted, and look at their own pace."""

    draw: random.Random
    rows: int = 0
    acknowledged: int = 0
    waits: bool = False
    switched_off: int = 0
    answers: int = 0
    clock: float = 0.0
    known: Record = field(default_factory=lambda: Record(1, "ctl1", "life"))
    memory: Memory = field(default_factory=Memory)
    copies: list[Copy] = field(default_factory=lambda: [Copy("ctl2"), Copy("ctl3")])

    def commit(self) -> None:
        self.rows += 1
        if not self.waits:
            self.acknowledged = self.rows

    def receive(self) -> None:
        copy = self.draw.choice(self.copies)
        if copy.up:
            copy.received = self.draw.randint(copy.received, self.rows)
            if copy.acknowledges and copy.received > self.acknowledged:
                self.acknowledged, self.answers = copy.received, self.answers + 1

    def restart(self) -> None:
        """What waits in the relay log is lost."""
        copy = self.draw.choice(self.copies)
        copy.run, copy.acknowledges, copy.received = copy.run + 1, False, self.draw.randint(0, copy.received)

    def lose(self) -> None:
        copy = self.draw.choice(self.copies)
        if copy.up:
            copy.up, copy.said = False, None
            if self.draw.random() < 0.5:
                self.look(frozenset({copy.host}))

    def back(self) -> None:
        copy = self.draw.choice(self.copies)
        if not copy.up:
            copy.up, copy.run, copy.acknowledges = True, copy.run + 1, False
            copy.received = self.draw.randint(0, copy.received)

    def serve(self) -> None:
        copy = self.draw.choice(self.copies)
        if copy.up:
            copy.said = copy.word()
            copy.acknowledges = copy.acknowledges or self.known.sync.get(copy.host) == str(copy.run)

    def look(self, stopped: frozenset[str] = frozenset()) -> None:
        self.clock += 2.0
        readers = frozenset(c.host for c in self.copies if c.up)
        clients = sum(c.up and c.acknowledges for c in self.copies)
        caught_up = any(c.up and c.acknowledges and c.received == self.rows for c in self.copies)
        waiting = int(self.waits and self.acknowledged < self.rows)
        now = Semi(
            self.waits, self.waits or caught_up, clients, waiting, self.answers, self.switched_off, readers,
            f"0-1-{self.rows}",
        )  # fmt: skip
        everybody = {c.host: c.said for c in self.copies if c.said}
        everybody["ctl1"] = word("ctl1", "p", self.rows, state="primary")
        found = lead(
            "ctl1", self.known, everybody, now, self.memory, now=self.clock, patience=PATIENCE, quorate=True,
            stopped=stopped,
        )  # fmt: skip
        self.known, self.memory = found.record, found.memory
        self.check()
        if found.mode == "wait":
            self.waits = True
        elif found.mode == "alone":
            self.waits, self.switched_off, self.acknowledged = False, self.switched_off + 1, self.rows

    def check(self) -> None:
        """Were the primary lost now."""
        fresh = {c.host: c.word() for c in self.copies if c.up}
        for copy in self.copies:
            if copy.up and not barred(copy.host, self.known, fresh, HOSTS):
                assert copy.received >= self.acknowledged, (copy, self)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_nobody_is_promoted_who_lacks_an_acknowledged_row(seed: int) -> None:
    world = World(random.Random(seed))
    steps = {"commit": 6, "receive": 8, "serve": 5, "look": 5, "restart": 1, "lose": 1, "back": 1}
    for name in world.draw.choices(list(steps), list(steps.values()), k=150):
        getattr(world, name)()
        world.check()


def test_in_that_world_somebody_can_be_promoted_most_of_the_time() -> None:
    """Else the property would hold of a world in which nobody ever is."""
    world, able = World(random.Random(1)), 0
    steps = {"commit": 6, "receive": 8, "serve": 5, "look": 5}
    for name in world.draw.choices(list(steps), list(steps.values()), k=400):
        getattr(world, name)()
        fresh = {c.host: c.word() for c in world.copies}
        able += any(not barred(c.host, world.known, fresh, HOSTS) for c in world.copies)
    assert able > 100
