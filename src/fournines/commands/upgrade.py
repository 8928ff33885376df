"""Packages of the same release, zone after zone. The caller holds the cloud's local lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fournines.cloud import versions
from fournines.cloud.model import Cloud, Host
from fournines.commands.drain import to_drain, to_undrain
from fournines.commands.operation import Change, carry_out, now
from fournines.commands.private import write_private
from fournines.commands.reboot import BOOTS, How, until_whole
from fournines.commands.versions import looked
from fournines.engine import Connected, connect, hold, owner, packages, survey
from fournines.engine.packages import Prepared
from fournines.engine.reboot import begin_reboot, boot_of, next_boot
from fournines.engine.together import merged, together
from fournines.operate import reboot, upgrade
from fournines.operate.upgrade import Asked, Looks, Move
from fournines.plan.desired import desired
from fournines.plan.pins import declared
from fournines.services import registry
from fournines.services.capabilities import control_plane


@dataclass(frozen=True)
class Upgrading:
    """cloud: with the upgrade that has begun, or begins. moves: what this run does; later: what waits for --continue.
    prepared: host -> what apt would do there. known: what is wrong already, and is not waited for."""

    cloud: Cloud
    begins: bool
    moves: tuple[Move, ...]
    later: tuple[Move, ...]
    prepared: dict[str, Prepared]
    known: tuple[str, ...]
    looks: Looks
    declared: frozenset[str]

    @property
    def target(self) -> dict[str, str]:
        return dict(self.cloud.versions.upgrade.target) if self.cloud.versions.upgrade else {}

    @property
    def empty(self) -> bool:
        """Nothing newer, and the lock says already what the hosts have."""
        done = upgrade.ended(self.cloud, self.looks, self.declared, 0.0)
        return self.begins and not self.moves and done.versions.locked == self.cloud.versions.locked


async def planned(cloud: Cloud, asked: Asked, how: How) -> Upgrading:
    """Looks, and changes nothing but the hosts' lists of packages. Raises UsageError, PlanError, HostError."""
    from fournines.health.look import look

    async with connect(cloud.hosts, how.ssh) as hosts:
        left_out = _left_out(cloud, hosts, how)
        found = await survey(cloud, registry(), hosts)
        if found.failures:
            raise merged(list(found.failures.values()))
        known = found.cloud
        upgrade.require_asked(known, asked)
        seen = await look(known, hosts, hosts.failures)
        wrong = reboot.not_whole(seen)
        tolerated = tuple(line for line in wrong if set(line.partition(":")[0].split(", ")) <= left_out)
        begins = known.versions.upgrade is None
        if begins:
            pending = [name for name in found.plan.hosts if name not in left_out]
            upgrade.require_whole(known, [line for line in wrong if line not in tolerated], pending)
        wanted = desired(known, registry(), hosts)
        how.say("asks the package sources" if begins else "continues")
        looks = await looked(hosts, wanted, refresh=begins)
        if begins:
            target = upgrade.target(looks, security=asked.security)
            known = upgrade.begun(known, target, asked, owner(), now())
        elif asked.onward:
            known = upgrade.onward(known, now())
        state = known.versions.upgrade
        assert state
        upgrade.require_sound(looks, state.target, begun=not begins)
        moves = upgrade.moves(known, seen, state.canary)
        todo = upgrade.todo(moves, known, looks, state.target, reboot=state.reboot)
        first = [m for m in todo if not state.canary or m.zone == state.canary]
        upgrade.require_possible(known, todo, seen)
        prepared = await _prepared(known, hosts, todo, looks, state.target)
    later = tuple(m for m in todo if m not in first)
    names = frozenset(name for host in looks for name in declared(wanted[host]))
    return Upgrading(known, begins, tuple(first), later, prepared, tolerated, looks, names)


def _left_out(cloud: Cloud, hosts: Connected, how: How) -> set[str]:
    """Hosts that do not answer. Raises HostError where one of the control plane is among them."""
    needed = [e for name, e in hosts.failures.items() if _shared(cloud, cloud.host_by_name[name])]
    if needed or not hosts:
        raise merged(needed or list(hosts.failures.values()))
    for error in hosts.failures.values():
        how.say(f"left out: {error.what}; `fournines apply` brings it up to date when it is back")
    return set(hosts.failures)


def _shared(cloud: Cloud, host: Host) -> bool:
    return host in control_plane(cloud, host.region)


async def _prepared(
    cloud: Cloud, hosts: Connected, todo: Sequence[Move], looks: Looks, target: Mapping[str, str]
) -> dict[str, Prepared]:
    """Raises HostError for all hosts where apt finds no way."""
    names = [h.name for move in todo for h in move.hosts]
    asked = (
        packages.prepare(hosts[n], upgrade.wanted_on(cloud, cloud.host_by_name[n], looks[n], target)) for n in names
    )
    return dict(zip(names, await together(asked), strict=True))


async def abandon(cloud: Cloud, how: How) -> str:
    """Forgets the upgrade that has begun; hosts keep what they have. Who began it. Raises UsageError."""
    async with connect(cloud.hosts, how.ssh) as hosts:
        _left_out(cloud, hosts, how)
        known = (await survey(cloud, registry(), hosts)).cloud
    upgrade.require_asked(known, Asked(abandon=True))
    assert known.versions.upgrade
    await _locked(upgrade.abandoned(known, now()), how)
    return known.versions.upgrade.begun


