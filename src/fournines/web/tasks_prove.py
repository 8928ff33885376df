"""A campaign as a job: what the client sees, while it sees it, into the job's file."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.commands.proof import Operator
from fournines.commands.proof import prove as run
from fournines.commands.proof_plan import Wish
from fournines.errors import UsageError
from fournines.prove import report, store
from fournines.prove.load.control import Progress
from fournines.prove.model import Fault, FaultResult
from fournines.prove.site import Lengths, Reporter
from fournines.web.kinds import OfProve
from fournines.web.work import Work

REPORT = "report.html"


class Told:
    """A `Reporter` into the job's file."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def begin(self, number: int, total: int, fault: Fault, profile: str) -> None:
        self._work.tell("fault", number=number, of=total, fault=str(fault), profile=profile)

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
    if bool(asked.faults) == bool(asked.suite):
        raise UsageError("say either faults or a suite", next="faults: host.power_off@vip")
    if not lab.exists(cloud.name) and asked.confirm != cloud.name:
        raise UsageError(
            "these hosts are not a lab's: their clients will feel every fault",
            next=f"confirm with the cloud's name, {cloud.name}",
        )

    @contextmanager
    def reporting() -> Generator[Reporter]:
        yield Told(work)

    campaign = run(cloud, _wish(cloud, asked), Operator(work.say, lambda: asked.confirm, reporting))
    directory = store.run_directory(cloud.state_dir, campaign.started_at)
    (directory / REPORT).write_text(report.render(campaign), encoding="utf-8")
    return {"verdict": campaign.verdict, "run": directory.name, "faults": len(campaign.results)}


def _wish(cloud: Cloud, asked: OfProve) -> Wish:
    lengths = Lengths()
    words = [
        "fournines",
        "prove",
        str(cloud.source),
        *(["--suite", asked.suite] if asked.suite else ["--faults", asked.faults]),
    ]
    return Wish(
        faults=asked.faults,
        functions="",
        duration=asked.duration or None,
        baseline=asked.baseline or None,
        busy=False,
        repeat=asked.repeat,
        before=lengths.before,
        after=lengths.after,
        redundant_within=lengths.redundant_within,
        timeout=lengths.timeout,
        region=asked.region,
        force=asked.force,
        yes=True,
        command=" ".join(words),
        suite=asked.suite or None,
    )
