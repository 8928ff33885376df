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
from fournines.prove.waits import waits

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
    assert found.whole.longest_gap_s == pytest.approx(0.1)
    assert {c: f.longest_gap_s for c, f in found.by_connection.items()} == pytest.approx({"fresh": 0.2, "kept": 0.2})
    assert found.unavailable_s == pytest.approx(0.0)
    assert (found.whole.ok, found.whole.fail, found.whole.unknown) == (300, 0, 0)
    assert found.downtime_s == 0.0
    assert sum(series.ok) == 400
    assert series.outages == ()


def test_a_silent_outage_is_its_gap_and_counts_from_its_last_success() -> None:
    found, series = figures(PROBE, steady(without=(12.0, 14.0)), PHASES)
    assert found.whole.longest_gap_s == pytest.approx(2.1)
    assert series.gap == pytest.approx((11.91, 14.01))
    assert found.unavailable_s == pytest.approx(2.1 - 0.1 - 0.01)


def test_a_hang_is_seen_though_no_request_failed() -> None:
    """Requests from 12 to 15 s all end at 15 s: a closed loop would have sent one of them."""
    ops = [operation(o.intended, 15.0 - o.intended) if 12 <= o.intended < 15 else o for o in steady()]
    found, _ = figures(PROBE, ops, PHASES)
    assert found.whole.longest_gap_s == pytest.approx(15.0 - 11.91)
    assert found.p99_ms[1] > 2500
    assert found.p99_ms[0] == pytest.approx(10.0)


def test_what_did_not_come_back_is_out_until_the_end_of_the_load() -> None:
    found, _ = figures(PROBE, steady(without=(12.0, 99.0)), PHASES)
    assert found.whole.longest_gap_s == pytest.approx(40.0 - 11.91)


@pytest.mark.parametrize("began", [27.0, 29.0, 32.0])
def test_an_outage_counts_in_full_and_as_what_it_disturbed(began: float) -> None:
    """Before the heal it is the fault's; later on it is what coming back cost."""
    found, series = figures(PROBE, steady(without=(began, began + 4.0)), PHASES)
    of_the_fault, returning = (4.1, 0.1) if began < PHASES.settled else (0.1, 4.1)
    assert found.whole.longest_gap_s == pytest.approx(of_the_fault)
    assert found.whole.gap_returning_s == pytest.approx(returning)
    assert found.unavailable_s == pytest.approx(4.1 - 0.1 - 0.01)
    assert series.gap[1] - series.gap[0] == pytest.approx(of_the_fault)


def test_an_outage_before_the_fault_is_not_the_faults() -> None:
    found, _ = figures(PROBE, steady(without=(3.0, 8.0)), PHASES)
    assert found.whole.longest_gap_s == pytest.approx(0.1)


def test_without_a_request_there_is_no_figure() -> None:
    found, _ = figures(PROBE, [], PHASES)
    for _, seen in found.connections():
        every = (seen.longest_gap_s, seen.gap_returning_s, seen.worst_wait_s, seen.degraded_s, seen.answered_within_1s)
        assert all(math.isnan(figure) for figure in every)
        assert not seen.sampled
    assert math.isnan(found.p50_ms[1])


def test_without_a_success_all_is_out_from_the_injection_on() -> None:
    found, _ = figures(PROBE, [replace(o, outcome="unknown") for o in steady()], PHASES)
    assert found.whole.longest_gap_s == pytest.approx(30.0)
    assert found.whole.degraded_s == pytest.approx(30.0)
    assert found.whole.worst_wait_s == pytest.approx(30.0)


def test_errors_are_counted_by_kind_and_a_refusal_is_no_latency() -> None:
    ops = [o for o in steady() if not 12 <= o.intended < 13]
    ops += [operation(12.0 + i / 10, 0.001, "fail") for i in range(5)]
    ops += [operation(12.5 + i / 10, 10.0, "unknown") for i in range(5)]
    found, series = figures(PROBE, ops, PHASES)
    assert (found.whole.fail, found.whole.unknown) == (5, 5)
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
    gaps = success_gaps(waits(ops, 0.2, 40.0), PHASES)
    assert gaps == success_gaps(waits(list(reversed(ops)), 0.2, 40.0), PHASES)
    assert gaps[0][0] <= PHASES.injected
    assert gaps[-1][1] >= PHASES.ended
    assert all(a[1] == b[0] for a, b in itertools.pairwise(gaps))


def test_of_work_done_in_turns_the_gap_holds_the_wait_and_the_work_and_only_more_is_an_outage() -> None:
    """Every 10 s, 2 s each; the one at 10 s hangs until 40 s."""
    boot = replace(PROBES["boot_server"], interval=10.0)
    ends = ((0.0, 2.0, "ok"), (10.0, 40.0, "unknown"), (40.0, 42.0, "ok"), (50.0, 52.0, "ok"))
    ops = [Operation(boot.name, "fresh", start, start, end, outcome, "") for start, end, outcome in ends]  # type: ignore[arg-type]
    found, _ = figures(boot, ops, Phases(began=0, injected=12, settled=45, until=45, ended=53))
    assert found.whole.longest_gap_s == pytest.approx(40.0)
    assert found.unavailable_s == pytest.approx(40.0 - 10.0 - 2.0)
    assert math.isnan(found.mttr_s)  # of 21 samples' mean there are too few


