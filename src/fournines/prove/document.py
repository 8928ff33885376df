"""The one JSON document that `prove --json` prints."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from fournines.prove.budget import ALLOWED_MIN, Budget, budget
from fournines.prove.model import Campaign, FaultResult, FunctionFigures, RequestFigures, Subject, Writes
from fournines.prove.pass_marks import pass_marks
from fournines.prove.repeats import FIGURES, RunsCompared, Spread, comparisons, repeated
from fournines.prove.side_by_side import Beside, Line, side_by_side
from fournines.prove.verdict import baseline_of, of_subject


def document(campaign: Campaign) -> str:
    """Times in seconds, or milliseconds where the key says so; null where there is no figure."""
    own, *others = (_subject(campaign, subject) for subject in campaign.subjects)
    whole = {
        "verdict": campaign.verdict,
        "cloud": own["cloud"],
        "started_at": campaign.started_at,
        "profile": own["profile"],
        "faults": own["faults"],
        "baseline": _reference(campaign),
        "beside": others[0] if others else None,
        "side_by_side": [_beside(campaign, b) for b in side_by_side(campaign)],
        "repeats": _repeats(campaign),
        "year": own["year"],
        "suite": campaign.suite or None,
        "seed": campaign.seed,
        "comparisons": [_comparison(c) for c in comparisons(campaign)],
        "versions": campaign.versions,
        "machine": campaign.machine,
        "command": campaign.command,
    }
    return json.dumps(_finite(whole), indent=2)


def _subject(campaign: Campaign, subject: Subject) -> dict[str, Any]:
    return {
        "cloud": subject.cloud,
        "profile": subject.profile,
        "verdict": of_subject(campaign, subject),
        "faults": [_fault(r, campaign) for r in campaign.of(subject)],
        "year": _year(budget(campaign, subject)),
    }


def _reference(campaign: Campaign) -> dict[str, Any] | None:
    """Null, too, before the first of its faults is measured."""
    theirs = campaign.of(campaign.reference) if campaign.reference else ()
    return {"profile": theirs[0].subject.profile, "faults": [_fault(r, campaign) for r in theirs]} if theirs else None


def _beside(campaign: Campaign, of: Beside) -> dict[str, Any]:
    """`functions`: "all" of all together; each figure on `one` and the `other`, the difference of their medians and
    their ratio, the other's to the one's."""
    assert campaign.pair is not None
    one, other = campaign.pair
    return {
        "fault": str(of.fault),
        "busy": of.busy,
        "one": asdict(one),
        "other": asdict(other),
        "not_measured": [{**asdict(subject), "why": why} for subject, why in of.missing],
        "functions": {line.function or "all": _line(line) for line in of.lines},
    }


def _line(of: Line) -> dict[str, Any]:
    return {
        name: {
            "one": _spread(seen.one),
            "other": _spread(seen.other),
            "difference_s": _spread(seen.difference),
            "ratio": _spread(seen.ratio),
        }
        for name, seen in of.figures.items()
    }


def _fault(result: FaultResult, campaign: Campaign) -> dict[str, Any]:
    marks = pass_marks(result, baseline_of(campaign, result)) if result.subject in campaign.subjects else ()
    return {
        "fault": f"{result.fault.name}@{result.fault.service}" if result.fault.service else result.fault.name,
        "target": result.fault.target,
        "run": result.run,
        "host": ",".join(result.hosts),
        "roles": result.roles,
        "database_member": result.database_member,
        "moved": result.moved,
        "verdict": result.verdict,
        "reasons": result.reasons,
        "not_measured": result.not_measured or None,
        "functions": {f.function: _function(f) for f in result.functions},
        "writes": _writes(result.writes),
        "redundant_again_s": result.redundant_again_s,
        "audit": [asdict(finding) for finding in result.audit],
        "targets": [{**asdict(mark), "reached": mark.reached} for mark in marks],
        "pressure": {**asdict(result.pressure), "saturated": result.pressure.saturated},
        "duration_s": result.fault.duration,
        "busy": result.busy,
    }


def _function(f: FunctionFigures) -> dict[str, Any]:
    """`fresh`, `kept`: null where the function is not probed over such connections."""
    before, during, after = range(3)
    return {
        **_requests(f.whole),
        **{c: _requests(f.by_connection[c]) if c in f.by_connection else None for c in ("fresh", "kept")},
        "unavailable_s": f.unavailable_s,
        "p50_ms": f.p50_ms[during],
        "p99_ms": f.p99_ms[during],
        "interval_s": f.interval_s,
        "within_s": f.within_s,
        "before": {"p50_ms": f.p50_ms[before], "p99_ms": f.p99_ms[before], "answered_within_1s": f.answered_before},
        "after": {"p50_ms": f.p50_ms[after], "p99_ms": f.p99_ms[after]},
        "downtime_s": f.downtime_s,
        "mttr_s": f.mttr_s,
    }


def _requests(figures: RequestFigures) -> dict[str, Any]:
    return {
        "worst_wait_s": figures.worst_wait_s,
        "degraded_s": figures.degraded_s,
        "answered_within_1s": figures.answered_within_1s,
        "longest_gap_s": figures.longest_gap_s,
        "gap_returning_s": figures.gap_returning_s,
        "ok": figures.ok,
        "fail": figures.fail,
        "unknown": figures.unknown,
    }


def _year(of: Budget) -> dict[str, Any]:
    """Minutes a year; `faults` in the order of the campaign."""
    return {
        "allowed_min": ALLOWED_MIN,
        "cost_min": of.minutes,
        "share": of.share,
        "faults": [
            {
                "fault": str(c.fault),
                "degraded_s": c.each_s,
                "a_year": c.a_year,
                "cost_min": c.minutes,
                "rate": c.figure or None,
                "not_counted": c.why or None,
            }
            for c in of.costs
        ],
        "rates": {name: asdict(rate) for name, rate in of.rates.items()},
    }


def _repeats(campaign: Campaign) -> list[dict[str, Any]]:
    """Each fault over all its runs, and its figures' medians, maxima, and bootstrap intervals."""
    return [
        {
            "fault": str(group.fault),
            "cloud": group.subject.cloud,
            "profile": group.subject.profile,
            "busy": group.busy,
            "runs": len(group.runs),
            "excluded": [{"run": r.run, "why": why} for r, why in group.excluded],
            "figures": {name: _spread(group.spread(figure)) for name, figure in FIGURES.items()},
        }
        for group in repeated(campaign)
    ]


def _spread(of: Spread | None) -> dict[str, Any] | None:
    if of is None:
        return None
    interval = None if of.low is None else [of.low, of.high]
    return {"runs": of.runs, "median": of.median, "worst": of.worst, "interval": interval}


def _comparison(of: RunsCompared) -> dict[str, Any]:
    return {
        "fault": str(of.fault),
        "ratio": _spread(of.ratio),
        "target": {**asdict(of.mark), "reached": of.mark.reached},
    }


def _writes(kinds: dict[str, Writes]) -> dict[str, Any]:
    """The sums over all kinds, and each kind's own."""
    counts = {kind: asdict(writes) for kind, writes in kinds.items()}
    keys = ("acknowledged", "lost", "ghost", "duplicate", "stuck")
    return {**{key: sum(c[key] for c in counts.values()) for key in keys}, "kinds": counts}


def _finite(value: Any) -> Any:
    """JSON has neither nan nor infinity; times are kept to the microsecond."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
