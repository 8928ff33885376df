"""Figures of planted outages: known gaps come out, and nothing else."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fournines.prove.figures import Phases, figures, success_gaps
from fournines.prove.model import Connection, Operation, Outcome
from fournines.prove.probes import PROBES

PROBE = PROBES["validate"]
PHASES = Phases(began=0.0, injected=10.0, settled=28.0, until=30.0, ended=40.0)


def operation(
    intended: float, latency: float = 0.01, outcome: Outcome = "ok", connection: Connection = "kept"
) -> Operation:
    return Operation("validate", connection, intended, intended, intended + latency, outcome)


def steady(*, without: tuple[float, float] = (99.0, 99.0)) -> list[Operation]:
    """Every tenth of a second for 40 s, fresh and kept in turns, but for a span."""
    times = [i / 10 for i in range(400)]
    return [
        operation(t, connection=PROBE.connections[i % 2])
        for i, t in enumerate(times)
        if not without[0] <= t < without[1]
    ]


def test_without_an_outage_the_longest_gap_is_the_interval() -> None:
    found, series = figures(PROBE, steady(), PHASES)
    assert found.longest_gap_s == pytest.approx(0.1)
    assert found.gap_by_connection == pytest.approx({"fresh": 0.2, "kept": 0.2})
    assert found.unavailable_s == pytest.approx(0.0)
    assert (found.ok, found.fail, found.unknown) == (300, 0, 0)
    assert found.downtime_s == 0.0
    assert sum(series.ok) == 400
    assert series.outages == ()


def test_a_silent_outage_is_its_gap_and_counts_from_its_last_success() -> None:
    found, series = figures(PROBE, steady(without=(12.0, 14.0)), PHASES)
    assert found.longest_gap_s == pytest.approx(2.1)
    assert series.gap == pytest.approx((11.91, 14.01))
    assert found.unavailable_s == pytest.approx(2.1 - 0.1 - 0.01)


def test_a_hang_is_seen_though_no_request_failed() -> None:
    """Requests from 12 to 15 s all end at 15 s: a closed loop would have sent one of them."""
    ops = [operation(o.intended, 15.0 - o.intended) if 12 <= o.intended < 15 else o for o in steady()]
    found, _ = figures(PROBE, ops, PHASES)
    assert found.longest_gap_s == pytest.approx(15.0 - 11.91)
    assert found.p99_ms[1] > 2500
    assert found.p99_ms[0] == pytest.approx(10.0)


def test_what_did_not_come_back_is_out_until_the_end_of_the_load() -> None:
    found, _ = figures(PROBE, steady(without=(12.0, 99.0)), PHASES)
    assert found.longest_gap_s == pytest.approx(40.0 - 11.91)


@pytest.mark.parametrize("began", [27.0, 29.0, 32.0])
def test_an_outage_counts_in_full_and_as_what_it_disturbed(began: float) -> None:
    """Before the heal it is the fault's; later on it is what coming back cost."""
    found, series = figures(PROBE, steady(without=(began, began + 4.0)), PHASES)
    of_the_fault, returning = (4.1, 0.1) if began < PHASES.settled else (0.1, 4.1)
    assert found.longest_gap_s == pytest.approx(of_the_fault)
    assert found.gap_returning_s == pytest.approx(returning)
    assert found.unavailable_s == pytest.approx(4.1 - 0.1 - 0.01)
    assert series.gap[1] - series.gap[0] == pytest.approx(of_the_fault)


def test_an_outage_before_the_fault_is_not_the_faults() -> None:
    found, _ = figures(PROBE, steady(without=(3.0, 8.0)), PHASES)
    assert found.longest_gap_s == pytest.approx(0.1)


def test_nothing_at_all_is_out_from_the_injection_on() -> None:
    found, _ = figures(PROBE, [], PHASES)
    assert found.longest_gap_s == pytest.approx(30.0)
    assert math.isnan(found.p50_ms[1])


def test_errors_are_counted_by_kind_and_a_refusal_is_no_latency() -> None:
    ops = [o for o in steady() if not 12 <= o.intended < 13]
    ops += [operation(12.0 + i / 10, 0.001, "fail") for i in range(5)]
    ops += [operation(12.5 + i / 10, 10.0, "unknown") for i in range(5)]
    found, series = figures(PROBE, ops, PHASES)
    assert (found.fail, found.unknown) == (5, 5)
    assert found.downtime_s == pytest.approx(22.9 - 12.0)
    assert found.p50_ms[1] == pytest.approx(10.0)
    assert (sum(series.fail), sum(series.unknown)) == (5, 5)


def test_mttr_is_how_long_the_sliding_mean_stays_high() -> None:
    ops = [operation(o.intended, 0.011 if round(o.intended * 10) % 2 else 0.009) for o in steady()]
    slow = [operation(o.intended, 0.2) if 15 <= o.intended < 20 else o for o in ops]
    found, _ = figures(PROBE, slow, PHASES)
    assert 4.5 < found.mttr_s < 7.5


@given(st.lists(st.floats(0.0, 39.0), max_size=60), st.randoms())
def test_gaps_cover_the_fault_without_overlap_in_any_order(times: list[float], random: object) -> None:
    ops = [operation(t) for t in times]
    gaps = success_gaps(ops, PHASES)
    assert gaps == success_gaps(list(reversed(ops)), PHASES)
    assert gaps[0][0] <= PHASES.injected
    assert gaps[-1][1] >= PHASES.ended
    assert all(a[1] == b[0] for a, b in itertools.pairwise(gaps))


def test_of_work_done_in_turns_the_gap_holds_the_wait_and_the_work_and_only_more_is_an_outage() -> None:
    """Every 10 s, 2 s each; the one at 10 s hangs until 40 s."""
    boot = replace(PROBES["boot_server"], interval=10.0)
    ends = ((0.0, 2.0, "ok"), (10.0, 40.0, "unknown"), (40.0, 42.0, "ok"), (50.0, 52.0, "ok"))
    ops = [Operation(boot.name, "fresh", start, start, end, outcome, "") for start, end, outcome in ends]  # type: ignore[arg-type]
    found, _ = figures(boot, ops, Phases(began=0, injected=12, settled=45, until=45, ended=53))
    assert found.longest_gap_s == pytest.approx(40.0)
    assert found.unavailable_s == pytest.approx(40.0 - 10.0 - 2.0)
    assert math.isnan(found.mttr_s)  # of 21 samples' mean there are too few
