"""A campaign: faults one after the other, under the cloud's own timing and then, if asked for, under a peer's."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from fournines.design.reliability import Figure
from fournines.errors import FourninesError, ProveError
from fournines.prove import machine, store
from fournines.prove.analyse import analyse
from fournines.prove.history import EVENTS
from fournines.prove.measure import measure
from fournines.prove.model import Campaign, FailureRate, Fault, FaultResult, Pressure
from fournines.prove.schedule import Block, blocks
from fournines.prove.site import Site
from fournines.prove.verdict import baseline_of, judge, overall

GATE_LOOKS = 5
GATE_EVERY_S = 1.0


@dataclass(frozen=True)
class Order:
    """What was asked for. `profile`: the cloud's own; `baseline`: a peer's, or "". `force`: unhealthy or not.

    `lasts`: of a soak, seconds after which no other fault begins; it ends early where the cloud does not come back.
    """

    faults: tuple[Fault, ...]
    profile: str
    baseline: str
    force: bool
    command: str
    started_at: str
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    repeat: int = 1
    suite: str = ""
    seed: int | None = None
    lasts: float | None = None
    failures: Mapping[str, Figure] = field(default_factory=dict[str, Figure])

    @property
    def blocks(self) -> tuple[Block, ...]:
        return blocks(self.repeat, baseline=bool(self.baseline))


#: Applies a peer's timing to the cloud, yields the site as it is then, and restores the cloud's own in any case.
UnderBaseline = Callable[[], AbstractAsyncContextManager[Site]]


async def run(order: Order, site: Site, under_baseline: UnderBaseline) -> Campaign:
    """Stores the campaign after every fault, so that an interrupted one can still be read.

    Raises ProveError when the cloud is not healthy and `order.force` is not set; nothing was done then.
    """
    directory = store.run_directory(site.cloud.state_dir, order.started_at)
    await _gate(site, order)
    results: list[FaultResult] = []
    if order.lasts is not None:
        await _soak(order, site, directory, results)
        return _save(order, site, directory, results)
    for under_peer, group in itertools.groupby(order.blocks, lambda block: block.baseline):
        async with under_baseline() if under_peer else contextlib.nullcontext(site) as where:
            for block in group:
                await _measure_all(order, where, directory, results, block.run)
    return _save(order, site, directory, results)


async def _gate(site: Site, order: Order) -> None:
    """Looks a few times: on a busy host a check that has just missed its deadline is no reason to refuse."""
    if order.force:
        return
    problems: tuple[str, ...] = ()
    for _ in range(GATE_LOOKS):
        problems = (await site.health.look()).problems
        if not problems:
            return
        await asyncio.sleep(GATE_EVERY_S)
    raise ProveError(
        "the cloud is not healthy, so that a fault would not be the only thing wrong",
        where=site.cloud.name,
        why="; ".join(problems[:5]),
        next="fournines status CLOUD; or go on with --force",
    )


async def _measure_all(order: Order, site: Site, directory: Path, results: list[FaultResult], run: int) -> None:
    for fault in order.faults:
        await _measure(order, site, directory, results, (fault, run))


async def _soak(order: Order, site: Site, directory: Path, results: list[FaultResult]) -> None:
    """One after another until the time is over. A fault that comes up again is another run of it."""
    assert order.lasts is not None
    began, runs = site.now(), Counter[Fault]()
    for fault in order.faults:
        if site.now() - began >= order.lasts:
            return
        runs[fault] += 1
        if not await _measure(order, site, directory, results, (fault, runs[fault])):
            return


async def _measure(
    order: Order, site: Site, directory: Path, results: list[FaultResult], what: tuple[Fault, int]
) -> bool:
    """One run of a fault. False when the cloud was not healthy enough to begin."""
    fault, run = what
    number, healthy = len(results) + 1, False
    site.reporter.begin(number, len(order.faults) * len(order.blocks), fault, site.profile)
    try:
        await _gate(site, order)
        healthy = True
        result = await measure(site, fault, directory / f"{number:02d}-{site.profile}-{_file_name(fault)}", run)
    except FourninesError as error:
        why = ": ".join(filter(None, (error.what, error.where, error.why)))
        result = replace(not_measured(fault, site, why), run=run)
    results.append(result)
    site.reporter.result(_save(order, site, directory, results).results[-1])
    return healthy


def _file_name(fault: Fault) -> str:
    return str(fault).replace("/", "-").replace(" ", "_")


def not_measured(fault: Fault, site: Site, why: str) -> FaultResult:
    now = site.now()
    return FaultResult(
        fault=fault,
        profile=site.profile,
        hosts=(),
        injected=now,
        healed=now,
        redundant_again_s=None,
        functions=(),
        writes={},
        audit=(),
        pressure=Pressure(0.0, 0.0, 0.0, 0.0),
        verdict="unknown",
        reasons=(f"not measured: {why}",),
        not_measured=why,
        began=now,
        ended=now,
    )


def judged(campaign: Campaign) -> Campaign:
    """With every verdict as it is now that a baseline may have been measured as well."""
    results: list[FaultResult] = []
    for result in campaign.results:
        own = result.profile == campaign.profile
        verdict, reasons = judge(result, baseline_of(campaign, result) if own else None)
        results.append(replace(result, verdict=verdict, reasons=reasons))
    campaign = replace(campaign, results=tuple(results))
    return replace(campaign, verdict=overall(campaign))


def _save(order: Order, site: Site, directory: Path, results: Sequence[FaultResult]) -> Campaign:
    campaign = Campaign(
        cloud=site.cloud.name,
        started_at=order.started_at,
        command=order.command,
        versions=dict(order.versions),
        results=tuple(results),
        verdict="unknown",
        machine=machine.describe(),
        profile=order.profile,
        baseline=order.baseline,
        suite=order.suite,
        seed=order.seed,
        failures={name: FailureRate(f.mttf, f.source, f.assumed) for name, f in order.failures.items()},
    )
    campaign = judged(campaign)
    store.save(directory, campaign)
    return campaign


def analyse_again(directory: Path) -> Campaign:
    """The stored campaign of `directory`, with every result that has a history computed from it anew.

    Raises ProveError when there is no campaign, or a history cannot be read.
    """
    campaign = store.load(directory)
    results = list(campaign.results)
    for i in range(len(results)):
        for history in directory.glob(f"{i + 1:02d}-*/{EVENTS}"):
            results[i] = _again(history.parent, results[i])
    campaign = judged(replace(campaign, results=tuple(results)))
    store.save(directory, campaign)
    return campaign


def _again(directory: Path, stored: FaultResult) -> FaultResult:
    """From the history, whatever was made of it before: what was seen of a fault does not become "not measured" because
    something broke off later on. Raises ProveError."""
    try:
        return analyse(directory)
    except ProveError:
        if stored.not_measured:  # its measurement never began
            return stored
        raise
