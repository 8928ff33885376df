"""Nova's and Neutron's own tables, to what `status` says of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql
import pytest

from fournines.agent.observer import openstack
from fournines.agent.observer.config import Galera
from fournines.cli import status_show
from fournines.cloud.model import Cloud
from fournines.engine.transport import Completed
from fournines.errors import HostError
from fournines.health.cluster import Cluster
from fournines.health.look import look
from samples import cases
from samples.agents import FakeHost, well

HOSTS = ("ctl1", "ctl2", "ctl3", "cmp1")
CONTROLLERS = HOSTS[:3]
Change = Callable[[dict[str, Any]], None]
FINE = [2, True, True]


def found() -> dict[str, Any]:
    """What the writer's agent reads from a healthy cloud: two controllers are network hosts by standing in."""
    return {
        "ok": True,
        "error": "",
        "reports": {
            "nova": {
                "nova-compute": {"cmp1": FINE},
                **{kind: dict.fromkeys(CONTROLLERS, FINE) for kind in ("nova-conductor", "nova-scheduler")},
            },
            "neutron": {
                "Open vSwitch agent": dict.fromkeys(HOSTS, FINE),
                **{k: dict.fromkeys(CONTROLLERS, FINE) for k in ("DHCP agent", "L3 agent", "Metadata agent")},
            },
        },
        "cells": {"cell0": 0, "cell1": 1},
        "routers": [
            {"id": "r1", "name": "edge", "states": {"ctl1": "standby", "ctl2": "active", "ctl3": "standby"}},
        ],
    }


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    compute = {"cmp1": {"zone": "rack1", "address": "198.18.0.21", "roles": ["compute"]}}
    wish = {"components": ["nova", "neutron"], "regions": {"phx": {"hosts": compute}}}
    return cases.Case(Path("none"), {"cloud": wish}).cloud(tmp_path)


async def seen(cloud: Cloud, change: Change | None = None, away: tuple[str, ...] = ()) -> Cluster:
    said = copy.deepcopy(found())
    if change:
        change(said)
    hosts: dict[str, FakeHost] = {}
    for number, host in enumerate(CONTROLLERS):
        document = well(host, number) | {"openstack": said if host == "ctl2" else {"ok": True, "reports": None}}
        hosts[host] = FakeHost(host, Completed(0, f"1000.5\n{json.dumps(document)}", ""))
    compute = well("cmp1", 3) | {"peers": {}, "vip": None, "galera": None, "haproxy": {}, "keystone": None}
    del compute["rabbitmq"]
    hosts["cmp1"] = FakeHost("cmp1", Completed(0, f"1000.5\n{json.dumps(compute)}", ""))
    lost = {h: HostError(f"{h} is not reachable", why="timed out") for h in away}
    return await look(cloud, {h: t for h, t in hosts.items() if h not in away}, lost)


async def test_a_healthy_one_has_no_problem(cloud: Cloud) -> None:
    assert (await seen(cloud)).problems == ()


def late(service: str, kind: str, host: str) -> Change:
    def change(said: dict[str, Any]) -> None:
        said["reports"][service][kind][host] = [900, False, True]

    return change


def gone(service: str, kind: str, host: str) -> Change:
    def change(said: dict[str, Any]) -> None:
        del said["reports"][service][kind][host]

    return change


def router(**states: str) -> Change:
    def change(said: dict[str, Any]) -> None:
        said["routers"][0]["states"] = states

    return change


