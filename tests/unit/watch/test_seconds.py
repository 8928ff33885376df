"""Second by second: the same as `prove` would say of the same requests, as soon as it can be told."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.prove.degraded import degraded_spans
from fournines.prove.model import Operation
from fournines.prove.waits import Request
from fournines.watch.functions import RATES, cost, watched
from fournines.watch.seconds import Judge, State

PROBE = watched("validate")
PERIOD = PROBE.period(2)


def run(operations: Iterable[Operation], until: float, *, announced: bool = True, ready: bool = True) -> list[State]:
    """The states of seconds 0, 1, … as they were told, the prober's word coming twice a second."""
    judge = Judge(PROBE, "fresh", announced=announced)
    sends = [(o.started, 0, o) for o in operations] if announced else []
    events = sorted([*sends, *((o.ended, 1, o) for o in operations)], key=lambda e: (e[0], e[1]))
    told: dict[int, State] = {}
    for tick in range(round(until * 2) + 1):
        now = tick / 2
        while events and events[0][0] <= now:
            _, what, o = events.pop(0)
            judge.done(o) if what else judge.sent(o.intended, o.started)
        judge.alive(now, ready=ready)
        for second, state in judge.judged():
            assert second not in told
            told[second] = state
    assert list(told) == list(range(len(told)))
    return list(told.values())


def request(n: int, waited: float = 0.02, *, ok: bool = True, late: float = 0.0) -> Operation:
    at = round(n * 0.4, 3)
    return Operation("validate", "fresh", at, at + late, at + late + waited, "ok" if ok else "fail")


def test_all_is_well() -> None:
    assert run([request(n) for n in range(50)], 18.0)[:16] == ["good"] * 16


@pytest.mark.parametrize("how", ["refused", "hangs", "slow"])
def test_an_outage_is_its_seconds(how: str) -> None:
    """Of requests in [5, 9): refused at once, never answered, or answered after 2 s."""

    def one(n: int) -> Operation:
        out = 5.0 <= n * 0.4 < 9.0
        waited = {"refused": 0.01, "hangs": 10.0, "slow": 2.0}[how] if out else 0.02
        return request(n, waited, ok=not out or how == "slow")

    states = run([one(n) for n in range(50)], 18.0)
    assert [s for s, state in enumerate(states) if state == "bad"] == [5, 6, 7, 8]


def test_an_outage_is_known_within_two_seconds() -> None:
    judge = Judge(PROBE, "fresh")
    judge.alive(0.0, ready=True)
    for n in range(10):
        judge.sent(n * 0.1, n * 0.1)
        judge.done(Operation("validate", "fresh", n * 0.1, n * 0.1, n * 0.1 + 0.02, "ok"))
    judge.sent(1.0, 1.0)  # never answered
    judge.alive(1.5, ready=True)
    assert list(judge.judged()) == [(0, "good")]
    judge.alive(2.01, ready=True)
    assert list(judge.judged()) == [(1, "bad")]


def test_a_function_that_cannot_be_asked_for_is_unknown() -> None:
    assert set(run([], 10.0, ready=False)) == {"unknown"}


def test_nothing_is_good_when_nothing_was_asked() -> None:
    assert set(run([], 10.0)) == {"unknown"}


def test_a_prober_that_was_late_tells_nothing() -> None:
    operations = [request(n, late=0.8 if 4.0 <= n * 0.4 < 6.0 else 0.0) for n in range(30)]
    assert run(operations, 10.0)[3:7] == ["good", "unknown", "unknown", "good"]


def test_seconds_in_which_the_prober_was_silent_are_unknown() -> None:
    judge = Judge(PROBE, "fresh")
    judge.alive(0.0, ready=True)
    judge.done(request(0))
    judge.alive(1.2, ready=True)
    assert list(judge.judged()) == [(0, "good")]
    judge.lost()
    judge.alive(6.2, ready=True)
    assert list(judge.judged()) == [(s, "unknown") for s in range(1, 6)]


def test_messages_that_are_not_delivered_are_missed() -> None:
    """Nothing announces a delivery: a second without one is bad once the one before is too long ago."""
    operations = [request(n) for n in range(40) if not 4.0 <= n * 0.4 < 8.0]
    states = run(operations, 15.0, announced=False)
    assert states[:4] == ["good"] * 4
    assert set(states[6:8]) == {"bad"}
    assert set(states[8:12]) == {"good"}


@given(
    st.lists(st.sampled_from([0.02, 0.3, 0.99, 1.2, 3.0, 10.0]), min_size=60, max_size=60),
    st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_it_says_what_prove_says(waited: list[float], ok: list[bool]) -> None:
    """`prove`'s degraded time of the same requests, when the fault struck at second 0."""
    operations = [request(n, w, ok=good) for n, (w, good) in enumerate(zip(waited, ok, strict=True))]
    states = run(operations, 30.0)
    requests = [Request(o.intended, o.ended, o.ended, o.outcome) for o in operations]
    spans = degraded_spans(requests, PERIOD, 1.0, 0.0, 20.0)
    degraded = {s for a, b in spans for s in range(math.floor(a), math.ceil(b))}
    assert {s for s, state in enumerate(states[:20]) if state == "bad"} == degraded


def test_what_it_costs_is_what_the_help_says() -> None:
    from fournines.cli.watch import HELP

    usual = [name for name, rate in RATES.items() if rate.usual]
    assert f"about {100 * cost(usual):.0f} %" in " ".join(HELP.split())
    assert f"authenticate_password, which is not among them, {100 * cost(['authenticate_password']):.0f} %" in " ".join(
        HELP.split()
    )
