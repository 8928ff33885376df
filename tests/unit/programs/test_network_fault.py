"""Packets that a host loses at its own device: which, which never, and how that ends."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fournines.programs import network_fault

SETTINGS: dict[str, Any] = {
    "device": "bond0.7",
    "own": "198.18.0.11",
    "operator": "198.18.9.9",
    "ssh": 2222,
    "seconds": 20.0,
    "losses": [{"direction": "in", "peers": [], "match": "", "percent": 100}],
}


class Host:
    """`nft` and systemd, as they answer."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, *, refuses: str = "") -> None:
        self.told: list[str] = []
        self.rules = ""
        self._refuses = refuses
        monkeypatch.setattr(network_fault, "run", self.run)
        monkeypatch.setattr(network_fault, "times", lambda device: directory / device)

    def run(self, *words: str, text: str = "") -> str:
        line = " ".join(words)
        self.told.append(line)
        if self._refuses and self._refuses in line:
            raise subprocess.CalledProcessError(1, words, stderr="no such hook")
        if line.startswith("ip -json route get"):
            return json.dumps([{"dst": words[-1], "gateway": "198.18.0.1"}])
        if line == "nft -f -":
            self.rules = text
        if line.startswith("nft delete"):
            if not self.rules:
                raise subprocess.CalledProcessError(1, words, stderr="no such table")
            self.rules = ""
        if line.startswith("nft list"):
            return "counter packets 3 bytes 100 drop\ncounter packets 4 bytes 100 drop\n"
        return ""


def test_the_timer_that_ends_it_is_there_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path, monkeypatch)
    network_fault.apply(SETTINGS)
    timer = next(n for n, line in enumerate(host.told) if line.startswith("systemd-run"))
    assert timer < host.told.index("nft -f -")
    assert "--on-active=20.0s" in host.told[timer]
    assert "nft delete table netdev fournines-fault-bond0.7" in host.told[timer]


def test_the_operator_gets_through_and_resolves_the_host_s_own_address_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, monkeypatch)
    network_fault.apply({**SETTINGS, "losses": [*SETTINGS["losses"], {**SETTINGS["losses"][0], "direction": "out"}]})
    into, out = host.rules.split("chain output")
    assert 'hook ingress device "bond0.7"' in into and 'hook egress device "bond0.7"' in out
    assert into.splitlines()[2:5] == [
        "ip saddr 198.18.9.9 tcp dport 2222 accept",
        "arp saddr ip 198.18.0.1 arp daddr ip 198.18.0.11 accept",
        "counter drop",
    ]
    assert "ip daddr 198.18.9.9 tcp sport 2222 accept\narp saddr ip 198.18.0.11 arp daddr ip 198.18.0.1 accept" in out


@pytest.mark.parametrize(
    ("loss", "rule"),
    [
        ({}, "counter drop"),
        ({"percent": 20}, "numgen random mod 100 < 20 counter drop"),
        ({"match": "ip protocol 112"}, "ip protocol 112 counter drop"),
        ({"peers": ["198.18.0.12", "198.18.0.13"]}, "ip saddr { 198.18.0.12, 198.18.0.13 } counter drop"),
        (
            {"direction": "out", "peers": ["198.18.0.12"], "match": "tcp dport 25672"},
            "ip daddr { 198.18.0.12 } tcp dport 25672 counter drop",
        ),
    ],
)
def test_what_is_lost(loss: dict[str, Any], rule: str) -> None:
    assert network_fault.rule({**SETTINGS["losses"][0], **loss}) == rule


def test_how_long_it_lasted_is_said_by_whoever_ended_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = Host(tmp_path, monkeypatch)
    network_fault.remove("bond0.7")
    assert capsys.readouterr().out == "", "nothing was lost"
    network_fault.apply(SETTINGS)
    assert network_fault.lost("bond0.7") == 7
    network_fault.remove("bond0.7")
    assert 0.0 <= float(capsys.readouterr().out) < 60.0
    assert not host.rules
    (tmp_path / "bond0.7").write_text("100.000\n120.25\n")
    network_fault.remove("bond0.7")
    assert capsys.readouterr().out == "20.250\n", "the timer had ended it"


def test_a_kernel_without_the_hook_loses_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path, monkeypatch, refuses="nft -f")
    with pytest.raises(SystemExit, match="no such hook"):
        network_fault.main(["apply", json.dumps(SETTINGS)])
    assert host.told[-2:] == [
        "systemctl stop fournines-fault-bond0.7.timer",
        "nft delete table netdev fournines-fault-bond0.7",
    ]
