"""Calm: whatever is planted in a quiet history is counted, and what could not be looked at is never counted as none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fournines.agent.guard import lease, vip
from fournines.engine.transport import Completed
from fournines.errors import HostError
from fournines.prove.calm.census import Counter, Daemon, parse
from fournines.prove.calm.count import LOST, calm_of
from fournines.prove.calm.model import Calm, Count
from fournines.prove.calm.run import functions_of
from fournines.prove.history import Event, History
from fournines.prove.model import Operation
from fournines.prove.reach import Reach
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"
HOSTS = ("ctl1", "ctl2", "ctl3")
BEGAN, ENDED = 10.0, 110.0
PROBES = ("validate", "write_row")


def census(host: str, when: str, **changes: Any) -> Event:
    data: dict[str, Any] = {
        "host": host,
        "when": when,
        "why": "",
        "units": {"keystone.service": {"pid": 7, "restarts": 0, "state": "active"}},
        "galera": {"wsrep_cluster_conf_id": "5", "wsrep_evs_evict_list": "", "epoch": "2"},
    }
    return Event("census", BEGAN if when == "first" else ENDED, data | changes)


def sighting(at: float, vip: str, *holders: str) -> Event:
    return Event("sighting", at, {"vip": vip, "holders": list(holders), "serving": []})


def quiet() -> list[Event]:
    return [
        sighting(1.0, "internal", "ctl2"),
        sighting(1.0, "public", "ctl2"),
        sighting(5.0, "public"),  # before the calm began: what a power-off cost
        sighting(8.0, "public", "ctl1"),
        sighting(8.0, "internal", "ctl1"),
        *(census(h, "first") for h in HOSTS),
        Event("calm", BEGAN, {"cloud": "acme", "profile": "lan", "busy": True, "without": "", "probes": PROBES}),
        Event("writer", BEGAN, {"writer": "ctl1"}),
        Event("machine", 50.0, {"idle": 0.0, "cpu": 0.9, "io": 0.0, "memory": 0.0}),
        Event("ended", ENDED, {}),
        *(census(h, "last") for h in HOSTS),
    ]


def requests(**changes: Any) -> list[Operation]:
    return [
        Operation(name, "kept", float(t), t + 0.01, t + 0.05, "ok", **changes) for t in range(5, 115) for name in PROBES
    ]


def counted(events: list[Event], operations: list[Operation] | None = None) -> Calm:
    past = History(tuple(operations if operations is not None else requests()), tuple(events))
    return calm_of(past, command="again", started_at="2026-11-28T00:00:00+00:00", versions={})


def of(calm: Calm, what: str) -> Count:
    return next(c for c in calm.counts if c.what == what)


def test_nothing_happened() -> None:
    calm = counted(quiet())
    assert calm.verdict == "pass", calm.reasons
    assert {c.count for c in calm.counts} == {0}
    assert (calm.began, calm.ended, calm.busy) == (BEGAN, ENDED, True)
    assert [(w.function, w.requests, round(w.worst_s or 0, 2)) for w in calm.waits] == [
        ("validate", 100, 0.05),
        ("write_row", 100, 0.05),
    ]


def replaced(host: str, when: str, **changes: Any) -> list[Event]:
    return [
        census(host, when, **changes) if e.name == "census" and (e.data["host"], e.data["when"]) == (host, when) else e
        for e in quiet()
    ]


def unit(pid: int, restarts: int) -> dict[str, Any]:
    return {"units": {"keystone.service": {"pid": pid, "restarts": restarts, "state": "active"}}}


@pytest.mark.parametrize(
    ("events", "what", "count", "said"),
    [
        ([sighting(30.0, "public", "ctl2")], "moves of the public VIP", 1, "ctl1 to ctl2 at 20 s"),
        (
            [sighting(30.0, "public"), sighting(30.3, "public", "ctl2"), sighting(60.0, "public", "ctl1")],
            "moves of the public VIP",
            2,
            "ctl2 to ctl1",
        ),
        (
            [sighting(30.0, "internal", "ctl1", "ctl2"), sighting(30.2, "internal", "ctl1")],
            "moves of the internal VIP",
            2,
            "ctl1 and ctl2",
        ),
        (
            [sighting(30.0, "internal"), sighting(32.0, "internal", "ctl1")],
            "times that no host answered for the internal VIP",
            1,
            "2.0 s at 20 s",
        ),
        (
            [sighting(109.0, "internal")],
            "times that no host answered for the internal VIP",
            1,
            "1.0 s at 99 s",
        ),
        (
            [Event("journal", 40.0, {"host": "ctl1", "lines": ["(fournines) Entering FAULT STATE"]})],
            "leases lost",
            1,
            "ctl1",
        ),
        (
            [
                Event(
                    "journal",
                    40.0,
                    {"host": "ctl1", "lines": ["VIP: this host must not hold it (x)", "VIP: this host stands by (y)"]},
                )
            ],
            "leases lost",
            2,
            "ctl1",
        ),
        (
            [Event("journal", 40.0, {"host": "ctl3", "lines": ["(fournines) Entering MASTER STATE"]})],
            "changes of VRRP state",
            1,
            "ctl3",
        ),
        (
            [
                Event(
                    "journal", 40.0, {"host": "ctl3", "lines": ["ctl1 has departed: neither its guard nor its kernel"]}
                )
            ],
            "times that a host was declared departed",
            1,
            "ctl3: ctl1 has departed",
        ),
        ([Event("writer", 41.0, {"writer": "ctl3"})], "moves of the writer", 1, "ctl1 to ctl3"),
    ],
)
def test_what_happened_is_counted(events: list[Event], what: str, count: int, said: str) -> None:
    calm = counted([*quiet(), *events])
    assert of(calm, what).count == count
    assert said in of(calm, what).detail
    assert calm.verdict == "fail"


@pytest.mark.parametrize(
    ("changes", "what", "count"),
    [
        (unit(8, 0), "daemons restarted", 1),
        (unit(8, 3), "daemons restarted", 3),
        ({"galera": {"wsrep_cluster_conf_id": "7", "epoch": "2"}}, "changes of Galera's view", 2),
        ({"galera": {"wsrep_cluster_conf_id": "5", "epoch": "3"}}, "writer elections", 1),
        (
            {"galera": {"wsrep_cluster_conf_id": "5", "epoch": "2", "wsrep_evs_evict_list": "abc,def"}},
            "nodes evicted from Galera",
            2,
        ),
    ],
)
def test_what_daemons_tell_is_counted(changes: dict[str, Any], what: str, count: int) -> None:
    calm = counted(replaced("ctl2", "last", **changes))
    assert of(calm, what).count == count
    assert calm.verdict == "fail"


def test_a_request_that_failed_or_is_unknown_is_counted() -> None:
    done = requests()
    done[50] = Operation("validate", "kept", 30.0, 30.0, 40.0, "unknown")
    done[51] = Operation("write_row", "kept", 30.0, 30.0, 33.0, "fail")
    done[-1] = Operation("write_row", "kept", 114.0, 114.0, 114.1, "fail")  # after the calm
    calm = counted(quiet(), done)
    assert (of(calm, "requests failed").count, of(calm, "requests of unknown outcome").count) == (1, 1)
    assert calm.waits[0].worst_s == 10.0


def test_what_the_guard_says_of_its_lease_is_what_is_looked_for() -> None:
    said = {value: f"VIP: {text}" for value, text in lease._MEANING.items()}
    assert not any(p.search(said[vip.GRANTED]) for p in LOST)
    assert all(any(p.search(said[value]) for p in LOST) for value in (vip.STANDBY, vip.FORBIDDEN))


def test_a_short_silence_of_arp_is_no_absence() -> None:
    calm = counted([*quiet(), sighting(30.0, "internal"), sighting(30.4, "internal", "ctl1")])
    assert calm.verdict == "pass", calm.reasons


@pytest.mark.parametrize(
    ("events", "what"),
    [
        ([e for e in quiet() if e.name != "writer"], "moves of the writer"),
        ([e for e in quiet() if e.data.get("vip") != "public"], "moves of the public VIP"),
        ([*quiet(), Event("unwatched", 2.0, {"vip": "internal", "why": "needs root"})], "moves of the internal VIP"),
        (replaced("ctl2", "last", units={}, galera={}, why="does not answer"), "daemons restarted"),
        (replaced("ctl2", "last", units={}, galera={}, why="does not answer"), "leases lost"),
        ([e for e in quiet() if e.data.get("when") != "last"], "changes of Galera's view"),
        ([e for e in quiet() if e.data.get("when") != "last"], "nodes evicted from Galera"),
    ],
)
def test_what_could_not_be_looked_at_is_unknown(events: list[Event], what: str) -> None:
    calm = counted(events)
    assert of(calm, what).count is None
    assert of(calm, what).detail
    assert calm.verdict == "unknown"


def test_a_function_without_a_request_is_unknown() -> None:
    calm = counted(quiet(), [o for o in requests() if o.function != "write_row"])
    assert of(calm, "requests failed").count is None
    assert "write_row" in of(calm, "requests failed").detail
    assert calm.verdict == "unknown"


def test_a_host_that_was_off_is_redundant_again_later() -> None:
    calm = counted([*quiet(), Event("healed", 120.0, {"why": ""}), Event("whole", 150.0, {})])
    assert calm.redundant_again_s == 30.0


def test_what_takes_turns_is_not_gentle() -> None:
    assert functions_of(("validate", "boot_server", "list_servers")) == ("validate", "list_servers")


SAID = """Id=keystone.service
MainPID=12
NRestarts=1
ActiveState=active

