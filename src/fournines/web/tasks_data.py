"""Jobs on the cloud's data: backups, and a restore. Backups are in one directory, which the server was started with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from fournines.cloud.model import Cloud
from fournines.commands import backup as backups
from fournines.commands import restore as restoring
from fournines.commands.apply import write_access
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.errors import UsageError
from fournines.web.arguments import OfBackup, OfRestored, OfVerified
from fournines.web.tasks import SSH
from fournines.web.work import Work


def backup(cloud: Cloud, asked: OfBackup, work: Work) -> Mapping[str, Any]:
    with local_lock(cloud.state_dir):
        key = backups.key_for(cloud, None, work.say)
        work.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = asyncio.run(backups.take(cloud, SSH, work.backups, key, work.say, keep=asked.keep))
    removed = [path.name for path in taken.removed]
    return {"backup": taken.made.path.name, "removed": removed, **backups.document(taken.made.manifest)}


def verify(cloud: Cloud, asked: OfVerified, work: Work) -> Mapping[str, Any]:
    with local_lock(cloud.state_dir):
        chosen = backups.stored(cloud, work.backups / asked.backup)
        tables, rows = asyncio.run(backups.verify(cloud, SSH, chosen, work.say))
    return {"backup": asked.backup, "tables": tables, "rows": rows}


def restore(cloud: Cloud, asked: OfRestored, work: Work) -> Mapping[str, Any]:
    """Raises UsageError unless the cloud's name was typed."""
    require_valid(cloud)
    if not asked.dry_run and asked.confirm != cloud.name:
        raise UsageError(
            "what was written to the databases since this backup will be lost",
            where=asked.backup,
            next=f"confirm with the cloud's name, {cloud.name}",
        )
    copy = not asked.no_copy
    with local_lock(cloud.state_dir):
        chosen = restoring.chosen(cloud, work.backups / asked.backup)
        foreseen = list(restoring.foreseen(cloud, chosen, copy=copy))
        if not asked.dry_run:
            doing = restoring.restore(
                cloud, SSH, chosen, copy=copy, say=work.say, reporting=lambda: nullcontext(work.report)
            )
            asyncio.run(doing)
            write_access(cloud)
    return {"done": not asked.dry_run, "taken": chosen.manifest.taken, "steps": foreseen}
