"""A majority that is lost for good: what is refused, what the survivor does, and that it is continued from anywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fournines.cloud import record
from fournines.commands import recover as recovering
from fournines.commands.recover import Way
from fournines.engine import SshOptions
from fournines.engine.events import Report, silent
from fournines.engine.fake import FakeHost
from fournines.errors import LockedError, PlanError, UsageError
from fournines.health.snapshot import Galera
from fournines.operate import scale
from fournines.operate.recover.evidence import MARKER, Asked, Database
from fournines.operate.recover.survivors import best
from fournines.services.base import entry_of
from fournines.services.resource import Step
from samples.rescue import ALONE, OTHER, Site, evidence

GONE = ("ctl2", "ctl3")


@contextmanager
def quiet() -> Generator[Report]:
    yield silent


async def planned(site: Site, *gone: str, **asked: Any) -> Way:
    return await recovering.planned(site.cloud, Asked("20261129T040000Z", gone, **asked), SshOptions())


async def recover(site: Site, *gone: str, confirmed: bool = True, **asked: Any) -> list[str]:
    said: list[str] = []
    way = await planned(site, *gone, **asked)
    assert not way.looked.undecided

    def ending() -> None:
        for name in gone:
            site.cloud = scale.without(site.cloud, name)

    await recovering.carry_out(
        way,
        SshOptions(),
        reporting=quiet,
        say=said.append,
        ending=ending,
        confirmed=confirmed,
        switched_off=False,
    )
    return said


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    site = Site(monkeypatch, tmp_path, *GONE)
    site.hosts["ctl1"].said = evidence(**_copy(ALONE))
    return site


def _copy(said: dict[str, Any]) -> dict[str, Any]:
    return {key: dict(value) if isinstance(value, dict) else value for key, value in said.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


async def test_it_says_what_it_found_and_what_a_person_has_to_say(alone: Site) -> None:
    way = await planned(alone)
    (finding,) = way.looked.undecided
    assert finding.kind == "majority"
    assert finding.choose.startswith("--gone ctl2,ctl3,")
    assert "mariadb: 1 of 3 members answer (ctl1)" in finding.evidence
    assert any(line.startswith("ctl2: ctl2 does not answer") for line in finding.evidence)
    assert any("acknowledged after the hosts that are left" in line for line in finding.loses)
    assert way.looked.plan.empty


async def test_the_survivor_goes_on_alone(alone: Site) -> None:
    said = await recover(alone, *GONE)
    ctl1 = alone.hosts["ctl1"]
    assert alone.switched == ["ctl2", "ctl3"]
    assert ctl1.acts == [
        "primary 20261129T040000Z",
        "halt 20261129T040000Z",
        "alone rabbit@ctl2 rabbit@ctl3",
        "shrink",
    ]
    assert said[-3:] == [f"ctl2, ctl3: {phase}" for phase in ("leave", "forget", "done")]
    assert list(record.parse(ctl1.files[record.PATH][0].decode())) == ["ctl1"]
    assert ctl1.files["/etc/db/members"][0] == b"ctl1"
    assert MARKER not in ctl1.files
    assert (await planned(alone)).empty


async def test_a_plan_says_what_is_done_and_what_is_kept(alone: Site) -> None:
    way = await planned(alone, *GONE)
    assert [stage.name for stage in way.looked.plan.stages] == ["mark", "database", "broker-halt", "broker", "queues"]
    (finding,) = way.looked.findings
    assert "ctl1:/var/lib/rabbitmq/mnesia.kept-20261129T040000Z: what RabbitMQ has on disk" in finding.keeps
    assert [phase.step.phase for phase in way.phases] == ["leave", "forget", "done"]
    assert alone.hosts["ctl1"].acts == []
    assert alone.switched == []


async def test_cut_after_any_step_the_same_command_continues(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cut = 0
    while await _interrupted(site := _alone(monkeypatch, tmp_path), cut):
        marked = MARKER in site.hosts["ctl1"].files
        # What was begun is known by the hosts: nobody has to name the lost ones again.
        await recover(site, *(() if marked else GONE))
        ctl1 = site.hosts["ctl1"]
        assert ctl1.said["database"]["primary"]
        assert ctl1.said["broker"]["runs"]
        assert MARKER not in ctl1.files
        assert list(record.parse(ctl1.files[record.PATH][0].decode())) == ["ctl1"]
        assert ctl1.files["/etc/db/members"][0] == b"ctl1"
        cut += 1
    assert cut > 10


def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    site = Site(monkeypatch, tmp_path, *GONE)
    site.hosts["ctl1"].said = evidence(**_copy(ALONE))
    return site


class CutError(Exception):
    pass


async def _interrupted(site: Site, cut: int) -> bool:
    left = [cut]

    def count(host: FakeHost, step: Step) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise CutError

    site.hosts["ctl1"].before_step = count
    with contextlib.suppress(CutError):
        await recover(site, *GONE)
    site.hosts["ctl1"].before_step = lambda host, step: None
    return left[0] < 0


# What is refused


async def test_a_host_that_answers_is_not_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    site = Site(monkeypatch, tmp_path, "ctl3")
    with pytest.raises(PlanError, match="ctl2 is not gone: it answers"):
        await planned(site, *GONE)


async def test_a_host_that_only_another_one_hears_is_not_gone(alone: Site) -> None:
    alone.hosts["ctl1"].said["alive"] = {"ctl3": "198.18.0.13 refuses TCP 4567, so its kernel runs"}
    with pytest.raises(PlanError, match="ctl3 is not gone") as caught:
        await planned(alone, *GONE)
    assert "seen from ctl1: 198.18.0.13 refuses" in caught.value.why
    assert alone.switched == []


async def test_nothing_is_done_where_a_majority_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    site = Site(monkeypatch, tmp_path, "ctl3")
    with pytest.raises(PlanError, match="a majority is there") as caught:
        await planned(site, "ctl3")
    assert "the database is Primary on ctl1, ctl2" in caught.value.why
    assert "--remove ctl3 --lost" in caught.value.next


async def test_who_is_neither_here_nor_named_may_know_more(alone: Site) -> None:
    with pytest.raises(PlanError, match="neither here nor named") as caught:
        await planned(alone, "ctl2")
    assert caught.value.where == "ctl3"


async def test_another_run_holds_the_host(alone: Site) -> None:
    alone.hosts["ctl1"].holder = "ops@other pid 7"
    with pytest.raises(LockedError, match="another run holds ctl1"):
        await recover(alone, *GONE)
    assert alone.hosts["ctl1"].acts == []
    assert alone.switched == []


async def test_another_operation_that_has_begun_is_said_before_anything_is_done(alone: Site) -> None:
    leaves = [entry_of(h) for h in alone.cloud.hosts]
    leaves[1] = replace(leaves[1], name="ctl4", state="leaves")
    alone.hosts["ctl1"].files[record.PATH] = (record.dumps(leaves).encode(), 0o644)
    with pytest.raises(PlanError, match="ctl4 is on its way out"):
        await planned(alone, *GONE)


async def test_of_another_cloud(alone: Site) -> None:
    alone.hosts["ctl1"].said["cloud"] = "staging"
    with pytest.raises(PlanError, match="hosts of another cloud than acme"):
        await planned(alone, *GONE)


async def test_a_name_that_nobody_knows(alone: Site) -> None:
    with pytest.raises(UsageError, match="no host ctl9") as caught:
        await planned(alone, "ctl9")
    assert "did you mean ctl" in caught.value.next


async def test_an_acknowledged_write_may_be_on_the_disk_that_is_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All were killed at once, two come back, and wait for the third: a majority is there, and yet a person decides."""
    site = Site(monkeypatch, tmp_path, "ctl3")
    for name, seqno in (("ctl1", 41), ("ctl2", 42)):
        stopped = {"primary": False, "answers": False, "unit": "activating/start-pre", "seqno": seqno}
        site.hosts[name].said = evidence(database=stopped, broker={"members": ["rabbit@ctl1", "rabbit@ctl2"]})
    site.states = {name: _Waits("ctl3") for name in ("ctl1", "ctl2")}
    (finding,) = (await planned(site)).looked.undecided
    assert finding.choose.startswith("--gone ctl3,")
    way = await planned(site, "ctl3")
    _, database = way.looked.plan.stages
    assert [change.host for change in database.changes] == ["ctl2"], "the most advanced"
    assert [check.host for check in database.gate] == ["ctl1", "ctl2"]


