"""The lock: which release and which versions of packages a cloud has, and the upgrade that is changing them.

`fournines upgrade` writes it beside the cloud file. Each host of the control plane keeps a copy, so that another
operator's machine knows it: where copies differ, as after an interruption, the newest counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from fournines.errors import CloudFileError

#: On the hosts; and, for apt, as preferences that only fournines' own calls of it read.
PATH = "/etc/fournines/versions.json"
PREFERENCES = "/etc/fournines/packages.pref"
#: The release of a cloud whose lock says none: it is older than what that is written by.
FIRST = "2025.1"


@dataclass(frozen=True)
class Upgrade:
    """One that has begun and not ended. target: package -> version, of what it changes. begun: by whom, since when.
    canary: the zone after which it is held; "": it goes on to the end. reboot: into new kernels. release: the one that
    it goes to, of `suite` of Debian; "": it stays within its release. renewed: the hosts that have come there."""

    target: Mapping[str, str]
    begun: str
    canary: str = ""
    reboot: bool = False
    release: str = ""
    suite: str = ""
    renewed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """What is shown wherever somebody looks at the cloud meanwhile."""
        have = f"to {self.release}, which {len(self.renewed)} hosts have,"
        what = have if self.release else f"of {len(self.target)} packages"
        held = f", held after zone {self.canary}" if self.canary else ""
        return f"an upgrade {what} has not ended{held}: {self.begun} began it"

    @property
    def again(self) -> str:
        """Options of `fournines upgrade` that go on with it."""
        return " ".join(
            filter(None, (f"--to {self.release}" if self.release else "", "--continue" if self.canary else ""))
        )


@dataclass(frozen=True)
class Versions:
    """locked: package -> version, of what services declare and of what upgrades have changed; {}: any version is
    right. since: when that was written, in UTC as ISO 8601, so that text sorts as time; "": never. release: what all
    hosts have, but those that the upgrade has `renewed`."""

    locked: Mapping[str, str] = field(default_factory=dict[str, str])
    since: str = ""
    upgrade: Upgrade | None = None
    release: str = FIRST

    @property
    def changing(self) -> bool:
        """An upgrade to another release has begun and not ended."""
        return bool(self.upgrade and self.upgrade.release)

    @property
    def suite(self) -> str:
        """Of Debian, that hosts are being brought to; "": they stay with the one that they have."""
        return self.upgrade.suite if self.upgrade else ""

    def release_of(self, host: str) -> str:
        return self.upgrade.release if self.upgrade and host in self.upgrade.renewed else self.release


NONE = Versions()


def beside(source: Path, name: str) -> Path:
    """Where the lock of cloud `name` lies, whose file is `source`."""
    return source.parent / f"{name}.versions.json"


def load(path: Path) -> Versions:
    """`NONE` where there is no file. Raises CloudFileError."""
    try:
        return parse(path.read_text())
    except FileNotFoundError:
        return NONE
    except (ValueError, OSError) as error:
        raise CloudFileError(
            "the lock of package versions cannot be used",
            where=str(path),
            why=str(error),
            next="restore it from where you keep the cloud file, or remove it: the hosts have a copy",
        ) from error


def dumps(versions: Versions) -> str:
    """One package a line: a diff shows which."""
    return json.dumps(asdict(versions), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def parse(text: str) -> Versions:
    """ValueError when it is something else. Keys of another release are ignored."""
    said = json.loads(text)
    try:
        upgrade = said["upgrade"]
        release = _word(said.get("release", FIRST))
        return Versions(_packages(said["locked"]), str(said["since"]), _upgrade(upgrade) if upgrade else None, release)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a lock of versions: {error}") from error


def _upgrade(said: Any) -> Upgrade:
    return Upgrade(
        _packages(said["target"]),
        str(said["begun"]),
        str(said.get("canary", "")),
        bool(said.get("reboot", False)),
        _word(said.get("release", "")),
        _word(said.get("suite", "")),
        tuple(str(name) for name in said.get("renewed", ())),
    )


def _word(said: Any) -> str:
    """ValueError where it could be anything else to a shell or to apt."""
    if not set(word := str(said)) <= _WORD:
        raise ValueError(f"not a release: {word!r}")
    return word


def _packages(said: Any) -> dict[str, str]:
    """ValueError where a name or a version could be anything else to a shell or to apt."""
    found = {str(name): str(version) for name, version in cast("Mapping[Any, Any]", said).items()}
    for word in (*found, *found.values()):
        if not word or not set(word) <= _WORD:
            raise ValueError(f"not a package's name or version: {word!r}")
    return found


_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+-:~_")


def newest(copies: Iterable[Versions]) -> Versions:
    """The one that was written last; of equal ones the first."""
    return max(copies, key=lambda copy: copy.since, default=NONE)


def preferences(versions: Versions) -> str:
    """apt's preferences: what is installed, also as a dependency, has the lock's version, where a source has it."""
    pins = (f"Package: {name}\nPin: version {version}\nPin-Priority: 990\n" for name, version in _sorted(versions))
    return "\n".join(pins)


def _sorted(versions: Versions) -> list[tuple[str, str]]:
    return sorted(versions.locked.items())
