"""Packages of one host, by dpkg's and apt's own word. Runs on the hosts, with their Python and nothing beside it.

stdin: a JSON object; `do` says what is asked, the other keys are its arguments. stdout: a JSON object, the last line.

look       declared: names. refresh: ask the sources first.
prepare    wanted: name -> version. units: unit -> the packages whose change restarts it. What would be done.
download   wanted.
install    wanted, units; managed: units that packages may stop, and not start. pending: the directory of markers.
           stops: units that are stopped before, for what they have open is moved. aside: paths that the new versions
           must not find. Each is kept beside itself.

suite: of Debian; "" for the one that the host has. With it the host's own sources are read as if they said that suite,
without touching them; `install` writes them so. Packages may be removed then, as a new suite replaces some by others.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from fournines.engine.scripts import suites

RUN = Path("/run/fournines")
#: Says that a transaction of ours has begun: dpkg may be finished without asking anybody.
BEGUN = Path("/var/lib/fournines/upgrading")
POLICY = Path("/usr/sbin/policy-rc.d")
#: What that is a link to. Not in /run, from which Debian's initramfs lets nothing be executed.
OWN_POLICY = Path("/var/lib/fournines/policy-rc.d")
DPKG = Path("/var/lib/dpkg")
UPDATES = DPKG / "updates"
LISTS = Path("/var/lib/apt/lists")
#: Bytes that a change of the suite needs beside the archives: measured 0.3 GB for a controller of the core, and dpkg
#: keeps old and new files side by side.
ROOM = 2 << 30
#: What APT_CONFIG was before another suite is read.
BEFORE = "FOURNINES_APT_CONFIG"
BATCH = 400  # names on one command line
ENVIRONMENT = {
    **os.environ,
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "NEEDRESTART_SUSPEND": "1",
    "NEEDRESTART_MODE": "l",
    "APT_LISTCHANGES_FRONTEND": "none",
}
APT = [
    *("apt-get", "-q", "-y", "--no-install-recommends"),
    *("-o", "DPkg::Lock::Timeout=300"),
    *("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"),
]

#: 101: not now. What ours is stops where its package needs that, and starts when the plan says so; the rest of the host
#: does as its packages want, but nothing starts that did not run.
POLICY_TEXT = """\
#!/bin/sh
case "$2" in *stop*) exit 0 ;; esac
grep -qxF -e "${1%.service}" /run/fournines/upgrade.running && exit 0
exit 101
"""


class FailedError(Exception):
    """Becomes `error` of the answer: what apt or dpkg said."""


def said(*words: str, good: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True, errors="replace", env=ENVIRONMENT)
    if done.returncode not in good:
        raise FailedError(errors(done.stderr + done.stdout) or f"{words[0]} ended with {done.returncode}")
    return done.stdout


def errors(output: str) -> str:
    """The lines that say why, or the last ones."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    marked = [
        line for line in lines if line.startswith(("E:", "dpkg: error", "The following packages have unmet", "W:"))
    ]
    return "\n".join(dict.fromkeys([*marked[:8], *(lines[-4:] if not marked else [])]))


# What is installed, and what could be


def installed() -> dict[str, tuple[str, str]]:
    """Name -> dpkg's abbreviated status and the version; of the host's own architecture."""
    found: dict[str, tuple[str, str]] = {}
    foreign = set(said("dpkg", "--print-foreign-architectures").split())
    form = "${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\n"
    for line in said("dpkg-query", "-W", "-f", form, good=(0, 1)).splitlines():
        status, name, architecture, version = line.split("\t")
        if architecture not in foreign and status[1:2] not in ("n", "c"):
            found[name] = status.strip(), version
    return found


def security_sources(policy: str) -> set[str]:
    """Of `apt-cache policy`: the sources whose release file says that they are for security updates."""
    found: set[str] = set()
    source = ""
    for line in policy.splitlines():
        if match := re.match(r" +-?\d+ (.*)", line):
            source = match[1].strip()
        elif re.match(r" +release (?:.*,)?(?:l=Debian-Security|[an]=[^,]*-security)(?:,|$)", line):
            found.add(source)
    return found


