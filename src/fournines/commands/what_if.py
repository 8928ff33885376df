"""Which functions of a cloud work while some of its components do not, and what stops the others. No host is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from fournines.cloud.model import Cloud
from fournines.cloud.names import suggest
from fournines.design.condition import Component, Condition
from fournines.design.derive import conditions
from fournines.errors import UsageError

#: What an operator thinks of losing: processes are many, and each is of a host.
SHOWN = ("region", "power", "switch", "zone", "network", "host")


def what_if(cloud: Cloud, failed: Collection[str]) -> dict[str, Any]:
    """failed: keys of components. All components that there are to choose from are named too. Raises UsageError."""
    found = conditions(cloud)
    known = {c.key: c for condition in found for c in _components(condition)}
    for key in failed:
        if key not in known:
            raise UsageError(f"{cloud.name} has no component {key}", next=suggest(key, known))
    order = sorted((c for c in known.values() if c.kind in SHOWN), key=lambda c: (SHOWN.index(c.kind), c.key))
    return {
        "components": [{"key": c.key, "kind": c.kind, "name": c.name, "region": c.region} for c in order],
        "failed": sorted(failed),
        "functions": [_function(condition, failed) for condition in found],
    }


def _components(condition: Condition) -> Iterable[Component]:
    yield from condition.base
    for requirement in condition.requirements:
        for copy in requirement.copies:
            yield from copy.parts
            yield from copy.alike


def _function(condition: Condition, failed: Collection[str]) -> dict[str, Any]:
    """spare: the fewest further copies that anything which it needs can lose."""
    left = [(r.name, r.left(failed), r.least, r.total) for r in condition.requirements]
    works = condition.works(failed)
    tight = min(left, key=lambda x: x[1] - x[2], default=None)
    return {
        "function": condition.name,
        "region": condition.region,
        "works": works,
        "stopped_by": [*condition.stopped_by(failed), *condition.missing],
        "spare": tight[1] - tight[2] if works and tight else None,
        "tight": tight[0] if works and tight else "",
        "requirements": [
            {"name": name, "left": have, "least": least, "total": total} for name, have, least, total in left
        ],
    }
