"""Every fault of the catalogue: struck, seen from outside, healed twice and by another process; and one that does
nothing is never taken for a fault."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import pytest

from fournines.agent.guard.heartbeat import PROTOCOL
from fournines.errors import FourninesError, HostError, ProveError
from fournines.prove.faults import agent, bus, disk, injection, network, strike
from fournines.prove.faults.bus import LeaderAfterLeader
from fournines.prove.faults.catalogue import CATALOGUE
from fournines.prove.faults.data import Unstartable
from fournines.prove.faults.database import DonorLost
from fournines.prove.faults.host import Outage
from fournines.prove.faults.injection import Aimed, Injection, heal_leftovers, lacking, note, steps
from fournines.prove.faults.operation import Replace
from fournines.prove.faults.powers import Drop, Powers
from fournines.prove.faults.service import CrashLoop
from fournines.prove.model import Fault
from fournines.prove.reach import Reach
from samples.struck import HOSTS, UNITS, Shell, Struck

EVERY = sorted(CATALOGUE)
#: Of a cluster: whichever host does it, the others change as well.
BY_ONE = {"bus.leaders", "database.conflicts", "database.donor_lost", "database.password"}
#: Struck through an API: what is seen there is of no host.
OF_NO_HOST = {"compute.boot_storm"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strike, "SEEN_WITHIN_S", 0.05)
    monkeypatch.setattr(strike, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(agent, "APART_S", 0.0)
    monkeypatch.setattr(injection, "HEAL_AGAIN_S", 0.0)
    monkeypatch.setattr(CrashLoop, "LIVES_S", 0.0)
    monkeypatch.setattr(Unstartable, "RUNS_S", 0.0)
    monkeypatch.setattr(Outage, "APART_S", 0.0)
    monkeypatch.setattr(bus, "MOVE_S", 0.002)
    monkeypatch.setattr(Replace, "SILENT_S", 0.0)
    monkeypatch.setattr(Replace, "ANSWERS_S", 0.05)
    monkeypatch.setattr(disk, "empty_file_system", empty)
    monkeypatch.setattr(DonorLost, "DONOR_WITHIN_S", 0.05)
    for kind in CATALOGUE.values():
        if hasattr(kind, "within"):
            monkeypatch.setattr(kind, "within", 0.05)
        if hasattr(kind, "gone_within"):
            monkeypatch.setattr(kind, "gone_within", 0.05)


async def empty(_size: int) -> str:
    return "aW1hZ2U="


def fault(name: str, duration: float = 0.01) -> Fault:
    kind = CATALOGUE[name]
    service = (*kind.services, "mariadb")[0] if kind.subject == "service" else ""
    service = "mariadb" if "mariadb" in kind.services else service
    return Fault(name, service, "one", duration if kind.duration else 0.0)


def aimed(name: str, *hosts: str) -> list[Aimed]:
    return [Aimed(fault(name), hosts or ("a",))]


@pytest.mark.parametrize("name", EVERY)
async def test_a_strike_is_seen_from_outside_and_healed(name: str, tmp_path: Path) -> None:
    world = Struck()
    before = world.picture()
    made = Injection(world.powers(), aimed(name), tmp_path / "note")
    await made.prepare()
    await made.strike()
    seen = await made.verify()
    assert any(line.startswith("a: ") for line in seen) or name in OF_NO_HOST
    await made.hold()
    assert await made.heal() == ()
    assert world.picture() == before
    assert not (tmp_path / "note").exists()


@pytest.mark.parametrize("name", EVERY)
async def test_a_strike_that_does_nothing_is_not_taken_for_one(name: str, tmp_path: Path) -> None:
    world = Struck(inert=HOSTS)
    made = Injection(world.powers(), aimed(name), tmp_path / "note")
    with pytest.raises(FourninesError, match=r"not seen from outside|cannot"):
        await made.prepare()
        await made.strike()
        await made.verify()


@pytest.mark.parametrize("name", [name for name in EVERY if name not in BY_ONE])
async def test_one_host_of_two_that_does_not_change_is_enough(name: str, tmp_path: Path) -> None:
    world = Struck(inert=["b"])
    made = Injection(world.powers(), aimed(name, "a", "b"), tmp_path / "note")
    with pytest.raises(FourninesError):
        await made.prepare()
        await made.strike()
        await made.verify()
    assert await made.heal() == ()
    assert world.picture() == Struck().picture()


@pytest.mark.parametrize("name", EVERY)
async def test_a_heal_may_come_twice_at_any_time_and_from_another_process(name: str, tmp_path: Path) -> None:
    world = Struck()
    before = world.picture()
    never_struck = Injection(world.powers(), aimed(name, *HOSTS), tmp_path / "note")
    assert await never_struck.heal() == ()
    assert world.picture() == before
    struck = Injection(world.powers(), aimed(name), tmp_path / "note")
    await struck.prepare()
    await struck.strike()
    another = Injection(world.powers(), aimed(name), tmp_path / "note")
    assert await another.heal() == ()
    assert await another.heal() == ()
    assert world.picture() == before


@pytest.mark.parametrize("name", EVERY)
def test_every_fault_says_what_it_does_and_how_it_is_seen(name: str) -> None:
    kind = CATALOGUE[name]
    assert kind.name == name
    assert all((kind.what, kind.until, kind.seen, kind.each))
    assert all("|" not in cell for cell in (kind.what, kind.until, kind.seen))
    assert ("after" in kind.until) == bool(kind.duration)
    assert not kind.duration or f"after {kind.duration:g} s" in kind.until


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("service.kill", "systemctl kill --kill-whom=all -s KILL mariadb.service"),
        ("service.freeze", "systemctl kill --kill-whom=all -s STOP mariadb.service"),
        ("service.stop", "systemctl stop mariadb.service"),
        ("host.reboot", "systemctl --no-block reboot"),
    ],
)
async def test_what_is_sent_to_the_host(name: str, sent: str, tmp_path: Path) -> None:
    world = Struck()
    made = Injection(world.powers(), aimed(name), tmp_path / "note")
    await made.prepare()
    await made.strike()
    assert world.scripts == [("a", sent)]


@pytest.mark.parametrize(
    ("name", "drops"),
    [
        ("network.deaf", (Drop("in"),)),
        ("network.mute", (Drop("out"),)),
        ("network.loss", (Drop("in", percent=20), Drop("out", percent=20))),
        ("network.vrrp", (Drop("in", match="ip protocol 112"), Drop("out", match="ip protocol 112"))),
        ("network.partition", (Drop("in", peers=("b", "c")),)),
        ("network.bridge", (Drop("in", peers=("c",)),)),
        (
            "bus.partition",
            tuple(Drop("in", peers=("b", "c"), match=f"tcp {side} 25672") for side in ("sport", "dport")),
        ),
        (
            "network.block",
            (Drop("in", match="tcp dport { 4567, 4568 }"), Drop("in", match="udp dport { 4567, 4568 }")),
        ),
    ],
)
async def test_which_packets_are_lost(name: str, drops: tuple[Drop, ...], tmp_path: Path) -> None:
    world = Struck()
    made = Injection(world.powers(), aimed(name), tmp_path / "note")
    await made.prepare()
    await made.strike()
    assert world.machines["a"].drops == drops
    if name == "network.partition":
        assert {h: world.machines[h].drops for h in "bc"} == dict.fromkeys("bc", (Drop("in", peers=("a",)),))


@pytest.mark.parametrize(
    ("name", "hosts", "said"),
    [
        ("network.partition", HOSTS, "each side"),
        ("bus.partition", HOSTS, "each side"),
        ("network.bridge", HOSTS[:2], "two members beside"),
    ],
)
async def test_a_partition_needs_two_sides(name: str, hosts: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(ProveError, match=said):
        await Injection(Struck().powers(), aimed(name, *hosts), tmp_path / "note").prepare()


async def test_who_bridges_the_sides_loses_nothing(tmp_path: Path) -> None:
    world = Struck()
    made = Injection(world.powers(), aimed("network.bridge"), tmp_path / "note")
    await made.prepare()
    await made.strike()
    assert {h: world.machines[h].drops for h in "bc"} == {"b": (), "c": (Drop("in", peers=("a",)),)}


async def test_each_new_leader_of_the_queues_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LeaderAfterLeader, "LOOK_S", 0.01)
    world = Struck()
    kind = LeaderAfterLeader(world.powers(), fault("bus.leader_after_leader", 0.035), ("a",))
    await kind.look()
    await kind.strike()
    await kind.verify()
    killed = await kind.hold()
    assert killed and all(line.startswith("b: ") for line in killed), "b leads two of three queues"


async def test_the_limit_of_memory_goes_before_anybody_is_told_to_end(tmp_path: Path) -> None:
    world = Struck()
    made = Injection(world.powers(), aimed("host.memory"), tmp_path / "note")
    await made.prepare()
    await made.strike()
    assert world.order == ["memory a", "shell a"]
    await made.heal()
    assert world.order[2:] == ["memory a", "shell a"]


async def test_ports_of_a_service_that_has_none_cannot_be_blocked(tmp_path: Path) -> None:
    of_keystone = [Aimed(Fault("network.block", "keystone", "one", 1.0), ("a",))]
    with pytest.raises(ProveError, match="no port"):
        await Injection(Struck().powers(), of_keystone, tmp_path / "note").prepare()


async def test_a_unit_without_processes_is_nothing_to_strike(tmp_path: Path) -> None:
    world = Struck()
    world.machines["a"].units["mariadb.service"].pids = []
    with pytest.raises(ProveError, match="nothing to strike"):
        await Injection(world.powers(), aimed("service.kill"), tmp_path / "note").prepare()


async def test_a_cut_is_measured() -> None:
    world = Struck()
    kind = CATALOGUE["network.isolate"](world.powers(), fault("network.isolate"), ("a",))
    await kind.look()
    await kind.strike()
    assert await kind.hold() == ("a: cut for 0.500 s",)


async def test_a_port_that_flaps_is_cut_every_other_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "FLAP_S", 0.01)
    world = Struck()
    kind = CATALOGUE["network.flap"](world.powers(), fault("network.flap", 0.05), ("a",))
    await kind.look()
    await kind.strike()
    measured = await kind.hold()
    assert len(measured) == 3
    assert [o for o in world.order if o.startswith("isolate")] == ["isolate a"] * 3


async def test_guards_are_restarted_one_after_another_and_back(tmp_path: Path) -> None:
    world = Struck()
    made = Injection(world.powers(), aimed("agent.skew_next", *HOSTS), tmp_path / "note")
    await made.prepare()
    await made.strike()
    assert [o for o in world.order if o.startswith("shell")] == ["shell a", "shell b", "shell c"]
    assert await made.verify() == tuple(f"{h}: FOURNINES_GUARD_PROTOCOL={PROTOCOL + 1}" for h in HOSTS)


def test_what_nothing_here_can_inject() -> None:
    world = Struck()
    whole = world.powers()
    units = {"keystone": "keystone.service"}
    bare = Powers(whole.reach, units, {}, HOSTS, world, None, None)
    assert "power" in lacking(bare, fault("host.power_off"))
    assert "power" in lacking(bare, fault("host.freeze"))
    assert "network" in lacking(bare, fault("network.deaf"))
    assert "power" in lacking(bare, fault("host.memory"))
    assert "boot_server" in lacking(bare, fault("compute.boot_storm"))
    without = dataclasses.replace(whole, refused={"netem": "this machine's kernel has no netem"})
    assert "netem" in lacking(without, fault("network.delay"))
    assert lacking(without, fault("network.loss")) == ""
    assert "fournines-guard.service" in lacking(bare, fault("agent.skew_next"))
    assert lacking(bare, fault("service.kill")) == ""
    pair = Fault("and", "", "", 1.0, parts=(fault("service.kill"), fault("network.isolate")))
    assert "network" in lacking(bare, pair)
    assert all(lacking(whole, fault(name)) == "" for name in EVERY)


async def test_of_two_at_once_the_host_is_struck_before_its_port_and_healed_after_it(tmp_path: Path) -> None:
    world = Struck()
    both = [*aimed("network.isolate"), *aimed("service.freeze")]
    made = Injection(world.powers(), both, tmp_path / "note")
    await made.prepare()
    await made.strike()
    await made.verify()
    assert world.order == ["shell a", "isolate a"]
    assert json.loads((tmp_path / "note").read_text())[0]["fault"]["name"] == "network.isolate"
    assert await made.heal() == ()
    assert world.order[2:] == ["join a", "shell a"]


async def test_of_two_at_once_the_shorter_is_healed_when_it_has_lasted(tmp_path: Path) -> None:
    world = Struck()
    both = [Aimed(fault("host.freeze", 0.2), ("a",)), Aimed(fault("service.freeze", 0.01), ("b",))]
    made = Injection(world.powers(), both, tmp_path / "note")
    await made.prepare()
    await made.strike()
    holding = asyncio.create_task(made.hold())
    await asyncio.sleep(0.1)
    assert world.machines["b"].units["mariadb.service"].state == "S"
    assert world.machines["a"].frozen
    await holding
    assert await made.heal() == ()
    assert world.picture() == Struck().picture()


def test_what_strikes_together_and_what_follows() -> None:
    one, two = fault("service.kill"), fault("host.power_off")
    assert steps(one) == ((one,),)
    assert steps(Fault("and", "", "", 1.0, parts=(one, two))) == ((one, two),)
    assert steps(Fault("then", "", "", 1.0, parts=(one, two))) == ((one,), (two,))


async def test_a_host_that_cannot_be_healed_is_said_and_the_others_are_healed(tmp_path: Path) -> None:
    world = Struck()
    made = Injection(world.powers(), aimed("service.freeze", *HOSTS), tmp_path / "note")
    await made.prepare()
    await made.strike()
    world.unreachable = {"b"}
    assert await made.heal() == ("b: does not answer",)
    assert (tmp_path / "note").exists()
    assert [world.machines[h].units["mariadb.service"].state for h in HOSTS] == ["S", "T", "S"]


async def test_a_host_that_is_reached_later_is_healed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = Struck()
    made = Injection(world.powers(), aimed("service.freeze"), tmp_path / "note")
    await made.prepare()
    await made.strike()
    world.unreachable = {"a"}

    async def comes_back(_seconds: float) -> None:
        world.unreachable = set()

    monkeypatch.setattr(injection.asyncio, "sleep", comes_back)
    assert await made.heal() == ()


async def leave(world: Struck, state: Path, name: str) -> None:
    made = Injection(world.powers(), aimed(name), note(state))
    await made.prepare()
    await made.strike()


async def test_what_a_killed_run_left_is_healed_by_the_next(tmp_path: Path) -> None:
    world = Struck()
    await leave(world, tmp_path, "host.power_off")
    assert await heal_leftovers(world.powers(), tmp_path) == ("a",)
    assert world.machines["a"].on
    assert await heal_leftovers(world.powers(), tmp_path) == ()


async def test_what_cannot_be_healed_keeps_its_note_and_stops_the_next_run(tmp_path: Path) -> None:
    world = Struck()
    await leave(world, tmp_path, "service.freeze")
    world.unreachable = {"a"}
    with pytest.raises(ProveError, match="could not be healed") as caught:
        await heal_leftovers(world.powers(), tmp_path)
    assert "does not answer" in caught.value.why
    assert note(tmp_path).exists()
    world.unreachable = set()
    assert await heal_leftovers(world.powers(), tmp_path) == ("a",)


@pytest.mark.parametrize("text", ["{", "[]x", '[{"fault": {"name": "no.such"}, "hosts": ["a"]}]', '{"fault": 1}'])
async def test_a_note_that_cannot_be_read_is_said_and_kept(tmp_path: Path, text: str) -> None:
    note(tmp_path).write_text(text)
    with pytest.raises(ProveError, match="cannot be read"):
        await heal_leftovers(Struck().powers(), tmp_path)
    assert note(tmp_path).exists()


async def test_a_lost_connection_is_opened_again_once() -> None:
    world, opened = Struck(), list[str]()

    class Lost(Shell):
        lost = False

        async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0):
            if self.lost:
                raise HostError("the connection was lost", where=self.host)
            return await super().run(script)

    shells: list[Lost] = []

    async def connect(host: str) -> Lost:
        opened.append(host)
        shells.append(Lost(host, world))
        return shells[-1]

    reach = Reach(connect)
    await reach.run("a", f"systemctl stop {UNITS['keystone']}")
    shells[0].lost = True
    await reach.run("a", f"systemctl start {UNITS['keystone']}")
    assert opened == ["a", "a"]
    await reach.close()


async def test_what_a_cluster_runs_is_not_started_by_a_heal(tmp_path: Path) -> None:
    """It may run on another host by then."""
    for name in ("service.stop", "service.crash_loop"):
        world = Struck()
        powers = replace(world.powers(), clustered=frozenset({UNITS["keystone"]}))
        made = Injection(powers, [Aimed(Fault(name, "keystone", "one", 1.0), ("a",))], tmp_path / "note")
        await made.prepare()
        await made.strike()
        assert await made.heal() == ()
        assert not [script for _, script in world.scripts if f"start --no-block {UNITS['keystone']}" in script], name
