"""What a verdict is worth: outages that people would call one, and losses, planted in a history of which all else is
fine. None may be green."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.prove import store as campaigns
from fournines.prove.analyse import analyse
from fournines.prove.faults.catalogue import CATALOGUE
from fournines.prove.history import Event
from fournines.prove.model import Fault, Operation
from fournines.prove.run import analyse_again, not_measured
from fournines.prove.verdict import judge
from samples.campaign import OTHER, OWN, campaign
from samples.history import FUNCTIONS, events, operations, shown, store

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"
HTTP = ("validate", "create_project")
Plant = Callable[[Operation, int], Operation]


def late(o: Operation, seconds: float) -> Operation:
    return replace(o, ended=o.intended + seconds)


def unanswered(o: Operation, after: float = 10.0) -> Operation:
    return replace(o, outcome="unknown", ended=o.intended + after)


def hit(o: Operation, until: float = 30.0) -> bool:
    return o.function in HTTP and 10.0 <= o.intended < until


def one_of_three_backends_hangs(o: Operation, n: int) -> Operation:
    return late(o, 8.9) if hit(o) and n % 3 == 0 else o


def kept_connections_dead(o: Operation, _: int) -> Operation:
    """For as long as the history goes on: 30 s; the others are answered."""
    return unanswered(o) if hit(o, 39.0) and o.connection == "kept" else o


def kept_connections_refused_at_once(o: Operation, _: int) -> Operation:
    return replace(o, outcome="fail", ended=o.intended + 0.001) if hit(o) and o.connection == "kept" else o


def one_request_in_three_swallowed(o: Operation, n: int) -> Operation:
    return unanswered(o) if hit(o) and n % 3 == 0 else o


def one_request_in_a_hundred_swallowed(o: Operation, n: int) -> Operation:
    return unanswered(o) if hit(o) and n % 100 == 0 else o


def ramp_to_nine_seconds(o: Operation, _: int) -> Operation:
    return late(o, 9 * (o.intended - 10) / 20) if hit(o) else o


def total_outage(o: Operation, _: int) -> Operation:
    return unanswered(o) if 10.0 <= o.intended < 38.0 and o.function in HTTP else o


def outage_on_return(o: Operation, _: int) -> Operation:
    return unanswered(o) if 30.5 <= o.intended < 36.0 and o.function in HTTP else o


def health_check_that_ignores_its_answer(o: Operation, n: int) -> Operation:
    """The balancer takes a backend that answers 503 for healthy: each third request gets that answer, at once."""
    return replace(o, outcome="unknown", ended=o.intended + 0.004) if hit(o) and n % 3 == 0 else o


def tickle_off(o: Operation, _: int) -> Operation:
    """The VIP has moved, and nobody resets the connections of before: one request over a kept connection was in flight
    at the strike, and waits for its client's own timeout. All others are answered by the new holder."""
    in_flight = o.function in HTTP and o.connection == "kept" and 9.95 <= o.intended < 10.25
    return unanswered(o) if in_flight else o


def stale_configuration_of_the_balancer(o: Operation, n: int) -> Operation:
    """It was reloaded with what it had before: a backend that has gone is still sent each third new connection, which
    is refused in the end and sent to another one."""
    return late(o, 3.25) if hit(o) and o.connection == "fresh" and n % 3 == 0 else o


OUTAGES: tuple[Plant, ...] = (
    one_of_three_backends_hangs,
    kept_connections_dead,
    kept_connections_refused_at_once,
    one_request_in_three_swallowed,
    one_request_in_a_hundred_swallowed,
    ramp_to_nine_seconds,
    total_outage,
    outage_on_return,
    health_check_that_ignores_its_answer,
    tickle_off,
    stale_configuration_of_the_balancer,
)


def planted(plant: Plant) -> list[Operation]:
    """`plant` gets each operation, and which of its function's it is."""
    counts = dict.fromkeys(FUNCTIONS, 0)
    found: list[Operation] = []
    for o in operations():
        found.append(plant(o, counts[o.function]))
        counts[o.function] += 1
    return found


@pytest.mark.parametrize("plant", OUTAGES)
def test_an_outage_is_not_green_whatever_the_fault(plant: Plant, tmp_path: Path) -> None:
    found = analyse(store(tmp_path, planted(plant), events()))
    for name, kind in CATALOGUE.items():
        fault = Fault(name, "keystone" if kind.subject == "service" else "", "one", 20.0)
        assert judge(replace(found, fault=fault, candidates=3))[0] == "fail", name


def test_the_history_that_they_are_planted_in_is_green(tmp_path: Path) -> None:
    found = analyse(store(tmp_path, operations(), events()))
    assert judge(replace(found, fault=Fault("service.kill", "keystone", "one", 0.0), candidates=3)) == ("pass", ())


def lost_rows() -> list[Event]:
    """As with `innodb_flush_log_at_trx_commit` 0: what was acknowledged last was never written."""
    seen = {"kind": "rows", "reader": "database on ctl2", "values": [f"r{i}" for i in range(398)]}
    return [*events(), Event("read", 42.0, seen)]


def lost_appends() -> list[Event]:
    return [*events(), Event("read", 42.0, {"kind": "lists", "reader": "database on ctl2", "values": shown(but=399)})]


def two_writers() -> list[Event]:
    """Two nodes took writes and each shows its own: half of what was acknowledged on either."""
    halves = (("ctl1", 0), ("ctl2", 1))
    kept = [e for e in events() if e.data.get("kind") != "rows"]
    return kept + [
        Event(
            "read", 42.0, {"kind": "rows", "reader": f"database on {h}", "values": [f"r{i}" for i in range(k, 400, 2)]}
        )
        for h, k in halves
    ]


