"""The one JSON document that `prove --json` prints."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from fournines.prove.model import Campaign, FaultResult, FunctionFigures, Writes
from fournines.prove.pass_marks import pass_marks
from fournines.prove.verdict import baseline_of


def document(campaign: Campaign) -> str:
    """Times in seconds, or milliseconds where the key says so; null where there is no figure."""
    own = [r for r in campaign.results if r.profile == campaign.profile]
    theirs = [r for r in campaign.results if r.profile != campaign.profile]
    whole = {
        "verdict": campaign.verdict,
        "cloud": campaign.cloud,
        "started_at": campaign.started_at,
        "profile": campaign.profile,
        "faults": [_fault(r, campaign) for r in own],
        "baseline": {"profile": campaign.baseline, "faults": [_fault(r, campaign) for r in theirs]} if theirs else None,
        "versions": campaign.versions,
        "machine": campaign.machine,
        "command": campaign.command,
    }
    return json.dumps(_finite(whole), indent=2)


def _fault(result: FaultResult, campaign: Campaign) -> dict[str, Any]:
    marks = pass_marks(result, baseline_of(campaign, result)) if result.profile == campaign.profile else ()
    return {
        "fault": f"{result.fault.name}@{result.fault.service}" if result.fault.service else result.fault.name,
        "target": result.fault.target,
        "host": ",".join(result.hosts),
        "roles": result.roles,
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


def _function(figures: FunctionFigures) -> dict[str, Any]:
    before, during, after = range(3)
    return {
        "longest_gap_s": figures.longest_gap_s,
        "unavailable_s": figures.unavailable_s,
        "ok": figures.ok,
        "fail": figures.fail,
        "unknown": figures.unknown,
        "p50_ms": figures.p50_ms[during],
        "p99_ms": figures.p99_ms[during],
        "interval_s": figures.interval_s,
        "before": {"p50_ms": figures.p50_ms[before], "p99_ms": figures.p99_ms[before]},
        "after": {"p50_ms": figures.p50_ms[after], "p99_ms": figures.p99_ms[after]},
        "gap_by_connection_s": figures.gap_by_connection,
        "gap_returning_s": figures.gap_returning_s,
        "downtime_s": figures.downtime_s,
        "mttr_s": figures.mttr_s,
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
