"""Look, then plan: what it would take to make the hosts what the cloud file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fournines.cloud import maintenance, record, versions
from fournines.cloud.model import Cloud
from fournines.engine.events import Report, silent
from fournines.engine.observe import Observation, observe
from fournines.engine.transport import ManagedHost
from fournines.errors import HostError, PlanError
from fournines.plan.actions import (
    MAINTENANCE_FACT,
    RECORD_FACT,
    VERSIONS_FACT,
    read_maintenance,
    read_record,
    read_versions,
)
from fournines.plan.desired import Registry, desired, facts
from fournines.plan.diffs import texts, with_diffs
from fournines.plan.make import make
from fournines.plan.model import Plan
from fournines.services.resource import Fact


@dataclass(frozen=True)
class Survey:
    """`plan` is for the hosts that answered; `failures` says why the others did not. `cloud`: with what the hosts say
    of their maintenance, and the newest lock of versions. `recorded`: the hosts that they say the cloud has."""

    plan: Plan
    failures: Mapping[str, HostError]
    cloud: Cloud
    recorded: record.Entries = field(default_factory=dict[str, record.Entry])


async def survey(cloud: Cloud, services: Registry, hosts: Mapping[str, ManagedHost], report: Report = silent) -> Survey:
    """Facts, then the text of the files that differ. Where hosts are, or have been, in maintenance, what that adds is
    asked in between. An entry of `cloud.maintenance`, or a lock of versions, that is newer than what the hosts have is
    what is wanted."""
    wanted = desired(cloud, services, hosts)
    seen = await observe(hosts, facts(wanted), report)
    recorded = _recorded(seen)
    require_accounted(cloud, recorded)
    _require_secrets(cloud, recorded)
    known, lock = _maintenance(cloud, seen), _versions(cloud, seen)
    require_release(cloud, lock)
    if known != cloud.maintenance or lock != cloud.versions:
        cloud = replace(cloud, maintenance=known, versions=lock)
        wanted = desired(cloud, services, seen.replies)
        await _ask_more(hosts, facts(wanted), seen)
    plan = make(cloud, services, wanted, seen.replies)
    if asked := texts(plan):
        plan = with_diffs(plan, (await observe(hosts, asked)).replies)
    return Survey(plan, seen.failures, cloud, recorded)


async def recorded(hosts: Mapping[str, ManagedHost]) -> record.Entries:
    """The hosts that the cloud has, as those of `hosts` say that answer."""
    return _recorded(await observe(hosts, dict.fromkeys(hosts, (RECORD_FACT,))))


def require_accounted(cloud: Cloud, known: record.Entries) -> None:
    """Raises PlanError where the cloud has hosts that `cloud` does not: nothing would be left that tells of them."""
    for name, entry in known.items():
        host = cloud.host_by_name.get(name)
        if name in cloud.retired or (host and (entry.state == "serves" or host.leaving)):
            continue
        if entry.region not in cloud.regions:
            continue  # a region shares nothing with the others
        if host is None:
            raise PlanError(
                f"the cloud file no longer has {name}",
                where=name,
                why=f"the cloud has it at {entry.address}: it would go on as a member that nobody counts",
                next=f"fournines scale {cloud.source} takes it out; or put it back into the file",
            )
        raise PlanError(
            f"{name} is on its way out of the cloud",
            where=name,
            why="taking it out, or replacing it, has begun and not ended",
            next=f"the same command again continues: fournines scale {cloud.source} --remove {name}, "
            f"fournines replace {cloud.source} {name}, or fournines recover {cloud.source}",
        )


def require_release(cloud: Cloud, lock: versions.Versions) -> None:
    """Raises PlanError where the file wants another release than the hosts have, or are on their way to. A cloud
    without one is taken as its hosts are."""
    coming = lock.upgrade.release if lock.upgrade else ""
    if cloud.release in ("", lock.release, coming):
        return
    raise PlanError(
        f"the cloud has release {lock.release}, and its file wants {cloud.release}",
        where=str(cloud.source),
        why="another release comes with another Debian, host after host, and not by `apply`",
        next=f'fournines upgrade {cloud.source} --to {cloud.release}; or write release: "{coming or lock.release}"',
    )


def _require_secrets(cloud: Cloud, known: record.Entries) -> None:
    """Raises PlanError where all of them would be made anew under a cloud that is built with others."""
    if known and cloud.secrets.missing:
        raise PlanError(
            "the cloud's secrets are lost, and its hosts are built with them",
            where=str(cloud.source.parent / f"{cloud.name}.secrets.yaml"),
            why="with new ones every service would be locked out of what it has",
            next=f"put a copy of the file there; or fournines recover {cloud.source}, which rebuilds it from the hosts",
        )


def _recorded(seen: Observation) -> record.Entries:
    return record.furthest(read_record(host, said.get(RECORD_FACT, "absent")) for host, said in seen.replies.items())


def _maintenance(cloud: Cloud, seen: Observation) -> maintenance.Entries:
    copies = [read_maintenance(host, replies[MAINTENANCE_FACT]) for host, replies in seen.replies.items()]
    known = maintenance.newest([cloud.maintenance, *copies])
    return {name: entry for name, entry in known.items() if name in cloud.host_by_name}


def _versions(cloud: Cloud, seen: Observation) -> versions.Versions:
    copies = (read_versions(host, replies[VERSIONS_FACT]) for host, replies in seen.replies.items())
    return versions.newest([cloud.versions, *copies])


async def _ask_more(hosts: Mapping[str, ManagedHost], wanted: Mapping[str, Sequence[Fact]], seen: Observation) -> None:
    """Adds the replies to those of `wanted` that were not asked yet."""
    more = {name: [fact for fact in asked if fact not in seen.replies[name]] for name, asked in wanted.items()}
    found = await observe({name: hosts[name] for name, asked in more.items() if asked}, more)
    for name, replies in found.replies.items():
        seen.replies[name] |= replies
    for name, error in found.failures.items():
        del seen.replies[name]
        seen.failures[name] = error
