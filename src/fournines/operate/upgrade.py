"""Packages, host after host: what would change, in which order, and what speaks against it. What a change of release
adds to that is in `operate.release`.

What is still to do is told by the hosts: by what they have installed. The target, who began and where it is held are in
the lock (`cloud.versions`), of which they have a copy: whoever runs the command again continues.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fournines.cloud.model import Cloud, Host
from fournines.cloud.versions import Upgrade, Versions
from fournines.engine.packages import Packages, State, Wanted
from fournines.errors import HostError, PlanError, UsageError
from fournines.health.cluster import Cluster
from fournines.operate import drain
from fournines.plan.desired import desired
from fournines.plan.pins import daemons
from fournines.plan.render import folded
from fournines.services import registry
from fournines.services.capabilities import control_plane
from fournines.services.debian import newer, order
from fournines.services.resource import Unit

#: What `status` shows of the host that is being upgraded.
REASON = "upgrade"
Looks = Mapping[str, Packages]


@dataclass(frozen=True)
class Asked:
    """canary: a zone after which it is held. onward: goes on from there. security: only security updates. reboot: hosts
    of the control plane boot into a new kernel. abandon: forgets the one that has begun. to: another release."""

    canary: str = ""
    onward: bool = False
    security: bool = False
    reboot: bool = False
    abandon: bool = False
    to: str = ""


@dataclass(frozen=True)
class Move:
    """Hosts of one zone that go at once. drained: first; then it is one host."""

    zone: str
    hosts: tuple[Host, ...]
    drained: bool


# What is to be installed


def is_security(state: State) -> bool:
    """Whether one of the versions that lie between what is installed and the candidate is a security update."""
    return any(
        newer(version, state.installed) and not newer(version, state.candidate)
        for version in state.security
        if state.installed
    )


def upgradable(state: State) -> bool:
    """A held package is not: that is its operator's word."""
    return bool(state.installed and state.candidate) and not state.held and newer(state.candidate, state.installed)


def target(looks: Looks, *, security: bool) -> dict[str, str]:
    """Package -> the newest version that any host would install."""
    found: dict[str, str] = {}
    for seen in looks.values():
        for name, state in seen.packages.items():
            fits = upgradable(state) and (not security or is_security(state))
            if fits and (name not in found or newer(state.candidate, found[name])):
                found[name] = state.candidate
    return dict(sorted(found.items()))


def left(seen: Packages, wanted: Mapping[str, str]) -> dict[str, str]:
    """Of `wanted`, what this host has in an older version."""
    held = {name for name, state in seen.packages.items() if state.held}
    return {
        name: version
        for name, version in wanted.items()
        if name in seen.versions and name not in held and newer(version, seen.versions[name])
    }


def missing(seen: Packages, wanted: Mapping[str, str]) -> Iterator[str]:
    """What `wanted` has and the host's sources do not, a line each."""
    for name, version in left(seen, wanted).items():
        state = seen.packages.get(name)
        has = state.available if state else ()
        if version not in has:
            yield f"its package sources have no {name} {version}; they have {', '.join(has[:3]) or 'none'}"


def wanted_on(cloud: Cloud, host: Host, seen: Packages, versions: Mapping[str, str]) -> Wanted:
    services = desired(cloud, registry(), [host.name])[host.name]
    managed = [r.name for mine in services.values() for r in mine if isinstance(r, Unit)]
    return Wanted(left(seen, versions), daemons(cloud, host, registry()), managed, cloud.versions.suite)


# The lock


def begun(cloud: Cloud, wanted: Mapping[str, str], asked: Asked, who: str, now: float, *, suite: str = "") -> Cloud:
    """`cloud` with an upgrade to `wanted` that `who` begins. suite: of Debian, which has the release that is asked
    for."""
    upgrade = Upgrade(wanted, who, asked.canary, asked.reboot, asked.to, suite)
    return _with(cloud, replace(cloud.versions, upgrade=upgrade), now)


