"""List-append histories with one anomaly planted in each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.prove.anomalies import Append, Read, Transaction, check_list_append, steps_of, written
from fournines.prove.edn import edn
from fournines.prove.model import Outcome


def txn(name: str, *steps: Append | Read, at: float = 0.0, outcome: Outcome = "ok") -> Transaction:
    return Transaction(name, steps, at, at + 0.5, outcome)


def a(key: str, value: int) -> Append:
    return Append(key, value)


def r(key: str, *values: int) -> Read:
    return Read(key, values)


@pytest.mark.parametrize(
    "history",
    [
        [],
        [txn("t1", a("x", 1), at=0), txn("t2", a("x", 2), r("x", 1, 2), at=1), txn("t3", r("x", 1, 2), at=2)],
        [txn("t1", a("x", 1), a("x", 2), at=0), txn("t2", r("x"), at=0.1)],
        [txn("t1", a("x", 1), at=0, outcome="unknown"), txn("t2", r("x", 1), at=1)],
        [txn("t1", a("x", 1), at=0, outcome="unknown"), txn("t2", r("x"), at=1)],
        [txn("t1", a("x", 1), r("x", 1), a("x", 2), at=0), txn("t2", r("x", 1, 2), at=1)],
        [txn("t1", a("x", 1), a("y", 1), at=0), txn("t2", r("x", 1), r("y", 1), at=1)],
        [txn("t1", a("x", 1), at=0, outcome="unknown"), txn("t2", r("x"), at=1), txn("t3", r("x", 1), at=2)],
    ],
    ids=[
        "empty",
        "serial",
        "concurrent",
        "unknown came",
        "unknown did not",
        "own intermediate",
        "two lists, one value",
        "late",
    ],
)
def test_a_serializable_history(history: list[Transaction]) -> None:
    assert check_list_append(history) == ()


@pytest.mark.parametrize(
    ("history", "said"),
    [
        ([txn("t1", a("x", 1), outcome="fail"), txn("t2", r("x", 1), at=1)], "G1a"),
        ([txn("t1", a("x", 1), a("x", 2)), txn("t2", r("x", 1), at=0.1)], "G1b"),
        ([txn("t2", r("x", 1))], "nobody appended"),
        ([txn("t1", a("x", 1)), txn("t2", r("x", 1, 1), at=1)], "twice"),
        ([txn("t1", a("x", 1)), txn("t2", r("x"), at=1)], "lost"),
        (
            [
                txn("t1", a("x", 1)),
                txn("t2", a("x", 2)),
                txn("t3", r("x", 1, 2), at=0.2),
                txn("t4", r("x", 2, 1), at=0.2),
            ],
            "another order",
        ),
        ([txn("t1", a("x", 1), r("x")), txn("t2", r("x", 1), at=1)], "internal"),
        ([txn("t1", r("x", 1), a("x", 2), r("x", 2)), txn("t0", a("x", 1), at=-1)], "internal"),
        ([txn("t1", r("x"), r("x", 1)), txn("t0", a("x", 1), at=-0.2)], "internal"),
        ([txn("t1", a("x", 1)), txn("t2", r("y", 1), at=1)], "which was appended to x"),
        # Seen in the end, and not by a transaction that began after it was acknowledged.
        ([txn("t1", a("x", 1)), txn("t2", r("x"), at=1), txn("t3", r("x", 1), at=2)], "not seen by t2 afterwards"),
        # Nobody reads too early, and yet the lists' order is not that of time.
        ([txn("t1", a("x", 1)), txn("t2", a("x", 2), at=1), txn("t3", r("x", 2, 1), at=2)], "cycle"),
        # A session that saw t1 and then no longer did.
        ([txn("t1", a("x", 1), outcome="unknown"), txn("t2", r("x", 1), at=1), txn("t3", r("x"), at=2)], "cycle"),
        # Write skew: each read what the other was about to change.
        ([txn("t1", r("x"), a("y", 1)), txn("t2", r("y"), a("x", 2)), txn("t3", r("x", 2), r("y", 1), at=1)], "cycle"),
        # Circular information flow.
        ([txn("t1", a("x", 1), r("y", 2)), txn("t2", a("y", 2), r("x", 1))], "cycle"),
        # Two keys written in opposite orders.
        (
            [
                txn("t1", a("x", 1), a("y", 2)),
                txn("t2", a("x", 3), a("y", 4)),
                txn("t3", r("x", 1, 3), r("y", 4, 2), at=1),
            ],
            "cycle",
        ),
    ],
    ids=[
        "aborted",
        "intermediate",
        "ghost",
        "duplicate",
        "lost",
        "order",
        "own append unseen",
        "own append alone",
        "not repeatable",
        "another key",
        "stale",
        "real time",
        "session",
        "write skew",
        "G1c",
        "G0",
    ],
)
def test_a_planted_anomaly_is_found(history: list[Transaction], said: str) -> None:
    problems = check_list_append(history)
    assert any(said in problem for problem in problems), problems


@given(st.lists(st.lists(st.tuples(st.booleans(), st.sampled_from("xyz")), min_size=1, max_size=4), max_size=15))
def test_transactions_one_after_the_other_are_serializable(plan: list[list[tuple[bool, str]]]) -> None:
    lists: dict[str, list[int]] = {"x": [], "y": [], "z": []}
    history: list[Transaction] = []
    for i, steps in enumerate(plan):
        done: list[Append | Read] = []
        for j, (appends, key) in enumerate(steps):
            if appends:
                lists[key].append(100 * i + j)
                done.append(Append(key, 100 * i + j))
            else:
                done.append(Read(key, tuple(lists[key])))
        history.append(Transaction(f"t{i}", tuple(done), float(i), i + 0.5, "ok"))
    assert check_list_append(history) == ()


@pytest.mark.parametrize("steps", [(), (r("x"), a("y", 1)), (r("x", 1, 2), r("y", 3), a("x", 4))])
def test_steps_survive_their_way_through_the_history(steps: tuple[Append | Read, ...]) -> None:
    assert steps_of(written(steps)) == steps


def test_a_value_appended_twice_to_one_list_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="appended to x twice"):
        check_list_append([txn("t1", a("x", 1)), txn("t2", a("x", 1))])


@given(
    st.lists(
        st.tuples(st.sampled_from("xyz"), st.lists(st.integers(0, 9), max_size=4), st.booleans(), st.floats(0, 9)),
        max_size=12,
    )
)
def test_no_history_crashes_it(plan: list[tuple[str, list[int], bool, float]]) -> None:
    """Whatever was read, it has something to say or nothing."""
    history = [
        Transaction(f"t{n}", (r(key, *values), a(key, n)), at, at + 1, "ok" if done else "unknown")
        for n, (key, values, done, at) in enumerate(plan)
    ]
    assert isinstance(check_list_append(history), tuple)


def test_a_history_in_elles_format() -> None:
    history = [
        txn("t1", a("3", 17), r("4")),
        txn("t2", r("3", 17), at=0.2, outcome="unknown"),
        txn("t3", r("3", 17, 19), a("4", 5), at=1.0),
    ]
    assert edn(history).splitlines() == [
        "{:index 0, :type :invoke, :process 0, :f :txn, :time 0, :value [[:append 3 17] [:r 4 nil]]}",
        "{:index 1, :type :invoke, :process 1, :f :txn, :time 200000000, :value [[:r 3 nil]]}",
        "{:index 2, :type :ok, :process 0, :f :txn, :time 500000000, :value [[:append 3 17] [:r 4 []]]}",
        "{:index 3, :type :info, :process 1, :f :txn, :time 700000000, :value [[:r 3 nil]]}",
        "{:index 4, :type :invoke, :process 0, :f :txn, :time 1000000000, :value [[:r 3 nil] [:append 4 5]]}",
        "{:index 5, :type :ok, :process 0, :f :txn, :time 1500000000, :value [[:r 3 [17 19]] [:append 4 5]]}",
    ]
