"""The image that every host of a lab is a layer on: Debian, built by mmdebstrap, named after what went into it."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from fournines.cloud.model import Cloud, Host
from fournines.errors import LabError
from fournines.lab import sources
from fournines.lab.lock import locked
from fournines.lab.recipe import Recipe
from fournines.lab.redfish import make_passwords
from fournines.lab.shell import run
from fournines.lab.state import IMAGES, readable
from fournines.services import registry
from fournines.services.resource import Package

#: What a host needs to be one: an init, a way in, and what the engine's probes and the lab's faults call.
BASE = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "python3",
    "iproute2",
    "iputils-ping",
    "nftables",
    "procps",
    "less",
    "sudo",
    "curl",
    "socat",
    "ca-certificates",
    "openssl",
)
#: Not read by a daemon, and a third of the unpacking.
_EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
#: A build that nobody waits for must not go on, and what it mounts (/dev, /proc) must not be there for `_remove`.
_DIES_WITH_US = [
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc"),
]
_FORGOTTEN = 86400.0  # seconds

Say = Callable[[str], None]


def packages(cloud: Cloud, hosts: Iterable[Host]) -> tuple[str, ...]:
    """Names of the packages that these hosts of `cloud` will want, sorted: so that `apply` has none left to fetch."""
    services = registry()
    make_passwords(cloud)  # files have them; in a lab they are ours to make
    wanted = {
        resource.name
        for host in hosts
        for service in host.services
        for resource in services[service].desired(cloud, host)
        if isinstance(resource, Package)
    }
    return tuple(sorted(wanted.union(BASE)))


def digest(recipe: Recipe) -> str:
    """The image's name: of its packages, its suite and the scripts that prepare it."""
    text = "\n".join([sources.SUITE, *sorted(recipe.packages), *_EXCLUDED])
    return hashlib.sha256(b"".join([text.encode(), *(s.read_bytes() for s in recipe.scripts)])).hexdigest()[:16]


def ensure(recipe: Recipe, say: Say, *, mirror: str = "", rebuild: bool = False) -> str:
    """The digest of an image made by `recipe`; built when there is none yet, which takes a minute or two.

    Atomic: an image is there completely or not at all. Two callers at once: one builds, the other waits.
    Raises LabError with mmdebstrap's last words.
    """
    name = digest(recipe)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with locked(IMAGES, lambda: say("waiting for another build of an image")):
        if rebuild:
            _refuse_used(name)
        if rebuild or not (IMAGES / name).is_dir():
            _clear(keep=name)
            building = IMAGES / f".building-{name}"
            _build(building, recipe, say, mirror or os.environ.get("FOURNINES_DEBIAN_MIRROR", ""))
            _remove(IMAGES / name)
            building.rename(IMAGES / name)
        os.utime(IMAGES / name)  # used today
    return name


def _refuse_used(name: str) -> None:
    used = [lab.cloud for lab in readable() if name in lab.images]
    if used:
        raise LabError(f"The image is in use by {', '.join(used)}", next=f"fournines lab down {used[0]}")


def _clear(keep: str) -> None:
    """Removes what a killed build left, and images that no lab is made from and nobody asked for today."""
    used = {keep}.union(*(lab.images for lab in readable()))
    for path in IMAGES.iterdir():
        forgotten = time.time() - path.stat().st_mtime > _FORGOTTEN
        if path.name.startswith(".building-") or (forgotten and path.name not in used):
            _remove(path)


def _remove(path: Path) -> None:
    if path.exists():
        # By rename first: a half-removed tree must not pass for an image.
        doomed = path.with_name(f".building-removed-{path.name.lstrip('.')}")
        path.rename(doomed)
        shutil.rmtree(doomed)


def _build(building: Path, recipe: Recipe, say: Say, mirror: str) -> None:
    names = tuple(sorted(recipe.packages))
    started = time.monotonic()
    building.mkdir()
    root = building / "root"
    argv = [*_DIES_WITH_US, "mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(names)}"]
    argv.append(f"--keyring={sources.KEYRING}")
    argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED]
    argv += ["--dpkgopt=force-unsafe-io"]  # a torn image is never renamed into place
    argv += [f"--aptopt={option}" for option in ('APT::Install-Recommends "false"', *_apt_options())]
    argv += [f'--customize-hook=sh {script} "$1"' for script in recipe.scripts]
    argv += [sources.SUITE, str(root)]
    if listed := sources.debian(sources.read(), mirror):
        (building / "sources.list").write_text("\n".join(listed) + "\n")
        argv.append(str(building / "sources.list"))
    else:
        say("this machine's apt sources name no Debian mirror: mmdebstrap takes the one it knows")
    say(f"building the hosts' image: Debian {sources.SUITE}, {len(names)} packages and what they need")
    _follow(argv, building / "build.log", say)
    recipe.finish(building)
    record = {
        "suite": sources.SUITE,
        "packages": names,
        "built_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "built_in_s": round(time.monotonic() - started, 1),
        "versions": _versions(root),
    }
    (building / "image.json").write_text(json.dumps(record, indent=1) + "\n")
    say(f"image built in {record['built_in_s']} s")


def _apt_options() -> list[str]:
    """The machine's proxies, certificates and retries, as apt options; only what says how to reach a mirror."""
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::ForceIPv", "Acquire::Check-Valid-Until")
    return [
        line.removesuffix(";")
        for line in run(["apt-config", "dump"]).splitlines()
        if line.startswith(wanted) and not line.endswith(' "";')
    ]


def _follow(argv: list[str], log: Path, say: Say) -> None:
    """Runs mmdebstrap; its steps are said, all of it goes to `log`."""
    if not shutil.which("mmdebstrap"):
        raise LabError("mmdebstrap is not installed", next="sudo apt-get install mmdebstrap")
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process, log.open("w") as out:
        assert process.stdout is not None
        for line in process.stdout:
            out.write(line)
            if step := re.match(r"I: ((downloading|extracting|installing) .*?)\.*$", line):
                say(f"  {step[1]}")
    if process.returncode != 0:
        raise _failure(log)


def _failure(log: Path) -> LabError:
    said = log.read_text()
    remedy = "check the machine's own apt (sudo apt-get update), or name a mirror: FOURNINES_DEBIAN_MIRROR=ADDRESS"
    if "NO_PUBKEY" in said:
        remedy = (
            f"this machine's debian-archive-keyring is older than Debian {sources.SUITE}: install one of 2023 or later"
        )
    last = [line for line in said.splitlines() if line.startswith(("E: ", "Err:"))] or ["it said nothing"]
    return LabError("The hosts' image could not be built", where=str(log), why="\n        ".join(last[:6]), next=remedy)


def _versions(root: Path) -> dict[str, str]:
    listed = run(["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat=${Package} ${Version}\\n"])
    return dict(line.split(" ", 1) for line in listed.splitlines())


def versions(name: str) -> dict[str, str]:
    """Package -> version of everything in the image."""
    found: dict[str, str] = json.loads((IMAGES / name / "image.json").read_text())["versions"]
    return found