def ended(cloud: Cloud, looks: Looks, declared: Collection[str], now: float) -> Cloud:
    """`cloud` with the lock that its hosts have come to: the newest installed version of what services declare and of
    what upgrades have brought. Of a package that a host holds the oldest: nobody else may wait for that host."""
    before, upgrade = cloud.versions.locked, cloud.versions.upgrade
    locked = {**before, **(upgrade.target if upgrade else {})}
    held = {name for seen in looks.values() for name, state in seen.packages.items() if state.held}
    for name in (*locked, *declared):
        if versions := sorted({seen.versions[name] for seen in looks.values() if name in seen.versions}, key=order):
            locked[name] = versions[0 if name in held else -1]
    release = upgrade.release if upgrade and upgrade.release else cloud.versions.release
    if release != cloud.versions.release:  # what a suite no longer has would be looked for in vain
        there = {name for seen in looks.values() for name in seen.versions}
        locked = {name: version for name, version in locked.items() if name in there}
    return _with(cloud, Versions(dict(sorted(locked.items())), release=release), now)


def abandoned(cloud: Cloud, now: float) -> Cloud:
    """Raises PlanError where hosts have come to another release, or are being brought there: there is no way back."""
    upgrade = cloud.versions.upgrade
    on_their_way = sorted(name for name in cloud.drained if cloud.maintenance[name].reason == REASON)
    if upgrade and upgrade.release and (changed := tuple(dict.fromkeys((*upgrade.renewed, *on_their_way)))):
        raise PlanError(
            f"hosts have {upgrade.release}, or are on their way there: that cannot be forgotten",
            where=folded(changed),
            why=f"the others have {cloud.versions.release}, and two releases are not meant to stay side by side",
            next=f"fournines upgrade {cloud.source} --to {upgrade.release} goes on with it",
        )
    return _with(cloud, replace(cloud.versions, upgrade=None), now)


def onward(cloud: Cloud, now: float) -> Cloud:
    """`cloud`, no longer held after its canary."""
    upgrade = cloud.versions.upgrade
    assert upgrade
    return _with(cloud, replace(cloud.versions, upgrade=replace(upgrade, canary="")), now)


def _with(cloud: Cloud, versions: Versions, now: float) -> Cloud:
    return replace(cloud, versions=replace(versions, since=drain.later(now, cloud.versions.since)))


# The order


def moves(cloud: Cloud, seen: Cluster, canary: str) -> list[Move]:
    """Zone after zone: the canary's first, those of the VIPs' holders and the writer last. In each, the hosts of the
    control plane one after another, then all others at once."""
    busy = {name for region in seen.regions for name in (*region.vip_holders, *region.writers)}
    zones: dict[tuple[str, str], list[Host]] = {}
    for host in cloud.hosts:
        zones.setdefault((host.region, host.zone.name), []).append(host)

    def place(zone: tuple[str, str]) -> tuple[bool, bool, bool]:
        hosts = zones[zone]
        return (
            zone[1] != canary,
            not any(h.name in cloud.drained for h in hosts),
            any(h.name in busy for h in hosts),
        )

    found: list[Move] = []
    for region, zone in sorted(zones, key=place):
        shared = control_plane(cloud, region)
        hosts = zones[region, zone]
        alone = sorted((h for h in hosts if h in shared), key=lambda h: (h.name not in cloud.drained, h.name in busy))
        found += [Move(zone, (host,), drained=True) for host in alone]
        if rest := tuple(h for h in hosts if h not in shared):
            found.append(Move(zone, rest, drained=False))
    return found


def todo(found: Sequence[Move], cloud: Cloud, looks: Looks, wanted: Mapping[str, str], *, reboot: bool) -> list[Move]:
    """Of `found`, what is still to do on the hosts that answered."""
    state = cloud.versions.upgrade

    def waits(host: Host) -> bool:
        seen = looks.get(host.name)
        if seen and state and state.release and host.name not in state.renewed:
            return True
        entry = cloud.maintenance.get(host.name)
        begun = bool(entry and entry.drained and entry.reason == REASON)
        return seen is not None and (begun or seen.begun or bool(left(seen, wanted)))

    def boots(move: Move, host: Host) -> bool:
        return reboot and move.drained and host.name in looks and looks[host.name].kernel.reboot

    chosen = (replace(m, hosts=tuple(h for h in m.hosts if waits(h) or boots(m, h))) for m in found)
    return [move for move in chosen if move.hosts]