def tables(policy: str, security: set[str]) -> dict[str, dict[str, Any]]:
    """Of `apt-cache policy NAME...`: name -> candidate, `available` (versions that a source has, newest first), and
    `security`: those of them that came as a security update."""
    found: dict[str, dict[str, Any]] = {}
    mine: dict[str, Any] = {}
    version = ""
    for line in policy.splitlines():
        if match := re.fullmatch(r"(\S+):", line):
            mine = found.setdefault(match[1], {"candidate": "", "available": [], "security": []})
        elif match := re.match(r"  Candidate: (\S+)", line):
            mine["candidate"] = "" if match[1] == "(none)" else match[1]
        elif match := re.match(r"(?: \*\*\*|    ) (\S+) -?\d+", line):
            version = match[1]
        elif (match := re.match(r" {8,}-?\d+ (.*)", line)) and not match[1].startswith("/var/lib/dpkg/status"):
            if version not in mine["available"]:
                mine["available"].append(version)
            if match[1].strip() in security and version not in mine["security"]:
                mine["security"].append(version)
    return found


def reading(suite: str) -> list[str]:
    """apt reads the host's sources as of `suite` from here on. What speaks against it."""
    before = ENVIRONMENT.setdefault(BEFORE, ENVIRONMENT.get("APT_CONFIG", ""))
    ENVIRONMENT["APT_CONFIG"] = str(suites.CONFIGURATION)
    return suites.as_of(suite, before)


def settled(suite: str) -> None:
    """The sources themselves say `suite` now."""
    suites.settle(suite)
    if before := ENVIRONMENT.pop(BEFORE):
        ENVIRONMENT["APT_CONFIG"] = before
    else:
        del ENVIRONMENT["APT_CONFIG"]
    with contextlib.suppress(FailedError):  # the next call that needs them asks again
        said("apt-get", "update", "-q", "-o", "DPkg::Lock::Timeout=60")


def look(asked: dict[str, Any]) -> dict[str, Any]:
    problems = blocked()
    if suite := asked["suite"]:
        problems += reading(suite)
        problems += [
            f"{path} has {free >> 20} MiB free, and a new suite needs {ROOM >> 20}"
            for path in ("/usr", "/var")
            if (free := shutil.disk_usage(path).free) < ROOM and suites.codename() != suite
        ]
    if asked["refresh"] and not problems:
        try:
            said("apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any", "-o", "DPkg::Lock::Timeout=60")
        except FailedError as error:
            problems.append(f"a package source does not answer: {error}")
    there = installed()
    problems += interrupted(there)
    names = sorted({*there, *asked["declared"]})
    security = security_sources(said("apt-cache", "policy"))
    policies: dict[str, dict[str, Any]] = {}
    for start in range(0, len(names), BATCH):
        policies |= tables(said("apt-cache", "policy", *names[start : start + BATCH]), security)
    packages: dict[str, dict[str, Any]] = {}
    for name in names:
        status, version = there.get(name, ("", ""))
        of = policies.get(name, {"candidate": "", "available": [], "security": []})
        if name in asked["declared"] or (of["candidate"] and of["candidate"] != version):
            packages[name] = {"installed": version, "held": status.startswith("h"), **of}
    lists = [path.stat().st_mtime for path in LISTS.glob("*_Packages*")]
    return {
        "packages": packages,
        "versions": {name: version for name, (_, version) in there.items()},
        "problems": problems,
        "lists": max(lists, default=0.0),
        "kernel": kernel(),
        "begun": BEGUN.exists(),
        "codename": suites.codename(),
    }


def blocked() -> list[str]:
    """Who has dpkg's lock, if it is not a transaction of ours, for whose end this waits."""
    RUN.mkdir(exist_ok=True)
    with (RUN / "upgrade.lock").open("w") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)  # the caller's timeout ends it
    for name in ("lock-frontend", "lock"):
        with contextlib.suppress(OSError), (DPKG / name).open("r+") as lock:
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(lock, fcntl.F_GETLK, asked))
            if kind != fcntl.F_UNLCK:
                return [f"dpkg is locked by process {pid} ({command(pid)})"]
    return []


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "which has ended"


def interrupted(there: dict[str, tuple[str, str]]) -> list[str]:
    """Ours may be: `install` ends it."""
    if BEGUN.exists():
        return []
    half = sorted(name for name, (status, _) in there.items() if status[1:2] != "i" or status[2:3] == "R")
    if half or any(UPDATES.iterdir()):
        return [
            f"dpkg was interrupted: {', '.join(half[:5]) or 'its journal is not empty'}; dpkg --configure -a ends it"
        ]
    return []


