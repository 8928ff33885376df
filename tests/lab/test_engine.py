"""plan and apply on real hosts: a second run changes nothing, every interruption is continued, every fault is named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fournines import lab
from fournines.cloud.model import Cloud

Run = Callable[..., subprocess.CompletedProcess[str]]


def on(cloud: Cloud, host: str, script: str) -> str:
    """Runs `script` on a lab host; its output."""
    reach = lab.ssh(cloud.name)
    address = cloud.host_by_name[host].address
    argv = ["ssh", "-i", str(reach.key), "-o", f"UserKnownHostsFile={reach.known_hosts}", f"root@{address}", script]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def empty(fournines: Run, path: Path) -> None:
    done = fournines("plan", path, "--exit-code", ok=False)
    assert (done.returncode, done.stdout) == (0, "Nothing to change.\n"), done.stdout + done.stderr


@pytest.fixture
def changed(cloud_file: Path, fournines: Run) -> Path:
    """The same cloud with another failure-detection budget: almost every file differs, several daemons restart."""
    path = cloud_file.with_name("changed.yaml")
    path.write_text(cloud_file.read_text().replace("regions:", "timing: {detect: 2s}\nregions:", 1))
    secrets = cloud_file.with_name(f"{cloud_file.stem}.secrets.yaml")
    copy = cloud_file.with_name("changed.secrets.yaml")
    copy.write_bytes(secrets.read_bytes())
    copy.chmod(0o600)
    return path


def test_a_second_run_changes_nothing(cloud_file: Path, fournines: Run) -> None:
    empty(fournines, cloud_file)
    done = json.loads(fournines("apply", cloud_file, "--yes", "--json").stdout)
    assert done["applied"] and done["empty"]


def test_what_was_changed_by_hand_is_shown_and_put_back(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    first, second, _ = (host.name for host in cloud.hosts)
    on(cloud, first, "echo '# by hand' >> /etc/memcached.conf")
    on(cloud, second, "systemctl disable --now memcached")
    shown = fournines("plan", cloud_file).stdout
    assert "      -# by hand" in shown
    assert f"unit:memcached.service  [{second}]  inactive disabled → running" in shown
    fournines("apply", cloud_file, "--yes")
    assert on(cloud, second, "systemctl is-active memcached") == "active\n"
    empty(fournines, cloud_file)


def test_interrupted_anywhere_it_continues(cloud_file: Path, changed: Path, fournines: Run) -> None:
    argv = [str(Path(sys.executable).with_name("fournines")), "apply", str(changed), "--yes"]
    for seconds in (0.4, 1.5, 3.0, 5.0, 8.0):
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=10)
        assert process.returncode in (0, 130), said
        assert "Traceback" not in said
    fournines("apply", changed, "--yes")
    empty(fournines, changed)
    fournines("apply", cloud_file, "--yes")
    empty(fournines, cloud_file)


def test_a_saved_plan_is_for_one_world_only(cloud_file: Path, changed: Path, cloud: Cloud, fournines: Run) -> None:
    plan = changed.with_name("change.plan")
    fournines("plan", changed, "-o", plan)
    assert plan.stat().st_mode & 0o077 == 0
    on(cloud, cloud.hosts[0].name, "echo '# by hand' >> /etc/memcached.conf")
    refused = fournines("apply", plan, "--yes", ok=False)
    assert refused.returncode == 1
    assert "not what they were when this plan was made" in refused.stderr
    fournines("apply", cloud_file, "--yes")


def test_a_port_that_is_taken_is_named_with_its_holder(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    host = cloud.hosts[0]
    listen = f"import socket, time; s = socket.create_server(('{host.address}', 11211)); time.sleep(600)"
    on(cloud, host.name, f'systemctl stop memcached; systemd-run -q --unit=squatter python3 -c "{listen}"')
    try:
        time.sleep(1)
        failed = fournines("apply", cloud_file, "--yes", ok=False)
        assert failed.returncode == 1
        assert "port 11211 is taken by pid" in failed.stderr
        assert "of squatter.service" in failed.stderr
    finally:
        on(cloud, host.name, "systemctl stop squatter")
    fournines("apply", cloud_file, "--yes")
    empty(fournines, cloud_file)


def test_a_full_disk_is_named(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    host = cloud.hosts[1].name
    full = "mount -t tmpfs -o size=4k tmpfs /etc/keepalived && head -c 4096 /dev/zero > /etc/keepalived/full"
    on(cloud, host, full)
    try:
        failed = fournines("apply", cloud_file, "--yes", ok=False)
        assert failed.returncode == 1
        assert f"the disk of {host} is full" in failed.stderr
    finally:
        on(cloud, host, "umount /etc/keepalived")
    fournines("apply", cloud_file, "--yes")
    empty(fournines, cloud_file)


def test_a_host_that_is_off_is_named_and_nothing_is_changed(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    first, *_, last = (host.name for host in cloud.hosts)
    on(cloud, first, "echo '# by hand' >> /etc/memcached.conf")
    lab.power(cloud.name, last, "off")
    try:
        refused = fournines("apply", cloud_file, "--yes", ok=False)
        assert refused.returncode == 1
        assert last in refused.stderr
        assert "# by hand" in on(cloud, first, "cat /etc/memcached.conf")
        planned = fournines("plan", cloud_file, ok=False)
        assert planned.returncode == 1
        assert last in planned.stderr
        assert "file:/etc/memcached.conf" in planned.stdout
    finally:
        lab.resume(cloud.name)
    deadline = time.monotonic() + 60
    while not lab.answers(lab.load(cloud.name).host(last)):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    fournines("apply", cloud_file, "--yes")


def test_the_second_of_two_runs_is_refused_and_told_who_has_the_cloud(
    cloud_file: Path, changed: Path, fournines: Run
) -> None:
    argv = [str(Path(sys.executable).with_name("fournines")), "apply", str(changed), "--yes"]
    first = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert first.stderr
        while not first.stderr.readline().startswith("stage"):
            assert first.poll() is None
        second = fournines("apply", changed, "--yes", ok=False)
        assert second.returncode == 1
        assert f"pid {first.pid}" in second.stderr
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=20)
    fournines("apply", cloud_file, "--yes")
    empty(fournines, cloud_file)
