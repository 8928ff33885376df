"""Copies of queues: on a node that joins, and away from one that leaves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fournines.programs import rabbitmq_members as program
from fournines.programs.rabbitmq_members import Broker, Queue


class Fake(Broker):
    def __init__(self, queues: dict[str, list[str]], nodes: dict[str, bool]) -> None:
        self.copies, self.known = queues, nodes
        self.log: list[str] = []

    def queues(self) -> list[Queue]:
        return [Queue("v", name, "quorum", tuple(members)) for name, members in self.copies.items()]

    def nodes(self) -> dict[str, bool]:
        return self.known

    def add(self, queue: Queue, node: str) -> None:
        self.copies[queue.name].append(node)
        self.log.append(f"add {queue.name} {node}")

    def delete(self, queue: Queue, node: str) -> None:
        self.copies[queue.name].remove(node)
        self.log.append(f"delete {queue.name} {node}")


RUNNING = dict.fromkeys("abcd", True)


def test_a_node_that_joins_gets_a_copy_of_every_queue_that_it_has_none_of() -> None:
    broker = Fake({"q1": ["a", "b", "c"], "q2": ["a", "b", "d"]}, RUNNING)
    program.grow(broker, "d")
    assert broker.log == ["add q1 d"]


def test_what_leaves_is_copied_elsewhere_first() -> None:
    broker = Fake({"q1": ["a", "b", "d"], "q2": ["a", "b", "c"]}, RUNNING)
    program.leave(broker, "d")
    assert broker.log == ["add q1 c", "delete q1 d"]


def ran(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    commands: list[Sequence[str]] = []

    class Done:
        returncode = 0

    def run(words: Sequence[str], **_: object) -> Done:
        commands.append(words)
        return Done()

    monkeypatch.setattr(program.subprocess, "run", run)
    return commands


def test_a_lost_node_is_forgotten_and_its_copies_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = ran(monkeypatch)
    broker = Fake({"q1": ["a", "b", "d"]}, {**RUNNING, "d": False})
    program.forget(broker, "d")
    assert broker.copies == {"q1": ["a", "b", "c"]}
    assert [words[-2:] for words in commands] == [["forget_cluster_node", "d"]]


def test_a_node_that_runs_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = ran(monkeypatch)
    with pytest.raises(SystemExit, match="still runs"):
        program.forget(Fake({}, RUNNING), "d")
    assert commands == []


def test_forgetting_twice_is_once(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = ran(monkeypatch)
    program.forget(Fake({}, dict.fromkeys("abc", True)), "d")
    assert commands == []
