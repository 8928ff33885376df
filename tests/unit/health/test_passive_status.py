"""What runs on one host at a time, as `status` sees it: that the others have it stopped is as it should be."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fournines.cli import status_show
from fournines.cloud.model import Cloud
from fournines.engine.transport import Completed
from fournines.health.cluster import Cluster
from fournines.health.look import look
from fournines.prove.cluster import wrong
from fournines.services import load
from fournines.web.view import status
from samples.agents import HOSTS, FakeHost, server, well

Change = Callable[[dict[str, Any]], None]
EXAMPLE = Path(__file__).parents[3] / "examples" / "pacemaker-vip.yaml"


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    path = tmp_path / "cloud.yaml"
    path.write_text(EXAMPLE.read_text() + "services: {keystone: {ha: passive}}\n")
    return load(path)


async def seen(cloud: Cloud, up: tuple[str, ...], change: Change = lambda said: None) -> Cluster:
    """Keystone answers on the hosts `up`, and is stopped on the others."""
    hosts: dict[str, FakeHost] = {}
    for number, host in enumerate(HOSTS):
        said = copy.deepcopy(well(host, number))
        said["haproxy"]["proxies"]["keystone"] = {h: server("UP" if h in up else "DOWN") for h in HOSTS}
        if host not in up:
            said["keystone"] = {"ok": True, "error": "", "elsewhere": True}
        change(said)
        hosts[host] = FakeHost(host, Completed(0, f"1000.5\n{json.dumps(said)}", ""))
    return await look(cloud, hosts, {})


async def test_the_hosts_that_do_not_run_it_are_healthy(cloud: Cloud) -> None:
    found = await seen(cloud, ("ctl2",))
    assert found.problems == () and list(wrong(found.regions[0])) == []
    assert {n: s.keystone and s.keystone.ok for n, s in found.regions[0].states.items()} == {
        "ctl1": None,
        "ctl2": True,
        "ctl3": None,
    }


async def test_where_no_host_runs_it_somebody_is_told(cloud: Cloud) -> None:
    found = await seen(cloud, ())
    [problem] = found.problems
    assert problem.what == "no load balancer has a backend for keystone"
    assert problem.next == "crm_resource --why -r fournines-keystone"
    assert "does not serve keystone" in found.sentence()


async def test_two_hosts_that_run_it_are_one_too_many(cloud: Cloud) -> None:
    [problem] = (await seen(cloud, ("ctl1", "ctl3"))).problems
    assert problem.what == "keystone runs on ctl1 and ctl3, and is to run on one host"
    assert "systemctl stop keystone" in problem.next


async def test_an_api_that_does_not_answer_where_it_runs(cloud: Cloud) -> None:
    def hangs(said: dict[str, Any]) -> None:
        if said["host"] == "ctl2":
            said["keystone"] = {"ok": False, "error": "answers 500"}

    [problem] = (await seen(cloud, ("ctl2",), hangs)).problems
    assert (problem.where, problem.what) == ("ctl2", "keystone does not answer: answers 500")


async def test_the_hosts_that_a_daemon_has_left_no_longer_report(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(
        EXAMPLE.read_text().replace("components: core", "components: compute")
        + "services: {keystone: {ha: passive}, nova: {ha: passive}}\n"
    )

    def reports(scheduler: bool) -> Change:
        def change(said: dict[str, Any]) -> None:
            rows = {"ctl1": [900.0, False, True], "ctl2": [2.0, scheduler, True]}
            kinds = {"nova-scheduler": rows, "nova-conductor": {"ctl2": [2.0, True, True]}}
            said["openstack"] = {"reports": {"nova": kinds}, "routers": [], "cells": {"cell0": 0, "cell1": 0}}

        return change

    found = await seen(load(path), ("ctl2",), reports(True))
    assert [p.what for p in found.problems if "nova" in p.what] == []
    found = await seen(load(path), ("ctl2",), reports(False))
    assert "its nova-scheduler has stopped reporting" in {p.what for p in found.problems}


async def test_the_dashboard_counts_one(cloud: Cloud) -> None:
    shown = status(await seen(cloud, ("ctl2",)), age=0.0, ready=True, lock=None)
    [row] = [b for b in shown.regions[0].backends if b.name == "keystone"]
    assert (row.up, row.of, row.down) == (1, 1, [])


async def test_the_screen_has_it_where_it_runs(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    status_show.show(await seen(cloud, ("ctl2",)))
    assert "is healthy" in capsys.readouterr().out
