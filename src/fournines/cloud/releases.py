"""Releases of OpenStack as Debian has them: `releases.json` says all that differs between them.

slurp: the releases between which upstream supports to leave others out. debian: the suites that have it, the one to
take first. versions: package -> how its upstream version begins. tried: an older release -> `services` that have been
brought from there in a lab, though upstream would have it in two steps; `open`: what has not been seen of that.
together: service -> what is changed last, on all of its hosts at once. options: service -> file -> what differs from
the release before it that Debian had: removed: section -> option -> what to do instead; renamed: section -> old name ->
new name, the old one being understood still; added: section -> option -> kind, as `services/known` has it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

#: section -> option -> what is said of it
Said = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Together:
    """packages: names, or patterns with `*`. why: a sentence. aside: paths that the new version must not find; each is
    kept under another name."""

    packages: tuple[str, ...]
    why: str
    aside: tuple[str, ...]

    def has(self, package: str) -> bool:
        return any(fnmatchcase(package, pattern) for pattern in self.packages)


@dataclass(frozen=True)
class Tried:
    """open: "" where the whole way has been seen."""

    services: frozenset[str]
    open: str


@dataclass(frozen=True)
class Release:
    name: str
    slurp: bool
    debian: tuple[str, ...]
    versions: Mapping[str, str]
    tried: Mapping[str, Tried] = field(default_factory=dict[str, Tried])
    together: Mapping[str, Together] = field(default_factory=dict[str, Together])
    options: Mapping[str, Mapping[str, Mapping[str, Said]]] = field(default_factory=dict[str, Any])

    def differences(self, kind: str, service: str, file: str) -> Said:
        """kind: `removed`, `renamed` or `added`."""
        return self.options.get(service, {}).get(file, {}).get(kind, {})


@cache
def releases() -> Mapping[str, Release]:
    """Name -> release, the oldest first."""
    text = files("fournines.cloud").joinpath("releases.json").read_text(encoding="utf-8")
    return {name: _release(name, said) for name, said in json.loads(text).items()}


def _release(name: str, said: Mapping[str, Any]) -> Release:
    together = {
        service: Together(tuple(of["packages"]), of["why"], tuple(of["aside"]))
        for service, of in said.get("together", {}).items()
    }
    tried = {older: Tried(frozenset(of["services"]), of["open"]) for older, of in said.get("tried", {}).items()}
    options = said.get("options", {})
    return Release(name, said["slurp"], tuple(said["debian"]), said["versions"], tried, together, options)


def up_to(name: str) -> list[Release]:
    """All that come to `name`; a name that is none has what the first one has."""
    known = releases()
    order = list(known)
    return [known[n] for n in order[: order.index(name) + 1 if name in known else 1]]


def refusal(old: str, new: str, services: Collection[str]) -> tuple[str, str]:
    """Why a cloud that carries `services` cannot go from `old` to `new` in one step, and what to do; ("", "") where it
    can, or has nowhere to go."""
    known = releases()
    if old == new:
        return "", ""
    if old not in known:
        return f"the cloud has {old}, which this fournines does not know", "use the fournines that brought it there"
    order = list(known)
    if order.index(new) < order.index(old):
        return f"the cloud has {old}, and no release goes back to an older one", f"release: {old}"
    target = known[new]
    possible = [name for name in order[order.index(old) + 1 :] if not refusal_of(known, old, name, services)]
    instead = f"release: {' or '.join(possible)}" if possible else f"stay with {old} until a suite of Debian has one"
    return (why, instead) if (why := refusal_of(known, old, target.name, services)) else ("", "")


def refusal_of(known: Mapping[str, Release], old: str, new: str, services: Collection[str]) -> str:
    """As `refusal`, of a newer one; "" where nothing speaks against it."""
    target = known[new]
    if not target.debian:
        return f"no suite of Debian that fournines knows has {new}"
    tried = target.tried.get(old)
    missing = sorted(set(services) - tried.services) if tried else sorted(services)
    if not missing or (not tried and supported(list(known.values()), old, new)):
        return ""
    between = [name for name in skipped(list(known), old, new) if known[name].slurp]
    over = f" leaves out {' and '.join(between)}, of those that upstream supports to stop at, and" if between else ""
    return f"{old} to {new}{over} has not been tried with {', '.join(missing)}"


def unseen(old: str, new: str) -> str:
    """What nobody has seen of a step that is possible; "" where that is nothing."""
    tried = releases()[new].tried.get(old)
    return tried.open if tried else ""


def supported(known: Sequence[Release], old: str, new: str) -> bool:
    """By upstream's rule: to the next release, or from one SLURP release to the next."""
    names = [r.name for r in known]
    slurps = [r.name for r in known if r.slurp]
    return (old, new) in {*pairwise(names), *pairwise(slurps)}


def skipped(names: Sequence[str], old: str, new: str) -> Sequence[str]:
    return names[names.index(old) + 1 : names.index(new)]
