"""Jobs that change which hosts there are: one more, one less, another machine in the place of one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from fournines.cloud.model import Cloud
from fournines.commands import growth
from fournines.commands import scale as scaling
from fournines.commands.clouds import load_cloud
from fournines.commands.private import rewrite
from fournines.design import require_valid
from fournines.engine import local_lock
from fournines.plan import render
from fournines.web.arguments import OfLeaving, OfNewHost, OfReplaced
from fournines.web.tasks import SSH
from fournines.web.tasks_operate import host_of, made_true
from fournines.web.work import Work


def add(cloud: Cloud, asked: OfNewHost, work: Work) -> Mapping[str, Any]:
    """The cloud file is written first; asked again for the same host, it is brought up."""
    whole = cloud if _is_there(cloud, asked) else _written(cloud, asked, work)
    plan = made_true(whole, lambda known, _: known, (asked.host,), work, dry_run=asked.dry_run)
    return {"done": not asked.dry_run, "plan": render.document(plan)}


def _is_there(cloud: Cloud, asked: OfNewHost) -> bool:
    host = cloud.host_by_name.get(asked.host)
    said = (asked.zone, asked.address, sorted(asked.roles))
    return host is not None and (host.zone.name, str(host.address), sorted(host.roles)) == said


def _written(cloud: Cloud, asked: OfNewHost, work: Work) -> Cloud:
    """Raises UsageError, CloudFileError."""
    new = growth.NewHost(asked.host, asked.zone, asked.address, ", ".join(asked.roles))
    made = growth.with_host(cloud, new, asked.region)
    for line in made.remarks:
        work.say(line)
    if not asked.dry_run:
        made.write()
    return made.cloud


def remove(cloud: Cloud, asked: OfLeaving, work: Work) -> Mapping[str, Any]:
    return _take_out(cloud, scaling.Asked(asked.host, asked.lost, asked.accept_even), work, dry_run=asked.dry_run)


def replace(cloud: Cloud, asked: OfReplaced, work: Work) -> Mapping[str, Any]:
    host_of(cloud, asked.host)
    leaving = scaling.Asked(asked.host, lost=True, replaces=True)
    found = _take_out(cloud, leaving, work, dry_run=asked.dry_run)
    if asked.dry_run:
        return found
    again = load_cloud(cloud.source)
    plan = made_true(again, lambda known, _: known, (asked.host,), work, dry_run=False)
    return {**found, "plan": render.document(plan)}


def _take_out(cloud: Cloud, what: scaling.Asked, work: Work, *, dry_run: bool) -> Mapping[str, Any]:
    require_valid(cloud)
    with local_lock(cloud.state_dir):
        work.say(f"asking {len(cloud.hosts)} hosts")
        leaving = asyncio.run(scaling.planned(cloud, what, SSH))
        name = leaving.entry.name
        has_entry = name in cloud.host_by_name and not what.replaces
        if has_entry:
            growth.without_host(cloud, name)  # refused now rather than at the end

        def ending() -> None:
            if has_entry:
                rewrite(cloud.source, growth.without_host(cloud, name))

        if not dry_run:
            doing = scaling.carry_out(
                leaving,
                SSH,
                reporting=lambda: nullcontext(work.report),
                say=work.say,
                ending=ending,
                confirmed=False,
                lost=what.lost,
            )
            asyncio.run(doing)
    phases = [{"phase": p.step.phase, **render.document(p.plan)} for p in leaving.phases]
    return {"done": not dry_run, "host": name, "phases": phases}
