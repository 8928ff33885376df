"""Several runs together: what is computed from planted figures, and that no run disappears."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.prove.model import Campaign, FaultResult
from fournines.prove.pass_marks import worst_gap
from fournines.prove.repeats import comparisons, ratios, repeated, spread
from fournines.prove.schedule import blocks
from fournines.prove.verdict import baseline_of, overall
from samples.campaign import OTHER, OWN, PEER, campaign


def gap(result: FaultResult, seconds: float, run: int) -> FaultResult:
    whole = dataclasses.replace(result.functions[0].whole, longest_gap_s=seconds, gap_returning_s=0.0)
    light = dataclasses.replace(result.functions[0], interval_s=0.1, whole=whole)
    return dataclasses.replace(result, functions=(light,), run=run, verdict="pass")


def several(ours: list[float], theirs: list[float]) -> Campaign:
    sample = campaign()
    own = sample.results[0]
    peer = next(r for r in sample.results if r.subject == PEER and r.fault == own.fault)
    runs = [gap(own, s, n) for n, s in enumerate(ours, 1)] + [gap(peer, s, n) for n, s in enumerate(theirs, 1)]
    return dataclasses.replace(sample, results=tuple(runs))


def test_median_worst_and_interval() -> None:
    (ours, _) = repeated(several([0.5, 0.9, 0.6], [5.0, 6.0, 7.0]))
    found = ours.spread(worst_gap)
    assert found is not None
    assert (found.runs, found.median, found.worst) == (3, 0.6, 0.9)
    assert found.low is not None and found.high is not None
    assert 0.5 <= found.low <= 0.6 <= found.high <= 0.9


def test_one_run_has_no_interval() -> None:
    found = spread([0.7])
    assert found is not None
    assert (found.low, found.high) == (None, None)


@given(st.lists(st.floats(0.01, 100.0), min_size=2, max_size=12))
def test_the_interval_is_the_same_for_the_same_runs_and_holds_the_median(values: list[float]) -> None:
    found = spread(values)
    assert found == spread(values)
    assert found is not None and found.low is not None and found.high is not None
    assert min(values) <= found.low <= found.median <= found.high <= found.worst == max(values)


def test_a_run_that_never_came_back_is_a_run() -> None:
    found = spread([1.0, math.inf, math.inf])
    assert found is not None
    assert (found.median, found.worst) == (math.inf, math.inf)


@pytest.mark.parametrize(
    ("theirs", "reached"), [([6.0, 6.2, 6.1, 6.3], True), ([3.0, 6.2, 6.1, 6.3], False), ([1.0, 1.1, 1.2, 1.3], False)]
)
def test_the_intervals_lower_end_is_held_to_the_ratio(theirs: list[float], reached: bool) -> None:
    whole = several([1.0, 1.1, 1.0, 1.1], theirs)
    (compared,) = comparisons(whole)
    assert compared.mark.reached is reached
    assert overall(whole) == ("pass" if reached else "fail")


def test_of_several_runs_none_is_set_beside_one() -> None:
    whole = several([1.0, 1.1], [6.0, 6.1])
    assert baseline_of(whole, whole.results[0]) is None
    assert baseline_of(several([1.0], [6.0]), whole.results[0]) is not None


def test_too_few_runs_have_no_interval_to_hold() -> None:
    (compared,) = comparisons(several([1.0, 1.1], [9.0]))
    assert compared.mark.reached is None
    assert overall(several([1.0, 1.1], [9.0])) == "unknown"


def test_nothing_is_divided_by_nothing() -> None:
    assert ratios([5.0], [0.0]) is None
    assert ratios([], [1.0]) is None


@pytest.mark.parametrize("repeat", range(1, 7))
def test_every_run_is_scheduled_once_a_timing(repeat: int) -> None:
    both = (OWN, OTHER)
    once = [(n, s) for n in range(1, repeat + 1) for s in both]
    found = [(b.run, b.subject) for b in blocks(repeat, both)]
    assert sorted(found, key=once.index) == once
    assert found[0] == (1, OWN)
    apart = [(b.run, b.subject) for b in blocks(repeat, both, interleaved=False)]
    assert sorted(apart, key=once.index) == once
    assert [s for _, s in apart] == [OWN] * repeat + [OTHER] * repeat
    assert [b.run for b in blocks(repeat, [OWN])] == list(range(1, repeat + 1))
