"""A campaign: faults one after the other, on one subject or on two: a cloud under its own timing and a peer's, or two
clouds."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from fournines.design.reliability import Figure
from fournines.errors import FourninesError, ProveError
from fournines.prove import machine, store
from fournines.prove.analyse import analyse
from fournines.prove.history import EVENTS
from fournines.prove.measure import measure
from fournines.prove.model import Campaign, FailureRate, Fault, FaultResult, Pressure, Subject
from fournines.prove.schedule import Block, blocks
from fournines.prove.site import Site
from fournines.prove.verdict import baseline_of, judge, overall
from fournines.prove.versions import merged

GATE_LOOKS = 5
GATE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Absent:
    """A fault that cannot be injected on `subject`, and why."""

    subject: Subject
    fault: Fault
    why: str


@dataclass(frozen=True)
class Order:
    """What was asked for. `subjects`: those to be held to the marks; `reference`: a peer's timing beside the one, or
    None. `together`: whether all of them are there at the same time. `absent`: asked for, and not to be had on one of
    them. `force`: unhealthy or not.

    `lasts`: of a soak, seconds after which no other fault begins; it ends early where the cloud does not come back.
    """

    faults: tuple[Fault, ...]
    subjects: tuple[Subject, ...]
    force: bool
    command: str
    started_at: str
    reference: Subject | None = None
    together: bool = True
    absent: tuple[Absent, ...] = ()
    repeat: int = 1
    suite: str = ""
    seed: int | None = None
    lasts: float | None = None
    failures: Mapping[str, Figure] = field(default_factory=dict[str, Figure])

    @property
    def blocks(self) -> tuple[Block, ...]:
        every = (*self.subjects, *((self.reference,) if self.reference else ()))
        return blocks(self.repeat, every, interleaved=self.together)


#: Makes a subject one that can be struck, yields its site, and leaves all as it was in any case.
Ready = Callable[[Subject], AbstractAsyncContextManager[Site]]


class Record:
    """What a campaign has measured so far, and its file: it is written after every fault, so that an interrupted
    campaign can still be read."""

    def __init__(self, order: Order, directory: Path) -> None:
        self.order = order
        self.directory = directory
        self._versions: dict[str, Mapping[str, str]] = {}
        self._measured: list[FaultResult] = []
        self._absent = tuple(not_measured(a.fault, a.subject, a.why, 0.0) for a in order.absent)

    @property
    def number(self) -> int:
        """Of the next result: `analyse_again` finds its history by it."""
        return len(self._measured) + 1

    def saw(self, site: Site) -> None:
        self._versions.setdefault(site.cloud.name, site.versions)

    def add(self, result: FaultResult) -> FaultResult:
        """As it is judged."""
        self._measured.append(result)
        return self.save().results[len(self._measured) - 1]

    def save(self) -> Campaign:
        order = self.order
        campaign = Campaign(
            subjects=order.subjects,
            started_at=order.started_at,
            command=order.command,
            versions=merged(self._versions),
            results=(*self._measured, *self._absent),
            verdict="unknown",
            machine=machine.describe(),
            reference=order.reference,
            suite=order.suite,
            seed=order.seed,
            failures={name: FailureRate(f.mttf, f.source, f.assumed) for name, f in order.failures.items()},
        )
        campaign = judged(campaign)
        store.save(self.directory, campaign)
        return campaign


async def run(order: Order, directory: Path, ready: Ready) -> Campaign:
    """Raises ProveError when a cloud is not healthy and `order.force` is not set; nothing was done then."""
    record = Record(order, directory)
    if order.together:
        for subject in order.subjects:
            async with ready(subject) as site:
                await _gate(site, order)
    if order.lasts is not None:
        async with ready(order.subjects[0]) as site:
            await _soak(record, site)
        return record.save()
    for subject, group in itertools.groupby(order.blocks, lambda block: block.subject):
        async with ready(subject) as site:
            for block in group:
                for fault in order.faults:
                    await _measure(record, site, fault, block.run)
    return record.save()


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


async def _soak(record: Record, site: Site) -> None:
    """One after another until the time is over. A fault that comes up again is another run of it."""
    order = record.order
    assert order.lasts is not None
    began, runs = site.now(), Counter[Fault]()
    for fault in order.faults:
        if site.now() - began >= order.lasts:
            return
        runs[fault] += 1
        if not await _measure(record, site, fault, runs[fault]):
            return


async def _measure(record: Record, site: Site, fault: Fault, run: int) -> bool:
    """One run of a fault. False when the cloud was not healthy enough to begin."""
    order, number, healthy = record.order, record.number, False
    record.saw(site)
    total = len(order.faults) * len(order.blocks)
    site.reporter.begin(number, total, fault, site.subject)
    try:
        await _gate(site, order)
        healthy = True
        where = f"{number:02d}-{site.subject.cloud}-{site.subject.profile}-{_file_name(fault)}"
        result = await measure(site, fault, record.directory / where, run)
    except FourninesError as error:
        why = ": ".join(filter(None, (error.what, error.where, error.why)))
        result = not_measured(fault, site.subject, why, site.now(), run)
    site.reporter.result(record.add(result))
    return healthy


def _file_name(fault: Fault) -> str:
    return str(fault).replace("/", "-").replace(" ", "_")


def not_measured(fault: Fault, subject: Subject, why: str, at: float, run: int = 1) -> FaultResult:
    return FaultResult(
        fault=fault,
        subject=subject,
        hosts=(),
        injected=at,
        healed=at,
        redundant_again_s=None,
        functions=(),
        writes={},
        audit=(),
        pressure=Pressure(0.0, 0.0, 0.0, 0.0),
        verdict="unknown",
        reasons=(f"not measured: {why}",),
        not_measured=why,
        began=at,
        ended=at,
        run=run,
    )


def judged(campaign: Campaign) -> Campaign:
    """With every verdict as it is now that a baseline may have been measured as well."""
    results: list[FaultResult] = []
    for result in campaign.results:
        verdict, reasons = judge(result, baseline_of(campaign, result))
        results.append(replace(result, verdict=verdict, reasons=reasons))
    campaign = replace(campaign, results=tuple(results))
    return replace(campaign, verdict=overall(campaign))


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
        found = analyse(directory)
    except ProveError:
        if stored.not_measured:  # its measurement never began
            return stored
        raise
    # Of another fault it is where the campaign was interrupted, before that had a result.
    return replace(found, subject=stored.subject) if found.fault == stored.fault else stored
