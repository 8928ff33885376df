"""Stored campaigns, as the dashboard lists them."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from fournines.errors import ProveError
from fournines.prove import store
from fournines.prove.model import Campaign, FaultResult
from fournines.web.models import Run

NEWEST = 30
_NAME = re.compile(r"[0-9A-Za-z+-]+")


def stored(state: Path) -> list[Run]:
    """The newest first. One that cannot be read says so."""
    found: list[Run] = []
    for path in sorted(state.glob(f"runs/*/{store.FILE}"), reverse=True)[:NEWEST]:
        name = path.parent.name
        try:
            campaign = store.load(path)
        except ProveError as error:
            found.append(
                Run(name=name, started_at="", verdict=error.what, profile="", suite="", faults=[], report=False)
            )
            continue
        rows = [_row(campaign, result) for result in campaign.results]
        found.append(
            Run(
                name=name,
                started_at=campaign.started_at,
                verdict=campaign.verdict,
                profile=campaign.own.profile,
                suite=campaign.suite,
                faults=rows,
                report=True,
            )
        )
    return found


def _row(campaign: Campaign, result: FaultResult) -> dict[str, Any]:
    def worst(name: str) -> float | None:
        figures = [getattr(f.whole, name) for f in result.functions]
        return max((x for x in figures if math.isfinite(x)), default=None)

    return {
        "fault": f"{result.fault}{campaign.on(result.subject)}",
        "own": result.subject == campaign.own,
        "cloud": result.subject.cloud,
        "profile": result.subject.profile,
        "verdict": result.verdict,
        "hosts": list(result.hosts),
        "roles": list(result.roles),
        "reasons": list(result.reasons),
        "longest_gap_s": worst("longest_gap_s"),
        "worst_wait_s": worst("worst_wait_s"),
        "degraded_s": worst("degraded_s"),
        "redundant_again_s": result.redundant_again_s,
    }


def campaign(state: Path, name: str) -> Campaign | None:
    """None without such a run. Raises ProveError when it cannot be read."""
    directory = state / "runs" / name
    if not _NAME.fullmatch(name) or not (directory / store.FILE).is_file():
        return None
    return store.load(directory)
