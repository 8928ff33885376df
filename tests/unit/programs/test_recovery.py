"""What `recover` looks for on a host, and what it does there: on files as real daemons leave them."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fournines.operate.recover import evidence
from fournines.programs import recovery_broker as broker
from fournines.programs import recovery_database as database
from fournines.programs import recovery_fence as fence
from fournines.programs import recovery_files, recovery_look, recovery_rows

#: Of a controller of the lab, RabbitMQ 4.0.5.
CLUSTER_NODES = "{[rabbit@ctl1,rabbit@ctl2,'rabbit@ctl-3'],[rabbit@ctl1,rabbit@ctl2,'rabbit@ctl-3']}.\n"
GRASTATE = """\
# GALERA saved state
version: 2.1
uuid:    0f5b2f8e-cb1e-11f0-9d4f-3b6e0c6d1a55
seqno:   -1
safe_to_bootstrap: 0
"""


def nothing(*_: object) -> None:
    pass


def no_answer(address: str) -> str:
    return ""


def said(text: str = "", status: int = 0) -> Callable[..., Any]:
    def run(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, status, text, "")

    return run


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No daemon answers, no journal says anything."""
    monkeypatch.setattr(recovery_look.subprocess, "run", said(status=1))


# Looking


def test_a_listener_and_a_refusal_are_answers_and_silence_is_none() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert "refuses TCP" in recovery_look.knock("127.0.0.1", port)
        listening.listen()
        assert "accepts TCP" in recovery_look.knock("127.0.0.1", port)


def test_who_answers_by_any_port_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def knock(address: str, port: int) -> str:
        return f"{address} accepts TCP {port}" if (address, port) == ("198.18.0.12", 9200) else ""

    monkeypatch.setattr(recovery_look, "knock", knock)
    monkeypatch.setattr(recovery_look, "echo", no_answer)
    gone = {"ctl2": ["198.18.0.12"], "ctl3": ["198.18.0.13", "198.18.1.13"]}
    assert recovery_look.alive(gone) == {"ctl2": "198.18.0.12 accepts TCP 9200"}
    assert recovery_look.alive({}) == {}


