"""A plan as people and programs read it. Never the content of a new file, nor anything of a secret one.

Hosts with the same change share a line: ten thousand hosts take as many lines as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

from fournines.plan.model import Plan, Stage

Style = Literal["heading", "add", "update", "remove", "hunk", "note"]
_SIGN = {"add": "+", "update": "~", "remove": "-"}
_HUNK: dict[str, Style] = {"+": "add", "-": "remove", "@": "hunk"}


def lines(plan: Plan) -> Iterator[tuple[Style, str]]:
    """Text, a line at a time, each with what it is."""
    for stage in plan.stages:
        hosts = len({c.host for c in stage.changes})
        how = f", {stage.rolling} in {len(stage.waves)} steps" if len(stage.waves) > 1 else ""
        yield "heading", f"{stage.name} on {hosts} host{'s' * (hosts != 1)}{how}"
        for kind, key, diff, names in grouped(stage):
            first, *rest = diff.splitlines() or [""]
            yield kind, f"  {_SIGN[kind]} {key}  [{folded(tuple(names))}]  {first}"
            for line in rest[2:]:  # the two lines of file names say nothing here
                yield _HUNK.get(line[:1], "note"), f"      {line}"
    for note in plan.notes:
        yield "note", note
    yield "heading", summary(plan)


def summary(plan: Plan) -> str:
    """One sentence."""
    if plan.empty:
        return "Nothing to change."
    found = dict.fromkeys([*(f"to {kind}" for kind in _SIGN), "to restart or reload"], 0)
    for stage in plan.stages:
        for change in stage.changes:
            triggered = change.resource.key.startswith(("restart:", "reload:"))
            found["to restart or reload" if triggered else f"to {change.kind}"] += 1
    said = ", ".join(f"{n} {what}" for what, n in found.items() if n)
    hosts, stages = len(plan.hosts), len(plan.stages)
    return f"{said}, on {hosts} host{'s' * (hosts != 1)} in {stages} stage{'s' * (stages != 1)}."


def document(plan: Plan) -> dict[str, Any]:
    """For `--json`: the same facts as the text."""
    stages = [
        {
            "name": stage.name,
            "rolling": stage.rolling,
            "waves": stage.waves,
            "gate": [{"name": c.name, "host": c.host, "within_s": c.within} for c in stage.gate],
            "changes": [
                {"kind": kind, "resource": key, "hosts": names, "diff": diff}
                for kind, key, diff, names in grouped(stage)
            ],
        }
        for stage in plan.stages
    ]
    return {
        "cloud": plan.cloud,
        "empty": plan.empty,
        "world": plan.world,
        "summary": summary(plan),
        "stages": stages,
        "notes": plan.notes,
    }


def grouped(stage: Stage) -> list[tuple[Literal["add", "update", "remove"], str, str, list[str]]]:
    """(kind, key, diff, hosts), by first appearance of the key, so that a file's versions stand together."""
    keys: dict[str, dict[tuple[Literal["add", "update", "remove"], str], list[str]]] = {}
    for change in stage.changes:
        groups = keys.setdefault(change.resource.key, {})
        groups.setdefault((change.kind, change.diff), []).append(change.host)
    return [(kind, key, diff, hosts) for key, groups in keys.items() for (kind, diff), hosts in groups.items()]


@lru_cache(maxsize=32)
def folded(names: tuple[str, ...]) -> str:
    """`ctl1 ctl2 ctl3 db1` -> `ctl[1-3] db1`: the cloud file's own notation."""
    parts: list[str] = []
    run: list[re.Match[str]] = []
    for name in [*names, ""]:
        if run and name == _after(run):
            run.append(_numbered(name))
            continue
        if len(run) < 3:
            parts += [match[0] for match in run]
        else:
            parts.append(f"{run[0][1]}[{run[0][2]}-{run[-1][2]}]{run[0][3]}")
        run = [_numbered(name)]
    return " ".join(parts)


def _numbered(name: str) -> re.Match[str]:
    """(before, last number or "", after) of any name."""
    match = re.fullmatch(r"(.*?)(\d*)(\D*)", name, re.DOTALL)
    assert match
    return match


def _after(run: list[re.Match[str]]) -> str | None:
    """The name that would continue `run`: the next number, zero-padded if the first one is."""
    before, digits, after = run[-1].groups()
    if not digits:
        return None
    width = len(run[0][2]) if run[0][2].startswith("0") else 0
    return f"{before}{int(digits) + 1:0{width}}{after}"
