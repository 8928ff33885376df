"""What can be managed on a host, as plain data: how to observe it, how it differs, how to bring it about.

A resource knows shell words, never a transport. `fact` says what one batched probe must report about it; `diff`
compares that report with what is wanted; `steps` are what makes it so. All three are pure.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from fournines.cloud.versions import PREFERENCES
from fournines.services.debian import newer

FactKind = Literal["path", "text", "unit", "package", "shell", "python"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a probe reports.

    path:    subject is an absolute path.    Reply `absent` | `dir MODE OWNER GROUP` | `file MODE OWNER GROUP SHA256`
                                             | `other MODE OWNER GROUP`; symbolic links are followed
    text:    subject is an absolute path.    Reply `absent` | `text CONTENT`, at most the first MiB, as UTF-8
    unit:    subject is a unit's own name.   Reply `ACTIVE ENABLED` such as `active enabled`, `inactive masked`
    package: subject is a package's name.    Reply the installed version | `absent`
    shell:   subject is a POSIX-sh snippet.  Reply its first line of output when it exits 0 | `absent` otherwise
    python:  subject is a Python file and its arguments, as shell words.  Reply as of `shell`
    """

    kind: FactKind
    subject: str


@dataclass(frozen=True, slots=True)
class Put:
    """Write `content` to `path` atomically (temporary file in the same directory, fsync, rename)."""

    path: str
    content: bytes
    mode: int
    owner: str
    group: str


@dataclass(frozen=True, slots=True)
class Run:
    """A POSIX-sh script as root, run with `set -e`. Exit status other than 0 fails the change. `timeout` in seconds.

    `stdin` carries secrets: never on a command line, where every user of the host could read them.
    """

    script: str
    timeout: float = 60.0
    stdin: str = ""


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """Make the directory `path`, with those above it that are missing, and set its owner and mode."""

    path: str
    mode: int
    owner: str
    group: str


Step = Put | MakeDirectory | Run


@runtime_checkable
class Resource(Protocol):
    """`key` is unique on its host. `triggers` are `restart:UNIT` or `reload:UNIT`, each run once a stage and host."""

    @property
    def key(self) -> str: ...
    @property
    def triggers(self) -> tuple[str, ...]: ...
    @property
    def fact(self) -> Fact: ...
    def diff(self, observed: str) -> str | None:
        """None when `observed` (the fact's reply) is as wanted, else one line that says what differs."""
        ...

    @property
    def settled(self) -> str:
        """A reply that is as wanted. Of several resources with one fact, all of theirs are one, joined by blanks."""
        ...

    def steps(self) -> Sequence[Step]: ...


@dataclass(frozen=True, slots=True)
class Package:
    """version: the least that it must have, and what is installed; "": whatever is there, or the newest. A newer one is
    left as it is: daemons read no data that a newer release of theirs has written."""

    name: str
    triggers: tuple[str, ...] = ()
    version: str = ""

    @property
    def key(self) -> str:
        return f"package:{self.name}"

    @property
    def fact(self) -> Fact:
        return Fact("package", self.name)

    def diff(self, observed: str) -> str | None:
        if observed == "absent":
            return f"absent → {self.version or 'installed'}"
        return f"{observed} → {self.version}" if self.version and newer(self.version, observed) else None

    @property
    def settled(self) -> str:
        return self.version or "installed"

    def steps(self) -> Sequence[Step]:
        name = shlex.quote(self.name)
        if not self.version:
            return [Run(_INSTALL.replace("PACKAGE", name).replace("POLICY", "exit 101"), timeout=900.0)]
        wanted = shlex.quote(f"{self.name}={self.version}")
        install = _INSTALL.replace("PACKAGE", f"$pins {wanted}").replace("POLICY", _STOPS_ONLY).rstrip()
        return [Run(f"{_BEFORE}{install}{_MISSING.replace('NAME', name)}{_AFTER}", timeout=900.0)]


#: policy-rc.d keeps a package from starting an unconfigured daemon on 0.0.0.0; one left by an interrupted run is taken
#: over, an operator's own is left alone. Not in /run, from which Debian's initramfs lets nothing be executed.
#: /var/lib/dpkg/updates holds what an interruption or a power cut left undone.
_INSTALL = """\
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d ours=/var/lib/fournines/policy-rc.d
mkdir -p -m 700 /var/lib/fournines
printf '#!/bin/sh\\nPOLICY\\n' > $ours
chmod 755 $ours
case "$([ -e $policy ] && echo there) $(readlink $policy)" in
  " "* | *" "*/fournines/policy-rc.d)
    trap 'rm -f $policy' EXIT
    ln -sfn $ours $policy
    ;;
esac
[ -z "$(ls /var/lib/dpkg/updates)" ] || dpkg --configure -a
get() {
  apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold PACKAGE
}
get || { apt-get update -q -o DPkg::Lock::Timeout=300; get; }
"""

#: MariaDB's package writes to the tables of a server that it stopped before; what is stopped so is started again.
_STOPS_ONLY = 'case "$2" in *stop*) exit 0;; esac; exit 101'

#: What it depends on has the lock's versions too. apt reads one such file: the operator's own comes with it.
_BEFORE = f"""\
mkdir -p /run/fournines
ran=$(systemctl list-units --type=service --state=active --plain --no-legend | cut -d' ' -f1)
cat /etc/apt/preferences {PREFERENCES} > /run/fournines/preferences 2>/dev/null || true
pins='-o Dir::Etc::Preferences=/run/fournines/preferences'
"""

