"""A host's packages, by dpkg and apt: what is installed, what its sources have, and the transaction that changes them.

All of it is `scripts/packages.py`, which runs on the host.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from fournines.engine.transport import Transport
from fournines.errors import HostError
from fournines.plan.actions import PENDING

_SCRIPTS = resources.files("fournines.engine").joinpath("scripts")
#: A module that the program imports: there is no fournines on a host.
_MODULE = """\
import sys, types
for name in ("fournines", "fournines.engine", "fournines.engine.scripts", "fournines.engine.scripts.suites"):
    module = sys.modules[name] = types.ModuleType(name)
sys.modules["fournines.engine.scripts"].suites = module
exec({text!r}, module.__dict__)
"""
_PROGRAM = _MODULE.format(text=_SCRIPTS.joinpath("suites.py").read_text()) + (
    _SCRIPTS.joinpath("packages.py").read_text()
)
#: Seconds: a look also waits for a transaction that an interrupted run has left running; sources may be slow.
_LOOK, _PREPARE, _DOWNLOAD, _INSTALL = 900.0, 120.0, 1800.0, 3600.0


@dataclass(frozen=True)
class State:
    """One package of a host. installed: "" where it is not. candidate: what apt would install, "" where no source has
    it. available: versions that its sources have, newest first; security: those of them that came as a security update.
    held: by the host's operator (`apt-mark hold`)."""

    installed: str
    candidate: str
    available: tuple[str, ...] = ()
    security: frozenset[str] = frozenset()
    held: bool = False


@dataclass(frozen=True)
class Kernel:
    """reboot: the host wants one, for a newer kernel that is installed or because a package said so."""

    running: str = ""
    newest: str = ""
    reboot: bool = False


@dataclass(frozen=True)
class Packages:
    """packages: those that were asked for, and all others of which apt would install another version. versions: of all
    that is installed. problems: what keeps the host from being upgraded, a line each. lists: when its sources were
    asked last, seconds since the epoch; 0: never. begun: a transaction of ours has not come to its end. codename: of
    the Debian that is installed."""

    packages: Mapping[str, State]
    versions: Mapping[str, str]
    problems: tuple[str, ...] = ()
    lists: float = 0.0
    kernel: Kernel = Kernel()
    begun: bool = False
    codename: str = ""


@dataclass(frozen=True)
class Wanted:
    """What a host is to have. versions: of packages that are installed there. units: its daemons, and the packages
    whose change restarts each. managed: all of its units that fournines starts, stops or masks. suite: of Debian, where
    that is to become another one. stops: units that are stopped before anything changes. aside: paths that the new
    versions must not find."""

    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    units: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    managed: Collection[str] = ()
    suite: str = ""
    stops: Sequence[str] = ()
    aside: Sequence[str] = ()


@dataclass(frozen=True)
class Prepared:
    """What `install` would do. changes: (name, version before or "", version after; "" for one that is removed), what
    these depend on too. restarts: units."""

    changes: tuple[tuple[str, str, str], ...]
    restarts: tuple[str, ...]


async def look(host: Transport, declared: Collection[str], *, refresh: bool = False, suite: str = "") -> Packages:
    """refresh: asks the sources first. suite: as if they were of that one. Raises HostError."""
    asked = {"do": "look", "declared": sorted(declared), "refresh": refresh, "suite": suite}
    said = await _ask(host, asked, _LOOK)
    packages = {
        name: State(
            of["installed"], of["candidate"], tuple(of["available"]), frozenset(of["security"]), held=of["held"]
        )
        for name, of in said["packages"].items()
    }
    kernel = Kernel(**said["kernel"])
    problems = tuple(said["problems"])
    return Packages(packages, said["versions"], problems, said["lists"], kernel, said["begun"], said["codename"])


async def prepare(host: Transport, wanted: Wanted) -> Prepared:
    """Raises HostError where apt finds no way to do it, or only one that removes something."""
    said = await _ask(host, {"do": "prepare", **_wanted(wanted), "units": wanted.units}, _PREPARE)
    return Prepared(tuple((name, old, new) for name, old, new in said["changes"]), tuple(said["restarts"]))


async def download(host: Transport, wanted: Wanted) -> None:
    """Raises HostError."""
    await _ask(host, {"do": "download", **_wanted(wanted)}, _DOWNLOAD)


async def install(host: Transport, wanted: Wanted) -> tuple[str, ...]:
    """The units that must restart: each is left with a pending marker, so that the next plan restarts it. It goes to
    its end also when the connection ends. Raises HostError."""
    request = {"do": "install", **_wanted(wanted), "units": wanted.units, "managed": sorted(wanted.managed)}
    moved = {"stops": list(wanted.stops), "aside": list(wanted.aside)}
    said = await _ask(host, {**request, **moved, "pending": PENDING}, _INSTALL)
    return tuple(said["restarts"])


def _wanted(wanted: Wanted) -> dict[str, Any]:
    return {"wanted": wanted.versions, "suite": wanted.suite}


async def _ask(host: Transport, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    script = f'program=$(head -c {len(_PROGRAM.encode())})\nexec python3 -c "$program"'
    done = await host.run(script, stdin=_PROGRAM + json.dumps(request), timeout=timeout)
    try:
        answer = json.loads(done.stdout.rstrip().rpartition("\n")[2])
    except ValueError:
        raise HostError(
            f"{host.host} does not say what packages it has",
            where=host.host,
            why=(done.stderr.strip() or done.stdout.strip())[-2000:] or f"python3 ended with {done.status}",
            next="see that python3, dpkg and apt work there",
        ) from None
    if why := answer.get("error"):
        raise HostError(
            f"{host.host}: {_DOING[request['do']]}",
            where=host.host,
            why="\n        ".join(why.splitlines()),
            next="fix what it says, then run the same command again: it continues",
        )
    return answer


_DOING = {
    "look": "its packages cannot be listed",
    "prepare": "apt finds no way to install these versions",
    "download": "packages could not be downloaded",
    "install": "packages could not be installed",
}