async def test_survivors_with_other_histories_are_moved_aside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    site = Site(monkeypatch, tmp_path, "ctl3")
    stopped = {"primary": False, "answers": False, "unit": "activating/start-pre"}
    site.hosts["ctl1"].said = evidence(database=stopped)
    site.hosts["ctl2"].said = evidence(database=stopped | {"cluster": OTHER})
    site.states = {name: _Waits("ctl3") for name in ("ctl1", "ctl2")}
    (finding,) = (await planned(site, "ctl3")).looked.undecided
    assert finding.choose.startswith("--history")
    way = await planned(site, "ctl3", history="ctl1")
    (finding,) = way.looked.findings
    stages = {stage.name: {change.host for change in stage.changes} for stage in finding.stages}
    assert stages["database"] == {"ctl1"}
    assert stages["databases"] == {"ctl2"}
    assert "ctl2:/var/lib/mysql.kept-20261129T040000Z: its database as it was" in finding.keeps


def two_left(site: Site, **second: Any) -> None:
    """Of two members that are left, the second one."""
    stopped = {"primary": False, "answers": False, "unit": "activating/start-pre"}
    site.hosts["ctl1"].said = evidence(database=stopped)
    site.hosts["ctl2"].said = evidence(database=stopped | second)
    site.states = {name: _Waits("ctl3") for name in ("ctl1", "ctl2")}


