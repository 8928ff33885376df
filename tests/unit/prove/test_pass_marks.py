from __future__ import annotations

import dataclasses
import math

import pytest

from fournines.prove.model import Fault, FaultResult, FunctionFigures, Writes
from fournines.prove.pass_marks import pass_marks, worst_gap
from samples.campaign import campaign


def result(name: str = "host.power_off", target: str = "vip", read: float = 0.9, write: float = 0.9, **changes: object):
    base = next(r for r in campaign().results if r.profile == "lan")
    usual: FunctionFigures = next(f for f in base.functions if f.function == "validate")
    functions = (
        dataclasses.replace(usual, function="r", kind="read", longest_gap_s=read, fail=0, unknown=0),
        dataclasses.replace(usual, function="w", kind="write", longest_gap_s=write, idempotent=False),
    )
    fault = Fault(name, "keystone" if name.startswith("service") else "", target, 20)
    return dataclasses.replace(base, fault=fault, functions=functions, **({"roles": ()} | changes))


def reached(of: FaultResult, baseline: FaultResult | None = None) -> dict[str, bool | None]:
    return {m.what: m.reached for m in pass_marks(of, baseline)}


def test_the_vip_holder_may_cost_a_second() -> None:
    assert reached(result(read=1.0, write=0.2))["longest gap between successes"] is True
    assert reached(result(read=0.2, write=1.01))["longest gap between successes"] is False


def test_a_vip_holder_that_was_the_writer_too_is_held_to_the_writers() -> None:
    marks = reached(result(read=1.9, write=4.1, roles=("vip", "writer")))
    assert marks["longest gap of a read"] is True
    assert marks["longest gap of a write"] is False


def test_killing_keystone_may_cost_no_idempotent_request() -> None:
    fine = result("service.kill", "one", write=9.0)
    assert reached(fine)["idempotent requests failed or unknown"] is True
    hurt = dataclasses.replace(fine, functions=(dataclasses.replace(fine.functions[0], unknown=1), fine.functions[1]))
    assert reached(hurt)["idempotent requests failed or unknown"] is False


@pytest.mark.parametrize(("lost", "holds"), [(0, True), (1, False)])
def test_nothing_acknowledged_is_lost(lost: int, holds: bool) -> None:
    assert reached(result(writes={"rows": Writes(9, lost, 0, 0)}))["acknowledged writes lost"] is holds


def test_writes_that_were_not_checked_are_not_fine() -> None:
    assert reached(result(writes={}))["acknowledged writes lost"] is None


def test_a_host_that_never_comes_back_misses_its_mark() -> None:
    assert reached(result(redundant_again_s=None))["redundant again after power-on"] is False


def test_ratio_is_only_to_the_named_baseline() -> None:
    what = "longest gap of kolla-22.2 over ours"
    assert reached(result(read=1, write=1), result(read=5, write=5, profile="kolla-22.2"))[what] is True
    assert reached(result(read=1, write=1), result(read=4.9, write=4, profile="kolla-22.2"))[what] is False
    assert what not in reached(result(), result(profile="osa-33"))


def test_a_probe_every_two_seconds_has_no_say_in_the_ratio() -> None:
    def beside(of: FaultResult, gap: float) -> FaultResult:
        slow = dataclasses.replace(of.functions[0], function="slow", interval_s=2.0, longest_gap_s=gap)
        return dataclasses.replace(of, functions=(*of.functions, slow))

    ours, theirs = beside(result(read=1, write=1), 4.4), beside(result(read=5, write=5, profile="kolla-22.2"), 6)
    assert reached(ours, theirs)["longest gap of kolla-22.2 over ours"] is True


def test_a_busy_machine_is_only_held_to_what_must_never_happen() -> None:
    assert list(reached(result(read=99, busy=True))) == ["acknowledged writes lost"]


def test_what_was_not_measured_has_no_marks() -> None:
    assert pass_marks(result(not_measured="no netem")) == ()


def test_a_slow_probe_is_not_blamed_for_its_interval() -> None:
    slow = dataclasses.replace(result().functions[0], interval_s=2.0, longest_gap_s=2.3)
    assert worst_gap(dataclasses.replace(result(), functions=(slow,))) == pytest.approx(0.4)


def seldom(of: FaultResult, **changes: object) -> FaultResult:
    boot = dataclasses.replace(
        of.functions[1], function="boot_server", interval_s=10.0, gap_returning_s=12.0, **changes
    )
    return dataclasses.replace(of, functions=(*of.functions, boot))


OTHERS = "longest gap of other functions"


@pytest.mark.parametrize(("gap", "holds"), [(60.0, True), (60.1, False)])
def test_what_is_probed_seldom_must_be_back_within_a_minute_and_nothing_is_taken_off(gap: float, holds: bool) -> None:
    marks = reached(seldom(result(), longest_gap_s=gap))
    assert marks[OTHERS] is holds
    assert marks["longest gap between successes"] is True  # of which it has no say


def test_nor_may_what_is_probed_seldom_be_gone_for_longer_while_all_comes_back() -> None:
    of = seldom(result(), longest_gap_s=10.0)
    slow = dataclasses.replace(of.functions[2], gap_returning_s=61.0)
    assert reached(dataclasses.replace(of, functions=(*of.functions[:2], slow)))[OTHERS] is False


def test_what_never_worked_says_nothing_of_the_fault() -> None:
    assert reached(seldom(result(), longest_gap_s=9.0, p50_ms=(math.nan, 1.0, 1.0)))[OTHERS] is None


def test_only_a_host_s_loss_has_a_mark_for_what_is_probed_seldom() -> None:
    assert OTHERS not in reached(seldom(result("service.freeze", "one")))
    assert OTHERS not in reached(result())