async def upgrade_all(upgrading: Upgrading, how: How) -> None:
    """Raises FourninesError; called again, after `planned`, it continues. Where it ends before `later`, it is held."""
    cloud = upgrading.cloud
    assert cloud.versions.upgrade
    hosts = [h for move in (*upgrading.moves, *upgrading.later) for h in move.hosts]
    # Where a host is drained already, an earlier run has come past this.
    if upgrading.target and hosts and not cloud.drained:
        how.say(f"{len(hosts)} hosts download")
        await _download(cloud, hosts, upgrading.target, how)
    _save(cloud)
    for number, move in enumerate(upgrading.moves, 1):
        names = " ".join(h.name for h in move.hosts)
        how.say(f"{names} (zone {move.zone}, {number} of {len(upgrading.moves)})")
        if move.drained:
            await _move(cloud, move.hosts[0], upgrading, how)
        else:
            await _install(cloud, move.hosts, upgrading.target, how)
            await _apply(cloud, _as_it_is, move.hosts, how)
            await until_whole(cloud, move.hosts[0], upgrading.known, how.ssh)
    if not upgrading.later:
        await _close(cloud, upgrading, how)
    elif not upgrading.moves:
        await _locked(cloud, how)


async def _move(cloud: Cloud, host: Host, upgrading: Upgrading, how: How) -> None:
    """One host of the control plane: it carries nothing while its packages change."""
    how.say(f"{host.name}: drains")
    await _apply(cloud, to_drain(host, upgrade.REASON, now()), (host,), how)
    how.say(f"{host.name}: installs")
    await _install(cloud, (host,), upgrading.target, how)
    if cloud.versions.upgrade and cloud.versions.upgrade.reboot:
        await _boot(cloud, host, how)
    how.say(f"{host.name}: restarts what has changed")
    await _apply(cloud, _as_it_is, (host,), how)
    how.say(f"{host.name}: waits until the cloud is fully redundant")
    await until_whole(cloud, host, upgrading.known, how.ssh)
    await _apply(cloud, to_undrain(host, now()), (host,), how)


def _as_it_is(cloud: Cloud, _: object) -> Cloud:
    """What a transaction has left to do is told by the host's pending markers."""
    return cloud


async def _apply(cloud: Cloud, change: Change, hosts: Sequence[Host], how: How) -> None:
    needed = tuple(h.name for h in hosts)
    await carry_out(cloud, how.ssh, change, needed, reporting=how.reporting, say=how.say)


async def _download(cloud: Cloud, hosts: Sequence[Host], target: dict[str, str], how: How) -> None:
    async with connect(hosts, how.ssh) as connected:
        connected.require_all()
        looks = await looked(connected, desired(cloud, registry(), connected), refresh=False)
        asked = ((connected[n], upgrade.wanted_on(cloud, cloud.host_by_name[n], looks[n], target)) for n in connected)
        await together(packages.download(host, mine) for host, mine in asked)


async def _install(cloud: Cloud, hosts: Sequence[Host], target: dict[str, str], how: How) -> None:
    async with connect(hosts, how.ssh) as connected:
        connected.require_all()
        async with hold(connected):
            looks = await looked(connected, desired(cloud, registry(), connected), refresh=False)
            asked = (
                (connected[n], upgrade.wanted_on(cloud, cloud.host_by_name[n], looks[n], target)) for n in connected
            )
            await together(packages.install(host, mine) for host, mine in asked if mine.versions or target)


async def _boot(cloud: Cloud, host: Host, how: How) -> None:
    """Into the newest kernel, where another one runs."""
    async with connect([host], how.ssh) as connected:
        connected.require_all()
        wants = (await packages.look(connected[host.name], ())).kernel
        if not wants.reboot:
            return
        how.say(f"{host.name}: reboots into {wants.newest}")
        before = await boot_of(connected[host.name])
        await begin_reboot(connected[host.name])
    await next_boot(host, before, how.ssh, BOOTS)


async def _close(cloud: Cloud, upgrading: Upgrading, how: How) -> None:
    """The lock says what the hosts have now."""
    async with connect(cloud.hosts, how.ssh) as hosts:
        _left_out(cloud, hosts, how)
        looks = await looked(hosts, desired(cloud, registry(), hosts), refresh=False)
    await _locked(upgrade.ended(cloud, looks, upgrading.declared, now()), how)


async def _locked(cloud: Cloud, how: How) -> None:
    """On the hosts, then beside the cloud file: what is newer on the hosts counts."""
    needed = [h for h in cloud.hosts if _shared(cloud, h)]
    await _apply(cloud, _as_it_is, needed, how)
    _save(cloud)


def _save(cloud: Cloud) -> None:
    write_private(versions.beside(cloud.source, cloud.name), versions.dumps(cloud.versions))


def held(upgrading: Upgrading) -> str:
    """The zone after which it is held; "" where it is not."""
    state = upgrading.cloud.versions.upgrade
    return state.canary if state and upgrading.later else ""


def document(upgrading: Upgrading) -> dict[str, Any]:
    """For `--json`, and for the API."""
    return {
        "target": upgrading.target,
        "hosts": {
            host: {
                "packages": [{"name": name, "before": old, "after": new} for name, old, new in made.changes],
                "restarts": list(made.restarts),
            }
            for host, made in upgrading.prepared.items()
        },
        "moves": [_described(move) for move in upgrading.moves],
        "later": [_described(move) for move in upgrading.later],
        "held": held(upgrading),
    }


def _described(move: Move) -> dict[str, Any]:
    return {"zone": move.zone, "hosts": [h.name for h in move.hosts], "drained": move.drained}