Id=mariadb.service
MainPID=0
NRestarts=0
ActiveState=failed

==galera
WSREP_CLUSTER_CONF_ID\t5
epoch\t3

==journal
(fournines) Entering BACKUP STATE
-- cursor: s=1;i=2
"""


def test_a_host_tells_of_its_daemons() -> None:
    census = parse(SAID)
    assert census.units == {"keystone.service": Daemon(12, 1, "active"), "mariadb.service": Daemon(0, 0, "failed")}
    assert census.galera == {"wsrep_cluster_conf_id": "5", "epoch": "3"}
    assert (census.journal, census.cursor) == (("(fournines) Entering BACKUP STATE",), "s=1;i=2")
    without = parse(SAID.partition("==galera")[0] + "==journal\n-- cursor: s=9\n")
    assert (len(without.units), without.galera, without.cursor) == (2, {}, "s=9")


class Shell:
    def __init__(self, host: str) -> None:
        self.host = host
        self.scripts: list[str] = []
        self.lost = False

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        if self.lost:
            raise HostError("does not answer", where=self.host)
        self.scripts.append(script)
        return Completed(0, SAID, "")

    async def put(self, path: str, content: bytes, *, mode: int, owner: str, group: str, timeout: float = 60.0) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        pass


async def test_the_journal_is_read_on_from_where_it_was_left() -> None:
    cloud = load(EXAMPLE)
    shell = Shell("ctl1")

    async def connect(_host: str) -> Shell:
        if shell.lost:
            raise HostError("does not answer", where="ctl1")
        return shell

    counter = Counter(Reach(connect), cloud.hosts[0], cloud)
    await counter.look()
    await counter.look()
    assert "-n 1" in shell.scripts[0]
    assert "--after-cursor='s=1;i=2'" in shell.scripts[1]
    assert "-u keepalived" in shell.scripts[1]
    assert "mariadb.service" in shell.scripts[0]
    shell.lost = True
    assert "does not answer" in (await counter.look()).why
    shell.lost = False
    await counter.look()
    assert "--after-cursor='s=1;i=2'" in shell.scripts[2]
