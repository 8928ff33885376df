"""Pass, fail or unknown, and why. A pass needs every figure reached and every check answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fournines.prove.model import Campaign, FaultResult, Verdict
from fournines.prove.pass_marks import PassMark, pass_marks
from fournines.prove.report_text import amount, limit

#: A message may be delivered twice: a consumer acknowledges after it was told, and the acknowledgement can be cut.
REPEATABLE = "messages"


def judge(result: FaultResult, baseline: FaultResult | None = None) -> tuple[Verdict, tuple[str, ...]]:
    """`baseline`: the same fault under a peer's timing, for the ratio."""
    if result.not_measured:
        return "unknown", (f"not measured: {result.not_measured}",)
    missed = [t for t in pass_marks(result, baseline) if not t.reached]
    failed = [*_integrity(result), *_recovery(result)]
    unsure = [f"{f.name}: could not be told: {f.detail}" for f in result.audit if f.ok is None]
    for mark in missed:
        # A saturated machine measures itself; what is lost or does not come back is lost on any machine.
        doubtful = mark.measured is None or not mark.trusted
        (unsure if doubtful else failed).append(_missed(mark))
    if failed:
        return "fail", (*failed, *unsure)
    return ("unknown", tuple(unsure)) if unsure else ("pass", ())


def overall(results: Iterable[FaultResult], profile: str) -> Verdict:
    """Of a campaign: the worst of the results under its own profile; a baseline's are there to be compared."""
    verdicts = {r.verdict for r in results if r.profile == profile}
    if "fail" in verdicts:
        return "fail"
    return "unknown" if "unknown" in verdicts or not verdicts else "pass"


def baseline_of(campaign: Campaign, result: FaultResult) -> FaultResult | None:
    """The same fault under the campaign's baseline."""
    return next((r for r in campaign.results if r.profile == campaign.baseline and r.fault == result.fault), None)


def _integrity(result: FaultResult) -> Iterator[str]:
    for kind, writes in result.writes.items():
        counts = {"lost": writes.lost, "not acknowledged and yet there": writes.ghost, "stuck": writes.stuck}
        if kind != REPEATABLE:
            counts["there twice"] = writes.duplicate
        for what, count in counts.items():
            if count:
                yield f"{count} {kind} {what}"
    for finding in result.audit:
        if finding.ok is False:
            yield f"{finding.name}: {finding.detail}"


def _recovery(result: FaultResult) -> Iterator[str]:
    if result.redundant is None:
        yield "not in full redundancy again within the deadline"
    for series in result.series:
        if not any(series.ok[len(series.ok) * 9 // 10 :]):
            yield f"{series.function} did not come back"


def _missed(mark: PassMark) -> str:
    measured = "not measured" if mark.measured is None else amount(mark.measured, mark.unit)
    why = ", on a machine without idle time" if not mark.trusted else ""
    return f"{mark.what}: {measured}, {mark.bound} {limit(mark.limit, mark.unit)}{why}"
