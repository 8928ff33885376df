"""The job that brings back what does not come back by itself, once a person has decided."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from fournines.cloud.model import Cloud
from fournines.commands import recover as recovering
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError
from fournines.operate.recover import evidence
from fournines.web.arguments import OfRecover
from fournines.web.tasks import SSH
from fournines.web.work import Work


def recover(cloud: Cloud, asked: OfRecover, work: Work) -> Mapping[str, Any]:
    """What was found, what each way out loses, and the plans. Nothing is changed on a dry run, nor while a decision is
    missing. Raises UsageError unless the cloud's name was typed."""
    require_valid(cloud)
    if not asked.dry_run and asked.confirm != cloud.name:
        raise UsageError(
            "what the way out loses is lost",
            where=cloud.name,
            next=f"look first (dry_run); then confirm with the cloud's name, {cloud.name}",
        )
    what = evidence.Asked(recovering.stamp(), tuple(dict.fromkeys(asked.gone)), asked.history)
    with local_lock(cloud.state_dir):
        work.say("looking at every host that answers")
        way = asyncio.run(recovering.planned(cloud, what, SSH))
        found = recovering.document(way)
        if asked.dry_run or way.looked.undecided or way.empty:
            return {"done": False, **found}
        recovering.require_off(way, switched_off=asked.switched_off)
        if way.looked.rebuilt:
            path = recovering.write_secrets(way.looked)
            work.say(f"{len(way.looked.rebuilt.found)} secrets are in {path}; Recover again looks for the rest")
            return {"done": True, **found}
        doing = recovering.carry_out(
            way,
            SSH,
            reporting=lambda: nullcontext(work.report),
            say=work.say,
            ending=lambda: recovering.leave_file(cloud, way, work.say),
            confirmed=False,
            switched_off=asked.switched_off,
        )
        asyncio.run(doing)
    for finding in way.looked.findings:
        for line in finding.keeps:
            work.say(f"kept: {line}")
    return {"done": True, **found}
