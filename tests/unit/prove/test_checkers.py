"""Checkers on planted histories: what they must find, and what they must not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.prove.checkers import Access, check_queue, check_register, check_set
from fournines.prove.model import Outcome, Writes

ATTEMPTS: dict[str, Outcome] = {"a": "ok", "b": "ok", "c": "unknown", "d": "fail"}


def test_a_set_with_everything_acknowledged_is_whole() -> None:
    assert check_set(ATTEMPTS, {"one": ["a", "b", "c"], "two": ["b", "a", "c"]}) == Writes(2, 0, 0, 0, 0)


def test_a_set_without_an_unknown_write_is_whole() -> None:
    assert check_set(ATTEMPTS, {"one": ["a", "b"]}) == Writes(2, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("reads", "planted"),
    [
        ({"one": ["a", "b"], "two": ["a"]}, Writes(2, 1, 0, 0, 0)),
        ({"one": [], "two": []}, Writes(2, 2, 0, 0, 0)),
        ({"one": ["a", "b", "d"]}, Writes(2, 0, 1, 0, 0)),
        ({"one": ["a", "b"], "two": ["a", "b", "never"]}, Writes(2, 0, 1, 0, 0)),
        ({"one": ["a", "b", "b"]}, Writes(2, 0, 0, 1, 0)),
        ({"one": ["a", "b", "c"], "two": ["a", "b"]}, Writes(2, 0, 0, 0, 1)),
    ],
    ids=["lost on one", "lost on all", "ghost of a failure", "ghost of nothing", "duplicate", "stuck"],
)
def test_a_set_with_something_planted(reads: dict[str, list[str]], planted: Writes) -> None:
    assert check_set(ATTEMPTS, reads) == planted


def test_a_set_that_nobody_read_is_not_whole() -> None:
    with pytest.raises(ValueError, match="reader"):
        check_set(ATTEMPTS, {})


@pytest.mark.parametrize(
    ("delivered", "left", "planted"),
    [
        (["a", "b"], 0, Writes(2, 0, 0, 0, 0)),
        (["a", "b", "c"], 0, Writes(2, 0, 0, 0, 0)),
        (["a"], 0, Writes(2, 1, 0, 0, 0)),
        (["a"], 1, Writes(2, 0, 0, 0, 1)),
        ([], 1, Writes(2, 1, 0, 0, 1)),
        (["a"], None, Writes(2, 0, 0, 0, 1)),
        (["a", "b", "a", "a"], 0, Writes(2, 0, 0, 1, 0)),
        (["a", "b", "d"], 0, Writes(2, 0, 1, 0, 0)),
    ],
    ids=["whole", "unknown came", "lost", "stuck", "both", "unread is not lost", "duplicate", "ghost"],
)
def test_a_queue(delivered: list[str], left: int | None, planted: Writes) -> None:
    assert check_queue(ATTEMPTS, delivered, left) == planted


def write(value: str, began: float, ended: float, outcome: Outcome = "ok") -> Access:
    return Access("write", value, began, ended, outcome)


def read(value: str, began: float, ended: float) -> Access:
    return Access("read", value, began, ended, "ok")


@pytest.mark.parametrize(
    "accesses",
    [
        [read("", 0, 1), write("a", 1, 2), read("a", 2, 3)],
        [write("a", 0, 5), read("", 1, 2), read("a", 3, 4)],
        [write("a", 0, 3), write("b", 1, 4), read("b", 4, 5)],
        [write("a", 0, 3), write("b", 1, 4), read("a", 4, 5)],
        [write("a", 0, 1), write("b", 2, 3, "unknown"), read("a", 4, 5), read("b", 6, 7)],
        [write("a", 0, 1), write("b", 2, 3, "unknown"), read("a", 4, 5)],
        [write("a", 0, 1), write("b", 2, 3, "fail"), read("a", 4, 5)],
    ],
    ids=["in turn", "while written", "overlap, later", "overlap, earlier", "unknown came late", "never", "failed"],
)
def test_a_linearizable_register(accesses: list[Access]) -> None:
    assert check_register(accesses) == ()


@pytest.mark.parametrize(
    ("accesses", "said"),
    [
        ([write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)], "before and after"),
        ([write("a", 0, 1), write("b", 2, 3), read("b", 4, 5), read("a", 6, 7)], "still seen"),
        ([write("a", 0, 1), read("", 2, 3)], "before and after"),
        ([read("a", 0, 1), write("a", 2, 3)], "before it was written"),
        ([read("a", 0, 1)], "never written"),
        ([write("a", 0, 1, "fail"), read("a", 2, 3)], "had failed"),
    ],
    ids=["stale", "back again", "lost", "future", "ghost", "failed came"],
)
def test_a_register_with_something_planted(accesses: list[Access], said: str) -> None:
    assert any(said in problem for problem in check_register(accesses))


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 0.4), st.floats(0.0, 0.4)), max_size=40))
def test_a_register_that_one_client_after_the_other_uses_is_linearizable(
    steps: list[tuple[bool, float, float]],
) -> None:
    """Each operation takes effect at i + 0.5 and spans at most [i + 0.1, i + 0.9]... wider ones may overlap."""
    held, accesses = "", list[Access]()
    for i, (writes, early, late) in enumerate(steps):
        began, ended = i + 0.5 - 2 * early, i + 0.5 + 2 * late
        if writes:
            held = str(i)
        accesses.append(Access("write" if writes else "read", held, began, ended, "ok"))
    assert check_register(accesses) == ()
