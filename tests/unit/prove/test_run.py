"""A campaign's order of events: the gate, the baseline and its way back, what is stored when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fournines.cloud.model import TimingSpec
from fournines.errors import HostError, ProveError
from fournines.prove import run as campaign_run
from fournines.prove import store
from fournines.prove.faults.target import Standing
from fournines.prove.model import Campaign, Fault, FaultResult, Finding, Subject, Verdict
from fournines.prove.repeats import repeated
from fournines.prove.run import Absent, Order, run
from fournines.prove.site import Look, Site
from fournines.prove.verdict import overall
from samples.campaign import OTHER, OWN, PEER
from samples.campaign import campaign as sample

FAULTS = (Fault("host.power_off", "", "vip", 20.0), Fault("service.freeze", "keystone", "one", 20.0))


class World:
    """A cloud whose health is a list of looks, and a measurement that only notes that it was asked for."""

    def __init__(self, state: Path) -> None:
        self.problems: list[str] = []
        self.measured: list[str] = []
        self.opened: list[str] = []
        self.left: list[str] = []
        self.state = state
        self.fails: dict[str, Exception] = {}
        self.clock = 0.0

    async def look(self) -> Look:
        return Look(Standing("ctl1", "ctl2", ""), tuple(self.problems))

    async def confirm(self) -> tuple[str, ...]:
        return ()

    async def audit(self) -> tuple[Finding, ...]:
        return ()

    def begin(self, number: int, total: int, fault: Fault, subject: Subject) -> None: ...
    def phase(self, text: str) -> None: ...
    def counts(self, progress: object) -> None: ...
    def result(self, result: FaultResult) -> None: ...

    def site(self, subject: Subject) -> Site:
        timing = TimingSpec(profile=subject.profile)
        cloud = SimpleNamespace(name=subject.cloud, timing=timing, state_dir=self.state / subject.cloud)
        parts: dict[str, Any] = dict.fromkeys(("region", "powers", "grounds", "reach", "lengths", "functions"))
        return Site(
            cloud=cast(Any, cloud),
            health=self,
            reporter=self,
            epoch=0.0,
            now=lambda: self.clock,
            **parts,
        )

    async def measure(self, site: Site, fault: Fault, directory: Path, run: int) -> FaultResult:
        self.measured.append(f"{self.short(site.subject)} {fault}" + (f" {run}" if run > 1 else ""))
        if str(fault) in self.fails:
            raise self.fails[str(fault)]
        good = next(r for r in sample().results if r.subject == OWN)
        return replace(good, fault=fault, subject=site.subject, run=run)

    @staticmethod
    def short(subject: Subject) -> str:
        return subject.profile if subject.cloud == OWN.cloud else subject.cloud

    @asynccontextmanager
    async def ready(self, subject: Subject) -> AsyncGenerator[Site, None]:
        self.opened.append(self.short(subject))
        try:
            yield self.site(subject)
        finally:
            self.left.append(self.short(subject))

    async def run(self, **changes: Any) -> Campaign:
        usual: dict[str, Any] = {"faults": FAULTS, "subjects": (OWN,), "force": False}
        order = Order(**(usual | changes), command="again", started_at="2026-11-21T00:00:00+00:00")
        return await run(order, store.run_directory(self.state, order.started_at), self.ready)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(campaign_run, "measure", made.measure)
    monkeypatch.setattr(campaign_run, "GATE_EVERY_S", 0.0)
    return made


async def test_faults_are_measured_in_order_and_stored(world: World) -> None:
    campaign = await world.run()
    assert world.measured == ["lan host.power_off@vip", "lan service.freeze@keystone+one"]
    assert store.load(store.newest(world.state)) == campaign


async def test_an_unhealthy_cloud_is_refused_and_nothing_is_done(world: World) -> None:
    world.problems = ["ctl3 does not answer"]
    with pytest.raises(ProveError) as caught:
        await world.run()
    assert "ctl3 does not answer" in str(caught.value)
    assert "--force" in str(caught.value)
    assert world.measured == []


async def test_force_goes_on(world: World) -> None:
    world.problems = ["ctl3 does not answer"]
    await world.run(force=True)
    assert len(world.measured) == 2


async def test_a_cloud_that_a_fault_broke_is_not_struck_again(world: World) -> None:
    measure = world.measure

    async def breaks(site: Site, fault: Fault, directory: Path, run: int) -> FaultResult:
        result = await measure(site, fault, directory, run)
        world.problems = ["Galera has 2 of 3 members"]
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(campaign_run, "measure", breaks)
        campaign = await world.run()
    assert world.measured == ["lan host.power_off@vip"]
    assert "not healthy" in campaign.results[1].not_measured
    assert campaign.results[1].verdict == "unknown"
    assert campaign.verdict != "pass"


async def test_one_measurement_that_fails_does_not_end_the_campaign(world: World) -> None:
    world.fails = {"host.power_off@vip": HostError("ctl1 does not answer", where="ctl1")}
    campaign = await world.run()
    assert "ctl1 does not answer" in campaign.results[0].not_measured
    assert len(world.measured) == 2


async def test_a_baseline_runs_the_same_faults_afterwards_and_is_not_judged(world: World) -> None:
    campaign = await world.run(reference=PEER)
    assert [m.split()[0] for m in world.measured] == ["lan", "lan", "kolla-22.2", "kolla-22.2"]
    assert world.left[-1] == "kolla-22.2"
    assert campaign.reference == PEER


async def test_an_interrupted_baseline_is_restored_and_what_was_measured_is_kept(world: World) -> None:
    measure = world.measure

    async def interrupted(site: Site, fault: Fault, directory: Path, run: int) -> FaultResult:
        if site.subject != OWN:
            raise asyncio.CancelledError
        return await measure(site, fault, directory, run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(campaign_run, "measure", interrupted)
        with pytest.raises(asyncio.CancelledError):
            await world.run(reference=PEER)
    assert world.left[-1] == "kolla-22.2"
    assert len(store.load(store.newest(world.state)).results) == 2


async def test_runs_are_interleaved_and_timers_exchanged_no_more_often_than_need_be(world: World) -> None:
    campaign = await world.run(faults=FAULTS[:1], reference=PEER, repeat=4)
    assert [r.subject.profile for r in campaign.results] == ["lan", "kolla-22.2", "kolla-22.2", "lan"] * 2
    assert [r.run for r in campaign.results] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert world.opened.count("kolla-22.2") == 2


async def test_a_run_that_could_not_be_measured_is_left_out_and_named(world: World) -> None:
    measure = world.measure

    async def sometimes(site: Site, fault: Fault, directory: Path, run: int) -> FaultResult:
        if run == 2:
            raise HostError("ctl1 does not answer", where="ctl1")
        return await measure(site, fault, directory, run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(campaign_run, "measure", sometimes)
        campaign = await world.run(faults=FAULTS[:1], repeat=3)
    (group,) = repeated(campaign)
    assert [r.run for r in group.runs] == [1, 3]
    assert [(r.run, why) for r, why in group.excluded] == [(2, "ctl1 does not answer: ctl1")]


async def test_a_soak_ends_with_its_time_and_counts_runs(world: World) -> None:
    measure = world.measure

    async def takes(site: Site, fault: Fault, directory: Path, run: int) -> FaultResult:
        world.clock += 40.0
        return await measure(site, fault, directory, run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(campaign_run, "measure", takes)
        campaign = await world.run(faults=(*FAULTS, FAULTS[0], *FAULTS), lasts=100.0, suite="soak", seed=7)
    assert world.measured == ["lan host.power_off@vip", "lan service.freeze@keystone+one", "lan host.power_off@vip 2"]
    assert (campaign.suite, campaign.seed) == ("soak", 7)
    assert store.load(store.newest(world.state)) == campaign


async def test_a_soak_ends_where_the_cloud_does_not_come_back(world: World) -> None:
    measure = world.measure

    async def breaks(site: Site, fault: Fault, directory: Path, run: int) -> FaultResult:
        world.problems = ["Galera has 2 of 3 members"]
        return await measure(site, fault, directory, run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(campaign_run, "measure", breaks)
        campaign = await world.run(faults=FAULTS * 3, lasts=100.0, suite="soak", seed=7)
    assert len(world.measured) == 1
    assert "Galera" in campaign.results[-1].not_measured
    assert campaign.verdict != "pass"


def with_verdicts(campaign: Campaign, other: Verdict) -> tuple[FaultResult, ...]:
    """All that was measured of the first cloud passed."""
    return tuple(replace(r, verdict="pass" if r.subject == OWN else other) for r in campaign.results)


async def test_two_clouds_are_struck_in_turns_and_both_are_judged(world: World) -> None:
    campaign = await world.run(faults=FAULTS[:1], subjects=(OWN, OTHER), repeat=3)
    assert [r.subject for r in campaign.results] == [OWN, OTHER, OTHER, OWN, OWN, OTHER]
    assert [r.run for r in campaign.results] == [1, 1, 2, 2, 3, 3]
    assert store.load(store.newest(world.state)) == campaign
    assert [overall(replace(campaign, results=with_verdicts(campaign, other))) for other in ("pass", "fail")] == [
        "pass",
        "fail",
    ]


async def test_clouds_that_do_not_fit_beside_each_other_are_struck_one_after_the_other(world: World) -> None:
    await world.run(subjects=(OWN, OTHER), repeat=2, together=False)
    assert world.opened == ["lan", "duo"], "each is brought up once"
    assert [m.split()[0] for m in world.measured] == ["lan"] * 4 + ["duo"] * 4


async def test_what_one_cloud_cannot_be_struck_with_is_not_measured_and_no_pass(world: World) -> None:
    absent = Fault("service.kill", "arbitrator", "one", 0.0)
    missing = Absent(OTHER, absent, "there is no service 'arbitrator'")
    both = await world.run(faults=FAULTS[:1], subjects=(OWN, OTHER), absent=(missing,))
    *measured, last = both.results
    assert (last.subject, last.not_measured) == (OTHER, "there is no service 'arbitrator'")
    assert len(world.measured) == 2
    passed = tuple(replace(r, verdict="pass") for r in measured)
    assert overall(replace(both, results=passed)) == "pass"
    assert overall(replace(both, results=(*passed, last))) == "unknown"


async def test_a_second_cloud_that_is_not_healthy_is_refused_before_the_first_is_struck(world: World) -> None:
    class Ill(World):
        async def look(self) -> Look:
            return Look(Standing(), ("ctl1: mariadb is not active",))

    ill, site = Ill(world.state), world.site

    def of(subject: Subject) -> Site:
        return replace(site(subject), health=ill if subject == OTHER else world)

    world.site = of  # type: ignore[method-assign]
    with pytest.raises(ProveError, match="not healthy") as caught:
        await world.run(subjects=(OWN, OTHER))
    assert caught.value.where == "duo"
    assert world.measured == []
