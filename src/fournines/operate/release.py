"""To another release, and the Debian that has it: what this adds to an upgrade of packages (`operate.upgrade`). Pure.

Hosts change zone by zone, each to the new suite in one transaction. What cannot run beside its older self is left out
of that, and changes last, on all of its hosts at once; so do the tables' contractions, for which nobody must need the
old ones any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fournines.cloud.model import Cloud, Host
from fournines.cloud.releases import Release, Together, refusal, releases
from fournines.cloud.versions import Upgrade
from fournines.engine.packages import Packages
from fournines.errors import HostError, PlanError, UsageError
from fournines.operate import drain
from fournines.plan.render import folded
from fournines.services.debian import upstream

Looks = Mapping[str, Packages]


@dataclass(frozen=True)
class Last:
    """What changes on `hosts` at once, when all hosts are new."""

    service: str
    hosts: tuple[Host, ...]
    how: Together


# Whether it may be


def require_named(cloud: Cloud, to: str) -> None:
    """Raises UsageError where the cloud file does not want what is asked for."""
    if to not in releases():
        raise UsageError(f"there is no release {to}", next=f"one of {', '.join(releases())}")
    if cloud.release != to:
        raise UsageError(
            f"the cloud file wants release {cloud.release}, not {to}",
            next=f'write release: "{to}" into {cloud.source}, then fournines check {cloud.source}',
        )


def require_step(cloud: Cloud, to: str) -> None:
    """Raises PlanError where `cloud`, whose lock is the newest, cannot go to `to`."""
    state, old = cloud.versions.upgrade, cloud.versions.release
    if state and state.release != to:
        what = f"to {state.release}" if state.release else f"of {len(state.target)} packages"
        raise PlanError(
            f"an upgrade {what} has not ended",
            where=cloud.name,
            why=f"{state.begun} began it",
            next=f"fournines upgrade {cloud.source}{f' --to {state.release}' if state.release else ''} --continue "
            "goes on with it",
        )
    carried = {name for host in cloud.hosts for name in host.services}
    why, change = refusal(old, to, carried)
    if why:
        raise PlanError(f"{cloud.name} cannot go to {to}", where=str(cloud.source), why=why, next=change)
    if old == to:
        raise UsageError(f"{cloud.name} has {to} already", next=f"fournines upgrade {cloud.source}")


def strangers(looks: Looks, release: Release) -> Iterator[str]:
    """Where a candidate is of another release, a line each."""
    for name, begins in release.versions.items():
        found: dict[str, list[str]] = {}
        for host, seen in looks.items():
            state = seen.packages.get(name)
            if state and state.installed and upstream(state.candidate).split(".")[0] != begins:
                found.setdefault(state.candidate or "none", []).append(host)
        for version, hosts in found.items():
            yield f"{folded(tuple(hosts))}: {name} {version}, where {release.name} is {begins}"


def require_sources(release: Release, suites: Sequence[str], wrong: Sequence[str]) -> None:
    """wrong: of `strangers`, of the last of the suites. Raises HostError."""
    if wrong:
        raise HostError(
            f"the hosts' package sources do not have {release.name}",
            where=" or ".join(suites),
            why="\n        ".join(wrong[:8]),
            next="have a mirror that keeps it; what is there now can be seen by `apt-cache policy` on a host",
        )


def require_ready(wrong: Sequence[str]) -> None:
    """wrong: what services say against it, a line each. Raises HostError."""
    if wrong:
        raise HostError(
            "services say that they are not ready for another release",
            where=", ".join(dict.fromkeys(line.partition(":")[0] for line in wrong)),
            why="\n        ".join(wrong[:8]),
            next="fix what they say, then run the same command again",
        )


# What goes first, and what last


def last(cloud: Cloud, release: Release) -> list[Last]:
    return [
        Last(service, hosts, how)
        for service, how in release.together.items()
        for region in cloud.regions
        if (hosts := cloud.hosts_of(service, region))
    ]


def first_part(target: Mapping[str, str], release: Release) -> dict[str, str]:
    """Of `target`, what each host gets when its turn comes."""
    return {name: version for name, version in target.items() if not _late(name, release)}


def last_part(target: Mapping[str, str], release: Release) -> dict[str, str]:
    return {name: version for name, version in target.items() if _late(name, release)}


def _late(package: str, release: Release) -> bool:
    return any(how.has(package) for how in release.together.values())


def state_of(cloud: Cloud) -> Upgrade:
    """Of the change that has begun, or begins."""
    assert cloud.versions.upgrade
    return cloud.versions.upgrade


def renewed(cloud: Cloud, hosts: Collection[str], now: float) -> Cloud:
    """`cloud`, in which `hosts` have come to the new release."""
    state = state_of(cloud)
    known = tuple(dict.fromkeys((*state.renewed, *hosts)))
    if known == state.renewed:
        return cloud
    since = drain.later(now, cloud.versions.since)
    return replace(cloud, versions=replace(cloud.versions, upgrade=replace(state, renewed=known), since=since))


# What is shown


def sentences(cloud: Cloud, begins: bool, lasts: Sequence[Last]) -> Iterator[str]:
    """What it is, and from where there is no way back."""
    state = state_of(cloud)
    where = f"from {cloud.versions.release} to {state.release}, by Debian {state.suite}"
    done = f"{len(state.renewed)} of {len(cloud.hosts)} hosts have it"
    yield f"{cloud.name} goes {where}" if begins else f"{cloud.name} is on its way {where}: {done}"
    yield "point of no return: the first host that changes. The others go on as they are, so it may be held or stopped"
    yield "with the last host Keystone's tables lose what only the older release needs"
    for of in lasts:
        yield f"last, on {folded(tuple(h.name for h in of.hosts))} at once: {of.service}. {of.how.why}"
    if begins:
        yield f"a backup is not looked for: fournines backup {cloud.source} --to DIRECTORY makes one"
