"""From what the agents say to one sentence, what is wrong, and an exit code."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fournines.cli import status, status_show
from fournines.cloud.model import Cloud
from fournines.engine.transport import Completed
from fournines.errors import HostError
from fournines.health.cluster import Cluster
from fournines.health.document import document as status_document
from fournines.health.look import look
from fournines.services import load
from samples.agents import HOSTS, FakeHost, server, well

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def cloud() -> Cloud:
    return load(EXAMPLE)


def answers(change: Change | None = None, only: str = "ctl3", clock: float = 1000.5) -> dict[str, FakeHost]:
    hosts: dict[str, FakeHost] = {}
    for number, host in enumerate(HOSTS):
        document = copy.deepcopy(well(host, number))
        if change and only in (host, "all"):
            change(document)
        hosts[host] = FakeHost(host, Completed(0, f"{clock}\n{json.dumps(document)}", ""))
    return hosts


async def changed(cloud: Cloud, change: Change, only: str = "ctl3") -> Cluster:
    return await look(cloud, answers(change, only), {})


async def test_a_healthy_cloud_is_one_sentence(cloud: Cloud) -> None:
    seen = await look(cloud, answers(), {})
    assert seen.problems == ()
    assert seen.sentence() == "acme is healthy: 3 hosts, ctl1 holds the VIPs, ctl2 takes the writes."


def at(*path: str, value: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        part = document
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value

    return change


def missing_member(document: dict[str, Any]) -> None:
    document["rabbitmq"]["queues"][0]["online"] = ["rabbit@ctl1", "rabbit@ctl2"]


def no_quorum(document: dict[str, Any]) -> None:
    document["rabbitmq"]["queues"][0]["online"] = ["rabbit@ctl1"]


def alarm(document: dict[str, Any]) -> None:
    document["rabbitmq"]["nodes"][1]["disk_free_alarm"] = True


KEYSTONE_OUT = at("haproxy", "proxies", "keystone", "ctl1", value=server("DOWN"))
SOON = time.time() + 5.5 * 86400


@pytest.mark.parametrize(
    ("change", "only", "where", "what"),
    [
        (at("peers", "ctl1", "confirmed", value=False), "ctl3", "ctl3", "exchanges no heartbeats with ctl1"),
        (at("vip", "held", value=[]), "ctl1", "", "nobody holds the VIPs"),
        (at("vip", "held", value=["198.18.0.100", "198.18.1.100"]), "ctl3", "", "ctl1 and ctl3 hold the VIPs at once"),
        (at("vip", "held", value=["198.18.0.100"]), "ctl1", "ctl1", "holds one VIP and not 198.18.1.100"),
        (at("vip", "balancer", value=False), "ctl3", "ctl3", "HAProxy does not answer"),
        (at("galera", "answered", value=None), "ctl3", "ctl3", "MariaDB does not run"),
        (at("galera", "answered", value=30.0), "ctl3", "ctl3", "MariaDB has not answered for 30 s"),
        (at("galera", "primary", value=False), "ctl3", "ctl3", "its node is not Primary"),
        (at("galera", "local_state", value=2), "ctl3", "ctl3", "its node is Primary, Donor"),
        (at("galera", "cluster", value="u2"), "ctl3", "", "2 different histories: u1, u2"),
        (at("galera", "seqno", value=5000), "ctl3", "ctl1", "is 4900 transactions behind"),
        (at("galera", "acting", value=True), "ctl3", "", "ctl2 and ctl3 take writes at once"),
        (at("galera", "acting", value=False), "ctl2", "", "no node takes writes"),
        (at("rabbitmq", "ok", value=False), "ctl3", "ctl3", "RabbitMQ does not answer"),
        (alarm, "all", "", "RabbitMQ blocks all publishers: rabbit@ctl2: disk"),
        (missing_member, "all", "", "1 of 1 queues with missing members: //q"),
        (no_quorum, "all", "", "1 of 1 queues without a quorum: //q"),
        (at("memcached", "ok", value=False), "ctl3", "ctl3", "memcached does not answer"),
        (
            at("haproxy", "proxies", "keystone", "ctl1", value=server("DOWN")),
            "ctl3",
            "",
            "disagree on keystone of ctl1",
        ),
        (at("haproxy", "proxies", "keystone", "ctl1", value=server("DOWN")), "all", "ctl1", "has keystone of ctl1 out"),
        (at("haproxy", "proxies", "mariadb", "ctl2", value=server("DOWN")), "all", "", "has a backend for mariadb"),
        (
            at("units", "units", "mariadb.service", value={"ActiveState": "failed", "Result": "signal"}),
            "ctl3",
            "ctl3",
            "mariadb.service is failed (signal)",
        ),
        (at("certificates", "ends", value={"/x.pem": SOON}), "all", "ctl1, ctl2, ctl3", "/x.pem ends in"),
        (at("certificates", "ends", value={"/x.pem": None}), "ctl3", "ctl3", "/x.pem cannot be read as a certificate"),
        (at("certificates", "absent", value=["/x.pem"]), "ctl3", "ctl3", "/x.pem is not there"),
    ],
)
async def test_each_fact_is_one_problem_with_a_next_step(
    cloud: Cloud, change: Change, only: str, where: str, what: str
) -> None:
    seen = await changed(cloud, change, only)
    found = [p for p in seen.problems if what in p.what]
    assert len(found) == 1, seen.problems
    assert found[0].where == where
    assert found[0].next
    assert not seen.healthy


@pytest.mark.parametrize(
    ("missed", "hosts"),
    [
        ({"ctl1": ["ctl3"]}, {"ctl3"}),  # one way: whom it does not hear
        ({"ctl1": ["ctl3"], "ctl3": ["ctl1"]}, {"ctl1", "ctl3"}),  # one link, and nobody knows which end
        ({"ctl1": ["ctl3"], "ctl2": ["ctl3"], "ctl3": ["ctl1", "ctl2"]}, {"ctl3"}),  # cut off from all
    ],
)
async def test_a_broken_link_is_the_fault_of_the_end_that_lost_more(
    cloud: Cloud, missed: dict[str, list[str]], hosts: set[str]
) -> None:
    def silent(document: dict[str, Any]) -> None:
        for peer in missed.get(document["host"], ()):
            document["peers"][peer]["confirmed"] = False

    seen = await changed(cloud, silent, "all")
    assert {host for p in seen.problems for host in p.hosts} == hosts
    assert {name for p in seen.problems for name in p.where.split(", ")} == set(missed)


async def test_what_hosts_say_of_another_is_not_their_fault(cloud: Cloud) -> None:
    def without(document: dict[str, Any]) -> None:
        document["galera"]["members"] = ["ctl1", "ctl2"]
        document["rabbitmq"]["nodes"][2]["running"] = False

    away = HostError("ctl3 is not reachable", where="ctl3", why="timed out", next="power it on")
    seen = await look(cloud, answers(without, "all") | {"ctl3": FakeHost("ctl3", away)}, {})
    said = {p.what: (p.where, p.hosts) for p in seen.problems if p.where != "ctl3"}
    assert said["its RabbitMQ does not see rabbit@ctl3"] == ("ctl1, ctl2", ("ctl3",))
    assert {host for p in seen.problems for host in p.hosts} == {"ctl3"}


async def test_a_unit_that_reads_its_configuration_again_is_well(cloud: Cloud) -> None:
    reloads = at("units", "units", "haproxy.service", value={"ActiveState": "reloading", "Result": "success"})
    assert (await changed(cloud, reloads)).healthy


@pytest.mark.parametrize("status", ["UP 1/2", "DOWN 1/2"])
async def test_a_load_balancer_that_is_not_sure_yet_disagrees_with_nobody(cloud: Cloud, status: str) -> None:
    """As after a reload, which takes every backend for UP until its first checks."""
    seen = await changed(cloud, at("haproxy", "proxies", "keystone", "ctl1", value=server(status)))
    assert seen.healthy


async def test_a_stale_agent_is_a_problem_and_its_clock_is_not(cloud: Cloud) -> None:
    seen = await look(cloud, answers(clock=1042.0), {})
    assert "nothing for 42 s" in seen.problems[0].what
    slow_clock = await look(cloud, answers(clock=990.0), {})
    assert slow_clock.healthy


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            HostError("ctl3 is not reachable", where="ctl3", why="timed out", next="power it on"),
            "ctl3 is not reachable",
        ),
        (Completed(1, "1000.5\n", "No such file"), "no observer has run here"),
        (Completed(0, "1000.5\nnot json", ""), "another version"),
        (Completed(0, '1000.5\n{"time": 1}', ""), "another version"),
    ],
)
async def test_a_host_that_says_nothing_is_a_finding(cloud: Cloud, answer: Completed | HostError, said: str) -> None:
    hosts = answers() | {"ctl3": FakeHost("ctl3", answer)}
    seen = await look(cloud, hosts, {})
    assert [p.where for p in seen.problems] == ["ctl3"]
    assert said in seen.problems[0].what


async def test_with_every_host_away_nothing_is_served(cloud: Cloud) -> None:
    away = {h: HostError(f"{h} is not reachable", why="timed out") for h in HOSTS}
    seen = await look(cloud, {}, away)
    assert seen.sentence() == "acme does not serve the VIP: 3 problems."


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        (at("galera", "acting", value=False), ("the database",)),
        (at("rabbitmq", "ok", value=False), ("the message bus",)),
        (at("haproxy", "proxies", "keystone", value=dict.fromkeys(HOSTS, server("DOWN"))), ("keystone",)),
        (at("vip", "balancer", value=False), ("the VIP",)),
        (at("memcached", "ok", value=False), ()),
    ],
)
async def test_what_is_not_served(cloud: Cloud, change: Change, gone: tuple[str, ...]) -> None:
    seen = await changed(cloud, change, "all")
    assert seen.regions[0].served() == gone


async def test_the_text_and_the_document(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    seen = await changed(cloud, at("memcached", "ok", value=False))
    status_show.show(seen)
    text = capsys.readouterr().out
    assert text.startswith("acme serves, and is not healthy: 1 problem.\n")
    assert "✗ ctl3: memcached does not answer" in text
    assert "next: journalctl -u memcached" in text
    document = json.loads(json.dumps(status_document(seen)))
    assert document["healthy"] is False
    assert document["regions"]["phx"]["vip_holders"] == ["ctl1"]
    assert document["regions"]["phx"]["hosts"]["ctl2"]["galera"]["acting"] is True


@pytest.mark.parametrize(("only", "code"), [("nobody", 0), ("ctl3", 1)])
def test_the_exit_code_says_whether_it_is_healthy(monkeypatch: pytest.MonkeyPatch, only: str, code: int) -> None:
    async def looks(cloud: Cloud, _hosts: object, _ssh: object) -> AsyncIterator[Cluster]:
        yield await changed(cloud, at("memcached", "ok", value=False), only)

    monkeypatch.setattr(status, "looks", looks)
    ran = CliRunner().invoke(status.command, [str(EXAMPLE), "--json"])
    assert ran.exit_code == code
    assert json.loads(ran.stdout)["healthy"] == (code == 0)


async def test_what_a_cold_start_waits_for_is_said_with_the_way_out(cloud: Cloud) -> None:
    def down(document: dict[str, Any]) -> None:
        waits = "waits for ctl3: ctl3 may hold writes that the others have not"
        document["galera"] |= {"answered": None, "primary": False, "acting": False}
        document["galera"]["choice"] = {"chosen": "", "why": waits, "missing": ["ctl3"]}

    seen = await changed(cloud, down, "all")
    (found,) = [p for p in seen.problems if "MariaDB" in p.what]
    assert found.where == "ctl1, ctl2, ctl3"
    assert "waits for ctl3" in found.what
    assert "fournines recover CLOUD --gone" in found.next
