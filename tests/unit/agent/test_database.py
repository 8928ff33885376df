"""The observer's wiring of Galera: who is evicted and when, what mysqld is asked, who acts while a guard is silent."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fournines.agent.observer import config, database, mysql
from fournines.agent.observer.database import EVICT_AFTER, Database, Lasting
from fournines.agent.observer.mysql import COMMAND, SYNCED, Commander, Poller, Status
from fournines.agent.observer.peers import Peers
from fournines.agent.observer.primary import JOIN_AFTER, Kind, Report
from fournines.agent.observer.writer import Health, Node, Row

NAMES = ("a", "b", "c", "d", "e")
UUID = "5a355f9e-ebbd-11f1-8afa-7f725023d5e1"
ADDRESS = {name: f"198.18.0.{11 + n}" for n, name in enumerate(NAMES)}


class Recorder:
    """In a Commander's place: as many commands as it has room for, never done."""

    def __init__(self, most: int = 1) -> None:
        self.most, self.taken = most, list[str]()

    def submit(self, command: Callable[..., None]) -> bool:
        if len(self.taken) >= self.most:
            return False
        self.taken.append(command.__name__)
        return True


@pytest.fixture
def peers() -> Peers:
    return Peers([n for n in NAMES if n != "a"])


@pytest.fixture
def made(peers: Peers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    document = {
        **dict.fromkeys(("cloud", "region", "token", "fernet_keys"), "x"),
        **{name: [] for name in ("vips", "cluster_ports", "units", "certificates")},
        "host": "a", "address": ADDRESS["a"], "http_port": 9200, "heartbeat": 0.05, "writer_patience": 0.8,
        "peers": [{"name": n, "address": ADDRESS[n]} for n in NAMES],
        "galera": {"members": list(NAMES), "datadir": str(tmp_path)},
    }  # fmt: skip
    parsed = config.parse(document)
    assert parsed.galera
    one = Database(parsed, parsed.galera, peers)
    one._commander, one._evictor = Recorder(), Recorder(len(NAMES))  # type: ignore[assignment]
    return one


def answered(one: Database, at: float, **changed: Any) -> None:
    status = Status(at, True, True, True, True, SYNCED, "u", 9, "node-a", tuple(ADDRESS.values()), row=Row("a", 3))
    one._poller.status = replace(status, **changed)


def tell(peers: Peers, at: float, *departed: str, **changed: Any) -> None:
    """The guard hears all peers but `departed`, whose observers say that all is well."""
    here = [n for n in peers.others if n not in departed]
    node = Node(Health.GOOD, "u", Row("a", 3), sees=frozenset(NAMES) - set(departed)).to_json()
    bodies: list[bytes] = []
    for name in here:
        said = {"writer": node, "acting": False, "node": f"node-{name}", **changed.get(name, {})}
        bodies += [f"{name} {at} {at}".encode(), json.dumps(said).encode()]
    peers.hear(
        at, {"started": 0.0, "peers": {n: [at, at] for n in here}, "departed": departed, "silent": departed}, bodies
    )


def run(one: Database, peers: Peers, began: float, seconds: float, *departed: str) -> float:
    at = began
    while at < began + seconds:
        at = round(at + 0.05, 3)
        tell(peers, at, *departed)
        answered(one, at)
        one.tick(at)
    return at


def test_two_hosts_that_depart_in_one_beat_are_both_evicted_once(made: Database, peers: Peers) -> None:
    at = run(made, peers, 100.0, 1.0)
    at = run(made, peers, at, EVICT_AFTER - 0.1, "d", "e")
    assert made._evictor.taken == []  # type: ignore[attr-defined]
    run(made, peers, at, COMMAND, "d", "e")
    assert made._evictor.taken == ["evict", "evict"]  # type: ignore[attr-defined]


def test_a_cut_shorter_than_that_evicts_nobody(made: Database, peers: Peers) -> None:
    at = run(made, peers, 100.0, 1.0)
    for _ in range(3):
        at = run(made, peers, at, EVICT_AFTER - 0.1, "d")
        at = run(made, peers, at, 0.5)
    assert made._evictor.taken == []  # type: ignore[attr-defined]


def test_a_node_whose_process_has_ended_is_evicted_at_once_and_once(made: Database, peers: Peers) -> None:
    """Its own host says so: a killed mysqld cost commits Galera's suspicion, 1.5 to 1.9 s."""
    at = run(made, peers, 100.0, 1.0)
    for _ in range(40):
        at += 0.05
        tell(peers, at, d={"ended": "node-d"})
        answered(made, at)
        made.tick(at)
    assert made._evictor.taken == ["evict"]  # type: ignore[attr-defined]


def test_a_node_that_has_left_the_view_already_is_not_evicted(made: Database, peers: Peers) -> None:
    at = run(made, peers, 100.0, 1.0)
    tell(peers, at, d={"ended": "node-d"})
    answered(made, at, addresses=tuple(ADDRESS[n] for n in "abce"))
    made.tick(at)
    answered(made, at + 0.1)  # the next one has joined
    made.tick(at + 0.1)
    assert made._evictor.taken == []  # type: ignore[attr-defined]


def test_who_s_mysqld_has_ended_says_so_until_another_runs(made: Database, peers: Peers) -> None:
    answered(made, 100.0, pid=os.getpid())
    made.tick(100.0)
    assert made.body(100.0)["ended"] == ""
    ended = subprocess.Popen(["true"])
    ended.wait()
    answered(made, 100.1, pid=ended.pid)
    made.tick(100.1)
    said = made.body(100.1)
    assert said["ended"] == "node-a" and Node.from_json(said["writer"]).health is Health.BAD
    made.tick(101.2)
    said = made.body(101.2)
    assert said["ended"] == "" and Node.from_json(said["writer"]).health is Health.BAD
    answered(made, 100.2, node="node-a2", pid=os.getpid())
    made.tick(100.2)
    said = made.body(100.2)
    assert said["ended"] == "" and Node.from_json(said["writer"]).health is Health.GOOD


def test_a_node_that_is_not_primary_evicts_nobody(made: Database, peers: Peers) -> None:
    at = run(made, peers, 100.0, 1.0)
    for _ in range(40):
        at += 0.05
        tell(peers, at, "d")
        answered(made, at, primary=False)
        made.tick(at)
    assert made._evictor.taken == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "said",
    [{"writer": 7}, {"writer": {}}, {"writer": {"health": "splendid"}}, {"galera": []}, {"galera": {"kind": []}}],
)
def test_what_a_peer_says_wrong_ends_nothing(made: Database, peers: Peers, said: dict[str, Any]) -> None:
    run(made, peers, 100.0, 1.0)
    tell(peers, 101.1, b=said)
    answered(made, 101.1)
    made.tick(101.1)
    assert made.decision.acting
    assert made.body(101.1)["acting"]


