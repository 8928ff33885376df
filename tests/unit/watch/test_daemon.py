"""The whole watch on a prober and hosts that are played: what is on disk after an outage, a kill, a full disk."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fournines.health.cluster import Cluster, Unknown
from fournines.health.look import together
from fournines.health.snapshot import parse
from fournines.logs.collect import Journal, Logs, Query
from fournines.logs.entries import Entry
from fournines.prove.load.spec import Database, Identity
from fournines.prove.model import Operation
from fournines.services import load
from fournines.watch import daemon
from fournines.watch.availability import measured
from fournines.watch.control import Alive, Sent, Word
from fournines.watch.daemon import Hands, Watch, windows
from fournines.watch.incidents import Incidents, entries_of
from fournines.watch.ledger import Ledger
from fournines.watch.now import told
from fournines.watch.spec import WatchSpec, dumps, loads
from samples.agents import HOSTS, well

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"
SPEC = WatchSpec(
    epoch=0.0,
    functions=("validate",),
    timeout=10.0,
    name="watch-here",
    region="phx",
    identity=Identity("https://198.18.1.100:5000/v3", "", "admin", "secret", "admin", ""),
    database=Database("198.18.0.100", 3306, "probe", "secret", "probe", 1.0, 1.0),
    broker=None,
)
WALL = 1_795_835_500.0


def words(until: float, out: tuple[float, float] = (-1.0, -1.0)) -> list[Word]:
    """Of a prober: `validate` every 0.2 s, over both kinds in turn, refused in `out`."""
    found: list[tuple[float, Word]] = [(t / 2, Alive(t / 2, frozenset())) for t in range(round(until * 2) + 1)]
    for n in range(round(until * 5)):
        at, kind = round(n * 0.2, 6), "fresh" if n % 2 == 0 else "kept"
        refused = out[0] <= at < out[1]
        found.append((at, Sent("validate", kind, at, at)))
        done = Operation("validate", kind, at, at, at + 0.02, "fail" if refused else "ok", error="refused" * refused)  # type: ignore[arg-type]
        found.append((at + 0.02, done))
    return [word for _, word in sorted(found, key=lambda f: f[0])]


class World:
    """`now` on the prober's clock. `down`: hosts that do not answer."""

    def __init__(self, play: Sequence[Word]) -> None:
        self.now = 0.0
        self.play = play
        self.down: set[str] = set()
        self.said: list[str] = []
        self.cloud = load(EXAMPLE)
        self.queries: list[tuple[tuple[str, ...], Query]] = []

    def hands(self) -> Hands:
        return Hands(
            seen=self.seen,
            hosts=lambda: HOSTS,
            collect=self.collect,
            say=self.said.append,
            words=self.words,
            wall=lambda: WALL + self.now,
            monotonic=lambda: self.now,
        )

    def seen(self) -> Cluster:
        states: dict[str, Any] = {}
        for number, host in enumerate(HOSTS):
            gone = Unknown(host, "does not answer", "it has sent nothing", "see its power")
            states[host] = gone if host in self.down else parse(copy.deepcopy(well(host, number)), 0.1)
        return together(self.cloud, states)

    async def collect(self, names: Sequence[str], query: Query) -> Logs:
        self.queries.append((tuple(names), query))
        entry = Entry(WALL + 6, "ctl1", "haproxy", "ERROR", "Server keystone/ctl1 is DOWN")
        return Logs((Journal("ctl1", (entry,), WALL - 1e6, 0.0, cut=False),))

    async def words(self, _spec: WatchSpec) -> AsyncGenerator[Word]:
        for word in self.play:
            if isinstance(word, Alive):
                self.now = word.now
                self.down = {"ctl1"} if 5 <= self.now < 20 else set()
                await asyncio.sleep(0)
            yield word
        await asyncio.Event().wait()


