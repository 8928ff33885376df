"""The program that asks dpkg and apt: against the real ones, with an administrative directory of their own."""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from samples import debian_source

pytestmark = pytest.mark.skipif(not shutil.which("apt-get") or os.geteuid() != 0, reason="asks apt, as root")

DEBIAN = {"Origin": "Debian", "Label": "Debian", "Suite": "stable", "Codename": "trixie"}
SECURITY = {"Origin": "Debian", "Label": "Debian-Security", "Suite": "stable-security", "Codename": "trixie-security"}
STATUS = """\
Package: {name}
Status: {status}
Architecture: all
Maintainer: tests <tests@example.org>
Version: {version}
Depends: {depends}
Description: made by a test
"""


SYSTEMCTL = """\
#!/bin/sh
case "$1 $6" in
  list-units*) echo 'ours.service loaded active running' ;;
  *rules.service) echo 0 ;;
  *) echo 4711 ;;
esac
"""


class Machine:
    """A root directory for dpkg and apt, the program with its paths in it, and package sources."""

    def __init__(self, root: Path, program: ModuleType) -> None:
        self.root, self.program = root, program
        self.sources: list[str] = []

    def has(self, name: str, version: str, depends: str = "", status: str = "install ok installed") -> None:
        text = STATUS.format(name=name, version=version, depends=depends, status=status)
        with (self.root / "var/lib/dpkg/status").open("a") as file:
            file.write(text.replace("Depends: \n", "") + "\n")
        (self.root / f"var/lib/dpkg/info/{name}.list").touch()

    def source(self, name: str, release: dict[str, str], *packages: dict[str, str], **scripts: str) -> Path:
        directory = self.root / "sources" / name
        directory.mkdir(parents=True, exist_ok=True)
        for fields in packages:
            debian_source.deb(directory, fields, scripts)
        self.sources.append(debian_source.index(directory, release))
        (self.root / "etc/apt/sources.list").write_text("\n".join(self.sources) + "\n")
        return directory

    def ask(self, do: str, **asked: Any) -> dict[str, Any]:
        return self.program.DOES[do]({"suite": "", "stops": [], "aside": [], **asked})

    def look(self, *declared: str, refresh: bool = True) -> dict[str, Any]:
        return self.ask("look", declared=list(declared), refresh=refresh)

    def installed(self) -> dict[str, str]:
        return {name: version for name, (_, version) in self.program.installed().items()}


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The program ignores what would interrupt it, for good: here its process is that of all tests, and what they start
    would inherit it."""
    kept = {sign: signal.getsignal(sign) for sign in (signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT)}
    yield
    for sign, handler in kept.items():
        signal.signal(sign, handler)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    for directory in (
        *("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d"),
        *("var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/dpkg/triggers", "var/lib/apt/lists/partial"),
        *("var/cache/apt/archives/partial", "var/log/apt", "run", "bin", "usr/sbin", "tmp"),
    ):
        (tmp_path / directory).mkdir(parents=True, exist_ok=True)
    (tmp_path / "var/lib/dpkg/status").touch()
    (tmp_path / "apt.conf").write_text(
        f'Dir "{tmp_path}";\nDir::State::status "{tmp_path}/var/lib/dpkg/status";\nAPT::Sandbox::User "root";\n'
        f'DPkg::Options {{ "--root={tmp_path}"; "--force-script-chrootless"; }};\n'
        'Dir::Bin::Methods "/usr/lib/apt/methods";\nDir::Bin::dpkg "/usr/bin/dpkg";\nAPT::Architecture "amd64";\n'
    )
    (tmp_path / "bin/systemctl").write_text(SYSTEMCTL)
    (tmp_path / "bin/systemctl").chmod(0o755)
    program = importlib.import_module("fournines.engine.scripts.packages")
    own = {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "APT_CONFIG": str(tmp_path / "apt.conf"),
        "DPKG_ADMINDIR": str(tmp_path / "var/lib/dpkg"),
    }
    monkeypatch.setattr(program, "ENVIRONMENT", {**program.ENVIRONMENT, **own})
    monkeypatch.setenv("PATH", own["PATH"])
    monkeypatch.setattr(program, "RUN", tmp_path / "run")
    monkeypatch.setattr(program, "BEGUN", tmp_path / "var/lib/fournines/upgrading")
    monkeypatch.setattr(program, "POLICY", tmp_path / "usr/sbin/policy-rc.d")
    monkeypatch.setattr(program, "OWN_POLICY", tmp_path / "var/lib/fournines/policy-rc.d")
    monkeypatch.setattr(program, "UPDATES", tmp_path / "var/lib/dpkg/updates")
    monkeypatch.setattr(program, "LISTS", tmp_path / "var/lib/apt/lists")
    monkeypatch.setattr(program, "DPKG", tmp_path / "var/lib/dpkg")
    yield Machine(tmp_path, program)


def package(name: str, version: str, **more: str) -> dict[str, str]:
    return {"Package": name, "Version": version, **more}


def test_what_is_installed_what_could_be_and_whether_that_is_for_security(machine: Machine) -> None:
    machine.has("cache", "1.0-1")
    machine.has("lib", "1.0-1")
    machine.has("old", "3.0-1")
    machine.source("main", DEBIAN, package("cache", "1.0-1"), package("lib", "1.1-1"), package("absent", "1"))
    machine.source("security", SECURITY, package("cache", "1.0-1+deb13u1"))
    seen = machine.look("cache", "absent", "unheard-of")
    assert seen["problems"] == []
    assert seen["packages"]["cache"] == {
        "installed": "1.0-1",
        "held": False,
        "candidate": "1.0-1+deb13u1",
        "available": ["1.0-1+deb13u1", "1.0-1"],
        "security": ["1.0-1+deb13u1"],
    }
    assert seen["packages"]["lib"]["security"] == []
    assert seen["packages"]["absent"]["installed"] == ""
    assert seen["packages"]["absent"]["candidate"] == "1"
    assert seen["packages"]["unheard-of"] == {
        "installed": "",
        "held": False,
        "candidate": "",
        "available": [],
        "security": [],
    }
    assert "old" not in seen["packages"], "it has no other candidate, and no service declares it"
    assert seen["versions"] == {"cache": "1.0-1", "lib": "1.0-1", "old": "3.0-1"}
    assert seen["lists"] > 0


def test_what_the_operator_holds(machine: Machine) -> None:
    machine.has("cache", "1.0-1", status="hold ok installed")
    machine.source("main", DEBIAN, package("cache", "1.1-1"))
    assert machine.look()["packages"]["cache"]["held"]


def test_a_source_that_does_not_answer(machine: Machine) -> None:
    machine.has("cache", "1.0-1")
    shutil.rmtree(machine.source("main", DEBIAN, package("cache", "1.1-1")))
    (problem,) = machine.look()["problems"]
    assert "does not answer" in problem
    assert "main" in problem


def test_an_interrupted_dpkg_is_a_problem_unless_it_was_ours(machine: Machine) -> None:
    machine.has("cache", "1.0-1", status="install ok unpacked")
    machine.source("main", DEBIAN, package("cache", "1.0-1"))
    (problem,) = machine.look()["problems"]
    assert "dpkg was interrupted: cache" in problem
    machine.program.BEGUN.parent.mkdir(parents=True, exist_ok=True)
    machine.program.BEGUN.touch()
    seen = machine.look()
    assert (seen["problems"], seen["begun"]) == ([], True)


def test_a_locked_dpkg_says_who_has_it(machine: Machine) -> None:
    lock = machine.root / "var/lib/dpkg/lock-frontend"
    lock.touch()
    program = "import fcntl,sys,time; f=open(sys.argv[1],'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print(1, flush=True)"
    words = [sys.executable, "-c", f"{program}; time.sleep(60)", str(lock)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        try:
            (problem,) = machine.program.blocked()
        finally:
            other.kill()
    assert problem.startswith(f"dpkg is locked by process {other.pid} (python")


def test_it_waits_for_a_transaction_of_ours(machine: Machine) -> None:
    held = "import fcntl,sys,time; f=open(sys.argv[1],'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True)"
    words = [sys.executable, "-c", f"{held}; time.sleep(0.5)", str(machine.root / "run/upgrade.lock")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        began = time.monotonic()
        assert machine.program.blocked() == []
        assert time.monotonic() - began > 0.3


def test_what_would_change_and_what_restarts_for_it(machine: Machine) -> None:
    machine.has("cache", "1.0-1", "lib | other")
    machine.has("lib", "1.0-1", "core (>= 1)")
    machine.has("core", "1.0-1")
    machine.has("bus", "1.0-1")
    machine.source("main", DEBIAN, *(package(name, "1.1-1") for name in ("core", "bus")))
    machine.look()
    units = {"cache.service": ["cache"], "bus.service": ["bus"], "rules.service": ["cache"]}
    said = machine.ask("prepare", wanted={"core": "1.1-1"}, units=units)
    assert said == {"changes": [("core", "1.0-1", "1.1-1")], "restarts": ["cache.service"]}


def test_what_would_remove_something_is_refused(machine: Machine) -> None:
    machine.has("cache", "1.0-1")
    machine.has("old", "1.0-1")
    machine.source("main", DEBIAN, package("cache", "1.1-1", Conflicts="old"))
    machine.look()
    with pytest.raises(machine.program.FailedError, match=r"removed|unmet"):
        machine.ask("prepare", wanted={"cache": "1.1-1"}, units={})


def installing(machine: Machine, **wanted: str) -> dict[str, Any]:
    pending = machine.root / "pending"
    units = {"cache.service": ["cache"], "bus.service": ["bus"]}
    return machine.ask("install", wanted=wanted, units=units, managed=["cache.service"], pending=str(pending))


def markers(machine: Machine) -> list[str]:
    return sorted(path.name for path in (machine.root / "pending").iterdir())


def test_packages_are_installed_and_what_must_restart_is_marked(machine: Machine) -> None:
    machine.has("cache", "1.0-1")
    machine.has("bus", "1.0-1")
    asked = f"{machine.root}/usr/sbin/policy-rc.d cache.service restart; echo $? > {machine.root}/asked"
    machine.source("main", DEBIAN, package("cache", "1.1-1"), package("bus", "1.1-1"), postinst=asked)
    machine.look()
    machine.ask("download", wanted={"cache": "1.1-1"})
    assert list((machine.root / "var/cache/apt/archives").glob("*.deb")) or machine.sources[0].count("file:")
    assert machine.installed()["cache"] == "1.0-1", "to download changes nothing"
    assert installing(machine, cache="1.1-1") == {"restarts": ["cache.service"]}
    assert machine.installed() == {"cache": "1.1-1", "bus": "1.0-1"}
    assert markers(machine) == ["cache.service.restart"]
    assert (machine.root / "asked").read_text() == "101\n", "its maintainer script may not restart it"
    assert not machine.program.POLICY.is_symlink()
    assert not machine.program.BEGUN.exists()


def test_a_transaction_that_fails_is_continued(machine: Machine) -> None:
    machine.has("cache", "1.0-1")
    fails = f"test -e {machine.root}/fixed || {{ echo 'no space left' >&2; exit 1; }}"
    machine.source("main", DEBIAN, package("cache", "1.1-1"), postinst=fails)
    machine.look()
    with pytest.raises(machine.program.FailedError, match="dpkg"):
        installing(machine, cache="1.1-1")
    assert markers(machine) == ["cache.service.restart"]
    assert not machine.program.POLICY.is_symlink()
    assert machine.look(refresh=False)["begun"]
    (machine.root / "fixed").touch()
    installing(machine)
    assert machine.program.installed()["cache"] == ("ii", "1.1-1")
    assert not machine.program.BEGUN.exists()
    assert markers(machine) == ["cache.service.restart"]


def test_a_transaction_that_was_cut_off_between_two_packages_is_continued(machine: Machine) -> None:
    """As by a loss of power: one is unpacked, and what it depends on is not yet, some of which is new on this host."""
    needs = "lib (>= 1.1), libnew"
    machine.has("cache", "1.1-1", depends=needs, status="install ok unpacked")
    machine.has("lib", "1.0-1")
    packages = package("cache", "1.1-1", Depends=needs), package("lib", "1.1-1"), package("libnew", "1")
    machine.source("main", DEBIAN, *packages)
    machine.program.BEGUN.parent.mkdir(parents=True)
    machine.program.BEGUN.touch()
    machine.look()
    assert machine.ask("download", wanted={"lib": "1.1-1"}) == {}
    changes = machine.ask("prepare", wanted={"lib": "1.1-1"}, units={})["changes"]
    assert sorted(changes) == [("lib", "1.0-1", "1.1-1"), ("libnew", "", "1")]
    installing(machine, lib="1.1-1")
    assert machine.program.installed() == {"cache": ("ii", "1.1-1"), "lib": ("ii", "1.1-1"), "libnew": ("ii", "1")}
    assert not machine.program.BEGUN.exists()


def test_what_has_its_data_moved_is_stopped_before(machine: Machine) -> None:
    machine.has("bus", "1.0-1")
    machine.source("main", DEBIAN, package("bus", "1.1-1"))
    machine.look()
    data, told = machine.root / "mnesia", machine.root / "told"
    data.mkdir()
    says = f'case "$1" in stop) echo "$2"; ls -d {data}; dpkg-query -W -f "\\${{Version}}" bus;; esac >> {told}'
    systemctl = machine.root / "bin/systemctl"
    systemctl.write_text(f"{SYSTEMCTL.rstrip()}\n{says}\n")
    pending = str(machine.root / "pending")
    asked = {"wanted": {"bus": "1.1-1"}, "units": {"bus.service": ["bus"]}, "managed": [], "pending": pending}
    machine.ask("install", **asked, stops=["bus.service"], aside=[str(data)])
    assert told.read_text().split() == ["bus.service", str(data), "1.0-1"]
    assert not data.exists()
    assert markers(machine) == ["bus.service.restart"], "it is started by what is applied next"


def test_what_apt_installed_by_itself_stays_so(machine: Machine) -> None:
    machine.has("lib", "1.0-1")
    machine.source("main", DEBIAN, package("lib", "1.1-1"))
    machine.look()
    states = machine.root / "var/lib/apt/extended_states"
    states.write_text("Package: lib\nArchitecture: amd64\nAuto-Installed: 1\n")
    installing(machine, lib="1.1-1")
    assert "Auto-Installed: 1" in states.read_text()


def test_an_operators_own_policy_stays(machine: Machine) -> None:
    machine.program.POLICY.write_text("#!/bin/sh\nexit 0\n")
    machine.has("cache", "1.0-1")
    machine.source("main", DEBIAN, package("cache", "1.1-1"))
    machine.look()
    installing(machine, cache="1.1-1")
    assert machine.program.POLICY.read_text() == "#!/bin/sh\nexit 0\n"


def test_a_policy_that_an_interrupted_run_left_is_taken_over(machine: Machine) -> None:
    machine.program.POLICY.symlink_to(machine.root / "gone/fournines/policy-rc.d")
    assert machine.program.hold_services(set())
    assert machine.program.POLICY.resolve() == machine.program.OWN_POLICY
    assert machine.program.hold_services(set())


@pytest.mark.parametrize(
    ("unit", "action", "status"),
    [
        ("cache.service", "restart", 101),
        ("cache.service", "start", 101),
        ("cache", "stop", 0),
        ("ssh.service", "restart", 0),
        ("new.service", "start", 101),
    ],
)
def test_who_may_start(machine: Machine, unit: str, action: str, status: int) -> None:
    running = machine.root / "run/upgrade.running"
    running.write_text("ssh\n")
    script = machine.root / "policy"
    script.write_text(machine.program.POLICY_TEXT.replace("/run/fournines/upgrade.running", str(running)))
    assert subprocess.run(["sh", script, unit, action], check=False).returncode == status


def test_the_answer_is_the_last_line(machine: Machine) -> None:
    words = [sys.executable, str(Path(str(machine.program.__file__)))]
    asked = json.dumps({"do": "prepare", "wanted": {"unheard-of-package": "1"}, "units": {}, "suite": ""})
    done = subprocess.run(words, input=asked, capture_output=True, text=True, check=True)
    assert "unheard-of-package" in json.loads(done.stdout.rstrip().rpartition("\n")[2])["error"]


def test_the_lock_is_held_as_long_as_the_transaction_lives(machine: Machine) -> None:
    with (machine.root / "run/upgrade.lock").open("w") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        machine.program.carried_out("sleep", "0.2", lock=ours.fileno())


@pytest.mark.parametrize(
    ("older", "newer"), [("6.1.0-9-amd64", "6.1.0-10-amd64"), ("6.12.9+deb13-amd64", "6.12.10+deb13-amd64")]
)
def test_kernels_are_compared_by_their_numbers(machine: Machine, older: str, newer: str) -> None:
    assert machine.program.natural(older) < machine.program.natural(newer)


# Another suite


@pytest.fixture
def older(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A host of trixie, whose sources have forky too."""
    suites = importlib.import_module("fournines.engine.scripts.suites")
    monkeypatch.setattr(suites, "SOURCES", machine.root / "etc/apt")
    monkeypatch.setattr(suites, "OS_RELEASE", machine.root / "os-release")
    monkeypatch.setattr(suites, "COMING", machine.root / "release")
    monkeypatch.setattr(suites, "CONFIGURATION", machine.root / "release/apt.conf")
    (machine.root / "os-release").write_text('NAME="Debian"\nVERSION_CODENAME=trixie\n')
    monkeypatch.setattr(machine.program, "ROOM", 0)
    return machine


