"""What the worker does for each kind of job: the command line's functions, with progress into the job's file."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.commands import apply as applying
from fournines.commands import plan as planning
from fournines.commands import rotate as rotating
from fournines.commands import versions as packages
from fournines.commands.clouds import region_of
from fournines.commands.design import observed
from fournines.commands.private import write_private
from fournines.design import require_valid
from fournines.engine import SshOptions, local_lock
from fournines.errors import LabError, PlanError, SmokeError, UsageError
from fournines.operate.rotate import chosen as chosen_secrets
from fournines.plan import render, saved
from fournines.services.rotation import PHASES
from fournines.web.arguments import OfHosts, OfNothing, OfPlan, OfPower, OfRotate, OfSmoke, OfVersions, OfWipe
from fournines.web.work import PLAN, Work

SSH = SshOptions()


def plan(cloud: Cloud, asked: OfHosts, work: Work) -> Mapping[str, Any]:
    """Saved in the job's directory, for `apply`."""
    require_valid(cloud)
    names = asked.hosts
    if unknown := [name for name in names if name not in cloud.host_by_name]:
        raise UsageError(f"{cloud.name} has no host {unknown[0]}", next="see the cloud file")
    hosts = [h for h in cloud.hosts if not names or h.name in names]
    work.say(f"asking {len(hosts)} host{'s' * (len(hosts) != 1)}")
    found = asyncio.run(planning.look(cloud, hosts, SSH, work.report))
    cloud.secrets.save()  # the plan holds them: the next run must not make others
    write_private(work.directory / PLAN, saved.dump(found.plan))
    failures = {name: str(error) for name, error in found.failures.items()}
    return {"plan": render.document(found.plan), "failures": failures}


def apply(cloud: Cloud, asked: OfPlan, work: Work) -> Mapping[str, Any]:
    """The plan of another job."""
    source = asked.plan
    path = work.directory.parent / source / PLAN
    try:
        text = path.read_text()
    except OSError as error:
        raise PlanError("there is no such plan any more", where=source, next="plan again") from error
    wish = applying.of_saved(cloud, saved.load(text, source), source)
    assert wish.plan
    with local_lock(cloud.state_dir):
        if not wish.plan.empty:
            asyncio.run(applying.carry_out(wish, wish.plan, SSH, work.report, confirmed=True))
        applying.write_access(cloud)
    path.unlink(missing_ok=True)  # it holds secrets, and is done
    return {"applied": True, "plan": render.document(wish.plan)}


def smoke(cloud: Cloud, asked: OfSmoke, work: Work) -> Mapping[str, Any]:
    from fournines.smoke.connect import site
    from fournines.smoke.model import Result, Step
    from fournines.smoke.run import run
    from fournines.smoke.steps import STEPS, chosen
    from fournines.smoke.sweep import sweep

    if "keystone.admin" not in cloud.secrets.names():
        raise SmokeError("this cloud was never applied", where=cloud.name, next=f"fournines apply {cloud.source}")
    steps = chosen(asked.only) if asked.only else STEPS

    def say(what: Result | Step) -> None:
        if isinstance(what, Result):
            work.tell("step", **dataclasses.asdict(what))
        else:
            work.say(what.does)

    with local_lock(cloud.state_dir):
        results = run(site(cloud, region_of(cloud, asked.region), timeout=asked.timeout), steps, sweep, say)
    passed = all(r.outcome != "failed" for r in results)
    return {"passed": passed, "steps": [dataclasses.asdict(r) for r in results]}


def rotate(cloud: Cloud, asked: OfRotate, work: Work) -> Mapping[str, Any]:
    names = chosen_secrets(cloud, tuple(asked.what.split()))
    with local_lock(cloud.state_dir):
        work.say(f"asking {len(cloud.hosts)} hosts")
        phases = asyncio.run(rotating.planned(cloud, names, SSH, PHASES[-1]))
        for phase in [] if asked.dry_run else phases:
            work.say(f"phase {phase.step.phase}")
            asyncio.run(rotating.carry_out(phase, SSH, work.report, confirmed=False))
    plans = [{"phase": p.step.phase, **render.document(p.plan)} for p in phases]
    return {"rotated": not asked.dry_run, "what": names, "phases": plans}


def versions(cloud: Cloud, asked: OfVersions, work: Work) -> Mapping[str, Any]:
    work.say(f"asking {len(cloud.hosts)} hosts")
    seen = asyncio.run(packages.seen(cloud, SSH, work.say, refresh=asked.refresh))
    rows = packages.rows(seen, everything=asked.everything)
    hosts = {
        name: {
            "release": seen.cloud.versions.release_of(name),
            "debian": look.codename,
            "reboot": f"{look.kernel.running} → {look.kernel.newest}" if look.kernel.reboot else "",
            "problems": list(look.problems),
        }
        for name, look in seen.looks.items()
    }
    running = seen.cloud.versions.upgrade
    return {"upgrade": str(running) if running else "", "packages": [dataclasses.asdict(r) for r in rows], "on": hosts}


def observe(cloud: Cloud, _asked: OfNothing, work: Work) -> Mapping[str, Any]:
    work.say("asking the hosts of the control plane")
    found = observed(cloud, SSH)
    limits = [{**dataclasses.asdict(one), "holds": one.holds} for one in found]
    return {"holds": all(one.holds for one in found), "observed": limits}


def power(cloud: Cloud, asked: OfPower, work: Work) -> Mapping[str, Any]:
    _require_lab(cloud, asked.host)
    lab.power(cloud.name, asked.host, asked.action)
    return {"host": asked.host, "on": lab.is_on(cloud.name, asked.host)}


def wipe(cloud: Cloud, asked: OfWipe, work: Work) -> Mapping[str, Any]:
    _require_lab(cloud, asked.host)
    lab.wipe(cloud.name, asked.host, work.say)
    return {"host": asked.host, "on": lab.is_on(cloud.name, asked.host)}


def _require_lab(cloud: Cloud, host: str) -> None:
    """Raises UsageError, LabError."""
    if host not in cloud.host_by_name:
        raise UsageError(f"{cloud.name} has no host {host}", next="see the cloud file")
    if not lab.exists(cloud.name):
        raise LabError(
            "these hosts are not a lab's", where=cloud.name, next="use the hosts' own management controllers"
        )
