"""Carrying plans out: order, waves, gates, and what is said when something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from fournines.cloud.model import Cloud, Host
from fournines.engine import apply, hold, local_lock, require_confirmed, require_same_world, survey
from fournines.engine.connect import Connected
from fournines.engine.events import ChangeStarted, Event, GateWaits, HostFailed, StageStarted
from fournines.engine.fake import FakeHost
from fournines.engine.lock import owner
from fournines.engine.transport import Completed
from fournines.errors import FourninesError, GateError, HostError, LockedError, PlanError
from fournines.plan.actions import PENDING
from fournines.plan.model import Plan
from fournines.services.resource import Step
from fournines.services.service import Check, HaPattern, Service
from samples.toy import Toy, bring_up, cloud, registry, world

THREE = {"h1": ["db"], "h2": ["db"], "h3": ["db"]}


def db(content: str = "one", **more: Any) -> dict[str, Service]:
    return registry(Toy("db", content, pattern=HaPattern.QUORUM, **more))


def fake(hosts: Connected, name: str) -> FakeHost:
    return cast(FakeHost, hosts[name])


async def running(made: Cloud, services: Mapping[str, Service]) -> Connected:
    hosts = world(made)
    await bring_up(made, services, hosts)
    return hosts


async def attempt(made: Cloud, services: Mapping[str, Service], hosts: Connected) -> list[Event]:
    events: list[Event] = []
    found = await survey(made, services, hosts)
    await apply(found.plan, hosts, events.append)
    return events


def moves(hosts: Connected) -> list[str]:
    """Records the order in which hosts restart their unit, from now on."""
    order: list[str] = []

    def watch(host: FakeHost, step: Step) -> None:
        if "try-restart" in getattr(step, "script", ""):
            order.append(host.host)

    for name in hosts:
        fake(hosts, name).before_step = watch
    return order


async def test_events_tell_the_run_in_order() -> None:
    made = cloud({"h1": ["db"]})
    events = await attempt(made, db(), world(made))
    assert [type(e).__name__ for e in events] == [
        "StageStarted",
        "ChangeStarted",
        "ChangesDone",
        "StageDone",
        "StageStarted",
        *["ChangeStarted"] * 4,
        "ChangesDone",
        "StageDone",
    ]
    assert [(e.number, e.of, e.key) for e in events if isinstance(e, ChangeStarted) and e.stage == "db"] == [
        (1, 4, "directory:/etc/db"),
        (2, 4, "file:/etc/db/main"),
        (3, 4, "restart:db.service"),
        (4, 4, "unit:db.service"),
    ]
    assert [(e.stage, e.number, e.of) for e in events if isinstance(e, StageStarted)] == [
        ("remember", 1, 2),
        ("db", 2, 2),
    ]


async def test_hosts_move_a_wave_at_a_time() -> None:
    made = cloud(THREE)
    hosts = await running(made, db())
    order = moves(hosts)
    await attempt(made, db("two"), hosts)
    assert order == ["h1", "h2", "h3"]


async def test_at_a_first_start_the_others_wait_for_what_the_first_host_makes() -> None:
    """None of them is well yet, and still the first is first."""
    made = cloud(THREE)
    hosts = world(made)
    started: list[str] = []

    def watch(host: FakeHost, step: Step) -> None:
        if "systemctl start" in getattr(step, "script", ""):
            started.append(host.host)
            assert host.host == "h1" or fake(hosts, "h1").units["db.service"][0] == "active"

    for name in hosts:
        fake(hosts, name).before_step = watch
    events = await attempt(made, db(first_start="first-alone"), hosts)
    assert started[0] == "h1"
    assert sorted(started) == ["h1", "h2", "h3"]
    [stage] = [e for e in events if isinstance(e, StageStarted) and e.stage == "db"]
    assert stage.hosts == ("h1", "h2", "h3")


async def test_an_ill_host_moves_first() -> None:
    made = cloud(THREE)
    hosts = await running(made, db())
    fake(hosts, "h3").units["db.service"] = ["inactive", "enabled"]
    order = moves(hosts)
    await attempt(made, db("two"), hosts)
    assert order == ["h3", "h1", "h2"]


async def test_the_others_stay_as_they_are_when_the_first_does_not_come_back() -> None:
    made = cloud(THREE)
    hosts = await running(made, db())
    fake(hosts, "h1").answers["is-active"] = Completed(0, "", "")
    broken = fake(hosts, "h1")

    def breaks(host: FakeHost, step: Step) -> None:
        if "try-restart" in getattr(step, "script", ""):
            broken.answers["is-active"] = Completed(3, "no longer Primary", "")

    broken.before_step = breaks
    with pytest.raises(GateError, match="db: check `up` does not hold on h1 after 0 s") as caught:
        await attempt(made, db("two"), hosts)
    assert caught.value.where == "h1"
    assert "no longer Primary" in caught.value.why
    assert fake(hosts, "h2").files["/etc/db/main"][0] == b"one h2\n"
    assert f"{PENDING}/db.gate" in broken.files


async def test_a_gate_that_failed_is_asked_again_by_the_next_run() -> None:
    made = cloud({"h1": ["db"]})
    hosts = world(made)
    fake(hosts, "h1").answers["is-active"] = Completed(3, "", "")
    with pytest.raises(GateError):
        await attempt(made, db(), hosts)
    found = await survey(made, db(), hosts)
    assert [c.resource.key for s in found.plan.stages for c in s.changes] == ["gate:db"]
    fake(hosts, "h1").answers.clear()
    await apply(found.plan, hosts)
    assert (await survey(made, db(), hosts)).plan.empty


async def test_a_host_that_stays_ill_does_not_keep_the_others_from_being_mended() -> None:
    """All three are broken; what fixes h1 must not wait for h3, whose turn comes later."""
    made = cloud(THREE)
    hosts = await running(made, db())
    for name in THREE:
        fake(hosts, name).units["db.service"] = ["failed", "enabled"]
    await attempt(made, db("two"), hosts)
    assert all(fake(hosts, name).units["db.service"][0] == "active" for name in THREE)


class Counted(Toy):
    """Its check counts members, as a quorum's does: while one is missing it holds nowhere."""

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        alone = f"systemctl is-active {self.name}.service"
        yield Check("all are here", host.name, "count members", 0.0, self.units[0], alone)