async def watched(world: World, folder: Path, *, until: float, kill: bool = False) -> Watch:
    """Runs until the play is over."""
    watch = Watch(SPEC, folder, world.hands())
    task = asyncio.create_task(watch.run())
    for _ in range(400):
        await asyncio.sleep(0.01)
        if world.now >= until:
            break
    await asyncio.sleep(0.05)
    task.cancel()
    if kill:
        return watch
    await asyncio.gather(task, return_exceptions=True)
    return watch


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "AROUND_S", -2.0)
    monkeypatch.setattr(daemon, "RETRY_S", 0.0)


def test_an_outage_is_an_incident_with_agents_and_logs(tmp_path: Path) -> None:
    world = World(words(30.0, out=(5.0, 9.0)))
    asyncio.run(watched(world, tmp_path, until=30.0))
    [listed] = Incidents(tmp_path).all()
    found = Incidents(tmp_path).require(listed.id)
    assert (found.began, found.ended, found.bad) == (WALL + 5, WALL + 9, {"validate": 4})
    assert found.sentence.startswith("acme does not serve the VIP")
    assert found.of("agents")[0]["status"]["regions"]["phx"]["unknown"][0]["host"] == "ctl1"
    assert [e.message for e in entries_of(found)] == ["Server keystone/ctl1 is DOWN"]
    [ended] = found.of("ended")
    figures = ended["figures"]["validate"]
    # The last success before ended at 4.82, the first after at 9.02; a light probe would have asked 0.1 s sooner.
    assert figures[""]["longest_gap_s"] == pytest.approx(4.2 - 0.1)
    assert figures[""]["gap_from"] == pytest.approx(WALL + 4.82)
    assert (figures["fresh"]["fail"], figures["kept"]["fail"]) == (10, 10)
    assert not ended["interrupted"]
    [row] = measured(Ledger(tmp_path), WALL + 30, {})
    assert row.seconds.bad == 4
    assert row.seconds.good >= 22


def test_all_is_well_leaves_no_incident(tmp_path: Path) -> None:
    world = World(words(20.0))
    asyncio.run(watched(world, tmp_path, until=20.0))
    assert Incidents(tmp_path).all() == []
    now = told(tmp_path)
    assert now is not None and now.runs(WALL + 10)


def test_a_watch_that_is_stopped_says_so_in_the_incident(tmp_path: Path) -> None:
    world = World(words(8.0, out=(5.0, 99.0)))
    asyncio.run(watched(world, tmp_path, until=8.0))
    [found] = Incidents(tmp_path).all()
    assert found.interrupted and found.ended is not None
    assert found.bad["validate"] >= 2


def test_what_a_killed_watch_left_is_ended_and_gets_its_logs(tmp_path: Path) -> None:
    store = Incidents(tmp_path)
    id = store.begin(WALL - 60, "phx", "acme")
    store.note(id, WALL - 60, "out", function="validate", connection="fresh")
    store.note(id, WALL - 50, "agents", sentence="acme does not serve the VIP: 1 problem.", problems=[])
    world = World(words(3.0))
    asyncio.run(watched(world, tmp_path, until=3.0))
    found = store.require(id)
    assert found.interrupted and found.ended == WALL - 50
    assert len(entries_of(found)) == 1


def test_a_folder_that_cannot_be_written_does_not_end_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fournines.watch.incidents.append", full)
    monkeypatch.setattr("fournines.watch.ledger.append", full)
    world = World(words(30.0, out=(5.0, 9.0)))
    asyncio.run(watched(world, tmp_path, until=30.0))
    assert any("No space left" in line for line in world.said)
    assert world.now == 30.0


def test_windows_of_a_long_incident_are_its_beginning_and_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "AROUND_S", 30.0)
    assert windows(1000.0, 1010.0) == [(970.0, 1040.0)]
    assert windows(1000.0, 9000.0) == [(970.0, 1120.0), (8880.0, 9030.0)]


def test_the_prober_is_told_all_of_it() -> None:
    assert loads(dumps(SPEC)) == SPEC
