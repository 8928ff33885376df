"""A database of which the cluster promotes one copy, as `status` tells of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fournines.cli.status_show import show
from fournines.cloud.model import Cloud
from fournines.health.cluster import Cluster, RegionState
from fournines.health.problems import problems, warnings
from fournines.health.snapshot import HostState, Replica, parse
from fournines.prove.cluster import assess
from fournines.services import load
from fournines.timing import timers

EXAMPLE = Path(__file__).parents[3] / "examples" / "mariadb-replica.yaml"
PRIMARY = Replica(True, "", "primary", "0-1-9", "0-1-9", "ctl1", True, ("ctl2",), waits=True)
COPY = Replica(
    True, "", "replica", "0-1-9", "0-1-8", "ctl1", True, ("ctl2",),
    acknowledges=True, receives="Yes", applies="Yes", lag=0.0,
)  # fmt: skip


def region(ctl1: Replica = PRIMARY, ctl2: Replica = COPY) -> RegionState:
    states = {n: HostState(n, 1.0, replica=r) for n, r in (("ctl1", ctl1), ("ctl2", ctl2))}
    return RegionState(cloud().regions["phx"], states, ())


def cloud() -> Cloud:
    return load(EXAMPLE)


def said(**copies: Replica) -> list[tuple[str, str]]:
    return [(p.what, p.where) for p in problems(region(**copies))]


def test_all_is_well() -> None:
    assert said() == []
    assert region().writers == ("ctl1",) and "the database" not in region().served()
    assert {f.ok for f in assess(region()) if "replica" in f.name} == {True}


def test_two_primaries() -> None:
    assert ("ctl1 and ctl2 take writes at once", "") in said(ctl2=PRIMARY)


def test_no_primary_says_what_each_waits_for() -> None:
    gone = Replica(False, "the cluster does not run the database here")
    waits = replace(COPY, complete=False, why="ctl1 has acknowledged rows that no replica may have")
    (what, _), *_ = said(ctl1=gone, ctl2=waits)
    assert what.startswith("no copy of the database is the primary (ctl1: the cluster does not run")
    assert "ctl2: ctl1 has acknowledged rows that no replica may have" in what
    assert "the database" in region(ctl1=gone, ctl2=waits).served()


def test_a_primary_that_goes_on_alone() -> None:
    [(what, where)] = said(ctl1=replace(PRIMARY, complete=False, waits=False), ctl2=replace(COPY, complete=False))
    assert where == "ctl1" and "none is promoted by itself" in what


@pytest.mark.parametrize(
    ("copy", "what"),
    [
        (replace(COPY, receives="Connecting", problem="Access denied"), "does not follow the primary: Access denied"),
        (replace(COPY, applies="No"), "receives: Yes, applies: No"),
        (Replica(True, "", "building"), "is made a copy of the primary's"),
        (replace(COPY, lag=90.0), "90 s behind"),
    ],
)
def test_a_replica_that_could_not_take_over(copy: Replica, what: str) -> None:
    [(found, where)] = said(ctl2=copy)
    assert what in found and where == "ctl2"


def test_old_data_are_told_of_until_somebody_has_looked() -> None:
    aside = replace(COPY, aside=("/var/lib/mysql-fournines-aside/2026-11-29T20-00-00Z",))
    [warning] = [w for w in warnings(region(ctl2=aside), timers(cloud())) if "aside" in w.what]
    assert warning.where == "ctl2"


def test_what_the_observer_says_is_read() -> None:
    word = {"ok": True, "error": "", "at": 0.2, "state": "primary", "position": "0-1-9", "sync": ["ctl2"], "more": 1}
    document = {"host": "ctl1", "peers": {}, "vip": None, "galera": None, "replica": word}
    found = parse(document, 0.0).replica
    assert found and found.sync == ("ctl2",) and found.state == "primary"


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(Cluster(cloud(), (region(),), ()))
    text = capsys.readouterr().out
    assert "Database  a replica has every acknowledged row" in text
    [primary] = [line for line in text.splitlines() if line.startswith("ctl1") and "commits wait" in line]
    assert "0-1-9" in primary
    assert "receives Yes, applies Yes" in text and "acknowledges" in text
