"""Ports that are cut and filtered, and processes that are seen: what the kernel is told, without a lab."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from fournines.errors import LabError
from fournines.lab import cgroup, cut, network, packet_filter, processes
from fournines.lab.cut import Cut
from fournines.lab.packet_filter import Loss
from fournines.lab.state import Port

PORT = Port("management", "fnb-0", "fnp-none", "mgmt", IPv4Interface("198.18.0.11/24"), "02:00:00:00:00:0b")


def test_a_port_that_is_not_there_cannot_be_cut() -> None:
    with pytest.raises(LabError, match="not there"):
        network.cut([PORT])
    assert not network.is_cut(PORT)
    network.join([PORT])


def test_the_state_of_a_port_as_rtnetlink_wants_it() -> None:
    message = network._port_state(9, 0)
    family, index = struct.unpack_from("=BxHi", message)[0], struct.unpack_from("=i", message, 4)[0]
    assert (family, index) == (7, 9)
    assert struct.unpack_from("=HH", message, 16) == (12, 12 | 0x8000)  # IFLA_PROTINFO, nested
    assert struct.unpack_from("=HHB", message, 20) == (5, 1, 0)  # IFLA_BRPORT_STATE: disabled


class Switch:
    """Takes the place of the kernel's bridge."""

    def __init__(self, *, works: bool = True, there: bool = True) -> None:
        self.is_cut = False
        self._works = works
        self._there = there
        self.joined_at = 0.0

    def use(self, patch: pytest.MonkeyPatch) -> Switch:
        patch.setattr(network, "cut", self.cut)
        patch.setattr(network, "join", self.join)
        patch.setattr(network, "is_cut", lambda _port: self.is_cut)
        patch.setattr(cut.os, "sched_setscheduler", lambda *_: None)
        return self

    def cut(self, _ports: list[Port]) -> None:
        if not self._there:
            raise LabError("A port that is not there cannot be cut")
        self.is_cut = self._works

    def join(self, _ports: list[Port]) -> None:
        self.is_cut = False
        self.joined_at = time.monotonic()


def test_a_cut_has_its_length_whatever_the_caller_does(monkeypatch: pytest.MonkeyPatch) -> None:
    switch = Switch().use(monkeypatch)
    made = Cut(PORT, 0.1)
    began = time.monotonic()
    made.start()
    assert switch.is_cut
    time.sleep(0.5)  # the caller is late
    assert not switch.is_cut
    assert switch.joined_at - began < 0.5
    length = made.end()
    assert 0.1 <= length < 0.5
    assert made.end() == length


def test_a_cut_can_be_ended_before(monkeypatch: pytest.MonkeyPatch) -> None:
    switch = Switch().use(monkeypatch)
    made = Cut(PORT, 60.0)
    made.start()
    assert made.end() < 10.0
    assert not switch.is_cut


@pytest.mark.parametrize(("switch", "said"), [(Switch(works=False), "did not cut"), (Switch(there=False), "not there")])
def test_a_cut_that_did_not_happen_is_an_error(switch: Switch, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    switch.use(monkeypatch)
    made = Cut(PORT, 60.0)
    with pytest.raises(LabError, match=said):
        made.start()
    with pytest.raises(LabError, match=said):
        made.end()


@pytest.mark.parametrize(
    ("losses", "chains"),
    [
        ([Loss("in")], {"input": ("egress", ["counter drop"])}),
        ([Loss("out")], {"output": ("ingress", ["counter drop"])}),
        (
            [Loss("in", percent=20), Loss("out", match="ip protocol 112")],
            {
                "input": ("egress", ["numgen random mod 100 < 20 counter drop"]),
                "output": ("ingress", ["ip protocol 112 counter drop"]),
            },
        ),
        (
            [Loss("in", macs=("02:00:00:00:00:0b", "02:00:00:00:00:0c"), match="tcp dport { 3306 }")],
            {
                "input": (
                    "egress",
                    ["ether saddr { 02:00:00:00:00:0b, 02:00:00:00:00:0c } tcp dport { 3306 } counter drop"],
                )
            },
        ),
        (
            [Loss("out", macs=("02:00:00:00:00:0b",))],
            {"output": ("ingress", ["ether daddr { 02:00:00:00:00:0b } counter drop"])},
        ),
    ],
)
def test_what_is_lost_at_a_port(losses: list[Loss], chains: dict[str, tuple[str, list[str]]]) -> None:
    text = packet_filter.ruleset("fnp-1", losses)
    assert text.startswith("table netdev fournines-fnp-1 {")
    for name, (hook, rules) in chains.items():
        chain = text.split(f"chain {name} {{")[1].split("}\n")[0] + "}\n"
        assert f'type filter hook {hook} device "fnp-1" priority 0;' in chain
        assert all(rule in text for rule in rules)
    assert text.count("chain ") == len(chains)


def test_processes_are_seen_by_their_cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = tmp_path / "payload" / "system.slice" / "keystone.service"
    group.mkdir(parents=True)
    monkeypatch.setattr(cgroup, "of_host", lambda _cloud, _host: tmp_path)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env={"FOURNINES_TEST": "7"}) as child:
        try:
            (group / "cgroup.procs").write_text(f"{child.pid}\n999999999\n")
            (seen,) = processes.of_unit("acme", "ctl1", "keystone.service")
            assert (seen.pid, seen.state) in ((child.pid, "S"), (child.pid, "R"))
            assert processes.of_unit("acme", "ctl1", "mariadb.service") == ()
            assert processes.environment("acme", "ctl1", "keystone.service", "FOURNINES_TEST") == ("7",)
            child.send_signal(19)  # SIGSTOP
            os.waitid(os.P_PID, child.pid, os.WSTOPPED)
            (stopped,) = processes.of_unit("acme", "ctl1", "keystone.service")
            assert (stopped.pid, stopped.started, stopped.state) == (child.pid, seen.started, "T")
        finally:
            child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert processes.of_unit("acme", "ctl1", "keystone.service") == ()  # a zombie is none


def test_a_host_that_is_off_has_no_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "of_host", lambda _cloud, _host: tmp_path)
    assert processes.boot("acme", "ctl1") == ""
