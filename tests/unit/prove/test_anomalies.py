"""List-append histories with one anomaly planted in each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.prove.anomalies import Append, Read, Transaction, check_list_append, steps_of, written
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
    ],
    ids=["empty", "serial", "concurrent", "unknown came", "unknown did not", "own intermediate"],
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
    ids=["aborted", "intermediate", "ghost", "duplicate", "lost", "order", "write skew", "G1c", "G0"],
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
