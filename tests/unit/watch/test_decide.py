"""Which handlers act: one action at a time in a failure domain, within the rate, and never again where none helped."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.cloud.handlers import SHIPPED, Handler
from fournines.watch.decide import Action, Condition, Decider, Remark

DOMAINS = {"ctl1": "rack1", "ctl2": "rack2", "cmp1": "rack1", "cmp2": "rack2"}
RESTART = Handler("restart", "daemon.down", ("restart", "notify"), lasts=30.0, settle=60.0, limit=3, per=3600.0)


def down(host: str, unit: str = "nova-compute") -> Condition:
    return Condition("daemon.down", host, unit, f"{unit} of {host} is failed")


def gone(host: str) -> Condition:
    return Condition("host.unreachable", host, "")


def actions(said: list[Action | Remark]) -> list[Action]:
    return [a for a in said if isinstance(a, Action)]


def test_a_daemon_that_is_down_is_restarted_and_then_reported() -> None:
    decider = Decider([RESTART], DOMAINS)
    assert decider.step(0.0, {down("cmp1")}) == []
    [restart] = actions(decider.step(30.0, {down("cmp1")}))
    assert (restart.do, restart.domain, restart.condition.of) == ("restart", "rack1", "nova-compute")
    assert list(decider.finished(restart.id, 32.0, ok=True, text="nova-compute was restarted")) == []
    assert decider.step(40.0, set()) == []
    said = decider.step(92.0, set())
    [report] = actions(said)
    assert (report.do, report.after) == ("notify", ("nova-compute was restarted", "restart helped"))
    assert decider.step(200.0, set()) == []


def test_what_has_ended_by_itself_is_left_alone() -> None:
    decider = Decider([replace(RESTART, lasts=0.0)], DOMAINS)
    decider.step(0.0, {down("ctl1", "keystone"), down("cmp1")})  # the first has the domain
    [other] = actions(decider.step(100.0, {down("cmp1")}) + decider.step(101.0, {down("cmp1")})) or [None]
    assert other is None


def test_an_action_that_did_not_help_is_the_last() -> None:
    decider = Decider([RESTART], DOMAINS)
    decider.step(0.0, {down("cmp1")})
    [restart] = actions(decider.step(30.0, {down("cmp1")}))
    list(decider.finished(restart.id, 31.0, ok=True, text="restarted"))
    said = decider.step(91.0, {down("cmp1")})
    assert any(isinstance(s, Remark) and "did not help" in s.text for s in said)
    assert [a.do for a in actions(said)] == ["notify"]
    for t in range(100, 20_000, 100):
        there = {down("cmp1")} if t % 3000 < 1500 else set[Condition]()
        assert actions(decider.step(float(t), there)) == []
    assert decider.resume("restart") == 1
    decider.step(30_000.0, set())
    decider.step(30_001.0, {down("cmp1")})
    assert len(actions(decider.step(30_040.0, {down("cmp1")}))) == 1


def test_one_that_could_not_be_carried_out_is_the_last_too() -> None:
    decider = Decider([RESTART], DOMAINS)
    decider.step(0.0, {down("cmp1")})
    [restart] = actions(decider.step(30.0, {down("cmp1")}))
    [remark] = decider.finished(restart.id, 31.0, ok=False, text="cmp1 refuses the key")
    assert "refuses the key" in remark.text
    assert [a.do for a in actions(decider.step(32.0, {down("cmp1")}))] == ["notify"]
    assert list(decider.stopped.values()) == ["restart could not be carried out: cmp1 refuses the key"]


def test_two_hosts_of_a_zone_wait_for_one_another_and_others_do_not() -> None:
    decider = Decider([replace(RESTART, lasts=0.0)], DOMAINS)
    there = {down("ctl1"), down("cmp1"), down("cmp2")}
    said = decider.step(0.0, there)
    first = actions(said)
    assert sorted(a.domain for a in first) == ["rack1", "rack2"]
    assert any(isinstance(s, Remark) and "waits for an action of restart in rack1" in s.text for s in said)
    mine = next(a for a in first if a.domain == "rack1")
    list(decider.finished(mine.id, 1.0, ok=True, text="restarted"))
    there -= {mine.condition}
    assert actions(decider.step(30.0, there)) == []  # whether it helped is not known yet
    second = [a for a in actions(decider.step(61.5, there)) if a.acts]
    assert [a.domain for a in second] == ["rack1"]


def test_a_flapping_host_is_drained_once_it_answers() -> None:
    decider = Decider([SHIPPED["flapping-host"]], DOMAINS)
    for n in range(2):
        decider.step(100.0 * n, {gone("cmp1")}, {"cmp1"})
        decider.step(100.0 * n + 50, set())
    said = decider.step(300.0, {gone("cmp1")}, {"cmp1"})
    assert [s.text for s in said if isinstance(s, Remark)] == ["drain waits until cmp1 answers"]
    [drain] = actions(decider.step(330.0, set()))
    assert (drain.do, drain.condition.host) == ("drain", "cmp1")


def test_one_renewal_is_for_every_certificate_that_ends() -> None:
    decider = Decider([SHIPPED["certificate-ends"]], DOMAINS)
    ends = {Condition("certificate.ends", f"cmp{n}", path) for n in (1, 2) for path in ("/etc/a.pem", "/etc/b.pem")}
    decider.step(0.0, ends)
    [renew] = actions(decider.step(60.0, ends))
    assert (renew.do, renew.domain) == ("renew", "")
    list(decider.finished(renew.id, 100.0, ok=True, text="renewed"))
    said = decider.step(281.0, set())
    assert [a.do for a in actions(said)] == ["notify"]
    assert actions(decider.step(1000.0, set())) == []


def test_a_host_that_went_away_did_not_get_better() -> None:
    decider = Decider([RESTART], DOMAINS)
    decider.step(0.0, {down("cmp1")})
    [restart] = actions(decider.step(30.0, {down("cmp1")}))
    list(decider.finished(restart.id, 31.0, ok=True, text="restarted"))
    assert decider.step(95.0, {gone("cmp1")}, {"cmp1"}) == []
    said = decider.step(100.0, {down("cmp1")})
    assert any(isinstance(s, Remark) and "did not help" in s.text for s in said)


def test_what_was_done_counts_after_a_restart_of_the_watch() -> None:
    handler = replace(RESTART, lasts=0.0, limit=1)
    before = Decider([handler], DOMAINS)
    [restart] = actions(before.step(0.0, {down("cmp1")}))
    after = Decider([handler], DOMAINS)
    after.restore(before.state())
    assert actions(after.step(10.0, {down("cmp1"), down("cmp2")})) == []
    assert list(after.stopped.values()) == ["the watch ended while it acted"]
    assert restart.acts


def test_a_condition_that_goes_on_is_not_told_of_again_after_a_restart() -> None:
    handler = Handler("tell", "log.full", ("notify",))
    full = Condition("log.full", "ctl1", "")
    before = Decider([handler], DOMAINS)
    assert len(actions(before.step(0.0, {full}))) == 1
    after = Decider([handler], DOMAINS)
    after.restore(before.state())
    assert actions(after.step(10.0, {full})) == []


def test_messages_have_a_rate_too() -> None:
    decider = Decider([Handler("tell", "outage", ("notify",), limit=2, per=600.0)], DOMAINS)
    count = 0
    for n in range(20):
        there = {Condition("outage", "", "validate")} if n % 2 else set[Condition]()
        count += len(actions(decider.step(10.0 * n, there)))
    assert count == 2


def test_a_dry_run_ends_nothing_and_holds_nobody_up() -> None:
    decider = Decider([replace(RESTART, lasts=0.0, dry_run=True)], DOMAINS)
    first = actions(decider.step(0.0, {down("ctl1"), down("cmp1")}))
    assert len(first) == 2
    for action in first:
        assert list(decider.finished(action.id, 0.0, ok=True, text="dry run")) == []
    assert [a.do for a in actions(decider.step(1.0, {down("ctl1"), down("cmp1")}))] == ["notify", "notify"]
    assert decider.stopped == {}


HANDLERS = (
    replace(RESTART, lasts=0.0, settle=20.0, limit=2, per=200.0),
    Handler("fence", "daemon.down", ("fence",), of=("mariadb",), settle=10.0, limit=1, per=100.0),
    Handler("drain", "host.unreachable", ("drain", "notify"), times=2, within=100.0, settle=15.0, limit=2, per=300.0),
    Handler("everything", "outage", ("plan",), settle=5.0, limit=1, per=50.0),
)
POSSIBLE = [
    *(down(h, u) for h in DOMAINS for u in ("nova-compute", "mariadb")),
    *(gone(h) for h in DOMAINS),
    Condition("outage", "", "validate"),
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_happens_the_limits_hold(data: st.DataObject) -> None:
    decider = Decider(HANDLERS, DOMAINS)
    now = 0.0
    starts: dict[str, list[float]] = defaultdict(list)
    busy: dict[int, tuple[str, Action]] = {}  # id -> domain, until it is known whether it helped
    due: dict[int, float] = {}
    spent: set[tuple[str, Condition]] = set()
    for _ in range(data.draw(st.integers(5, 40))):
        now += data.draw(st.sampled_from([1.0, 5.0, 20.0, 60.0]))
        there = set(data.draw(st.lists(st.sampled_from(POSSIBLE), unique=True, max_size=6)))
        unknown = {c.host for c in there if c.when == "host.unreachable"}
        there = {c for c in there if c.when == "host.unreachable" or c.host not in unknown}
        for id in list(due):
            if data.draw(st.booleans()):
                ok = data.draw(st.booleans())
                remarks = list(decider.finished(id, now, ok=ok, text="x"))
                del due[id]
                if not ok:
                    assert remarks
                    _, action = busy.pop(id)
                    spent.add((action.handler.name, action.condition))
        for said in decider.step(now, there, unknown):
            if isinstance(said, Remark):
                ended = [i for i, (_, a) in busy.items() if (a.handler, a.condition) == (said.handler, said.condition)]
                if "help" in said.text:
                    for id in ended:
                        busy.pop(id)
                if "did not help" in said.text:
                    spent.add((said.handler.name, said.condition))
            elif said.acts:
                domains = {d for d, _ in busy.values()}
                assert said.domain not in domains and "" not in domains
                assert said.domain != "" or not domains
                assert (said.handler.name, said.condition) not in spent
                starts[said.handler.name].append(now)
                recent = [t for t in starts[said.handler.name] if now - t < said.handler.per]
                assert len(recent) <= said.handler.limit
                busy[said.id], due[said.id] = (said.domain, said), now
        if data.draw(st.integers(0, 9)) == 0:  # the watch is restarted: what it had begun is not seen to help
            spent |= {(a.handler.name, a.condition) for _, a in busy.values()}
            state = decider.state()
            decider = Decider(HANDLERS, DOMAINS)
            decider.restore(state)
            busy, due = {}, {}


def test_the_test_would_see_a_handler_without_limits() -> None:
    """Two at once in a zone, more than the rate, again after no help: each is there to be seen."""
    decider = Decider([replace(HANDLERS[0], limit=10**6)], {"ctl1": "a", "cmp1": "b"})
    assert len(actions(decider.step(0.0, {down("ctl1"), down("cmp1")}))) == 2
    with pytest.raises(KeyError):
        decider.restore({})