def test_while_the_guard_is_silent_the_recorded_writer_goes_on_and_nobody_takes_over(
    made: Database, peers: Peers
) -> None:
    run(made, peers, 100.0, 1.0)
    answered(made, 103.0)
    assert made.write_decision(103.0).acting
    answered(made, 103.0, row=Row("b", 4))
    assert not made.write_decision(103.0).acting
    answered(made, 103.0, primary=False)
    assert not made.write_decision(103.0).acting


def test_a_writer_that_hears_nobody_stops_and_comes_back_only_when_it_hears_all(made: Database, peers: Peers) -> None:
    at = run(made, peers, 100.0, 1.0)
    assert made.decision.acting
    for _ in range(20):  # it hears no more, and its guard says so
        at = round(at + 0.05, 3)
        peers.hear(at, {"started": 0.0, "peers": {n: [101.0, 101.0] for n in peers.others}}, [])
        answered(made, at)
        made.tick(at)
    assert not made.decision.acting


class TestThreads:
    @pytest.fixture
    def galera(self) -> config.Galera:
        return config.Galera(("a",), socket="/nonexistent")

    def test_a_commander_survives_whatever_its_command_raises(
        self, galera: config.Galera, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Connection:
            def cursor(self) -> Connection:
                return self

            def __enter__(self) -> Connection:
                return self

            def __exit__(self, *_: object) -> None: ...

            def _force_close(self) -> None: ...

        monkeypatch.setattr(mysql, "connect", lambda *_: Connection())
        commander, done = Commander(galera, most=9), threading.Event()

        def fails(_: object) -> None:
            raise KeyError("odd")

        def works(_: object) -> None:
            done.set()

        commander.start()
        for _ in range(2):
            assert commander.submit(fails)
        assert commander.submit(works)
        assert done.wait(5)

    def test_a_commander_that_has_enough_to_do_says_so(self, galera: config.Galera) -> None:
        commander = Commander(galera, most=2)
        assert [commander.submit(lambda _: None) for _ in range(3)] == [True, True, False]

    def test_a_poller_survives_any_answer_and_says_what_it_was(
        self, galera: config.Galera, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = iter([KeyError("wsrep_ready"), ValueError("int"), IndexError()])

        def once(_: Poller) -> None:
            if (error := next(answers, None)) is not None:
                raise error
            poller.status = Status(at=1.0, up=True)
            raise SystemExit

        monkeypatch.setattr(Poller, "_once", once)
        monkeypatch.setattr(mysql, "POLL", 0.01)
        poller = Poller(galera, lambda *_: None)
        with pytest.raises(SystemExit):
            poller.run()
        assert poller.status.up


def test_a_busy_mysqld_is_good_for_a_while_and_a_frozen_one_is_not(made: Database, peers: Peers) -> None:
    at = run(made, peers, 100.0, 1.0)
    for busy, acts in ((True, True), (False, False)):
        answered(made, at, error="timed out", busy=busy)
        tell(peers, at + 1.5)
        assert made.write_decision(at + 1.5).acting == acts


def test_the_module_s_figures() -> None:
    assert database.EVICT_AFTER < 1.5  # Galera's own suspicion


def stopped(one: Database, monkeypatch: pytest.MonkeyPatch, at: float) -> str:
    """galera-start asks at that time; its answer."""
    monkeypatch.setattr(database, "now", lambda: at)
    return one.waiting({"report": Report(Kind.STOPPED, "u", 9).to_json()})["action"]


def primaries(peers: Peers, at: float, *names: str) -> None:
    said = {n: {"galera": Report(Kind.PRIMARY if n in names else Kind.STOPPED, "u", 9).to_json()} for n in peers.others}
    tell(peers, at, **said)


def test_who_joins_a_component_that_ends_meanwhile_does_not_wait_for_it(
    made: Database, peers: Peers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for at in (100.0, 100.0 + JOIN_AFTER):
        primaries(peers, at, "b")
        action = stopped(made, monkeypatch, at)
    assert action == "join"
    at = 102.0
    primaries(peers, at, "b")
    assert not made.stranded(at)
    primaries(peers, at)
    assert made.stranded(at)
    (tmp_path / "gvwstate.dat").write_text(
        f"my_uuid: {UUID}\n#vwbeg\nview_id: 3 {UUID} 7\nbootstrap: 0\nmember: {UUID} 0\n#vwend\n"
    )
    assert not made.stranded(at), "it was let in, and receives what it lacks"


def test_lasting_is_said_once_for_each_unbroken_while() -> None:
    while_ = Lasting(2.0)
    said = [while_.holds(at, now) for at, now in ((0, True), (1, False), (2, True), (4, True), (4.5, True), (5, True))]
    assert said == [False, False, False, False, True, False]
