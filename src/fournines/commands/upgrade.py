"""Packages, zone after zone, of the same release or of another one: what there is to do, and doing it. The caller
holds the cloud's local lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fournines.cloud import versions
from fournines.cloud.model import Cloud, Host
from fournines.cloud.releases import Release, releases
from fournines.commands.drain import to_drain, to_undrain
from fournines.commands.operation import Change, carry_out, now
from fournines.commands.private import write_private
from fournines.commands.reboot import BOOTS, How, until_whole
from fournines.commands.versions import looked
from fournines.engine import Connected, connect, hold, owner, packages, survey
from fournines.engine.packages import Packages, Prepared
from fournines.engine.reboot import begin_reboot, boot_of, next_boot
from fournines.engine.together import merged, together
from fournines.operate import reboot, release, upgrade
from fournines.operate.release import Last
from fournines.operate.upgrade import Asked, Looks, Move
from fournines.plan.desired import desired
from fournines.plan.model import Desired
from fournines.plan.pins import declared
from fournines.services import registry
from fournines.services.capabilities import ChecksUpgrade, control_plane


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
    def release(self) -> Release | None:
        """The one that it goes to; None: it stays within its own."""
        state = self.cloud.versions.upgrade
        return releases()[state.release] if state and state.release else None

    @property
    def part(self) -> dict[str, str]:
        """Of `target`, what hosts get when their turn comes."""
        return release.first_part(self.target, self.release) if self.release else self.target

    @property
    def last_part(self) -> dict[str, str]:
        """Of `target`, what they get when all have the rest."""
        return release.last_part(self.target, self.release) if self.release else {}

    @property
    def lasts(self) -> list[Last]:
        return release.last(self.cloud, self.release) if self.release else []

    @property
    def lasts_left(self) -> list[Last]:
        """Those of `lasts` of which a host still has older packages."""
        part = self.last_part
        return [of for of in self.lasts if any(upgrade.left(self.looks[h.name], part) for h in of.hosts)]

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
        found = await survey(replace(cloud, release="") if asked.to else cloud, registry(), hosts)
        if found.failures:
            raise merged(list(found.failures.values()))
        known = replace(found.cloud, release=cloud.release)
        if known.versions != cloud.versions:
            _save(known)  # another machine has come further, or this one was cut off before its last word
        asked = _meant(known, asked)
        upgrade.require_asked(known, asked)
        if asked.to:
            hosts.require_all()
            release.require_named(known, asked.to)
            release.require_step(known, asked.to)
        seen = await look(known, hosts, hosts.failures)
        wrong = reboot.not_whole(seen)
        tolerated = tuple(line for line in wrong if set(line.partition(":")[0].split(", ")) <= left_out)
        begins = known.versions.upgrade is None
        if begins:
            pending = [name for name in found.plan.hosts if name not in left_out]
            upgrade.require_whole(known, [line for line in wrong if line not in tolerated], pending)
        wanted = desired(known, registry(), hosts)
        how.say("asks the package sources" if begins else "continues")
        suite, looks = await _looked(known, hosts, wanted, asked)
        if begins:
            target = upgrade.target(looks, security=asked.security)
            known = upgrade.begun(known, target, asked, owner(), now(), suite=suite)
        elif asked.onward:
            known = upgrade.onward(known, now())
        state = known.versions.upgrade
        assert state
        upgrade.require_sound(looks, state.target, begun=not begins)
        if begins and asked.to:
            await _require_ready(known, hosts)
        part = release.first_part(state.target, releases()[state.release]) if state.release else state.target
        moves = upgrade.moves(known, seen, state.canary)
        todo = upgrade.todo(moves, known, looks, part, reboot=state.reboot)
        first = [m for m in todo if not state.canary or m.zone == state.canary]
        upgrade.require_possible(known, todo, seen)
        prepared = await _prepared(known, hosts, todo, looks, part)
    later = tuple(m for m in todo if m not in first)
    names = frozenset(name for host in looks for name in declared(wanted[host]))
    return Upgrading(known, begins, tuple(first), later, prepared, tolerated, looks, names)


def _meant(cloud: Cloud, asked: Asked) -> Asked:
    """What has begun is gone on with, whether or not its release is named again."""
    state = cloud.versions.upgrade
    return replace(asked, to=state.release) if state and not asked.to else asked


async def _looked(cloud: Cloud, hosts: Connected, wanted: Desired, asked: Asked) -> tuple[str, dict[str, Packages]]:
    """The suite that they are to have, "" for the one that they have, and what there is. Raises HostError."""
    state = cloud.versions.upgrade
    if state:
        return state.suite, await looked(hosts, wanted, refresh=False, suite=state.suite)
    if not asked.to:
        return "", await looked(hosts, wanted, refresh=True)
    target = releases()[asked.to]
    wrong: list[str] = []
    for suite in target.debian:
        looks = await looked(hosts, wanted, refresh=True, suite=suite)
        wrong = list(release.strangers(looks, target))
        if not wrong or any(seen.problems for seen in looks.values()):
            return suite, looks
    release.require_sources(target, target.debian, wrong)
    raise AssertionError(target)  # no suite at all is refused as a step


async def _require_ready(cloud: Cloud, hosts: Connected) -> None:
    """What services say of themselves before another release of theirs. Raises HostError."""
    services = registry()
    names = [host.name for host in cloud.hosts if host.name in hosts]
    asked = [
        (name, check)
        for name in names
        for service in services.values()
        if isinstance(service, ChecksUpgrade) and service.name in cloud.host_by_name[name].services
        for check in service.upgrade_checks(cloud, cloud.host_by_name[name])
    ]
    done = await together(hosts[name].run(check.script, timeout=check.within) for name, check in asked)
    wrong = [
        f"{name}: {check.name}: {(said.stderr.strip() or said.stdout.strip())[-400:]}"
        for (name, check), said in zip(asked, done, strict=True)
        if said.status
    ]
    release.require_ready(wrong)


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
            cloud = await _move(cloud, move.hosts[0], upgrading, how)
        else:
            await _install(cloud, move.hosts, upgrading.part, how)
            cloud = _renewed(cloud, move.hosts)
            await _apply(cloud, _as_it_is, move.hosts, how)
            await until_whole(cloud, move.hosts[0], upgrading.known, how.ssh)
    if not upgrading.later:
        for last in upgrading.lasts:
            await _together(cloud, last, upgrading, how)
        await _close(cloud, upgrading, how)
    elif not upgrading.moves:
        await _locked(cloud, how)


async def _move(cloud: Cloud, host: Host, upgrading: Upgrading, how: How) -> Cloud:
    """One host of the control plane: it carries nothing while its packages change. `cloud`, as it is then."""
    how.say(f"{host.name}: drains")
    await _apply(cloud, to_drain(host, upgrade.REASON, now()), (host,), how)
    how.say(f"{host.name}: installs")
    await _install(cloud, (host,), upgrading.part, how)
    cloud = _renewed(cloud, (host,))
    if cloud.versions.upgrade and cloud.versions.upgrade.reboot:
        await _boot(cloud, host, how)
    how.say(f"{host.name}: restarts what has changed")
    await _apply(cloud, _as_it_is, (host,), how)
    how.say(f"{host.name}: waits until the cloud is fully redundant")
    await until_whole(cloud, host, upgrading.known, how.ssh)
    await _apply(cloud, to_undrain(host, now()), (host,), how)
    return cloud


def _renewed(cloud: Cloud, hosts: Sequence[Host]) -> Cloud:
    """Noted here first: the hosts have it with what is applied next."""
    if not cloud.versions.changing:
        return cloud
    cloud = release.renewed(cloud, [h.name for h in hosts], now())
    _save(cloud)
    return cloud


async def _together(cloud: Cloud, last: Last, upgrading: Upgrading, how: How) -> None:
    """What cannot run beside its older self, on all of its hosts at once. Where none has anything left of it, that has
    been done."""
    await _download(cloud, last.hosts, upgrading.last_part, how)
    how.say(f"{last.service}, on all of its hosts")
    await _install(cloud, last.hosts, upgrading.last_part, how, last)
    await _apply(cloud, _as_it_is, last.hosts, how)
    await until_whole(cloud, last.hosts[0], upgrading.known, how.ssh)


def _as_it_is(cloud: Cloud, _: object) -> Cloud:
    """What a transaction has left to do is told by the host's pending markers."""
    return cloud