def moved(text: str, suite: str = "forky") -> str:
    return importlib.import_module("fournines.engine.scripts.suites").moved(text, "trixie", suite)


def test_sources_of_a_suite_become_those_of_another() -> None:
    main = "deb [signed-by=/k arch=amd64] http://mirror/debian trixie main # ours\n"
    one = main + "deb http://mirror/security trixie-security main\n"
    assert moved(one) == one.replace("trixie", "forky")
    assert moved(one, "sid") == "deb [signed-by=/k arch=amd64] http://mirror/debian sid main # ours\n"
    stanza = "Types: deb\nURIs: http://mirror/debian\nSuites: trixie trixie-updates\nComponents: main\n"
    assert "Suites: forky forky-updates\n" in moved(stanza)
    assert "Suites: sid\n" in moved(stanza, "sid")
    security = "Types: deb\nURIs: http://mirror/security\nSuites: trixie-security\nComponents: main\n"
    assert "Enabled: no\nSuites: trixie-security\n" in moved(security, "sid")


def test_strangers_sources_stay_as_they_are() -> None:
    for line in (
        "deb http://stranger/deb stable main\n",
        "# deb http://mirror/debian trixie main\n",
        "deb file:/x ./\n",
    ):
        assert moved(line) == line


def test_a_host_without_a_source_of_its_suite_says_so(older: Machine) -> None:
    older.has("cache", "1.0-1")
    older.source("main", DEBIAN, package("cache", "1.0-1"))
    said = older.program.DOES["look"]({"declared": [], "refresh": False, "suite": "forky"})
    assert said["problems"] == ["it has no package source of trixie that could become forky"]
    assert said["codename"] == "trixie"


def test_what_the_new_version_must_not_find_is_kept_beside_it_once(machine: Machine) -> None:
    data = machine.root / "mnesia"
    data.mkdir()
    (data / "old").touch()
    machine.program.set_aside(data, "forky")
    data.mkdir()
    (data / "new").touch()
    machine.program.set_aside(data, "forky")
    assert (machine.root / "mnesia.before-forky/old").exists()
    assert (data / "new").exists()