def test_what_a_host_says_is_understood(
    quiet: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mysql").mkdir()
    (tmp_path / "mysql/grastate.dat").write_text(GRASTATE)
    home = tmp_path / "mnesia/rabbit@ctl1"
    home.mkdir(parents=True)
    (home / "cluster_nodes.config").write_text(CLUSTER_NODES)
    (home / "nodes_running_at_shutdown").write_text("[rabbit@ctl1].\n")
    (tmp_path / "mnesia/rabbit@ctl1-feature_flags").write_text("[classic_queue_type_delivery_support,khepri_db].\n")
    (tmp_path / "keys").mkdir()
    for index in ("0", "7"):
        (tmp_path / "keys" / index).write_text("key")
    (tmp_path / "keys/.tmp").write_text("")
    monkeypatch.setattr(recovery_look, "DATABASE", tmp_path / "mysql")
    monkeypatch.setattr(recovery_look, "BROKER", tmp_path / "mnesia")
    monkeypatch.setattr(recovery_look, "RINGS", tmp_path)
    monkeypatch.setattr(recovery_look, "KEYS", {"fernet": tmp_path / "keys", "credential": tmp_path / "none"})
    question: dict[str, Any] = {
        "host": "ctl1",
        "carries": ["mariadb", "rabbitmq", "keystone", "swift"],
        "tables": [],
        "gone": {},
    }
    monkeypatch.setattr(recovery_look.sys, "argv", ["-", json.dumps(question)])
    recovery_look.main()
    found = evidence.parse("ctl1", capsys.readouterr().out)
    assert found.database
    assert found.broker
    assert (found.database.cluster, found.database.seqno) == ("0f5b2f8e-cb1e-11f0-9d4f-3b6e0c6d1a55", -1)
    assert not found.database.answers
    assert not found.database.data
    assert found.broker.members == ("rabbit@ctl-3", "rabbit@ctl1", "rabbit@ctl2")
    assert found.broker.last == ("rabbit@ctl1",)
    assert found.broker.store == "khepri"
    assert found.keys == {"fernet": 2, "credential": 0}
    assert found.rings == ("account", "container", "object")
    with pytest.raises(ValueError, match="not what a host says"):
        evidence.parse("ctl1", "{}")


def test_a_node_that_waits_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = (
        "position 0f5b2f8e-cb1e-11f0-9d4f-3b6e0c6d1a55:4700\n"
        "position 0f5b2f8e-cb1e-11f0-9d4f-3b6e0c6d1a55:4711\n"
        "wait: waits for ctl2, ctl3: ctl2 or ctl3 may hold writes that the others have not\n"
    )
    answers = {"systemctl": "ActiveState=activating\nSubState=start-pre\n", "journalctl": journal}

    def run(*words: str, within: float = 0.0) -> str:
        return answers[words[0]]

    monkeypatch.setattr(recovery_look, "run", run)
    assert recovery_look.recovered() == ("0f5b2f8e-cb1e-11f0-9d4f-3b6e0c6d1a55", 4711)


#: MariaDB 11.8.9, of a data directory in which these were overwritten: ibdata1, the log, a table; and without ibdata1.
DAMAGE = """\
2026-11-29  3:23:44 0 [ERROR] InnoDB: Space id and page no stored in the page, read in from ./ibdata1 are [page id: \
space=3698061212, page number=2052412771], should be [page id: space=0, page number=7]
2026-11-29  3:23:44 0 [ERROR] InnoDB: Plugin initialization aborted with error Page read from tablespace is corrupted.
2026-11-29  3:23:44 0 [ERROR] Plugin 'InnoDB' registration as a STORAGE ENGINE failed.
2026-11-29  3:23:44 0 [ERROR] Unknown/unsupported storage engine: InnoDB
2026-11-29  3:23:44 0 [ERROR] InnoDB: Invalid log header checksum
2026-11-29  3:23:44 0 [ERROR] InnoDB: Plugin initialization aborted with error Data structure corruption
2026-11-29  3:23:45 0 [ERROR] InnoDB: Inconsistent tablespace ID in ./keystone/project.ibd
2026-11-29  3:23:45 0 [ERROR] InnoDB: Could not find a valid tablespace file for keystone/project.
2026-11-29  3:23:47 0 [ERROR] InnoDB: Database creation was aborted with error Generic error.
mariadbd --wsrep-recover found no position (exit 1):
"""


@pytest.mark.parametrize("line", DAMAGE.splitlines())
def test_what_damage_looks_like(line: str) -> None:
    assert recovery_look.DAMAGED.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "Node rabbit@a thinks it's clustered with node rabbit@b, but rabbit@b disagrees",
        "{error,{timeout_waiting_for_tables,[rabbit@a,rabbit@b],[rabbit_user]}}",
    ],
)
def test_what_a_broker_says_that_is_not_taken_back(line: str) -> None:
    assert recovery_look.REFUSES.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-29  3:58:01 0 [Note] InnoDB: Completed initialization of buffer pool",
        "2026-11-29  3:58:01 0 [Note] InnoDB: Starting crash recovery from checkpoint LSN=46893",
        "2026-11-29  3:58:01 0 [Note] InnoDB: Cannot open '/var/lib/mysql/ib_buffer_pool' for reading: No such file",
        "2026-11-29  3:58:02 0 [Note] InnoDB: End of log at LSN=46909",
        "2026-11-29  3:23:44 0 [ERROR] Aborting",
        "2026-11-29  3:21:28 0 [Warning] Can't open and lock privilege tables: Table 'mysql.servers' doesn't exist",
        "2026-11-29  3:58:02 2 [Note] WSREP: Server status change joiner -> initializing",
    ],
)
def test_what_every_start_says_is_no_damage(line: str) -> None:
    assert not recovery_look.DAMAGED.search(line)


def test_files_that_are_not_there_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_bytes(b"\xff\xfe")
    paths = [str(tmp_path / name) for name in "abc"]
    monkeypatch.setattr(recovery_files.sys, "argv", ["-", json.dumps(paths)])
    recovery_files.main()
    assert json.loads(capsys.readouterr().out) == {paths[0]: "one"}


