"""What each class of fault may cost: every function has a mark, and nothing passes that was not measured."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest

from fournines.prove.faults.catalogue import CATALOGUE
from fournines.prove.faults.service import CORE
from fournines.prove.faults.target import TARGETS
from fournines.prove.model import Fault, FaultResult, FunctionFigures, RequestFigures, Subject, Writes
from fournines.prove.pass_marks import (
    AGAIN,
    DEGRADED,
    GAP,
    RETURN,
    TROUBLED,
    WAIT,
    PassMark,
    pass_marks,
    service_gap,
    worst_gap,
)
from fournines.prove.probes import PROBES
from fournines.prove.severity import severity
from samples.campaign import OWN, campaign

BASE = next(r for r in campaign().results if r.subject == OWN)
IDLE = tuple((float(t), 0.5) for t in range(100))


def seen(**changes: object) -> RequestFigures:
    fine = RequestFigures(
        ok=300,
        fail=0,
        unknown=0,
        answered_within_1s=1.0,
        degraded_s=0.0,
        worst_wait_s=0.2,
        longest_gap_s=0.1,
        gap_returning_s=0.1,
        period_s=0.1,
    )
    return dataclasses.replace(fine, **changes)


def figures(name: str, whole: RequestFigures | None = None, **kinds: RequestFigures) -> FunctionFigures:
    probe = PROBES[name]
    return FunctionFigures(
        function=name,
        interval_s=probe.interval,
        whole=whole or seen(),
        by_connection=kinds or {c: seen(period_s=probe.period(len(probe.connections))) for c in probe.connections},
        unavailable_s=0.0,
        p50_ms=(10.0, 10.0, 10.0),
        p99_ms=(20.0, 20.0, 20.0),
        downtime_s=0.0,
        mttr_s=0.0,
        kind=probe.kind,
        idempotent=probe.idempotent,
        on_writer=probe.database,
        on_bus=probe.bus,
        on_api=probe.api,
        within_s=probe.within(8.0),
        answered_before=1.0,
    )


def result(name: str, *functions: FunctionFigures, target: str = "one", **changes: object) -> FaultResult:
    usual: dict[str, object] = {
        "fault": Fault(name, "keystone" if name.startswith("service") else "", target, 20),
        "hosts": ("ctl3",),
        "roles": (),
        "functions": functions,
        "expected": tuple(f.function for f in functions),
        "injected": 10.0,
        "healed": 30.0,
        "redundant": 40.0,
        "redundant_again_s": 10.0,
        "ended": 50.0,
        "idle": IDLE,
        "candidates": 3,
    }
    return dataclasses.replace(BASE, **(usual | changes))


def marks(of: FaultResult, what: str = "", baseline: FaultResult | None = None) -> list[PassMark]:
    return [m for m in pass_marks(of, baseline) if what in ("", m.what)]


def missed(of: FaultResult) -> set[tuple[str, str, str]]:
    return {(m.what, m.function, m.connection) for m in pass_marks(of) if m.reached is False}


SINGLE = [
    Fault(name, service, target, 20)
    for name, kind in CATALOGUE.items()
    for target in TARGETS
    for service in (CORE if kind.subject == "service" else ("",))
]
PAIRS = [Fault("and", "", "both", 20, parts=pair) for pair in itertools.pairwise(SINGLE[:40])]


@pytest.mark.parametrize("function", PROBES)
def test_every_fault_has_a_mark_for_every_function_over_every_connection(function: str) -> None:
    awful = seen(degraded_s=900.0, worst_wait_s=900.0, degraded=((10.0, 910.0),), worst=(10.0, 910.0))
    probe = PROBES[function]
    for fault in (*SINGLE, *PAIRS):
        for hosts in (("a",), ("a", "b"), ("a", "b", "c")):
            bad = figures(function, awful, **dict.fromkeys(probe.connections, awful))
            of = result(fault.name, bad, fault=fault, hosts=hosts, healed=10.0, ended=911.0)
            short = {(m.function, m.connection) for m in pass_marks(of) if m.reached is False}
            kinds = probe.connections if len(probe.connections) > 1 else ()
            assert short >= {(function, c) for c in ("", *kinds)}, (fault, hosts)


def test_a_fault_that_nobody_has_classified_is_held_to_something() -> None:
    for name in ("host.meltdown", "service.confuse", "disk.full"):
        slow = figures("validate", seen(worst_wait_s=60.0, worst=(10.0, 70.0)))
        assert (WAIT, "validate", "") in missed(result(name, slow))


@pytest.mark.parametrize(
    ("name", "hosts", "expected"),
    [
        ("service.kill", ("a",), "kill"),
        ("service.freeze", ("a",), "freeze"),
        ("host.power_off", ("a",), "host"),
        ("network.isolate", ("a",), "host"),
        ("host.power_off", ("a", "b"), "whole"),
        ("service.kill", ("a", "b", "c"), "whole"),
    ],
)
def test_how_much_a_fault_takes_away(name: str, hosts: tuple[str, ...], expected: str) -> None:
    assert severity(result(name, hosts=hosts)) == expected


def test_two_faults_at_once_are_as_hard_as_the_loss_of_a_zone() -> None:
    pair = Fault("and", "", "a and b", 20, parts=(SINGLE[0], SINGLE[-1]))
    assert severity(result("and", fault=pair)) == "zone"


def test_two_hosts_of_five_are_a_zone() -> None:
    assert severity(result("host.power_off", hosts=("a", "b"), candidates=5)) == "zone"


def test_what_a_killed_process_may_cost() -> None:
    assert missed(result("service.kill", figures("validate"))) == set()
    slow = figures("validate", seen(worst_wait_s=1.01, degraded_s=2.0, longest_gap_s=0.6, unknown=1))
    assert {what for what, *_ in missed(result("service.kill", slow))} == {WAIT, DEGRADED, GAP, TROUBLED}


def test_only_what_may_be_sent_twice_must_not_fail() -> None:
    write = figures("write_row", seen(fail=1, unknown=2))
    assert TROUBLED not in {what for what, *_ in missed(result("service.kill", write))}


def test_a_kind_of_connection_is_held_by_itself() -> None:
    kept = seen(degraded_s=46.0, degraded=((12.0, 58.0),), period_s=0.2)
    dead = figures("validate", fresh=seen(period_s=0.2), kept=kept)
    assert missed(result("host.power_off", dead, ended=60.0)) == {(DEGRADED, "validate", "kept")}


@pytest.mark.parametrize(
    ("roles", "function", "limit"),
    [
        (("vip",), "validate", 0.75),
        (("writer",), "validate", 1.5),
        (("vip", "writer"), "validate", 1.5),
        (("vip", "writer"), "publish", 0.75),
        (("writer",), "consume", 0.75),
        ((), "validate", 0.75),
    ],
)
def test_the_writer_is_only_an_excuse_for_what_it_carries(roles: tuple[str, ...], function: str, limit: float) -> None:
    for what in (GAP, RETURN):
        found = marks(result("host.power_off", figures(function), roles=roles), what)
        assert {m.limit for m in found} == {limit}


@pytest.mark.parametrize(
    ("function", "member", "limit"),
    [("write_row", True, 1.5), ("write_row", False, 0.75), ("read_row", True, 0.75), ("publish", True, 0.75)],
)
def test_a_commit_waits_for_every_member_of_the_view(function: str, member: bool, limit: float) -> None:
    of = result("host.power_off", figures(function), roles=("vip",), database_member=member)
    assert {m.limit for m in marks(of, GAP)} == {limit}
    assert {m.limit for m in marks(of, RETURN)} == {0.75}, "nothing is lost while all comes back"


@pytest.mark.parametrize(
    ("moved", "roles", "function", "limit"),
    [
        (("vip",), ("vip",), "validate", 3.0),
        (("vip",), (), "validate", 0.75),
        (("vip", "database"), ("vip", "writer"), "write_row", 20.0),
        (("database",), ("vip",), "write_row", 0.75),
        (("database",), ("writer",), "publish", 0.75),
        (("vip", "database", "messaging"), ("writer",), "publish", 30.0),
        (("vip", "database", "messaging"), ("writer",), "validate", 20.0),
        (("vip", "services"), (), "validate", 15.0),
        (("vip", "services"), ("vip",), "read_row", 3.0),
        ((), ("vip",), "publish", 0.75),
    ],
)
def test_what_a_fenced_host_had_alone_starts_elsewhere_first(
    moved: tuple[str, ...], roles: tuple[str, ...], function: str, limit: float
) -> None:
    of = result("host.power_off", figures(function), roles=roles, moved=moved)
    assert {m.limit for m in marks(of, GAP)} == {limit}
    assert {m.limit for m in marks(of, DEGRADED)} == {max(limit, 3.0)}
    returning = 1.5 if "writer" in roles and function not in ("publish", "consume") else 0.75
    assert {m.limit for m in marks(of, RETURN)} == {returning}, "nobody is fenced for it"
    killed = result("service.kill", figures(function), roles=roles, moved=moved)
    assert {m.limit for m in marks(killed, GAP)} == {0.5}, "no host is lost"


def test_writes_may_wait_longer_than_reads() -> None:
    of = result("host.power_off", figures("validate"), figures("write_row"))
    assert {m.function: m.limit for m in marks(of, WAIT)} == {"validate": 2.0, "write_row": 3.0}


def test_most_hosts_may_be_gone_and_must_serve_soon_after_the_heal() -> None:
    def back(until: float, ended: float = 200.0) -> bool | None:
        gone = seen(degraded_s=until - 10, degraded=((10.0, until),))
        of = result("host.power_off", figures("publish", gone), target="all", hosts=("a", "b", "c"), ended=ended)
        (mark,) = marks(of, AGAIN)
        return mark.reached

    assert back(75.0) is True
    assert back(76.0) is False
    assert back(60.0, ended=60.0) is False  # nobody saw it come back
    assert not marks(result("host.power_off", figures("publish"), target="all", hosts=("a", "b", "c")), GAP)


def test_a_probe_too_slow_to_tell_has_no_say_in_gaps_and_does_in_waits() -> None:
    seldom = figures("dashboard", seen(longest_gap_s=4.0, period_s=2.0, worst_wait_s=9.0))
    of = result("host.power_off", seldom)
    assert not marks(of, GAP)
    assert (WAIT, "dashboard", "") in missed(of)


def test_work_in_turns_is_held_to_ten_seconds_over_its_median() -> None:
    def boot(wait: float) -> FaultResult:
        return result("host.power_off", figures("boot_server", seen(worst_wait_s=wait, period_s=31.0)))

    assert missed(boot(18.0)) == set()
    assert missed(boot(18.1)) == {(WAIT, "boot_server", "")}
    never = dataclasses.replace(figures("boot_server"), within_s=math.nan)
    assert {m.reached for m in marks(result("host.power_off", never), WAIT)} == {None}


def test_nothing_is_reached_without_a_request() -> None:
    nothing = seen(
        ok=0,
        answered_within_1s=math.nan,
        degraded_s=math.nan,
        worst_wait_s=math.nan,
        longest_gap_s=math.nan,
        gap_returning_s=math.nan,
    )
    for name in CATALOGUE:
        for hosts in (("a",), ("a", "b"), ("a", "b", "c")):
            of = result(name, figures("validate", nothing, fresh=nothing, kept=nothing), hosts=hosts)
            told = [m for m in pass_marks(of) if m.function]
            assert told
            assert {m.reached for m in told} == {None}


def test_a_function_that_was_to_be_probed_and_was_not_is_not_fine() -> None:
    of = result("service.kill", figures("validate"), expected=("validate", "list_projects"))
    assert [m.reached for m in marks(of, WAIT) if m.function == "list_projects"] == [None]


def test_a_miss_without_idle_time_is_doubtful_and_a_miss_with_some_is_not() -> None:
    late = seen(worst_wait_s=9.0, worst=(20.0, 29.0))
    starved = tuple((float(t), 0.01 if t >= 18 else 0.5) for t in range(100))
    at_rest = tuple((float(t), 0.01 if t >= 40 else 0.5) for t in range(100))
    for idle, doubt in ((IDLE, False), (starved, True), (at_rest, False), ((), True)):
        mark = marks(result("host.power_off", figures("validate", late), idle=idle), WAIT)[0]
        assert mark.reached is False
        assert bool(mark.doubt) is doubt


def test_degraded_time_is_surely_missed_when_enough_of_it_had_idle_time() -> None:
    of = seen(degraded_s=12.0, degraded=((12.0, 18.0), (34.0, 40.0)))
    starved = tuple((float(t), 0.01 if t >= 30 else 0.5) for t in range(100))
    mark = marks(result("host.power_off", figures("publish", of), idle=starved), DEGRADED)[0]
    assert (mark.reached, mark.doubt) == (False, "")


def test_what_was_slow_before_says_nothing_of_the_fault() -> None:
    slow = dataclasses.replace(figures("validate", seen(worst_wait_s=9.0, worst=(20.0, 29.0))), answered_before=0.5)
    mark = marks(result("host.power_off", slow), WAIT)[0]
    assert mark.doubt == "and was no better before the fault"


@pytest.mark.parametrize(("lost", "holds"), [(0, True), (1, False)])
def test_nothing_acknowledged_is_lost(lost: int, holds: bool) -> None:
    (mark,) = marks(result("host.power_off", writes={"rows": Writes(9, lost, 0, 0)}), "acknowledged writes lost")
    assert mark.reached is holds


def test_writes_that_were_not_checked_are_not_fine() -> None:
    assert marks(result("host.power_off", writes={}), "acknowledged writes lost")[0].reached is None


def test_a_host_that_never_comes_back_misses_its_mark() -> None:
    of = result("host.power_off", redundant_again_s=None, redundant=None)
    assert marks(of, "redundant again after power-on")[0].reached is False


def test_ratio_is_only_to_the_named_baseline() -> None:
    def of(gap: float, profile: str = "lan") -> FaultResult:
        return result("host.power_off", figures("validate", seen(longest_gap_s=gap)), subject=Subject("acme", profile))

    what = "longest gap under kolla-22.2 timers over ours"
    assert marks(of(1.0), what, of(5.0, "kolla-22.2"))[0].reached is True
    assert marks(of(1.0), what, of(4.9, "kolla-22.2"))[0].reached is False
    assert not marks(of(1.0), what, of(9.0, "osa-33"))


def test_a_freeze_is_set_beside_another_by_its_degraded_time() -> None:
    def of(degraded: float, profile: str = "lan") -> FaultResult:
        return result(
            "service.freeze", figures("validate", seen(degraded_s=degraded)), subject=Subject("acme", profile)
        )

    what = "degraded time under kolla-22.2 timers over ours"
    assert marks(of(2.0), what, of(20.0, "kolla-22.2"))[0].reached is True
    assert marks(of(2.0), what, of(19.0, "kolla-22.2"))[0].reached is False
    assert marks(of(0.0), what, of(19.0, "kolla-22.2"))[0].reached is None


def test_a_busy_machine_is_only_held_to_what_must_never_happen() -> None:
    of = result("host.power_off", figures("validate", seen(worst_wait_s=99.0)), busy=True)
    assert [m.what for m in pass_marks(of)] == ["acknowledged writes lost"]


def test_what_was_not_measured_has_no_marks() -> None:
    assert pass_marks(result("host.power_off", not_measured="no netem")) == ()


def test_a_slow_probe_is_not_blamed_for_its_interval() -> None:
    assert service_gap(seen(period_s=2.0), 2.3) == pytest.approx(0.4)


def test_the_gap_of_a_fault_is_the_light_functions_own_also_on_return() -> None:
    slow = figures("authenticate_password", seen(longest_gap_s=5.5, period_s=2.0))
    of = result("host.power_off", figures("validate", seen(longest_gap_s=0.4, gap_returning_s=0.9)), slow)
    assert worst_gap(of) == 0.9
