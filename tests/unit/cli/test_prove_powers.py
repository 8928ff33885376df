"""What `prove` sees of hosts that are not a lab's, and that a closed terminal ends it as Ctrl-C does."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from fournines.commands import proof, prove_powers
from fournines.commands.prove_powers import HostProcesses, powers_of
from fournines.commands.prove_real_hosts import FirewallNetwork
from fournines.engine.transport import Completed
from fournines.prove.faults.powers import Process
from fournines.prove.reach import Reach
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"


class Shell:
    def __init__(self, said: str) -> None:
        self.host = "ctl1"
        self._said = said
        self.scripts: list[str] = []

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        self.scripts.append(script)
        return Completed(0, self._said, "")

    async def put(self, path: str, content: bytes, *, mode: int, owner: str, group: str, timeout: float = 60.0) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def reach(shell: Shell) -> Reach:
    async def connect(_host: str) -> Shell:
        return shell

    return Reach(connect)


def stat(pid: int, name: str, state: str, started: int) -> str:
    return f"{pid} ({name}) {state} " + " ".join(["1"] * 18) + f" {started} 0 0\n"


async def test_processes_as_the_host_tells_them() -> None:
    shell = Shell(stat(7, "a) b (c", "S", 1234) + stat(8, "uwsgi", "Z", 5) + stat(9, "uwsgi", "T", 6))
    seen = await HostProcesses(reach(shell)).of_unit("ctl1", "keystone.service")
    assert seen == (Process(7, 1234, "S"), Process(9, 6, "T"))
    assert "keystone.service" in shell.scripts[0]


async def test_the_environment_as_the_host_tells_it() -> None:
    shell = Shell("A=1\nFOURNINES_GUARD_PROTOCOL=3\nB=FOURNINES_GUARD_PROTOCOL=4\n")
    told = await HostProcesses(reach(shell)).environment("ctl1", "x.service", "FOURNINES_GUARD_PROTOCOL")
    assert told == ("3",)


async def test_each_hosts_processes_are_asked_of_whoever_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab of a container, whose processes this machine sees, and of a virtual machine, whose own kernel is asked."""
    kinds = {"ctl1": "nspawn", "ctl2": "vm"}
    hosts = tuple(type("Host", (), {"name": name, "kind": kind}) for name, kind in kinds.items())
    monkeypatch.setattr(prove_powers.lab, "exists", lambda _name: True)
    monkeypatch.setattr(prove_powers.lab, "load", lambda _name: type("Lab", (), {"hosts": hosts}))
    monkeypatch.setattr(prove_powers.lab, "of_unit", lambda _cloud, host, _unit: [Process(1, 2, "S")])
    monkeypatch.setattr(prove_powers.lab, "boot", lambda _cloud, host: f"1@{host}")
    monkeypatch.setattr(prove_powers.lab, "environment", lambda *_: ("seen",))
    shell = Shell(stat(7, "uwsgi", "S", 9))
    processes = prove_powers._processes(load(EXAMPLE), reach(shell))
    assert await processes.of_unit("ctl1", "x.service") == (Process(1, 2, "S"),)
    assert await processes.boot("ctl1") == "1@ctl1" and await processes.environment("ctl1", "x", "A") == ("seen",)
    assert shell.scripts == []
    assert await processes.of_unit("ctl2", "x.service") == (Process(7, 9, "S"),)
    await processes.boot("ctl2")
    assert await processes.environment("ctl2", "x.service", "A") == ()
    assert len(shell.scripts) == 3


def test_hosts_that_are_no_lab_have_a_firewall_and_no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = load(EXAMPLE)
    monkeypatch.setattr("fournines.commands.prove_powers.lab.exists", lambda _name: False)
    powers = powers_of(cloud, cloud.regions["phx"], reach(Shell("")))
    assert powers.power is None  # no host of it has a power controller
    assert isinstance(powers.network, FirewallNetwork)
    assert powers.units["guard"] == "fournines-guard.service"
    assert 4567 in powers.ports["mariadb"]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_campaign_lets_it_heal_first(sign: signal.Signals) -> None:
    healed: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), sign)
            await asyncio.sleep(60)
        finally:
            healed.append("healed")

    with pytest.raises(KeyboardInterrupt):
        proof._interruptible(work())
    assert healed == ["healed"]