def test_rows_are_those_of_the_tables_that_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recovery_rows, "SCRATCH", tmp_path / "scratch")
    monkeypatch.setattr(recovery_rows.subprocess, "run", said("keystone.project\t4\nkeystone.user\t12\n"))
    monkeypatch.setattr(recovery_rows.sys, "argv", ["-", '["keystone.project", "keystone.user"]'])
    recovery_rows.main()
    assert json.loads(capsys.readouterr().out) == {"keystone.project": 4, "keystone.user": 12}
    assert list(tmp_path.iterdir()) == []
    assert recovery_rows.statements(["keystone.user"]) == ("select 'keystone.user', count(*) from `keystone`.`user`;\n")


# The database


class Daemon:
    """States of MariaDB, one an answer; the last one stays. commands: what was run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *states: str) -> None:
        self.states: Iterator[str] = iter(states)
        self.now = ""
        self.commands: list[str] = []
        monkeypatch.setattr(database, "status", self._status)
        monkeypatch.setattr(database, "command", self._command)
        monkeypatch.setattr(database.time, "sleep", nothing)
        monkeypatch.setattr(database.shutil, "chown", nothing)
        self.data = tmp_path / "mysql"
        self.data.mkdir()
        (self.data / "grastate.dat").write_text(GRASTATE)
        monkeypatch.setattr(database, "DATA", self.data)
        monkeypatch.setattr(database, "STATE", (self.data / "grastate.dat", self.data / "gvwstate.dat"))
        monkeypatch.setattr(database, "COPIES", tmp_path / "copies")

    def _command(self, *words: str) -> None:
        self.commands.append(" ".join(words))

    def _status(self) -> str:
        self.now = next(self.states, self.now)
        return self.now


def test_a_node_that_runs_becomes_primary_where_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    daemon = Daemon(monkeypatch, tmp_path, "non-Primary", "non-Primary", "Primary")
    database.main(["primary", "S"])
    assert daemon.commands == ["mariadb -e set global wsrep_provider_pc_bootstrap = on"]
    assert (tmp_path / "copies/S/grastate.dat").read_text() == GRASTATE


def test_a_node_that_is_stopped_starts_by_the_operators_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    daemon = Daemon(monkeypatch, tmp_path, "", "", "Primary")
    database.main(["primary", "S"])
    assert daemon.commands[0].endswith("galera-start --accept-loss")
    assert daemon.commands[-1] == "systemctl restart --no-block mariadb.service"


def test_what_is_primary_already_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    daemon = Daemon(monkeypatch, tmp_path, "Primary")
    database.main(["primary", "S"])
    assert daemon.commands == []
    assert not (tmp_path / "copies").exists()


def test_a_node_that_does_not_become_primary_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Daemon(monkeypatch, tmp_path, "non-Primary")
    monkeypatch.setattr(database, "FORMS", 0.0)
    with pytest.raises(SystemExit, match="does not become Primary: it is non-Primary"):
        database.main(["primary", "S"])


def test_data_is_moved_aside_once_and_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    daemon = Daemon(monkeypatch, tmp_path)
    for _ in range(2):
        database.main(["aside", "S"])
        assert list(daemon.data.iterdir()) == []
        assert (tmp_path / "mysql.kept-S/grastate.dat").read_text() == GRASTATE
    (daemon.data / "ibdata1").touch()  # of the copy that it takes meanwhile
    database.main(["aside", "S"])
    assert (tmp_path / "mysql.kept-S/grastate.dat").exists()


# The broker


class Node:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, flags: str = "", offline: int = 0) -> None:
        self.log: list[str] = []
        self.members = ["rabbit@a", "rabbit@b", "rabbit@c"]
        self.running = False
        self.offline = offline
        home = tmp_path / "mnesia/rabbit@a"
        home.mkdir(parents=True)
        (home / "cluster_nodes.config").write_text("{[rabbit@a,rabbit@b,rabbit@c],[rabbit@a,rabbit@b,rabbit@c]}.\n")
        (tmp_path / "mnesia/rabbit@a-feature_flags").write_text(f"[{flags}].\n")
        monkeypatch.setattr(broker, "DATA", tmp_path / "mnesia")
        monkeypatch.setattr(broker, "GROWN", tmp_path / "grown")
        monkeypatch.setattr(broker, "ctl", self._ctl)
        monkeypatch.setattr(broker, "begin", self._begin)
        monkeypatch.setattr(broker, "stop", nothing)
        monkeypatch.setattr(broker, "serves", lambda: self.running)
        monkeypatch.setattr(broker.time, "sleep", nothing)

    def _begin(self) -> None:
        self.log.append("start")
        self.running = True

    def _ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        self.log.append(" ".join(words) if words[0] != "eval" else "eval")
        if ("--offline" in words and not self.offline) or (
            words[0] == "forget_cluster_node" and "--offline" not in words
        ):
            self.members.remove(words[-1])
        status = self.offline if "--offline" in words else 0
        return subprocess.CompletedProcess(words, status, ",".join(self.members), "")


def test_lost_members_are_forgotten_before_it_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = Node(monkeypatch, tmp_path)
    broker.main(["alone", "rabbit@b", "rabbit@c"])
    offline = [f"forget_cluster_node --offline rabbit@{name}" for name in "bc"]
    assert node.log == [*offline, "start", "eval", "eval"]
    assert node.members == ["rabbit@a"]


def test_where_that_does_not_work_it_starts_by_force_and_forgets_then(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    node = Node(monkeypatch, tmp_path, offline=70)
    broker.main(["alone", "rabbit@b", "rabbit@c"])
    assert "force_boot" in node.log
    assert node.log.index("force_boot") < node.log.index("start")
    assert node.log[-1] == "forget_cluster_node rabbit@c"
    assert node.members == ["rabbit@a"]


def test_a_name_is_no_part_of_a_longer_one() -> None:
    assert broker.named("['rabbit@ctl-10',rabbit@ctl12]") == {"rabbit@ctl-10", "rabbit@ctl12"}


def test_with_khepri_it_starts_and_its_store_goes_on_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = Node(monkeypatch, tmp_path, flags="khepri_db")
    node.members = ["rabbit@a"]
    broker.main(["alone", "rabbit@b"])
    assert node.log[:2] == ["start", "force_standalone_khepri_boot"]


def test_a_copy_is_whole_or_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Node(monkeypatch, tmp_path)
    left = tmp_path / "mnesia.keeping"
    left.mkdir()
    (left / "half").touch()
    for _ in range(2):
        broker.main(["halt", "S"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mnesia", "mnesia.kept-S"]
    assert not (tmp_path / "mnesia.kept-S/half").exists()
    assert (tmp_path / "mnesia.kept-S/rabbit@a/cluster_nodes.config").exists()


def test_a_node_that_joins_anew_gets_copies_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Node(monkeypatch, tmp_path)
    (tmp_path / "grown").touch()
    for _ in range(2):
        broker.main(["aside", "S"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mnesia.kept-S"]


# Power


class Controller(fence.Controller):
    def __init__(self, *states: str) -> None:
        self.states = iter(states)
        self.posted: list[object] = []

    def call(self, path: str, body: object = None) -> Any:
        if path == fence.SYSTEMS:
            return {"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}
        if body is not None:
            self.posted.append((path, body))
            return None
        return {"PowerState": next(self.states)}


def test_a_host_is_switched_off_and_seen_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence.time, "sleep", nothing)
    controller = Controller("On", "On", "Off")
    fence.off(controller, controller.system())
    assert controller.posted == [("/redfish/v1/Systems/1/Actions/ComputerSystem.Reset", {"ResetType": "ForceOff"})]


def test_one_that_is_off_is_left_so() -> None:
    controller = Controller("Off", "Off")
    fence.off(controller, controller.system())
    assert controller.posted == []


def test_one_that_stays_on_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "OFF", -1.0)
    with pytest.raises(SystemExit, match="says that the power is On"):
        fence.off(Controller("On", "On"), "/redfish/v1/Systems/1")