async def test_members_that_only_miss_another_do_not_restart_together() -> None:
    made = cloud(THREE)
    hosts = await running(made, db())
    for name in THREE:
        fake(hosts, name).answers["count members"] = Completed(1, "2 of 3", "")
    order = moves(hosts)
    found = await survey(made, registry(Counted("db", "two", pattern=HaPattern.QUORUM)), hosts)
    with pytest.raises(GateError, match="all are here"):
        await apply(found.plan, hosts)
    assert order == ["h1", "h2", "h3"]


async def test_one_that_joins_comes_after_those_that_run_and_is_counted_at_the_end() -> None:
    made = cloud(THREE)
    hosts = await running(cloud({"h1": ["db"], "h2": ["db"]}), db())
    hosts["h3"] = FakeHost("h3")
    seen: list[str] = []

    def watch(host: FakeHost, step: Step) -> None:
        if "systemctl start" in getattr(step, "script", ""):
            seen.append(f"start {host.host}")
        if getattr(step, "script", "") == "count members":
            seen.append("count")

    for name in THREE:
        fake(hosts, name).before_step = watch
    services = registry(Counted("db", "two", pattern=HaPattern.QUORUM))
    found = await survey(made, services, hosts)
    told, joins = (stage for stage in found.plan.stages if stage.name == "db")
    assert told.waves == (("h1",), ("h2",))
    assert joins.waves == (("h3",),)
    await apply(found.plan, hosts)
    assert seen == ["start h3", "count", "count", "count"]
    assert (await survey(made, services, hosts)).plan.empty


