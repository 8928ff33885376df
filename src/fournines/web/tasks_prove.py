"""A campaign as a job: what the client sees, while it sees it, into the job's file."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.commands.calm import prove_calm
from fournines.commands.proof import Operator
from fournines.commands.proof import prove as run
from fournines.commands.proof_plan import Wish
from fournines.errors import UsageError
from fournines.prove import report, store
from fournines.prove.load.control import Progress
from fournines.prove.model import Fault, FaultResult, Subject
from fournines.prove.site import Lengths, Reporter
from fournines.web.arguments import OfCalm, OfProve
from fournines.web.work import Work

REPORT = "report.html"


class Told:
    """A `Reporter` into the job's file."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def begin(self, number: int, total: int, fault: Fault, subject: Subject) -> None:
        self._work.tell("fault", number=number, of=total, fault=str(fault), profile=subject.profile)

    def phase(self, text: str) -> None:
        self._work.say(text)

    def counts(self, progress: Progress) -> None:
        self._work.tell("counts", functions=progress)

    def result(self, result: FaultResult) -> None:
        worst = [
            max((getattr(f.whole, name) for f in result.functions), default=None)
            for name in ("longest_gap_s", "worst_wait_s")
        ]
        self._work.tell(
            "verdict",
            fault=str(result.fault),
            verdict=result.verdict,
            reasons=result.reasons,
            hosts=result.hosts,
            roles=result.roles,
            longest_gap_s=worst[0],
            worst_wait_s=worst[1],
        )


def prove(cloud: Cloud, asked: OfProve, work: Work) -> Mapping[str, Any]:
    if sum(map(bool, (asked.faults, asked.suite, asked.soak))) != 1:
        raise UsageError("say either faults, a suite or a soak", next="faults: host.power_off@vip")
    _require_consent(cloud, asked.confirm)
    campaign = run([cloud], _wish(cloud, asked), _operator(work, asked.confirm))
    directory = store.run_directory(cloud.state_dir, campaign.started_at)
    (directory / REPORT).write_text(report.render(campaign), encoding="utf-8")
    return {"verdict": campaign.verdict, "run": directory.name, "faults": len(campaign.results)}


def calm(cloud: Cloud, asked: OfCalm, work: Work) -> Mapping[str, Any]:
    _require_consent(cloud, asked.confirm)
    wish = replace(
        _wish(cloud, OfProve(force=asked.force, region=asked.region, busy=asked.busy)),
        command=f"fournines prove {cloud.source} --calm {asked.lasts}",
    )
    found = prove_calm(cloud, wish, asked.lasts, asked.without, _operator(work, asked.confirm))
    return asdict(found)


def _require_consent(cloud: Cloud, confirm: str) -> None:
    """Raises UsageError where the hosts are real and the cloud's name was not typed."""
    if not lab.exists(cloud.name) and confirm != cloud.name:
        raise UsageError(
            "these hosts are not a lab's: their clients will feel every fault",
            next=f"confirm with the cloud's name, {cloud.name}",
        )


def _operator(work: Work, confirm: str) -> Operator:
    @contextmanager
    def reporting() -> Generator[Reporter]:
        yield Told(work)

    return Operator(work.say, lambda: confirm, reporting)


def _wish(cloud: Cloud, asked: OfProve) -> Wish:
    lengths = Lengths()
    chosen = ["--suite", asked.suite] if asked.suite else ["--faults", asked.faults]
    if asked.soak:
        chosen = ["--soak", "--for", asked.soak, *(["--seed", str(asked.seed)] if asked.seed is not None else [])]
    return Wish(
        faults=asked.faults,
        functions=asked.functions,
        duration=asked.duration or None,
        baseline=asked.baseline or None,
        busy=asked.busy,
        repeat=asked.repeat,
        before=lengths.before,
        after=lengths.after,
        redundant_within=lengths.redundant_within,
        timeout=lengths.timeout,
        region=asked.region,
        force=asked.force,
        yes=True,
        command=" ".join(["fournines", "prove", str(cloud.source), *chosen]),
        suite=asked.suite or None,
        soak=bool(asked.soak),
        lasts=asked.soak or None,
        seed=asked.seed,
    )
