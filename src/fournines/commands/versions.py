"""What packages the hosts of a cloud have, and what they could have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fournines.cloud.model import Cloud
from fournines.commands.operation import Say
from fournines.engine import Connected, SshOptions, connect, packages, survey
from fournines.engine.packages import Packages, State
from fournines.engine.together import merged, together
from fournines.operate import upgrade
from fournines.plan.desired import desired
from fournines.plan.model import Desired
from fournines.plan.pins import declared
from fournines.services import registry


@dataclass(frozen=True)
class Seen:
    """cloud: with the newest lock. declared: host -> what its services declare. looks: of the hosts that answer."""

    cloud: Cloud
    declared: dict[str, list[str]]
    looks: dict[str, Packages]


async def seen(cloud: Cloud, ssh: SshOptions, say: Say, *, refresh: bool) -> Seen:
    """Raises HostError where none answers."""
    async with connect(cloud.hosts, ssh) as hosts:
        for error in hosts.failures.values():
            say(f"left out: {error.what}")
        if not hosts:
            raise merged(list(hosts.failures.values()))
        known = (await survey(cloud, registry(), hosts)).cloud
        wanted = desired(known, registry(), hosts)
        return Seen(
            known, {name: declared(wanted[name]) for name in hosts}, await looked(hosts, wanted, refresh=refresh)
        )


async def looked(hosts: Connected, wanted: Desired, *, refresh: bool, suite: str = "") -> dict[str, Packages]:
    """suite: as if their sources were of that one. Raises HostError."""
    asked = (packages.look(hosts[name], declared(wanted[name]), refresh=refresh, suite=suite) for name in hosts)
    found = await together(asked)
    return dict(zip(hosts, found, strict=True))


@dataclass(frozen=True)
class Row:
    """One package on hosts that agree. candidate: "=" what is installed, "none" of no source. remark: held, security,
    locked to another version."""

    package: str
    installed: str
    candidate: str
    remark: str
    hosts: tuple[str, ...]


def rows(seen: Seen, *, everything: bool) -> list[Row]:
    """everything: also packages that no service declares, where newer ones exist."""
    own = {name for names in seen.declared.values() for name in names}
    return [
        Row(name, state.installed or "absent", _candidate(state), _remark(seen, name, state), tuple(hosts))
        for name, state, hosts in upgrade.rows(seen.looks)
        if everything or name in own
    ]


def _candidate(state: State) -> str:
    if not state.candidate:
        return "none"
    return "=" if state.candidate == state.installed else state.candidate


def _remark(seen: Seen, name: str, state: State) -> str:
    locked = seen.cloud.versions.locked.get(name, "")
    said = [
        "held" if state.held else "",
        "security" if upgrade.upgradable(state) and upgrade.is_security(state) else "",
        f"locked {locked}" if locked and state.installed and locked != state.installed else "",
    ]
    return ", ".join(filter(None, said))


def document(seen: Seen) -> dict[str, Any]:
    """For `--json`."""
    lock = seen.cloud.versions
    running = lock.upgrade
    return {
        "cloud": seen.cloud.name,
        "locked": dict(lock.locked),
        "since": lock.since,
        "release": lock.release,
        "upgrade": {
            "target": dict(running.target),
            "begun": running.begun,
            "canary": running.canary,
            "release": running.release,
        }
        if running
        else None,
        "hosts": {name: _of_host(seen, name, look) for name, look in seen.looks.items()},
    }


def _of_host(seen: Seen, host: str, look: Packages) -> dict[str, Any]:
    own = set(seen.declared[host])
    return {
        "packages": {
            name: {
                "installed": state.installed,
                "candidate": state.candidate,
                "upgradable": upgrade.upgradable(state),
                "security": upgrade.upgradable(state) and upgrade.is_security(state),
                "held": state.held,
                "declared": name in own,
                "locked": seen.cloud.versions.locked.get(name, ""),
            }
            for name, state in look.packages.items()
        },
        "release": seen.cloud.versions.release_of(host),
        "debian": look.codename,
        "lists": look.lists,
        "problems": list(look.problems),
        "kernel": {"running": look.kernel.running, "newest": look.kernel.newest, "reboot": look.kernel.reboot},
    }
