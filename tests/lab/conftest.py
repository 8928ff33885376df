"""One real lab for the whole run, applied once, and small ones for tests that break theirs.

Names begin with `test-` and addresses with 198.19: a lab of the person who runs the tests is left in peace.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.services import load

Run = Callable[..., subprocess.CompletedProcess[str]]
OpenStack = Callable[..., Any]

_CLOUD = """\
cloud: {name}
release: "2025.1"
components: core
regions:
  one:
    vips: {{internal: 198.19.{block}.100, public: 198.19.{next}.100}}
    networks:
      management: 198.19.{block}.0/24
      public: 198.19.{next}.0/24
    zones:
      rack1: {{power: pdu-a, switch: tor-1}}
      rack2: {{power: pdu-b, switch: tor-2}}
      rack3: {{power: pdu-c, switch: tor-3}}
    hosts:
"""


#: Of these files one a day runs, in turn; all of them with FOURNINES_TESTS=all (`make test-all`), and each
#: where it is named. Every run of all of them would take longer than CI has.
TURNS = (
    "test_beside",
    "test_compute_agent",
    "test_dashboard",
    "test_drain",
    "test_monitoring",
    "test_recover",
    "test_scale",
    "test_shared",
    "test_upgrade",
    "test_watch",
)
#: One of these alone takes longer than CI has left beside everything else, or wants what `make test` does not install
#: (QEMU): they have no turn.
LONGEST = ("test_alerts", "test_release", "test_vm")
HERE = Path(__file__).parent


def left_for_another_day(named: Sequence[str]) -> tuple[str, ...]:
    """`named`: what pytest was asked for."""
    if os.environ.get("FOURNINES_TESTS") == "all":
        return ()
    today = TURNS[datetime.now(UTC).date().toordinal() % len(TURNS)]
    return tuple(s for s in (*LONGEST, *TURNS) if s != today and not any(s in word for word in named))


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    left = ", ".join(left_for_another_day(config.args))
    return f"not today: {left}; make test-all runs every test" if left else "every lab test"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs no lab goes first: a mistake shows within seconds. Then the full cloud, which fits beside no other."""
    left = left_for_another_day(config.args)
    waiting = [item for item in items if item.path.parent == HERE and item.path.stem in left]
    if waiting:
        config.hook.pytest_deselected(items=waiting)
        items[:] = [item for item in items if item not in waiting]
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
    items.sort(key=lambda item: (in_lab := HERE in item.path.parents, in_lab and item.path.stem != "test_full_cloud"))


@pytest.fixture(scope="session", autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("a lab needs root")
    # Programs that a lab test interrupts inherit what this process ignores, and a test before it may have left that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for sign in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(sign, signal.SIG_DFL)


def write_cloud(directory: Path, name: str, block: int, hosts: int) -> Path:
    """A cloud file with `hosts` controllers on 198.19.`block`.0/24 and the network after it."""
    lines = [
        f"      {name[5]}{n}: {{zone: rack{n}, address: 198.19.{block}.{10 + n}, roles: [controller]}}\n"
        for n in range(1, hosts + 1)
    ]
    path = directory / f"{name}.yaml"
    path.write_text(_CLOUD.format(name=name, block=block, next=block + 1) + "".join(lines))
    return path


@pytest.fixture(scope="session")
def fournines() -> Run:
    """Runs the command line as a user does; `ok=False` to allow a status other than 0."""

    def run(*words: str | Path, ok: bool = True, timeout: float = 600.0) -> subprocess.CompletedProcess[str]:
        argv = [str(Path(sys.executable).with_name("fournines")), *map(str, words)]
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
        if ok:
            assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture(scope="session")
def cloud_file(tmp_path_factory: pytest.TempPathFactory, fournines: Run) -> Iterator[Path]:
    """Three controllers, up and applied: the cloud `test-main`."""
    path = write_cloud(tmp_path_factory.mktemp("main"), "test-main", 0, hosts=3)
    lab.down("test-main")
    fournines("lab", "up", path)
    try:
        fournines("apply", path, "--yes")
        yield path
    finally:
        lab.down("test-main")


def healthy(path: Path, fournines: Run, within: float = 180.0) -> None:
    """Waits until `status` finds nothing wrong; shows what it still does after `within` seconds."""
    deadline = time.monotonic() + within
    while (done := fournines("status", path, ok=False)).returncode:
        assert time.monotonic() < deadline, done.stdout
        time.sleep(2.0)


def client(path: Path) -> OpenStack:
    """The command that operators have, with the clouds.yaml that `apply` left; its JSON."""
    cloud = load(path)

    def run(*words: str) -> Any:
        argv = [str(Path(sys.executable).with_name("openstack")), "--os-cloud", cloud.name, *words, "-f", "json"]
        environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(cloud.state_dir / "clouds.yaml")}
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def cloud(cloud_file: Path) -> Cloud:
    """`cloud_file`, loaded, with the way in."""
    return lab.access(load(cloud_file))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Two bare hosts b1 and b2, not yet up: the cloud `test-bare`."""
    path = write_cloud(tmp_path, "test-bare", 16, hosts=2)
    lab.down("test-bare")
    yield path
    lab.down("test-bare")