def kernel() -> dict[str, Any]:
    """What runs, and the newest that is installed: `reboot` says whether a boot would change it."""
    running = os.uname().release
    contained = subprocess.run(["systemd-detect-virt", "-q", "-c"], check=False).returncode == 0
    found = [path.name.removeprefix("vmlinuz-") for path in Path("/boot").glob("vmlinuz-*")]
    newest = max(found, key=natural, default=running)
    wanted = Path("/run/reboot-required").exists() or natural(newest) > natural(running)
    return {"running": running, "newest": newest, "reboot": wanted and not contained}


def natural(version: str) -> list[tuple[int, str]]:
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in re.findall(r"\d+|\D+", version)]


# The transaction


def words(wanted: dict[str, str]) -> list[str]:
    return [f"{name}={version}" for name, version in sorted(wanted.items())]


def apt(suite: str) -> list[str]:
    """Within a suite nothing is removed."""
    return APT if suite else [*APT, "--no-remove"]


def prepare(asked: dict[str, Any]) -> dict[str, Any]:
    if asked["suite"]:
        reading(asked["suite"])
    changes = halfway(asked) if BEGUN.exists() else simulated(asked["suite"], *words(asked["wanted"]))
    return {"changes": changes, "restarts": affected(asked["units"], {name for name, _, _ in changes})}


def halfway(asked: dict[str, Any]) -> list[tuple[str, str, str]]:
    """As `simulated`, of a transaction of ours that was cut off, as by a loss of power: how apt would repair what it
    has left, and then what it had not come to. Before the one apt simulates nothing of the other."""
    there = installed()
    repairs = simulated(asked["suite"], "--fix-broken")
    known = {name for name, _, _ in repairs}
    rest = (name for name in sorted(asked["wanted"]) if name not in known)
    return [*repairs, *((name, there.get(name, ("", ""))[1], asked["wanted"][name]) for name in rest)]


def simulated(suite: str, *what: str) -> list[tuple[str, str, str]]:
    """(name, version before or "", version after or "") of all that would be installed or removed. Raises
    FailedError."""
    lines = said(*apt(suite), "-s", "install", *what).splitlines() if what else []
    found = (re.match(r"Inst (\S+)(?: \[(\S+)\])? \((\S+)", line) for line in lines)
    gone = (re.match(r"Remv (\S+)(?: \[(\S+)\])?", line) for line in lines)
    return [
        *((match[1].partition(":")[0], match[2] or "", match[3]) for match in found if match),
        *((match[1].partition(":")[0], match[2] or "", "") for match in gone if match),
    ]


def affected(units: dict[str, list[str]], changed: set[str]) -> list[str]:
    """The daemons that run and one of whose packages is changed, or depends on one that is, however indirectly."""
    needs = dependencies()
    return [unit for unit, names in units.items() if changed & closure(needs, names) and main_process(unit)]


def main_process(unit: str) -> bool:
    """What has run once, and left rules or routes behind, runs no old code."""
    return said("systemctl", "show", "-p", "MainPID", "--value", "--", unit).strip() not in ("", "0")


def dependencies() -> dict[str, set[str]]:
    """Installed package -> all that could be what it depends on: alternatives and virtual packages too."""
    form = "${Package}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    rows = [line.split("\t") for line in said("dpkg-query", "-W", "-f", form).splitlines()]
    providers: dict[str, set[str]] = {}
    for name, _, provides in rows:
        for virtual in named(provides):
            providers.setdefault(virtual, set()).add(name)
    needs: dict[str, set[str]] = {}
    for name, depends, _ in rows:
        asked = named(depends)
        needs.setdefault(name, set()).update(asked, *(providers.get(word, ()) for word in asked))
    return needs


