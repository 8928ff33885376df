"""Pass, fail or unknown, and why. A pass needs every figure reached and every check answered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from fournines.prove.model import Campaign, FaultResult, Subject, Verdict
from fournines.prove.pass_marks import PassMark, pass_marks
from fournines.prove.repeats import comparisons
from fournines.prove.report_text import amount, limit, plural

#: A message may be delivered twice: a consumer acknowledges after it was told, and the acknowledgement can be cut.
#: Whether that is why, the audit says.
REPEATABLE = "messages"


def judge(result: FaultResult, baseline: FaultResult | None = None) -> tuple[Verdict, tuple[str, ...]]:
    """`baseline`: the same fault under a peer's timing, for the ratio."""
    if result.not_measured:
        return "unknown", (f"not measured: {result.not_measured}",)
    marks = pass_marks(result, baseline)
    failed, unsure = _marked(marks)
    failed = [*_integrity(result), *_recovery(result), *failed]
    unsure = [*_untold(result), *unsure]
    return _verdict(failed, unsure)


def judge_function(result: FaultResult, function: str) -> tuple[Verdict, tuple[str, ...]]:
    """By the marks of this function alone."""
    return _verdict(*_marked([m for m in pass_marks(result) if m.function == function]))


def judge_whole(result: FaultResult, baseline: FaultResult | None = None) -> tuple[Verdict, tuple[str, ...]]:
    """By what is no single function's: writes, audit, recovery."""
    failed, unsure = _marked([m for m in pass_marks(result, baseline) if not m.function])
    return _verdict([*_integrity(result), *_recovery(result), *failed], [*_untold(result), *unsure])


def _marked(marks: Iterable[PassMark]) -> tuple[list[str], list[str]]:
    """What marks were missed, and which cannot be told. A saturated machine measures itself; what is lost or does not
    come back is lost on any machine."""
    missed = [m for m in marks if not m.reached]
    doubtful = [m for m in missed if m.reached is None or m.doubt]
    return list(_said([m for m in missed if m not in doubtful])), list(_said(doubtful))


def _verdict(failed: Sequence[str], unsure: Sequence[str]) -> tuple[Verdict, tuple[str, ...]]:
    if failed:
        return "fail", (*failed, *unsure)
    return ("unknown", tuple(unsure)) if unsure else ("pass", ())


def _untold(result: FaultResult) -> Iterator[str]:
    return (f"{f.name}: could not be told: {f.detail}" for f in result.audit if f.ok is None)


def overall(campaign: Campaign) -> Verdict:
    """The worst of all its subjects' results, and of what several runs say together; a reference's results are there to
    be compared with."""
    told: list[Verdict] = [of_subject(campaign, subject) for subject in campaign.subjects]
    return _worst([*told, *(_of(c.mark.reached) for c in comparisons(campaign))])


def of_subject(campaign: Campaign, subject: Subject) -> Verdict:
    """The worst of its results; unknown without one."""
    return _worst([r.verdict for r in campaign.of(subject)])


def _worst(verdicts: Collection[Verdict]) -> Verdict:
    if "fail" in verdicts:
        return "fail"
    return "unknown" if "unknown" in verdicts or not verdicts else "pass"


def baseline_of(campaign: Campaign, result: FaultResult) -> FaultResult | None:
    """The same fault on the campaign's reference. None of a campaign that repeats: one run beside one is a matter of
    chance, and `repeats.comparisons` sets all of them beside all."""
    if campaign.reference is None or result.subject != campaign.own or any(r.run > 1 for r in campaign.results):
        return None
    same = (r for r in campaign.of(campaign.reference) if r.fault == result.fault)
    return next((r for r in same if r.busy == result.busy), None)


def _of(reached: bool | None) -> Verdict:
    return "unknown" if reached is None else "pass" if reached else "fail"


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
        tail = slice(len(series.ok) * 9 // 10, None)
        if any(series.fail[tail] + series.unknown[tail]) and not any(series.ok[tail]):
            yield f"{series.function} did not come back"


def _said(missed: Sequence[PassMark]) -> Iterator[str]:
    """One line for all marks of the same name: the one that misses it most, and how many others do."""
    for what in dict.fromkeys((m.what, m.doubt, m.reached) for m in missed):
        alike = [m for m in missed if (m.what, m.doubt, m.reached) == what]
        yield _missed(max(alike, key=_excess), len({m.function for m in alike}))


def _excess(mark: PassMark) -> float:
    return 0.0 if mark.measured is None or mark.reached is None else abs(mark.measured - mark.limit)


def _missed(mark: PassMark, functions: int) -> str:
    measured = "not measured" if mark.reached is None else amount(mark.measured, mark.unit)
    whose = f" ({mark.whose})" if mark.whose else ""
    count = functions - 1
    others = f"; so do{'es' if count == 1 else ''} {plural(count, 'other function')}" if count else ""
    why = f", {mark.doubt}" if mark.doubt else ""
    return f"{mark.what}{whose}: {measured}, {mark.bound} {limit(mark.limit, mark.unit)}{why}{others}"
