"""One run: what an earlier one left behind is removed, the steps are taken, and what they made is removed, always."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from fournines.smoke.model import NotHereError, Outcome, Result, Site, Step

#: Says that a step begins, and how it ended.
Report = Callable[[Result | Step], None]
#: Removes whatever a run has made; says what it could not.
Sweep = Callable[[Site], Sequence[str]]

CLEAN = "clean_up"


def run(site: Site, steps: Sequence[Step], sweep: Sweep, report: Report) -> tuple[Result, ...]:
    """The results, in order, that of the cleaning last. An interruption cleans up too, and goes on."""
    results: list[Result] = []

    def done(result: Result) -> None:
        results.append(result)
        report(result)

    sweep(site)
    try:
        for step in steps:
            report(step)
            done(_take(site, step, {r.name: r.outcome for r in results}))
    finally:
        done(_clean(site, sweep))
    return tuple(results)


def _take(site: Site, step: Step, before: dict[str, Outcome]) -> Result:
    absent = [service for service in step.services if not site.carries(service)]
    if absent:
        return Result(step.name, "skipped", 0.0, f"the cloud has no {', '.join(absent)}")
    lacking = [name for name in step.after if before.get(name) != "passed"]
    if lacking:
        return Result(step.name, "skipped", 0.0, f"needs what did not pass: {', '.join(lacking)}")
    began = time.monotonic()
    try:
        outcome, said = "passed", step.run(site)
    except NotHereError as error:
        outcome, said = "skipped", str(error)
    except Exception as error:  # whatever a service, or the library, makes of its failure is the finding
        outcome, said = "failed", _brief(error)
    return Result(step.name, outcome, round(time.monotonic() - began, 2), said)


def _clean(site: Site, sweep: Sweep) -> Result:
    began = time.monotonic()
    try:
        left = sweep(site)
    except Exception as error:
        left = [_brief(error)]
    outcome: Outcome = "failed" if left else "passed"
    said = "; ".join(left) or "nothing is left"
    return Result(CLEAN, outcome, round(time.monotonic() - began, 2), said)


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 400 else text[:400] + "…"
