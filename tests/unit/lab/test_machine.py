"""What the lab says of a machine that cannot run one."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from fournines.cli.lab import command
from fournines.errors import LabError
from fournines.lab import machine
from fournines.lab.machine import Capability


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def have(monkeypatch: pytest.MonkeyPatch, *found: Capability, memory: int = 8 << 30) -> None:
    monkeypatch.setattr(machine, "capabilities", lambda: found)
    monkeypatch.setattr(machine, "available_memory", lambda: memory)


@pytest.mark.parametrize("words", [["down", "--all"], ["down", "acme"], ["status"]])
def test_without_root(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine.capabilities.cache_clear()
    result = CliRunner().invoke(command, words)
    assert isinstance(result.exception, LabError)
    assert "needs root" in str(result.exception)
    assert "sudo" in result.exception.next


def test_something_essential_is_missing(monkeypatch: pytest.MonkeyPatch, root: None) -> None:
    have(
        monkeypatch,
        Capability("netem", False, False),
        Capability("veth", False, True, "Unknown device type", "load it"),
    )
    with pytest.raises(LabError, match="no veth") as error:
        machine.require([600 << 20])
    assert (error.value.why, error.value.next) == ("Unknown device type", "load it")


def test_something_else_is_missing(monkeypatch: pytest.MonkeyPatch, root: None) -> None:
    have(monkeypatch, Capability("netem", False, False), Capability("veth", True, True))
    machine.require([600 << 20])
    assert machine.has("veth")
    assert not machine.has("netem")
    assert not machine.has("unheard of")


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch, root: None) -> None:
    have(monkeypatch, memory=1 << 30)
    machine.require([600 << 20])
    with pytest.raises(LabError, match=r"3 hosts need 1.9 GB of memory, 1.1 GB"):
        machine.require([600 << 20] * 3)
