"""Clocks that disagree are a problem, whoever asks, and what a slow answer leaves open is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fournines.health.cluster import RegionState
from fournines.health.problems import CLOCK_OFF, problems
from fournines.health.snapshot import HostState
from fournines.services import load, registry

CLOUD = load(Path(__file__).parents[3] / "examples/three-controllers.yaml")


def said(*clocks: tuple[float, float]) -> list[tuple[str, str]]:
    states = {f"ctl{i}": HostState(f"ctl{i}", 0.5, clock=clock) for i, clock in enumerate(clocks, 1)}
    found = problems(RegionState(CLOUD.regions["phx"], states, ()))
    return [(p.where, p.what) for p in found if "clock" in p.what]


def test_one_that_is_a_minute_ahead() -> None:
    assert said((0.01, 0.01), (60.02, 0.02), (-0.01, 0.01)) == [("ctl2", "its clock is 60.0 s ahead of the others")]
    assert said((0.0, 0.01), (-5.0, 0.01), (0.0, 0.01)) == [("ctl2", "its clock is 5.0 s behind the others")]


@pytest.mark.parametrize("ours", [-3600.0, 0.0, 3600.0])
def test_the_clock_of_the_machine_that_asks_does_not_matter(ours: float) -> None:
    assert said((ours, 0.01), (ours + 0.2, 0.01), (ours - 0.1, 0.01)) == []
    assert len(said((ours, 0.01), (ours + 2, 0.01), (ours, 0.01))) == 1


def test_an_answer_that_took_long_says_less() -> None:
    assert said((0.0, 0.01), (CLOCK_OFF + 0.5, 0.6), (0.0, 0.01)) == []
    assert said((0.0, 0.01)) == []


@pytest.mark.parametrize(
    ("container", "active", "synchronised", "chrony", "said", "good"),
    [
        (1, 3, "no", 1, "no time daemon runs", False),
        (1, 0, "no", 1, "ok", False),
        (1, 0, "yes", 1, "ok", False),  # chrony is off by more than half a second
        (1, 0, "yes", 0, "ok", True),
        (0, 3, "no", 1, "ok", True),  # a container has its machine's clock
    ],
)
def test_what_is_asked_of_a_host(
    tmp_path: Path, container: int, active: int, synchronised: str, chrony: int, said: str, good: bool
) -> None:
    programs = {
        "systemd-detect-virt": f"exit {container}",
        "systemctl": f"exit {active}",
        "timedatectl": f"echo {synchronised}",
        "chronyc": f"exit {chrony}",
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)

    base, host = registry()["base"], CLOUD.hosts[0]
    (task,) = (r for r in base.desired(CLOUD, host) if r.key == "task:time synchronisation")
    assert run(task.check).stdout == f"{said}\n"  # type: ignore[attr-defined]
    (check,) = (c for c in base.checks(CLOUD, host) if c.name == "its clock is synchronised")
    done = run(check.script)
    assert (done.returncode == 0) is good
    assert ("container" in done.stdout) is (container == 0)


def test_a_time_daemon_is_installed_unless_told_not_to(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    text = (Path(__file__).parents[3] / "examples/three-controllers.yaml").read_text()
    for pattern, wanted in (("pattern: {vip", True), ("pattern: {time: own, vip", False)):
        path.write_text(text.replace("pattern: {vip", pattern))
        cloud, base = load(path), registry()["base"]
        host = cloud.hosts[0]
        assert ("task:time synchronisation" in {r.key for r in base.desired(cloud, host)}) is wanted
        assert any(c.name == "its clock is synchronised" for c in base.checks(cloud, host)) is wanted