async def test_a_gate_waits_until_the_check_holds() -> None:
    class Slow(Toy):
        def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
            return [Check("up", "h1", "is it up", within=5.0)]

    made = cloud({"h1": ["db"]})
    hosts = world(made)
    fake(hosts, "h1").answers["is it up"] = Completed(1, "", "")
    waits: list[Event] = []

    def report(event: Event) -> None:
        if isinstance(event, GateWaits):
            waits.append(event)
            fake(hosts, "h1").answers.clear()

    found = await survey(made, registry(Slow("db")), hosts)
    await apply(found.plan, hosts, report)
    assert len(waits) == 1


# What goes wrong on a host


async def broken(answers: dict[str, Completed], key: str = "systemctl enable") -> HostError:
    made = cloud({"h1": ["db"]})
    hosts = world(made)
    fake(hosts, "h1").answers = answers
    with pytest.raises(HostError) as caught:
        await attempt(made, db(), hosts)
    return caught.value


async def test_a_unit_that_does_not_start_is_told_with_its_log() -> None:
    error = await broken(
        {
            "journalctl -u db.service": Completed(0, "one\ntwo\n", ""),
            "systemctl start db.service": Completed(1, "Job for db.service failed", ""),
        }
    )
    assert error.what == "h1: unit:db.service failed"
    assert error.why.split("\n        ") == ["Job for db.service failed", "one", "two"]


async def test_a_port_that_is_taken_is_told_with_its_holder() -> None:
    error = await broken(
        {
            "journalctl": Completed(0, "cannot bind: Address already in use\n", ""),
            "systemctl cat": Completed(0, "ExecStart=/usr/sbin/db --port 3306\n", ""),
            "ss -": Completed(
                0,
                'LISTEN 0 5 10.0.0.1:22 0.0.0.0:* users:(("sshd",pid=9,fd=3))\n'
                'LISTEN 0 5 10.0.0.1:3306 0.0.0.0:* users:(("nc",pid=77,fd=3))\n',
                "",
            ),
            "ps -o": Completed(0, "squat.service nc -l 3306\n", ""),
            "systemctl start": Completed(1, "failed", ""),
        }
    )
    assert error.what == "h1: unit:db.service failed: port 3306 is taken by pid 77 of squat.service: nc -l 3306"


async def test_a_port_that_the_unit_itself_holds_is_not_taken() -> None:
    error = await broken(
        {
            "journalctl": Completed(0, "Address already in use :3306\n", ""),
            "ss -": Completed(0, 'LISTEN 0 5 10.0.0.1:3306 0.0.0.0:* users:(("db",pid=77,fd=3))\n', ""),
            "ps -o": Completed(0, "db.service db\n", ""),
            "systemctl start": Completed(1, "failed", ""),
        }
    )
    assert error.what == "h1: unit:db.service failed"


async def test_a_full_disk_is_told_as_that() -> None:
    error = await broken(
        {
            "df ": Completed(0, "/dev/vda 10G 10G 0 100% /\n", ""),
            "systemctl start": Completed(1, "write error: No space left on device", ""),
        }
    )
    assert "the disk of h1 is full" in error.what
    assert "100% /" in error.why


async def test_the_rest_of_a_wave_ends_what_it_began() -> None:
    made = cloud(THREE)
    hosts = world(made)
    fake(hosts, "h1").answers["systemctl start"] = Completed(1, "no", "")
    with pytest.raises(HostError, match=r"h1: unit:db\.service failed"):
        await attempt(made, db(), hosts)
    assert fake(hosts, "h2").units["db.service"] == ["active", "enabled"]


async def test_two_that_fail_are_one_error() -> None:
    made = cloud(THREE)
    hosts = world(made)
    for name in ("h1", "h3"):
        fake(hosts, name).answers["systemctl start"] = Completed(1, "no", "")
    with pytest.raises(HostError, match=r"2 hosts failed: h1: unit:db\.service failed; h3: "):
        await attempt(made, db(), hosts)