def two_vips() -> list[Event]:
    both = {"vip": "public", "holders": ["ctl1", "ctl2"], "serving": ["ctl1", "ctl2"]}
    return [*events(), Event("sighting", 14.0, both)]


def strike_that_nobody_saw() -> list[Event]:
    return events(seen=None)


def strike_that_did_nothing() -> list[Event]:
    unseen = Event("not_measured", 13.0, {"why": "the strike was not seen from outside: its process goes on"})
    return [e for e in events(seen=None) if e.at < 13 or e.name == "ended"] + [unseen]


def stale_configuration_that_nobody_felt() -> list[Event]:
    """No request met it; the balancer's process is older than its configuration."""
    name, said = "load balancers run with the configuration that is on disk", "ctl2: it is 31 s newer than the process"
    return [*events(), Event("finding", 43.0, {"name": name, "ok": False, "detail": said})]


def crashed_audit() -> list[Event]:
    return [*events(finding=None), Event("broken", 43.0, {"why": "audit: KeyError: 'galera'"})]


@pytest.mark.parametrize(
    ("happened", "verdict"),
    [
        (lost_rows, "fail"),
        (lost_appends, "fail"),
        (two_writers, "fail"),
        (two_vips, "fail"),
        (stale_configuration_that_nobody_felt, "fail"),
        (strike_that_nobody_saw, "unknown"),
        (strike_that_did_nothing, "unknown"),
        (crashed_audit, "unknown"),
    ],
)
def test_what_was_lost_or_not_looked_at_is_not_green(
    happened: Callable[[], list[Event]], verdict: str, tmp_path: Path
) -> None:
    assert analyse(store(tmp_path, operations(), happened())).verdict == verdict


def test_two_writers_show_in_the_lists_too(tmp_path: Path) -> None:
    """Each node appends without the other's values: a transaction does not see what was acknowledged before."""
    done = operations()
    for n, o in enumerate(done):
        if o.function == "write_row" and int(o.value[1:]) == 47:
            done[n] = replace(o, steps=o.steps.replace(" 46", "", 1))
    result = analyse(store(tmp_path, done, events()))
    assert any("strictly serializable" in reason for reason in result.reasons)


@pytest.mark.parametrize("steps", ["read 4,append 4 47,read 4 40", "read 9 47,append 4 47"])
def test_a_transaction_at_odds_with_itself_fails_and_crashes_nothing(steps: str, tmp_path: Path) -> None:
    done = [replace(o, steps=steps) if o.value == "r47" and o.function == "write_row" else o for o in operations()]
    assert analyse(store(tmp_path, done, events())).verdict == "fail"


def test_the_command_says_it_of_a_stored_run(tmp_path: Path) -> None:
    """A run that was stored as not measured although rows were lost: analysed again, it fails, and the figures are
    there for each function and kind of connection."""
    run = tmp_path / "20261128T090000"
    where = store(run / "01-lan-service.freeze@keystone+one", planted(kept_connections_dead), lost_rows())
    fault, why = analyse(where).fault, "a host does not answer"
    stored = dataclasses.replace(campaign().results[0], fault=fault, not_measured=why)
    campaigns.save(run, dataclasses.replace(campaign(), results=(stored,), reference=None))
    said = CliRunner().invoke(cli, ["prove", str(EXAMPLE), "--analyse", str(run), "--json"])
    assert said.exit_code == 1, said.output
    (fault,) = json.loads(said.stdout)["faults"]
    assert (fault["verdict"], fault["not_measured"]) == ("fail", None)
    assert "2 rows lost" in fault["reasons"]
    validate = fault["functions"]["validate"]
    assert validate["kept"]["degraded_s"] == pytest.approx(29.0)
    assert validate["kept"]["answered_within_1s"] < 0.1
    assert validate["kept"]["worst_wait_s"] >= 10.0
    assert validate["kept"]["longest_gap_s"] >= 29.0
    assert validate["fresh"]["degraded_s"] == 0.0
    assert validate["fresh"]["answered_within_1s"] == 1.0


def test_what_never_began_stays_not_measured(tmp_path: Path) -> None:
    result = not_measured(Fault("host.reset", "", "vip", 0.0), OWN, "no power switch", 0.0)
    run = tmp_path / "20261128T090000"
    store(run / "01-lan-host.reset@vip", [], [])
    campaigns.save(run, dataclasses.replace(campaign(), results=(result,), reference=None))
    said = CliRunner().invoke(cli, ["prove", str(EXAMPLE), "--analyse", str(run), "--json"])
    assert said.exit_code == 2, said.output
    assert json.loads(said.stdout)["faults"][0]["not_measured"] == "no power switch"


def test_what_was_interrupted_is_not_taken_for_what_was_absent(tmp_path: Path) -> None:
    """A history that never became a result has the number of the first fault that one cloud cannot be struck with."""
    run = tmp_path / "20261130T014100"
    absent = not_measured(Fault("host.power_off", "", "dc", 20.0), OWN, "there is no host that is dc", 0.0)
    store(run / "01-duo-lan-service.freeze@keystone+one", planted(kept_connections_dead), lost_rows())
    campaigns.save(run, dataclasses.replace(campaign(), results=(absent,), subjects=(OWN, OTHER), reference=None))
    assert analyse_again(run).results == (absent,)