_MISSING = """ || {
  echo "the lock of versions wants another NAME than this host can install; its sources have:"
  apt-cache madison NAME | cut -d'|' -f2,3
  echo "next: a source that has the lock's version, or fournines upgrade, which writes another lock"
  exit 1
}
"""
_AFTER = 'for unit in $ran; do systemctl -q is-active "$unit" || systemctl start --no-block "$unit" || true; done\n'


@dataclass(frozen=True, slots=True)
class File:
    """`secret` content is never shown in a diff, a log or a saved plan's rendering."""

    path: str
    content: str = field(repr=False)
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    secret: bool = False
    triggers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"file:{self.path}"

    @property
    def fact(self) -> Fact:
        return Fact("path", self.path)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content.encode()).hexdigest()

    def diff(self, observed: str) -> str | None:
        if observed == "absent":
            return "absent → present"
        kind, *rest = observed.split()
        if kind != "file":
            return f"{kind} → file"
        mode, owner, group, digest = rest
        said: list[str] = []
        if digest != self.sha256:
            said.append("content")
        if int(mode, 8) != self.mode:
            said.append(f"mode {mode} → {self.mode:o}")
        if (owner, group) != (self.owner, self.group):
            said.append(f"owner {owner}:{group} → {self.owner}:{self.group}")
        return ", ".join(said) or None

    @property
    def settled(self) -> str:
        return f"file {self.mode:o} {self.owner} {self.group} {self.sha256}"

    def steps(self) -> Sequence[Step]:
        return [Put(self.path, self.content.encode(), self.mode, self.owner, self.group)]


@dataclass(frozen=True, slots=True)
class Directory:
    path: str
    mode: int = 0o755
    owner: str = "root"
    group: str = "root"
    triggers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"directory:{self.path}"

    @property
    def fact(self) -> Fact:
        return Fact("path", self.path)

    def diff(self, observed: str) -> str | None:
        if observed == "absent":
            return "absent → present"
        kind, mode, owner, group, *_ = observed.split()
        if kind != "dir":
            return f"{kind} → directory"
        if (int(mode, 8), owner, group) != (self.mode, self.owner, self.group):
            return f"{mode} {owner}:{group} → {self.mode:o} {self.owner}:{self.group}"
        return None

    @property
    def settled(self) -> str:
        return f"dir {self.mode:o} {self.owner} {self.group}"

    def steps(self) -> Sequence[Step]:
        return [MakeDirectory(self.path, self.mode, self.owner, self.group)]


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit. `block` False starts it with --no-block: members that wait for one another (RabbitMQ).

    clustered: a boot does not start it, and neither do we: a cluster starts and stops it, on one host at a time.
    """

    name: str
    state: Literal["running", "stopped", "masked", "clustered"] = "running"
    block: bool = True
    timeout: float = 120.0
    triggers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"unit:{self.name}"

    @property
    def fact(self) -> Fact:
        return Fact("unit", self.name)

    def diff(self, observed: str) -> str | None:
        active, enabled = observed.split()
        if self.state == "running":
            # `activating` is on its way: the stage's gate, not a second start, decides whether it arrives.
            good = active in ("active", "activating", "reloading") and enabled in ("enabled", "static", "generated")
        elif self.state == "stopped":
            good = active in ("inactive", "failed") and enabled not in ("enabled",)
        elif self.state == "clustered":
            good = enabled in ("disabled", "static")
        else:
            good = enabled.startswith("masked") and active in ("inactive", "failed")
        return None if good else f"{active} {enabled} → {self.state}"

    @property
    def settled(self) -> str:
        settled = {"running": "active enabled", "masked": "inactive masked"}
        return settled.get(self.state, "inactive disabled")

    def steps(self) -> Sequence[Step]:
        flag = "" if self.block else " --no-block"
        scripts = {
            "running": f"systemctl unmask -q {self.name}\nsystemctl enable -q {self.name}\n"
            f"systemctl reset-failed {self.name} 2>/dev/null || true\nsystemctl start{flag} {self.name}",
            "stopped": f"systemctl disable -q --now {self.name}",
            "masked": f"systemctl mask -q --now {self.name}",
            "clustered": f"systemctl unmask -q {self.name}\nsystemctl disable -q {self.name}",
        }
        return [Run(scripts[self.state], timeout=self.timeout)]


@dataclass(frozen=True, slots=True)
class Task:
    """Something that is not a file or a unit: a database, a bus user, a schema, an endpoint.

    `check` is a POSIX-sh snippet that exits 0 and prints `want` when there is nothing to do; it must be cheap, for it
    is part of every probe. With `python` it is a Python file and its arguments. `script` is idempotent. Secrets go
    through `stdin`.
    """

    name: str
    check: str
    script: str
    want: str = "ok"
    stdin: str = field(default="", repr=False)
    timeout: float = 120.0
    triggers: tuple[str, ...] = ()
    python: bool = False

    @property
    def key(self) -> str:
        return f"task:{self.name}"

    @property
    def fact(self) -> Fact:
        return Fact("python" if self.python else "shell", self.check)

    def diff(self, observed: str) -> str | None:
        return None if observed == self.want else f"{observed} → {self.want}"

    @property
    def settled(self) -> str:
        return self.want

    def steps(self) -> Sequence[Step]:
        return [Run(self.script, timeout=self.timeout, stdin=self.stdin)]
