"""Injectors: what is sent where, that a heal reaches every host, and that a dead connection is opened again."""

from __future__ import annotations

from pathlib import Path

import pytest

from fournines.engine.transport import Completed
from fournines.errors import HostError, ProveError
from fournines.prove.faults import KINDS
from fournines.prove.inject import STRIKES, Injectors, NoNetwork, NoPower, UnitSignals, heal, inject, lacking
from fournines.prove.measure import heal_leftovers, note
from fournines.prove.model import Fault
from fournines.prove.reach import Reach


class Switches:
    """Power, network and signals of hosts that only exist as a list of what was done to them."""

    def __init__(self, broken: str = "") -> None:
        self.done: list[str] = []
        self._broken = broken

    def _do(self, what: str, host: str) -> None:
        if host == self._broken:
            raise HostError("does not answer", where=host)
        self.done.append(f"{what} {host}")

    async def signal(self, host: str, unit: str, signal: str) -> None:
        self._do(f"{signal} {unit}", host)

    async def off(self, host: str) -> None:
        self._do("off", host)

    async def on(self, host: str) -> None:
        self._do("on", host)

    async def reset(self, host: str) -> None:
        self._do("reset", host)

    async def isolate(self, host: str, network: str) -> None:
        self._do(f"isolate {network}", host)

    async def heal(self, host: str, network: str) -> None:
        self._do(f"heal {network}", host)


def injectors(switches: Switches) -> Injectors:
    return Injectors(switches, {"keystone": "keystone.service"}, switches, switches)


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (Fault("service.kill", "keystone", "one", 0), ["KILL keystone.service a"]),
        (Fault("service.freeze", "keystone", "one", 1), ["STOP keystone.service a", "CONT keystone.service a"]),
        (Fault("host.power_off", "", "vip", 1), ["off a", "on a"]),
        (Fault("host.reset", "", "vip", 0), ["reset a"]),
        (Fault("network.isolate", "", "vip", 1), ["isolate management a", "heal management a"]),
    ],
)
async def test_a_strike_and_its_heal(fault: Fault, done: list[str]) -> None:
    switches = Switches()
    await inject(injectors(switches), fault, ("a",))
    assert await heal(injectors(switches), fault, ("a",)) == ()
    assert switches.done == done


def test_every_kind_of_fault_can_be_struck() -> None:
    assert STRIKES.keys() == KINDS.keys()


async def test_a_host_that_cannot_be_struck_is_said_and_the_others_are_healed() -> None:
    switches = Switches(broken="b")
    fault = Fault("host.power_off", "", "all", 1)
    with pytest.raises(HostError):
        await inject(injectors(switches), fault, ("a", "b", "c"))
    unhealed = await heal(injectors(switches), fault, ("a", "b", "c"))
    assert len(unhealed) == 1
    assert unhealed[0].startswith("b: ")
    assert switches.done == ["off a", "off c", "on a", "on c"]


async def test_what_nothing_here_can_inject() -> None:
    none = Injectors(Switches(), {}, NoPower(), NoNetwork())
    assert "power" in lacking(none, Fault("host.reset", "", "vip", 0))
    assert "network" in lacking(none, Fault("network.isolate", "", "vip", 1))
    assert lacking(none, Fault("service.kill", "keystone", "one", 0)) == ""
    with pytest.raises(ProveError):
        await inject(none, Fault("host.power_off", "", "vip", 1), ("a",))


class Shell:
    """A transport whose connection can be lost."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.lost = False
        self.scripts: list[str] = []

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        if self.lost:
            raise HostError("the connection was lost", where=self.host)
        self.scripts.append(script)
        return Completed(1 if "gone.service" in script else 0, "", "Unit gone.service not loaded.\n")

    async def put(self, path: str, content: bytes, *, mode: int, owner: str, group: str, timeout: float = 60.0) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        pass


async def test_a_lost_connection_is_opened_again_once() -> None:
    opened: list[Shell] = []

    async def connect(host: str) -> Shell:
        opened.append(Shell(host))
        return opened[-1]

    reach = Reach(connect)
    await reach.run("a", "true")
    opened[0].lost = True
    await UnitSignals(reach).signal("a", "keystone.service", "STOP")
    assert len(opened) == 2
    assert opened[1].scripts == ["systemctl kill --kill-whom=all -s STOP keystone.service"]
    with pytest.raises(HostError, match=r"cannot send SIGKILL to gone\.service"):
        await UnitSignals(reach).signal("a", "gone.service", "KILL")
    await reach.close()


async def test_what_a_killed_run_left_is_healed_by_the_next(tmp_path: Path) -> None:
    switches = Switches()
    note(tmp_path).write_text(
        '{"fault": {"name": "host.power_off", "service": "", "target": "vip", "duration": 5}, "hosts": ["a"]}'
    )
    assert await heal_leftovers(injectors(switches), tmp_path) == ("a",)
    assert switches.done == ["on a"]
    assert await heal_leftovers(injectors(switches), tmp_path) == ()


async def test_a_note_that_makes_no_sense_heals_nothing(tmp_path: Path) -> None:
    note(tmp_path).write_text("{")
    assert await heal_leftovers(injectors(Switches()), tmp_path) == ()
