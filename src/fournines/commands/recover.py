"""What no program may decide: looked at, and carried out once a person has. The caller holds the cloud's local lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fournines.cloud.model import Cloud
from fournines.cloud.secrets import Secrets
from fournines.commands import recover_fence as fencing
from fournines.commands import scale as scaling
from fournines.commands.operation import Reporting, Say, now
from fournines.commands.recover_file import without
from fournines.commands.recover_look import Looked, looked_at, secrets_file
from fournines.engine import SshOptions, apply, connect, hold, require_confirmed
from fournines.engine.connect import Connected
from fournines.errors import CloudFileError, FourninesError, PlanError, UsageError
from fournines.operate import scale
from fournines.operate.recover.evidence import MARKER, Asked
from fournines.operate.recover.finding import Shell, change, stage
from fournines.plan import render
from fournines.plan.desired import desired
from fournines.plan.model import Plan
from fournines.plan.preview import preview
from fournines.services import registry


@dataclass(frozen=True)
class Way:
    """Out of it. phases: by which lost hosts leave the cloud, afterwards."""

    looked: Looked
    switches: tuple[fencing.Switch, ...]
    phases: tuple[scaling.Planned, ...]

    @property
    def empty(self) -> bool:
        return self.looked.plan.empty and not (self.phases or self.looked.marked or self.looked.rebuilt)


def stamp() -> str:
    return datetime.fromtimestamp(now(), UTC).strftime("%Y%m%dT%H%M%SZ")


async def planned(cloud: Cloud, asked: Asked, ssh: SshOptions) -> Way:
    """Looks, changes nothing. Raises UsageError, HostError, PlanError."""
    async with connect(cloud.hosts, ssh) as hosts:
        looked = await looked_at(cloud, asked, hosts)
        if looked.undecided or looked.rebuilt:
            return Way(looked, (), ())
        switches = fencing.switches(looked.cloud, looked.asked.gone)
        return Way(looked, switches, _phases(looked))


def document(way: Way) -> dict[str, Any]:
    """As JSON: what was found, who switches lost hosts off, and the plans. "decided": nothing is left for a person to
    choose."""
    findings = [
        {
            "kind": f.kind,
            "region": f.region,
            "what": f.what,
            "hosts": f.where,
            "evidence": f.evidence,
            "loses": f.loses,
            "keeps": f.keeps,
            "choose": f.choose,
            "next": f.next,
        }
        for f in way.looked.findings
    ]
    return {
        "findings": findings,
        "decided": not way.looked.undecided,
        "switches": [{"host": s.host, "by": s.by} for s in way.switches],
        "plan": render.document(way.looked.plan),
        "phases": [{"phase": p.step.phase, **render.document(p.plan)} for p in way.phases],
    }


def require_off(way: Way, *, switched_off: bool) -> None:
    """Hosts that nobody here can switch off may come back; two of them may be a majority of what there was. Raises
    UsageError."""
    by_hand = [switch.host for switch in way.switches if switch.by == "person"]
    if by_hand and not switched_off:
        raise UsageError(
            f"nothing here can switch {' and '.join(by_hand)} off",
            why="hosts that come back with their old disks may serve beside those that are left: two databases, two "
            "VIPs",
            next="see that they are off and stay so; then add --switched-off",
        )


def leave_file(cloud: Cloud, way: Way, say: Say) -> None:
    """The lost hosts go from the cloud file; a copy of it stays beside it. Where it cannot be edited, the operator is
    told what to change."""
    names = [e.name for e in way.looked.leavers if e.name in cloud.host_by_name]
    if not names:
        return
    try:
        copy = without(cloud, names, way.looked.asked.stamp)
    except CloudFileError as error:
        say(f"{error}\n  take {', '.join(names)} out of {cloud.source} before the next apply")
        return
    say(f"kept: {copy}: the cloud file as it was")


def write_secrets(looked: Looked) -> Path:
    """The file that was lost, as far as hosts know it. Raises CloudFileError, LockedError."""
    assert looked.rebuilt is not None
    path = secrets_file(looked.cloud)
    secrets = Secrets.load(path)
    for name, value in looked.rebuilt.found.items():
        secrets.set(name, value)
    secrets.save()
    return path


def _phases(looked: Looked) -> tuple[scaling.Planned, ...]:
    """By which the lost hosts leave, as seen from the file: hosts without a database cannot be asked what differs. Each
    plan is made anew when its turn comes."""
    if not looked.leavers:
        return ()
    there = [name for name in looked.hosts if name not in looked.asked.gone]
    before = desired(looked.cloud, registry(), there)
    phases: list[scaling.Planned] = []
    for step in scale.departure(looked.cloud, looked.leavers):
        wanted = desired(step.cloud, registry(), there)
        phases.append(scaling.Planned(step, preview(step.cloud, registry(), before, wanted)))
        before = wanted
    return tuple(phases)


async def carry_out(
    way: Way,
    ssh: SshOptions,
    *,
    reporting: Reporting,
    say: Say,
    ending: Callable[[], None],
    confirmed: bool,
    switched_off: bool,
) -> None:
    """Raises FourninesError; `planned` and this again continue. confirmed: only what somebody has seen is done.
    switched_off: the person says so of hosts that nothing here can switch. ending: called before the hosts forget those
    that are lost."""
    looked = way.looked
    left = [h for h in looked.cloud.hosts if h.name in looked.hosts and h.name not in looked.asked.gone]
    for name in looked.absent:
        say(f"left out: {name} does not answer; `fournines apply` brings it up to date when it is back")
    async with connect(left, ssh) as hosts:
        hosts.require_all()
        async with hold(hosts):
            for switch in way.switches:
                say(str(switch))
                await _fence(looked.cloud, switch, hosts, say, switched_off=switched_off)
            await _first(looked, hosts, reporting, confirmed=confirmed)
            for phase in way.phases:
                if phase.step.phase == "done":
                    ending()
                say(f"{', '.join(looked.asked.gone)}: {phase.step.phase}")
                await _carried(await scaling.surveyed(phase.step.cloud, hosts), hosts, reporting, phase.step.cloud)
            if looked.asked.gone or looked.marked:
                await _carried(_unmark(looked.cloud, hosts), hosts, reporting, looked.cloud)


async def _fence(cloud: Cloud, switch: fencing.Switch, hosts: Connected, say: Say, *, switched_off: bool) -> None:
    try:
        await fencing.fence(cloud, switch, hosts)
    except FourninesError as error:
        if not switched_off:
            raise
        say(f"{switch.host}: {error.what}; you say that it is off")


async def _first(looked: Looked, hosts: Connected, reporting: Reporting, *, confirmed: bool) -> None:
    """Looks once more, under the locks: nobody may have come back meanwhile, nor anything have healed by itself."""
    again = await looked_at(looked.cloud, looked.asked, hosts)
    if again.undecided:
        raise PlanError(
            "the hosts are not what they were when this plan was made",
            where=", ".join(again.undecided[0].where),
            why=again.undecided[0].what,
            next="the same command again shows what is found now",
        )
    if confirmed:
        require_confirmed(looked.plan, again.plan)
    await _carried(again.plan, hosts, reporting, looked.cloud)


def _unmark(cloud: Cloud, hosts: Connected) -> Plan:
    forgets = Shell("the recovery has ended", f"rm -f {MARKER}")
    done = stage("end", [change(name, forgets, "done") for name in hosts])
    return Plan(cloud.name, (done,), "", str(cloud.source))


async def _carried(plan: Plan, hosts: Connected, reporting: Reporting, cloud: Cloud) -> None:
    cloud.secrets.save()
    if not plan.empty:
        with reporting() as report:
            await apply(plan, hosts, report)
