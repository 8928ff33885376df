"""What is killed for systemd to start it again: what hangs, and a broker that the others have lost. Nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.agent.observer.hung import HUNG, STOPPED, Hung
from fournines.agent.observer.partition import SETTLE, Lasting, outside

ORDER = ("a", "b", "c")


def looks(seconds: int, answered: bool, cpu: Iterable[float | None]) -> list[bool]:
    hung = Hung()
    return [hung.look(float(at), answered, used) is not None for at, used in zip(range(seconds), cpu, strict=False)]


def test_silent_and_idle_is_hung() -> None:
    said = looks(10, False, [7.0] * 10)
    assert said.index(True) == HUNG


def test_one_that_is_stopped_is_not_waited_for() -> None:
    """Its requests in flight wait until it is killed: 7.2 s, when it had to be idle for `HUNG` first."""
    hung = Hung()
    assert hung.look(10.0, excused=False, cpu=7.0, stopped=True) is None
    assert hung.look(11.0, excused=False, cpu=7.0, stopped=True) == 1.0


def test_one_that_goes_on_meanwhile_is_left_alone() -> None:
    hung = Hung()
    hung.look(10.0, excused=False, cpu=7.0, stopped=True)
    assert hung.look(10.0 + STOPPED / 2, excused=True, cpu=7.0) is None
    assert hung.look(11.0, excused=False, cpu=7.0, stopped=True) is None


def test_who_answers_is_never_hung() -> None:
    assert not any(looks(30, True, [7.0] * 30))


def test_a_busy_daemon_is_never_hung_however_long_it_is_silent() -> None:
    assert not any(looks(300, False, [0.01 * at for at in range(300)]))


def test_a_stopped_unit_is_never_hung() -> None:
    assert not any(looks(30, False, [None] * 30))


def test_a_restart_begins_anew() -> None:
    assert not any(looks(8, False, [9.0, 9.0, 9.0, 9.0, 0.5, 0.5, 0.5, 0.5]))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=40))
def test_hung_means_silent_and_idle_all_the_while(history: list[tuple[bool, float]]) -> None:
    hung, used, since = Hung(), 0.0, 0
    for at, (answered, more) in enumerate(history):
        used += more if more > 0.05 else 0.0
        since = at if answered or more > 0.05 else since
        assert hung.look(float(at), answered, used) is None or at - since >= HUNG - 1


def seen(**by: str) -> Mapping[str, frozenset[str]]:
    return {name: frozenset(others) for name, others in by.items()}


@pytest.mark.parametrize("me", ORDER)
def test_brokers_that_see_one_another_stay(me: str) -> None:
    assert not outside(me, ORDER, seen(a="abc", b="abc", c="abc"))


def test_the_one_that_two_have_lost_is_outside() -> None:
    sees = seen(a="a", b="bc", c="bc")
    assert [outside(n, ORDER, sees) for n in ORDER] == [True, False, False]


def test_being_seen_from_one_side_only_is_not_enough() -> None:
    sees = seen(a="abc", b="bc", c="bc")
    assert [outside(n, ORDER, sees) for n in ORDER] == [True, False, False]


def test_two_that_have_lost_each_other_are_not_both_kept_because_a_third_sees_both() -> None:
    sees = seen(a="ab", b="abc", c="bc")
    assert [outside(n, ORDER, sees) for n in ORDER] == [False, False, True]


@pytest.mark.parametrize("lost", ["ab", "ac", "bc"])
def test_one_restart_ends_a_partial_partition(lost: str) -> None:
    sees = {n: frozenset(ORDER) - ({*lost} - {n} if n in lost else set()) for n in ORDER}
    assert sum(outside(n, ORDER, sees) for n in ORDER) == 1


def test_a_broker_that_does_not_answer_is_left_to_others() -> None:
    assert not outside("a", ORDER, seen(b="bc", c="bc"))
    assert [outside(n, ORDER, seen(b="bc", c="bc")) for n in "bc"] == [False, False]


def test_one_that_nobody_else_reports_about_stays() -> None:
    assert not outside("a", ORDER, seen(a="a"))


@given(st.fixed_dictionaries({n: st.sets(st.sampled_from("abc")) for n in "abc"}))
def test_somebody_always_stays_and_all_agree_who(sees: dict[str, set[str]]) -> None:
    told = {n: frozenset(others | {n}) for n, others in sees.items()}
    stay = {n for n in ORDER if not outside(n, ORDER, told)}
    assert stay
    for order in permutations(told):
        assert {n for n in ORDER if not outside(n, ORDER, {k: told[k] for k in order})} == stay


def test_it_must_last() -> None:
    lasting = Lasting()
    said = [lasting.look(float(at), at != 5) for at in range(30)]
    assert said.index(True) == 6 + SETTLE