def test_one_backend_in_three_that_hangs_shows_in_waits_and_degraded_time_and_hardly_as_a_gap() -> None:
    ops = [operation(o.intended, 8.9) if 12 <= o.intended < 20 and i % 3 == 0 else o for i, o in enumerate(steady())]
    found, _ = figures(PROBE, ops, PHASES)
    assert found.whole.longest_gap_s < 0.3
    assert found.whole.worst_wait_s == pytest.approx(8.9)
    assert found.whole.degraded_s == pytest.approx(8.0)
    assert found.whole.answered_within_1s == pytest.approx(1 - 27 / 300)


def test_dead_kept_connections_show_as_theirs() -> None:
    dead = [replace(o, outcome="fail") if o.connection == "kept" and 12 <= o.intended < 22 else o for o in steady()]
    found, _ = figures(PROBE, dead, PHASES)
    kept, fresh = found.by_connection["kept"], found.by_connection["fresh"]
    assert (kept.degraded_s, fresh.degraded_s) == pytest.approx((10.0, 0.0))
    assert kept.longest_gap_s == pytest.approx(10.2)
    assert kept.worst_wait_s == pytest.approx(10.01 - 0.1)  # refused at once, and served when the others were
    assert fresh.worst_wait_s == pytest.approx(0.01)
    assert (kept.fail, fresh.fail, found.whole.fail) == (50, 0, 50)


def test_a_request_that_was_given_up_waited_at_least_until_then() -> None:
    ops = [operation(o.intended, 10.0, "unknown") if o.intended == 15.0 else o for o in steady()]
    found, _ = figures(PROBE, ops, PHASES)
    assert found.whole.worst_wait_s == pytest.approx(10.0)
    assert found.whole.degraded == ((15.0, 16.0),)


def test_a_single_quick_failure_is_not_blamed_for_the_probes_interval() -> None:
    probe = PROBES["create_project"]
    ops = [
        Operation(probe.name, probe.connections[i % 2], i / 2, i / 2, i / 2 + 0.05, "fail" if i == 30 else "ok")
        for i in range(80)
    ]
    found, _ = figures(probe, ops, PHASES)
    assert found.whole.worst_wait_s == pytest.approx(0.15)
    assert found.whole.degraded_s == pytest.approx(1.0)


def test_what_was_in_flight_counts_into_the_first_second() -> None:
    ops = [operation(o.intended, 3.0) if 9.0 <= o.intended < 10.5 else o for o in steady()]
    found, _ = figures(PROBE, ops, PHASES)
    assert found.whole.degraded == ((10.0, 11.0),)


def test_seconds_in_which_nobody_asked_are_not_known_to_be_good() -> None:
    found, _ = figures(PROBE, steady(without=(15.0, 25.0)), PHASES)
    assert 7.0 <= found.whole.degraded_s <= 10.0


def test_of_what_is_asked_seldom_a_second_is_as_the_last_request_was() -> None:
    probe = PROBES["create_network"]
    sent = [(5.0 * i, "unknown" if i == 3 else "ok") for i in range(8)]
    ops = [Operation(probe.name, "fresh", t, t, t + 0.5, outcome) for t, outcome in sent]  # type: ignore[arg-type]
    found, _ = figures(probe, ops, PHASES)
    assert found.whole.degraded == ((15.0, 20.0),)


def test_work_in_turns_is_held_to_what_it_usually_takes() -> None:
    boot = PROBES["boot_server"]
    ends = ((0.0, 8.0), (12.0, 28.0), (32.0, 60.0))
    ops = [Operation(boot.name, "fresh", start, start, end, "ok") for start, end in ends]
    found, _ = figures(boot, ops, Phases(began=0, injected=10, settled=45, until=45, ended=61))
    assert found.within_s == pytest.approx(18.0)
    assert found.whole.answered_within_1s == pytest.approx(0.5)
    assert found.whole.degraded == ((32.0, 61.0),)


@given(st.lists(st.tuples(st.floats(0.0, 39.0), st.floats(0.0, 12.0), st.sampled_from(["ok", "fail", "unknown"]))))
def test_more_trouble_never_looks_better(sent: list[tuple[float, float, Outcome]]) -> None:
    """Of every request that fails instead of being answered, degraded time and the worst wait are no shorter."""
    ops = [operation(t, latency, outcome) for t, latency, outcome in sent]
    worse = [replace(o, outcome="unknown") if i % 2 else o for i, o in enumerate(ops)]
    one, other = (figures(PROBE, o, PHASES)[0].whole for o in (ops, worse))
    if one.sampled:
        assert other.degraded_s >= one.degraded_s
        assert other.worst_wait_s >= one.worst_wait_s - 1e-9