def named(relation: str) -> set[str]:
    """The names in a field such as `a (>= 1), b:any | c`."""
    found = (re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", part) for part in re.split(r"[,|]", relation))
    return {match[1] for match in found if match}


def closure(needs: dict[str, set[str]], names: list[str]) -> set[str]:
    found: set[str] = set()
    todo = list(names)
    while todo:
        if (name := todo.pop()) not in found:
            found.add(name)
            todo += needs.get(name, ())
    return found


def download(asked: dict[str, Any]) -> dict[str, Any]:
    """What has begun has downloaded before."""
    if asked["wanted"] and not BEGUN.exists():
        if asked["suite"]:
            reading(asked["suite"])
        said(*apt(asked["suite"]), "--download-only", "install", *words(asked["wanted"]))
    return {}


def install(asked: dict[str, Any]) -> dict[str, Any]:
    """Goes to its end whether or not the caller still listens: a cut connection must not leave packages half done."""
    for sign in (signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, signal.SIG_IGN)
    RUN.mkdir(exist_ok=True)
    with (RUN / "upgrade.lock").open("w") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        os.set_inheritable(ours.fileno(), True)
        return transaction(asked, ours.fileno())


def transaction(asked: dict[str, Any], lock: int) -> dict[str, Any]:
    ours = BEGUN.exists()
    BEGUN.parent.mkdir(parents=True, exist_ok=True)
    BEGUN.touch()
    placed = hold_services(set(asked["managed"]))
    suite = asked["suite"]
    try:
        if suite:
            reading(suite)
        if ours:
            with contextlib.suppress(FailedError):  # what needs packages that are not unpacked yet is apt's to end
                carried_out("dpkg", "--configure", "-a", lock=lock)
            carried_out(*apt(suite), "--fix-broken", "install", lock=lock)
        changes = simulated(suite, *words(asked["wanted"]))
        restarts = affected(asked["units"], {name for name, _, _ in changes})
        pending = Path(asked["pending"])
        pending.mkdir(parents=True, exist_ok=True)
        for unit in restarts:
            (pending / f"{unit}.restart").touch(mode=0o600)
        automatic = set(said("apt-mark", "showauto").split()) & set(asked["wanted"])
        if asked["stops"]:
            said("systemctl", "stop", *asked["stops"])
        if asked["wanted"]:
            carried_out(*apt(suite), "install", *words(asked["wanted"]), lock=lock)
        if automatic:
            said("apt-mark", "auto", *sorted(automatic))
        for path in map(Path, asked["aside"]):
            set_aside(path, suite)
        if suite:
            settled(suite)
        BEGUN.unlink()
    finally:
        if placed:
            POLICY.unlink(missing_ok=True)
    return {"restarts": restarts}


def set_aside(path: Path, suite: str) -> None:
    """Once: what the new version has made there since stays."""
    kept = path.with_name(f"{path.name}.before-{suite}")
    if path.exists() and not kept.exists():
        path.rename(kept)


def carried_out(*words: str, lock: int) -> None:
    """In a session of its own, which holds the lock as long as it lives, and writes to a file."""
    with (RUN / "upgrade.log").open("w+", errors="replace") as log:
        done = subprocess.run(
            words, check=False, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=ENVIRONMENT,
            start_new_session=True, pass_fds=(lock,),
        )  # fmt: skip
        if done.returncode:
            log.seek(0)
            raise FailedError(errors(log.read()) or f"{words[0]} ended with {done.returncode}")


def hold_services(managed: set[str]) -> bool:
    """Puts `POLICY_TEXT` in place. An operator's own policy stays; one that an interrupted run left is taken over."""
    shown = said("systemctl", "list-units", "--type=service", "--state=active", "--plain", "--no-legend", "--full")
    active = {line.split()[0] for line in shown.splitlines() if line.strip()}
    running = sorted(unit.removesuffix(".service") for unit in active - managed)
    (RUN / "upgrade.running").write_text("".join(f"{unit}\n" for unit in running))
    OWN_POLICY.parent.mkdir(parents=True, exist_ok=True)
    OWN_POLICY.write_text(POLICY_TEXT)
    OWN_POLICY.chmod(0o755)
    if POLICY.is_symlink() and (not POLICY.exists() or POLICY.readlink().parts[-2:] == OWN_POLICY.parts[-2:]):
        POLICY.unlink()
    if POLICY.exists():
        return False
    POLICY.symlink_to(OWN_POLICY)
    return True


DOES = {"look": look, "prepare": prepare, "download": download, "install": install}

if __name__ == "__main__":
    request = json.load(sys.stdin)
    try:
        answer = DOES[request["do"]](request)
    except FailedError as error:
        answer = {"error": str(error)}
    except OSError as error:
        answer = {"error": f"{error.filename or ''}: {error.strerror or error}"}
    with contextlib.suppress(OSError):
        print(f"\n{json.dumps(answer)}", flush=True)
