"""A stored history becomes a result: phases, counts, findings, verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fournines.errors import ProveError
from fournines.prove.analyse import analyse
from fournines.prove.history import OPERATIONS, Event, read
from fournines.prove.model import Operation, Outcome
from fournines.prove.pass_marks import pass_marks
from fournines.prove.probes import PROBES
from samples.history import FUNCTIONS, events, operations, shown, store


def test_a_fault_that_nobody_noticed_passes(tmp_path: Path) -> None:
    result = analyse(store(tmp_path, operations(), events()))
    assert (result.verdict, result.reasons) == ("pass", ())
    assert (result.began, result.injected, result.healed, result.redundant, result.ended) == (0, 10, 30, 32, 40)
    assert result.redundant_again_s == 2.0
    assert result.writes["projects"].acknowledged == 400
    assert result.writes["messages"].lost == 0
    assert result.pressure.cpu_idle == pytest.approx(0.5)
    assert result.hosts == ("ctl3",)


def without(ops: list[Operation], start: float, end: float) -> list[Operation]:
    """Nothing could be validated for a while."""
    return [o for o in ops if o.function != "validate" or not start <= o.intended < end]


def test_a_long_outage_fails_and_is_named(tmp_path: Path) -> None:
    result = analyse(store(tmp_path, without(operations(), 12.0, 16.0), events()))
    assert result.verdict == "fail"
    assert any("longest gap" in reason for reason in result.reasons)


def test_a_long_outage_on_a_saturated_machine_is_unknown(tmp_path: Path) -> None:
    saturated = {"idle": 0.01, "cpu": 0.9, "io": 0.0, "memory": 0.0}
    result = analyse(store(tmp_path, without(operations(), 12.0, 16.0), events(machine=saturated)))
    assert result.verdict == "unknown"
    assert "without idle time" in result.reasons[0]


def test_what_was_lost_is_lost_on_a_saturated_machine_too(tmp_path: Path) -> None:
    saturated = {"idle": 0.01, "cpu": 0.9, "io": 0.0, "memory": 0.0}
    lost = {"kind": "rows", "reader": "database on ctl1", "values": [f"r{i}" for i in range(399)]}
    result = analyse(store(tmp_path, operations(), events(machine=saturated, read=lost)))
    assert result.verdict == "fail"


def test_a_lost_row_fails_and_an_unread_kind_is_unknown(tmp_path: Path) -> None:
    lost = {"kind": "rows", "reader": "database on ctl1", "values": [f"r{i}" for i in range(399)]}
    result = analyse(store(tmp_path, operations(), events(read=lost)))
    assert result.verdict == "fail"
    assert "1 rows lost" in result.reasons
    assert any("projects are checked: could not be told" in reason for reason in result.reasons)


def test_what_went_wrong_afterwards_hides_nothing(tmp_path: Path) -> None:
    """Two rows are lost, then a check breaks off: the rows are still lost."""
    lost = {"kind": "rows", "reader": "database on ctl1", "values": [f"r{i}" for i in range(398)]}
    for name in ("broken", "not_measured"):
        why = {name: {"why": "a host does not answer"}}
        result = analyse(store(tmp_path / name, operations(), events(read=lost, finding=None, **why)))
        assert (result.verdict, result.not_measured) == ("fail", "")
        assert "2 rows lost" in result.reasons
        assert any("a host does not answer" in reason for reason in result.reasons)


@pytest.mark.parametrize("left_out", ["seen", "sighting", "finding", "read", "machine"])
def test_what_nobody_looked_at_is_not_fine(tmp_path: Path, left_out: str) -> None:
    expected = "pass" if left_out == "machine" else "unknown"  # a mark that is reached needs no idle machine
    assert analyse(store(tmp_path, operations(), events(**{left_out: None}))).verdict == expected


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_without_a_request_is_not_fine(tmp_path: Path, function: str) -> None:
    """Where something was written that nobody sent, it even fails."""
    without_it = [o for o in operations() if o.function != function]
    result = analyse(store(tmp_path, without_it, events()))
    assert result.verdict == ("unknown" if PROBES[function].kind == "read" and function != "consume" else "fail")
    if function != "consume":  # whose messages were published, so that it is known that they did not come
        assert {m.reached for m in pass_marks(result) if m.function == function} == {None}


def test_a_kind_of_connection_without_a_request_is_not_fine(tmp_path: Path) -> None:
    fresh = [o for o in operations() if (o.function, o.connection) != ("validate", "kept")]
    result = analyse(store(tmp_path, fresh, events()))
    assert result.verdict == "unknown"
    assert any("validate, kept" in reason for reason in result.reasons)


def test_figures_that_cannot_be_worked_out_are_unknown_and_hide_no_other(tmp_path: Path) -> None:
    data = {**events()[0].data, "probes": [*FUNCTIONS, "teleport"]}
    result = analyse(store(tmp_path, operations(), events(began=data)))
    assert result.verdict == "unknown"
    assert any("figures of teleport" in reason for reason in result.reasons)
    assert {f.function for f in result.functions} == set(FUNCTIONS)


def test_a_message_that_never_came_counts_as_unanswered(tmp_path: Path) -> None:
    lost = [o for o in operations() if o.function != "consume" or not 12 <= o.intended < 14]
    result = analyse(store(tmp_path, lost, events()))
    consume = next(f for f in result.functions if f.function == "consume").whole
    assert (consume.unknown, consume.degraded_s) == (20, 2.0)
    assert result.verdict == "fail"


def test_a_backend_that_could_not_be_read_is_unknown(tmp_path: Path) -> None:
    unread = {"kind": "rows", "reader": "database on ctl2", "why": "it does not answer"}
    result = analyse(store(tmp_path, operations(), events(unread=unread)))
    assert (result.verdict, len(result.reasons)) == ("unknown", 1)
    assert "ctl2" in result.reasons[0]


def test_a_value_that_no_list_shows_at_the_end_fails(tmp_path: Path) -> None:
    """Every row is there: the lists alone tell of it."""
    happened = [
        replace(e, data={**e.data, "values": shown(but=399)}) if e.data.get("kind") == "lists" else e for e in events()
    ]
    result = analyse(store(tmp_path, operations(), happened))
    assert result.verdict == "fail"
    assert result.reasons == ("transactions are strictly serializable: 399, appended to 38 by r399, was lost",)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"redundant": None}, "not in full redundancy"),
        ({"finding": {"name": "quorum", "ok": False, "detail": "2 of 3"}}, "quorum: 2 of 3"),
        ({"unhealed": {"why": "ctl3 stays off"}}, "ctl3 stays off"),
        ({"sighting": {"vip": "public", "holders": ["a", "b"], "serving": ["a", "b"]}}, "a and b both served"),
        ({"mounted": {"lun": "database", "holders": ["a", "b"]}}, "LUN database is never mounted twice: a and b at"),
    ],
)
def test_what_fails(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    result = analyse(store(tmp_path, operations(), events(**changes)))
    assert result.verdict == "fail"
    assert any(said in reason for reason in result.reasons)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"finding": {"name": "quorum", "ok": None, "detail": "no answer"}}, "no answer"),
        ({"unwatched": {"vip": "public", "why": "needs root"}}, "needs root"),
    ],
)
def test_what_is_unknown(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    result = analyse(store(tmp_path, operations(), events(**changes)))
    assert result.verdict == "unknown"
    assert any(said in reason for reason in result.reasons)


def test_two_that_answered_arp_for_a_moment_while_one_served_is_no_failure(tmp_path: Path) -> None:
    both = {"vip": "public", "holders": ["a", "b"], "serving": ["a"]}
    result = analyse(store(tmp_path, operations(), events(sighting=both)))
    assert result.verdict == "pass"
    assert any("at most one" in finding.detail for finding in result.audit)


def test_a_stale_read_fails(tmp_path: Path) -> None:
    ops = operations()
    i = next(i for i, o in enumerate(ops) if o.function == "read_row" and o.intended > 20)
    stale = ops[i]
    ops[i] = Operation("read_row", "kept", stale.intended, stale.started, stale.ended, "ok", "r5")
    result = analyse(store(tmp_path, ops, events()))
    assert result.verdict == "fail"
    assert any("never stale" in reason for reason in result.reasons)


def test_a_function_that_never_came_back_fails(tmp_path: Path) -> None:
    gone: Outcome = "unknown"
    ops = [
        Operation(o.function, "kept", o.intended, o.started, o.ended, gone)
        if o.function == "validate" and o.intended > 12
        else o
        for o in operations()
    ]
    result = analyse(store(tmp_path, ops, events()))
    assert "validate did not come back" in result.reasons


def test_a_fault_that_could_not_be_injected_is_unknown_and_says_why(tmp_path: Path) -> None:
    began = events()[0]
    result = analyse(store(tmp_path, [], [began, Event("not_measured", 1.0, {"why": "no power switch"})]))
    assert result.verdict == "unknown"
    assert result.not_measured == "no power switch"
    assert result.functions == ()


def test_on_a_busy_machine_figures_are_not_judged(tmp_path: Path) -> None:
    data = {**events()[0].data, "busy": True}
    result = analyse(store(tmp_path, without(operations(), 12.0, 16.0), events(began=data)))
    assert result.verdict == "pass"
    assert result.busy


def test_a_line_that_a_crash_cut_is_left_out(tmp_path: Path) -> None:
    store(tmp_path, operations(), events())
    with (tmp_path / OPERATIONS).open("a") as file:
        file.write('{"function": "valid')
    assert len(read(tmp_path).operations) == len(operations())


def test_a_damaged_line_is_said_with_its_place(tmp_path: Path) -> None:
    store(tmp_path, operations(), events())
    lines = (tmp_path / OPERATIONS).read_text().splitlines()
    lines[3] = "{"
    (tmp_path / OPERATIONS).write_text("\n".join(lines) + "\n")
    with pytest.raises(ProveError, match="damaged") as caught:
        read(tmp_path)
    assert caught.value.where.endswith(":4")


def test_a_history_that_ends_before_it_began_cannot_be_analysed(tmp_path: Path) -> None:
    store(tmp_path, [], [])
    with pytest.raises(ProveError, match="ends before"):
        analyse(tmp_path)


def with_networks(*readers: tuple[str, list[str]]) -> tuple[list[Operation], list[Event]]:
    """Twenty networks, every 2 s, and what `readers` show of them."""
    networks = [
        Operation("create_network", ("fresh", "kept")[i % 2], 2.0 * i, 2.0 * i, 2.0 * i + 0.5, "ok", f"n{i}")  # type: ignore[arg-type]
        for i in range(20)
    ]
    data = {**events()[0].data, "probes": [*FUNCTIONS, "create_network"]}
    reads = [Event("read", 42.0, {"kind": "networks", "reader": who, "values": shown}) for who, shown in readers]
    return [*operations(), *networks], [*events(began=data), *reads]


def test_a_network_that_one_backend_does_not_show_is_lost(tmp_path: Path) -> None:
    every = [f"n{i}" for i in range(20)]
    fine = analyse(store(tmp_path / "fine", *with_networks(("neutron on ctl1", every), ("database on ctl1", every))))
    assert (fine.verdict, fine.writes["networks"].acknowledged, fine.writes["networks"].lost) == ("pass", 20, 0)
    lost = analyse(
        store(tmp_path / "lost", *with_networks(("neutron on ctl1", every[:-1]), ("neutron on ctl2", every)))
    )
    assert lost.verdict == "fail"
    assert "1 networks lost" in lost.reasons


def test_only_what_was_written_is_checked(tmp_path: Path) -> None:
    assert set(analyse(store(tmp_path, operations(), events())).writes) == {"projects", "rows", "messages"}