# Looking


async def test_a_host_that_fails_is_named_while_the_others_are_planned() -> None:
    made = cloud(THREE)
    hosts = world(made)
    fake(hosts, "h2").unreachable = True
    events: list[Event] = []
    found = await survey(made, db(), hosts, events.append)
    assert set(found.failures) == {"h2"}
    assert found.plan.hosts == ("h1", "h3")
    assert [e.host for e in events if isinstance(e, HostFailed)] == ["h2"]


async def test_a_slow_host_delays_no_other() -> None:
    made = cloud(THREE)
    hosts = world(made)
    slow = fake(hosts, "h1")
    answered: list[str] = []
    probe = slow.probe

    async def late(*args: Any, **kw: Any) -> object:
        while len(answered) < 2:
            await asyncio.sleep(0)
        return await probe(*args, **kw)

    slow.probe = late  # type: ignore[method-assign, assignment]
    await survey(made, db(), hosts, lambda event: answered.append(getattr(event, "host", "")))
    assert answered == ["h2", "h3", "h1"]


# One run at a time, on the world that was planned for


async def saved_plan(made: Cloud, hosts: Connected) -> Plan:
    return (await survey(made, db("two"), hosts)).plan


async def test_a_plan_for_another_world_is_refused() -> None:
    made = cloud(THREE)
    hosts = await running(made, db())
    plan = await saved_plan(made, hosts)
    await require_same_world(plan, hosts)
    fake(hosts, "h2").files["/etc/db/main"] = b"by hand\n", 0o644
    with pytest.raises(PlanError, match="not what they were"):
        await require_same_world(plan, hosts)


async def test_what_was_confirmed_may_shrink_but_not_grow() -> None:
    made = cloud(THREE)
    hosts = await running(made, db())
    confirmed = (await survey(made, db("two"), hosts)).plan
    require_confirmed(confirmed, confirmed)
    fake(hosts, "h2").files["/etc/db/main"] = b"two h2\n", 0o644
    require_confirmed(confirmed, (await survey(made, db("two"), hosts)).plan)
    fake(hosts, "h3").units["db.service"] = ["failed", "enabled"]
    with pytest.raises(PlanError, match="not what they were") as caught:
        require_confirmed(confirmed, (await survey(made, db("two"), hosts)).plan)
    assert caught.value.why == "h3 unit:db.service: failed enabled → running"


async def test_a_host_of_the_plan_that_is_gone_is_named() -> None:
    made = cloud(THREE)
    hosts = await running(made, db())
    plan = await saved_plan(made, hosts)
    del hosts["h2"]
    with pytest.raises(HostError, match="do not all answer") as caught:
        await apply(plan, hosts)
    assert caught.value.where == "h2"


async def test_the_second_run_is_refused_and_told_who_has_the_hosts() -> None:
    hosts = world(cloud(THREE))
    async with hold(hosts):
        with pytest.raises(LockedError) as caught:
            async with hold(hosts):
                pass
        assert caught.value.why == owner()
    async with hold(hosts):
        pass


async def test_what_was_locked_is_released_when_one_host_is_held() -> None:
    hosts = world(cloud(THREE))
    fake(hosts, "h2").holder = "ann"
    with pytest.raises(LockedError, match="another run holds h2"):
        async with hold(hosts):
            pass
    assert [fake(hosts, name).holder for name in THREE] == ["", "ann", ""]


def test_the_second_run_on_this_machine_is_refused(tmp_path: Path) -> None:
    with local_lock(tmp_path / "state"):
        with pytest.raises(LockedError) as caught, local_lock(tmp_path / "state"):
            pass
        assert caught.value.why == owner()
    with local_lock(tmp_path / "state"):
        pass


def test_every_error_says_what_to_do() -> None:
    error: FourninesError = LockedError("another run holds h1", where="h1", why="ann", next="wait")
    assert str(error).splitlines() == ["another run holds h1 (h1)", "  why:  ann", "  next: wait"]
