"""Unified diffs of the files that a plan changes. Their text is fetched in a second look, for few files ever differ."""

from __future__ import annotations

import difflib
from dataclasses import replace

from fournines.plan.actions import MANIFEST
from fournines.plan.model import Change, Observed, Plan
from fournines.services.render import MARK
from fournines.services.resource import Fact, File


def texts(plan: Plan) -> dict[str, list[Fact]]:
    """host -> the texts that `with_diffs` needs."""
    asked: dict[str, list[Fact]] = {}
    for change in (c for stage in plan.stages for c in stage.changes):
        if file := _shown(change):
            asked.setdefault(change.host, []).append(Fact("text", file.path))
    return asked


def with_diffs(plan: Plan, observed: Observed) -> Plan:
    """`plan`, each changed file's line followed by its unified diff. `observed` holds the replies to `texts(plan)`.

    A file that fournines has not written before, a package's default as a rule, differs in every line: their number is
    what there is to say.
    """

    def shown(change: Change) -> Change:
        file = _shown(change)
        reply = observed.get(change.host, {}).get(Fact("text", file.path)) if file else None
        if not file or not reply or reply == "absent":
            return change
        there = reply.removeprefix("text ")
        old, new = there.splitlines(), file.content.splitlines()
        if MARK in file.content and MARK not in there:
            return replace(change, diff=f"{change.diff}: {len(old)} lines that are not fournines' → {len(new)}")
        lines = [change.diff, *difflib.unified_diff(old, new, "on the host", "wanted", lineterm="", n=2)]
        return replace(change, diff="\n".join(lines))

    stages = [replace(stage, changes=tuple(map(shown, stage.changes))) for stage in plan.stages]
    return replace(plan, stages=tuple(stages))


def _shown(change: Change) -> File | None:
    """The file whose content differs and may be shown."""
    file = change.resource
    if change.kind != "update" or not isinstance(file, File) or file.secret or file.path == MANIFEST:
        return None
    return file if change.diff.startswith("content") else None
