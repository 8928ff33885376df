"""A plan as a file: exactly the steps that will be taken, contents and secrets included: for its owner only."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from fournines.errors import PlanError
from fournines.plan.actions import Recorded
from fournines.plan.model import Change, Plan, Stage
from fournines.services.resource import Fact, MakeDirectory, Put, Run, Step
from fournines.services.service import Check

FORMAT = 1


def is_saved(text: str) -> bool:
    """Whether `text` was written by `dump`, rather than by a person: `load` is for those."""
    return text.startswith('{"format": ')


class _Table:
    """Equal entries are written once: many hosts get the same file."""

    def __init__(self) -> None:
        self.rows: dict[Any, int] = {}

    def index(self, row: Any) -> int:
        return self.rows.setdefault(row, len(self.rows))


def dump(plan: Plan) -> str:
    """JSON. `load` gives the same plan, its resources as `Recorded`."""
    steps, facts = _Table(), _Table()
    stages = [
        {
            "name": stage.name,
            "rolling": stage.rolling,
            "waves": stage.waves,
            "gate": [[c.name, c.host, c.script, c.within, c.unit, c.alone] for c in stage.gate],
            "changes": [
                {
                    "host": c.host,
                    "key": c.resource.key,
                    "kind": c.kind,
                    "diff": c.diff,
                    "triggers": c.resource.triggers,
                    "steps": [steps.index(step) for step in c.resource.steps()],
                }
                for c in stage.changes
            ],
        }
        for stage in plan.stages
    ]
    asked = {host: [facts.index(fact) for fact in mine] for host, mine in plan.facts.items()}
    return json.dumps(
        {
            "format": FORMAT,
            "cloud": plan.cloud,
            "source": plan.source,
            "world": plan.world,
            "stages": stages,
            "hosts": asked,
            "facts": [[f.kind, f.subject] for f in facts.rows],
            "steps": [_dump_step(step) for step in steps.rows],
        }
    )


def load(text: str, where: str = "") -> Plan:
    """Raises `PlanError` when `text` is not a plan of this format; `where` is what to call it."""
    try:
        raw = json.loads(text)
        if raw["format"] != FORMAT:
            raise PlanError(
                f"this plan has format {raw['format']}, not {FORMAT}", where=where, next="plan again with this version"
            )
        steps = [_load_step(step) for step in raw["steps"]]
        facts = [Fact(kind, subject) for kind, subject in raw["facts"]]
        return Plan(
            cloud=raw["cloud"],
            stages=tuple(_load_stage(stage, steps) for stage in raw["stages"]),
            world=raw["world"],
            source=raw["source"],
            facts={host: tuple(map(facts.__getitem__, mine)) for host, mine in raw["hosts"].items()},
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise PlanError(
            "this is not a saved plan",
            where=where,
            why=f"{type(error).__name__}: {error}",
            next="make one: fournines plan CLOUD -o FILE",
        ) from error


def _load_stage(raw: Mapping[str, Any], steps: list[Step]) -> Stage:
    changes = (
        Change(
            c["host"],
            Recorded(c["key"], tuple(c["triggers"]), tuple(map(steps.__getitem__, c["steps"]))),
            c["kind"],
            c["diff"],
        )
        for c in raw["changes"]
    )
    gate = tuple(Check(*check) for check in raw["gate"])
    return Stage(raw["name"], tuple(changes), raw["rolling"], gate, tuple(map(tuple, raw["waves"])))


def _dump_step(step: Step) -> dict[str, Any]:
    if isinstance(step, Run):
        return {"run": step.script, "timeout": step.timeout, "stdin": step.stdin}
    if isinstance(step, MakeDirectory):
        return {"directory": step.path, "mode": step.mode, "owner": step.owner, "group": step.group}
    content = base64.b64encode(step.content).decode()
    return {"put": step.path, "mode": step.mode, "owner": step.owner, "group": step.group, "content": content}


def _load_step(raw: Mapping[str, Any]) -> Step:
    if "run" in raw:
        return Run(raw["run"], raw["timeout"], raw["stdin"])
    if "directory" in raw:
        return MakeDirectory(raw["directory"], raw["mode"], raw["owner"], raw["group"])
    return Put(raw["put"], base64.b64decode(raw["content"]), raw["mode"], raw["owner"], raw["group"])
