"""A plan as people and programs read it. Never the content of a new file, nor anything of a secret one.

Hosts with the same change share a line: ten thousand hosts take as many lines as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
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
            yield kind, f"  {_SIGN[kind]} {key}  [{folded(names)}]  {first}"
            for line in rest[2:]:  # the two lines of file names say nothing here
                yield _HUNK.get(line[:1], "note"), f"      {line}"
    yield "heading", summary(plan)


def summary(plan: Plan) -> str:
    """One sentence."""
    if plan.empty:
        return "Nothing to change."
    found = dict.fromkeys(_SIGN, 0)
    for stage in plan.stages:
        for change in stage.changes:
            found[change.kind] += 1
    said = ", ".join(f"{n} to {kind}" for kind, n in found.items() if n)
    return f"{said}, on {len(plan.hosts)} host{'s' * (len(plan.hosts) != 1)} in {len(plan.stages)} stages."


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
    return {"cloud": plan.cloud, "empty": plan.empty, "world": plan.world, "summary": summary(plan), "stages": stages}


def grouped(stage: Stage) -> list[tuple[Literal["add", "update", "remove"], str, str, list[str]]]:
    """(kind, key, diff, hosts), in the order of first appearance."""
    groups: dict[tuple[Literal["add", "update", "remove"], str, str], list[str]] = {}
    for change in stage.changes:
        groups.setdefault((change.kind, change.resource.key, change.diff), []).append(change.host)
    return [(*group, hosts) for group, hosts in groups.items()]


def folded(names: Iterable[str]) -> str:
    """`ctl1 ctl2 ctl3 db1` -> `ctl[1-3] db1`: the cloud file's own notation."""
    parts: list[str] = []
    split = [_NUMBERED.fullmatch(name) or name for name in names]
    for _, run in groupby(enumerate(split), key=_series):
        found = [item for _, item in run]
        first, last = found[0], found[-1]
        if isinstance(first, str) or isinstance(last, str):
            parts += [str(item) for item in found]
        elif len(found) < 3:
            parts += [item.group() for item in found if not isinstance(item, str)]
        else:
            parts.append(f"{first[1]}[{first[2]}-{last[2]}]{last[3]}")
    return " ".join(parts)


_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")


def _series(item: tuple[int, re.Match[str] | str]) -> tuple[object, ...]:
    """The same for names that count up by one, side by side and equally wide."""
    position, name = item
    if isinstance(name, str):
        return (position, name)
    return (name[1], name[3], int(name[2]) - position, len(name[2]) if name[2].startswith("0") else 0)