def cells(said: dict[str, Any]) -> None:
    del said["cells"]["cell1"]


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (late("nova", "nova-compute", "cmp1"), "cmp1", "its nova-compute has stopped reporting"),
        (late("neutron", "DHCP agent", "ctl3"), "ctl3", "its DHCP agent has stopped reporting"),
        (late("nova", "nova-compute", "cmp9"), "", "cmp9, which the file does not have"),
        (gone("nova", "nova-compute", "cmp1"), "cmp1", "its nova-compute has never reported"),
        (gone("neutron", "Open vSwitch agent", "cmp1"), "cmp1", "its Open vSwitch agent has never reported"),
        (router(ctl1="standby", ctl2="standby"), "", "router edge is active nowhere"),
        (router(ctl1="active", ctl2="active"), "", "router edge is active on ctl1 and ctl2"),
        (cells, "", "Nova has no cell1"),
    ],
)
async def test_each_fact_is_one_problem(cloud: Cloud, change: Change, where: str, what: str) -> None:
    (problem,) = (await seen(cloud, change)).problems
    assert (problem.where, what in problem.what) == (where, True), problem
    assert problem.next


async def test_a_host_that_is_away_is_said_once(cloud: Cloud) -> None:
    cluster = await seen(cloud, late("nova", "nova-compute", "cmp1"), away=("cmp1",))
    assert [p.what for p in cluster.problems] == ["cmp1 is not reachable: timed out"]


async def test_the_last_word_of_an_agent_that_is_silent_is_worth_nothing(cloud: Cloud) -> None:
    def moved(said: dict[str, Any]) -> None:
        late("neutron", "L3 agent", "ctl3")(said)
        router(ctl1="active", ctl3="active")(said)

    problems = (await seen(cloud, moved)).problems
    assert not [p for p in problems if "router" in p.what], "ctl3 had it when it was last heard, ctl1 has it now"


async def test_the_tables(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    status_show.show(await seen(cloud, late("neutron", "L3 agent", "ctl1")))
    text = capsys.readouterr().out
    assert "2/3" in text
    assert "cell0 (0 computes), cell1 (1 computes)" in text
    assert "edge" in text


class Tables:
    """A connection whose tables are `rows`: first word after `from` that is known -> rows; others do not exist."""

    def __init__(self, rows: dict[str, tuple[tuple[Any, ...], ...]]) -> None:
        self._rows = rows
        self._found: tuple[tuple[Any, ...], ...] = ()

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def cursor(self) -> Tables:
        return self

    def execute(self, query: str, values: object) -> None:
        table = query.split("from ", 1)[1].split(maxsplit=1)[0]
        if table not in self._rows:
            raise pymysql.err.ProgrammingError(1146, f"Table '{table}' doesn't exist")
        self._found = self._rows[table]

    def fetchall(self) -> tuple[tuple[Any, ...], ...]:
        return self._found


GALERA = Galera(members=("ctl1",))


async def test_tables_are_read_where_the_writer_is(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {
        "nova.services": (("nova-compute", "cmp1", 21, 1), ("nova-conductor", "ctl1", 3, 0)),
        "nova_api.cell_mappings": (("cell1", 1),),
        "neutron.ha_router_agent_port_bindings": (("r1", "edge", "ctl1", "active"), ("r1", "edge", "ctl2", "standby")),
    }
    monkeypatch.setattr(openstack, "connect", lambda *_: Tables(rows))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    said = await openstack.look(GALERA, {"nova": 20, "neutron": 20}, lambda: True)
    assert said["reports"]["nova"] == {
        "nova-compute": {"cmp1": [21, False, True]},
        "nova-conductor": {"ctl1": [3, True, False]},
    }
    assert said["reports"]["neutron"] == {}, "its tables are not made yet"
    assert said["cells"] == {"cell1": 1}
    assert said["routers"] == [{"id": "r1", "name": "edge", "states": {"ctl1": "active", "ctl2": "standby"}}]
    assert await openstack.look(GALERA, {"nova": 20}, lambda: False) == {"reports": None}


async def test_a_database_that_does_not_answer_is_an_error_of_the_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Tables:
        raise pymysql.err.OperationalError(2013, "timed out")

    monkeypatch.setattr(openstack, "connect", refuse)
    with pytest.raises(OSError, match="timed out"):
        await openstack.look(GALERA, {"nova": 20}, lambda: True)