def zones(cloud: Cloud) -> list[str]:
    return sorted({h.zone.name for h in cloud.hosts})


# What speaks against it


def require_asked(cloud: Cloud, asked: Asked) -> None:
    """Raises UsageError, and PlanError where another upgrade has not ended."""
    state = cloud.versions.upgrade
    if asked.canary and asked.canary not in zones(cloud):
        raise UsageError(f"{cloud.name} has no zone {asked.canary}", next=f"one of {', '.join(zones(cloud))}")
    if state is None:
        if asked.onward or asked.abandon:
            raise UsageError("no upgrade has begun", next=f"fournines upgrade {cloud.source}")
        return
    if asked.abandon:
        return
    if (asked.canary and asked.canary != state.canary) or (asked.reboot and not state.reboot):
        raise PlanError(
            "another upgrade has not ended",
            where=cloud.name,
            why=f"{state.begun} began it{f', with the canary {state.canary}' if state.canary else ''}: "
            f"{len(state.target)} packages",
            next=f"fournines upgrade {cloud.source} --continue goes on with it; --abandon forgets it",
        )


def require_whole(cloud: Cloud, problems: Sequence[str], pending: Sequence[str]) -> None:
    """Raises PlanError: an upgrade begins on a cloud that is fully redundant, and as its file says."""
    if problems:
        raise PlanError(
            "an upgrade begins on a cloud that is fully redundant",
            where=cloud.name,
            why="\n        ".join(problems[:5]),
            next=f"fournines status {cloud.source} says what to fix first",
        )
    if pending:
        raise PlanError(
            "an upgrade begins only on a cloud that is as its file says",
            where=folded(tuple(pending)),
            why="changes are pending there, and would be made along with the new packages",
            next=f"fournines apply {cloud.source}",
        )


def require_sound(looks: Looks, wanted: Mapping[str, str], *, begun: bool = False) -> None:
    """Raises HostError for all hosts that could not be upgraded: before any of them is drained."""
    found: dict[str, list[str]] = {}
    for host, seen in looks.items():
        for line in (*seen.problems, *missing(seen, wanted)):
            found.setdefault(line, []).append(host)
    if found:
        lines = [f"{folded(tuple(hosts))}: {line}" for line, hosts in found.items()]
        names = dict.fromkeys(host for hosts in found.values() for host in hosts)
        raise HostError(
            "not every host can be upgraded, so none is",
            where=folded(tuple(names)),
            why="\n        ".join(lines[:8]),
            next="fix what it says on these hosts, then run the same command again"
            + ("; or --abandon what has begun: the next upgrade takes what the sources have now" if begun else ""),
        )


def require_possible(cloud: Cloud, todo: Sequence[Move], seen: Cluster) -> None:
    """Raises PlanError where the rest could not serve while one of the hosts is away, or one is drained for another
    reason."""
    for host in (h for move in todo if move.drained for h in move.hosts):
        entry = cloud.maintenance.get(host.name)
        if entry and entry.drained and entry.reason != REASON:
            raise PlanError(
                f"{host.name} is drained already, and would not be after its upgrade",
                where=host.name,
                why=f"since {entry.since}: {entry.reason}",
                next=f"fournines undrain {cloud.source} {host.name}",
            )
        region = next(r for r in seen.regions if r.region.name == host.region)
        if entry and entry.drained:
            continue
        away = [name for name in cloud.drained if cloud.maintenance[name].reason == REASON]
        if not away and (lacking := list(drain.lacking(cloud, host, region))):
            raise PlanError(
                f"without {host.name} the cloud could not serve",
                where=host.name,
                why="\n        ".join(lacking),
                next=f"fournines status {cloud.source} says what to fix first",
            )


# What is shown


def rows(looks: Looks) -> list[tuple[str, State, tuple[str, ...]]]:
    """(package, its state, the hosts that agree on that), by name."""
    found: dict[tuple[str, State], list[str]] = {}
    for host, seen in looks.items():
        for name, state in seen.packages.items():
            found.setdefault((name, replace(state, available=())), []).append(host)
    ordered = sorted(found, key=lambda key: (key[0], order(key[1].installed), order(key[1].candidate)))
    return [(name, state, tuple(found[name, state])) for name, state in ordered]