async def _apply(cloud: Cloud, change: Change, hosts: Sequence[Host], how: How) -> None:
    needed = tuple(h.name for h in hosts)
    await carry_out(cloud, how.ssh, change, needed, reporting=how.reporting, say=how.say)


async def _download(cloud: Cloud, hosts: Sequence[Host], target: dict[str, str], how: How) -> None:
    async with connect(hosts, how.ssh) as connected:
        connected.require_all()
        looks = await looked(
            connected, desired(cloud, registry(), connected), refresh=False, suite=cloud.versions.suite
        )
        asked = ((connected[n], upgrade.wanted_on(cloud, cloud.host_by_name[n], looks[n], target)) for n in connected)
        await together(packages.download(host, mine) for host, mine in asked)


async def _install(
    cloud: Cloud, hosts: Sequence[Host], target: dict[str, str], how: How, last: Last | None = None
) -> None:
    """last: what is changed on all of `hosts` at once. Its packages do not stop it, and what it has open is moved."""
    async with connect(hosts, how.ssh) as connected:
        connected.require_all()
        async with hold(connected):
            looks = await looked(
                connected, desired(cloud, registry(), connected), refresh=False, suite=cloud.versions.suite
            )
            asked = {n: upgrade.wanted_on(cloud, cloud.host_by_name[n], looks[n], target) for n in connected}
            if last:
                stops = registry()[last.service].units_in(cloud)
                chosen = {n: replace(mine, stops=stops, aside=last.how.aside) for n, mine in asked.items()}
                chosen = {n: mine for n, mine in chosen.items() if mine.versions or looks[n].begun}
            else:
                chosen = {n: mine for n, mine in asked.items() if mine.versions or target}
            await together(packages.install(connected[n], mine) for n, mine in chosen.items())


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
    state = upgrading.cloud.versions.upgrade
    return {
        "release": state.release if state else "",
        "suite": state.suite if state else "",
        "renewed": list(state.renewed) if state else [],
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
