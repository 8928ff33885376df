"""A host's load goes away and comes back, while a client asks; killed in a stage drawn by chance, it is continued."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fournines import lab
from lab.conftest import Run, healthy

SEED = int(os.environ.get("FOURNINES_SEED", "7"))


def killed(*words: str, after: str) -> None:
    """Runs the command until it begins the stage `after`, and kills it there."""
    killed_when(lambda line: line.startswith("stage ") and f" {after}:" in line, *words)


def killed_when(said: Callable[[str], bool], *words: str) -> None:
    """Runs the command until `said` holds for a line of its progress, and kills it there."""
    argv = [str(Path(sys.executable).with_name("fournines")), *words]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
        assert run.stderr
        lines: list[str] = []
        for line in run.stderr:
            lines.append(line)
            if said(line):
                run.send_signal(signal.SIGKILL)
                return
    raise AssertionError(f"it ended before it was killed:\n{''.join(lines[-40:])}")


def drained(path: Path, fournines: Run) -> str:
    lines = fournines("status", path).stdout.splitlines()
    return next((line for line in lines if "drained since" in line), "")


def test_a_drain_that_was_killed_is_continued_and_a_reboot_leaves_it_so(cloud_file: Path, fournines: Run) -> None:
    healthy(cloud_file, fournines)
    stage = random.Random(SEED).choice(["base", "rabbitmq", "haproxy"])
    killed("drain", str(cloud_file), "m1", "--reason", "a test", "--yes", after=stage)
    fournines("apply", cloud_file, "--yes")
    said = fournines("status", cloud_file).stdout
    assert "drained since" in drained(cloud_file, fournines)
    assert "a test" in said
    assert "m1 holds" not in said
    assert "m1 takes" not in said
    refused = fournines("drain", cloud_file, "m2", "--yes", ok=False)
    assert refused.returncode == 1
    assert "one host is drained at a time" in refused.stderr
    lab.power("test-main", "m1", "reset")
    time.sleep(5)
    healthy(cloud_file, fournines)
    assert "a test" in drained(cloud_file, fournines)
    assert fournines("plan", cloud_file, "--exit-code", ok=False).returncode == 0
    fournines("undrain", cloud_file, "m1", "--yes")
    assert not drained(cloud_file, fournines)
    assert fournines("plan", cloud_file, "--exit-code", ok=False).returncode == 0


def test_a_reboot_that_was_killed_is_continued(cloud_file: Path, fournines: Run) -> None:
    healthy(cloud_file, fournines)
    boot = ["lab", "ssh", "test-main/m3", "cat /proc/sys/kernel/random/boot_id"]
    before = fournines(*boot).stdout
    killed("reboot", str(cloud_file), "m3", "--yes", after="haproxy")
    assert fournines(*boot).stdout == before
    fournines("reboot", cloud_file, "m3", "--yes", timeout=1200)
    assert fournines(*boot).stdout != before
    assert not drained(cloud_file, fournines)
    assert fournines("plan", cloud_file, "--exit-code", ok=False).returncode == 0
