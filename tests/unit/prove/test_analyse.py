"""A stored history becomes a result: phases, counts, findings, verdict."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from fournines.errors import ProveError
from fournines.prove.analyse import analyse
from fournines.prove.history import EVENTS, OPERATIONS, Event, Log, read
from fournines.prove.model import Fault, Operation, Outcome

FAULT = Fault("service.freeze", "keystone", "one", 20.0)
FUNCTIONS = ("validate", "create_project", "write_row", "read_row", "publish", "consume")
#: Began at 0 s, struck at 10 s, healed at 30 s, whole at 32 s, ended at 40 s.
ENDED = 40.0


def operations() -> list[Operation]:
    """Everything fine, ten times a second."""
    done: list[Operation] = []
    for i in range(400):
        t = i / 10
        values = {"write_row": f"r{i}", "read_row": f"r{i - 1}" if i else "", "publish": f"m{i}", "consume": f"m{i}"}
        values["create_project"] = f"p{i}"
        for name in FUNCTIONS:
            # The read of the register comes just before the next write.
            shift = -0.02 if name == "read_row" and i else 0.0
            done.append(Operation(name, "kept", t + shift, t + shift, t + shift + 0.01, "ok", values.get(name, "")))
    return done


def events(**changes: Any) -> list[Event]:
    """`changes`: event -> its data, or None to leave it out."""
    said = {
        "fault": asdict(FAULT),
        "profile": "lan",
        "hosts": ["ctl3"],
        "roles": [],
        "probes": FUNCTIONS,
        "busy": False,
    }
    numbers = range(400)
    usual: list[tuple[str, float, dict[str, Any]]] = [
        ("began", 0.0, said),
        *(("machine", t / 2, {"idle": 0.5, "cpu": 0.1, "io": 0.0, "memory": 0.0}) for t in range(80)),
        ("sighting", 0.1, {"vip": "public", "holders": ["ctl1"], "serving": []}),
        ("injecting", 10.0, {}),
        ("injected", 10.1, {}),
        ("healed", 30.0, {}),
        ("redundant", 32.0, {}),
        ("ended", ENDED, {}),
        ("drained", 41.0, {"left": 0}),
        ("read", 42.0, {"kind": "projects", "reader": "keystone on ctl1", "values": [f"p{i}" for i in numbers]}),
        ("read", 42.0, {"kind": "rows", "reader": "database on ctl1", "values": [f"r{i}" for i in numbers]}),
        ("finding", 43.0, {"name": "quorum", "ok": True, "detail": "3 of 3"}),
    ]
    made = [Event(name, at, changes.get(name, data)) for name, at, data in usual if changes.get(name, data) is not None]
    return made + [Event(name, 43.0, data) for name, data in changes.items() if name not in {n for n, *_ in usual}]


def store(directory: Path, ops: list[Operation], happened: list[Event]) -> Path:
    with Log(directory / OPERATIONS) as log:
        for operation in ops:
            log.operation(operation)
    with Log(directory / EVENTS) as log:
        for event in happened:
            log.event(event)
    return directory


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


def test_a_backend_that_could_not_be_read_is_unknown(tmp_path: Path) -> None:
    unread = {"kind": "rows", "reader": "database on ctl2", "why": "it does not answer"}
    result = analyse(store(tmp_path, operations(), events(unread=unread)))
    assert (result.verdict, len(result.reasons)) == ("unknown", 1)
    assert "ctl2" in result.reasons[0]


def test_a_transaction_that_was_undone_fails(tmp_path: Path) -> None:
    steps = {1: "read 0,read 1,append 1 1", 2: "read 0,read 1 1,append 0 2", 3: "read 0,read 1 1,append 1 3"}
    done = [
        replace(o, steps=steps[n]) if o.function == "write_row" and (n := int(o.value[1:])) in steps else o
        for o in operations()
    ]
    result = analyse(store(tmp_path, done, events()))
    assert result.verdict == "fail"
    assert result.reasons == ("transactions are serializable: 2, appended to 0 by r2, was lost",)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"redundant": None}, "not in full redundancy"),
        ({"finding": {"name": "quorum", "ok": False, "detail": "2 of 3"}}, "quorum: 2 of 3"),
        ({"unhealed": {"why": "ctl3 stays off"}}, "ctl3 stays off"),
        ({"sighting": {"vip": "public", "holders": ["a", "b"], "serving": ["a", "b"]}}, "a and b both served"),
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
    networks = [Operation("create_network", "fresh", 2.0 * i, 2.0 * i, 2.0 * i + 0.5, "ok", f"n{i}") for i in range(20)]
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