async def test_one_whose_position_nobody_knows_may_have_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    two_left(site := Site(monkeypatch, tmp_path, "ctl3"), unit="activating/auto-restart", seqno=-1)
    with pytest.raises(PlanError, match="how far the database of ctl2 is, is not known"):
        await planned(site, "ctl3")


async def test_one_whose_data_is_damaged_takes_a_copy_afterwards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    damaged = ["[ERROR] InnoDB: Database page corruption on disk"]
    two_left(site := Site(monkeypatch, tmp_path, "ctl3"), unit="failed/failed", seqno=-1, errors=damaged)
    way = await planned(site, "ctl3")
    stages = {stage.name: stage for stage in way.looked.plan.stages}
    assert [check.host for check in stages["database"].gate] == ["ctl1"]
    assert {change.host for change in stages["databases"].changes} == {"ctl2"}


async def test_nothing_is_made_primary_of_what_cannot_be_read(alone: Site) -> None:
    broken = {"answers": False, "unit": "failed/failed", "errors": ["[ERROR] InnoDB: Database page corruption"]}
    alone.hosts["ctl1"].said["database"] |= broken
    with pytest.raises(PlanError, match="no host that is left holds a database") as caught:
        await planned(alone, *GONE)
    assert "page corruption" in caught.value.why
    assert "fournines restore" in caught.value.next


class _Waits:
    """Of an observer's word only what is asked here."""

    def __init__(self, missing: str) -> None:
        self.galera = Galera(None, False, "", "", -1, (), 0, False, "", "", f"waits for {missing}", (missing,))
        self.rabbitmq = None
        self.age = 0.0


async def test_no_room_for_a_copy(alone: Site) -> None:
    alone.hosts["ctl1"].said["broker"] |= {"free": 1 << 20}
    with pytest.raises(PlanError, match="no room to keep") as caught:
        await planned(alone, *GONE)
    assert "RabbitMQ holds 40 MiB, 1 MiB are free" in caught.value.why


async def test_who_came_back_between_the_question_and_the_answer_stops_it(alone: Site) -> None:
    way = await planned(alone, *GONE)
    alone.hosts["ctl1"].said["alive"] = {"ctl2": "198.18.0.12 answers a ping"}
    with pytest.raises(PlanError, match="ctl2 is not gone"):
        await recovering.carry_out(
            way,
            SshOptions(),
            reporting=quiet,
            say=lambda _: None,
            ending=lambda: None,
            confirmed=True,
            switched_off=False,
        )
    assert alone.hosts["ctl1"].acts == []


def test_the_most_advanced_of_those_that_are_left_is_made_primary() -> None:
    behind = Database("active/running", answers=True, cluster="u", seqno=7)
    ahead = Database("activating/start-pre", cluster="u", seqno=9)
    assert best({"ctl1": behind, "ctl2": ahead}) == "ctl2"
    assert best({"ctl1": replace(ahead, seqno=7), "ctl2": behind}) == "ctl2"
