"""The guard on real hosts: it fails closed, never is the outage itself, and two hosts never serve a VIP at once."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.lab import cgroup
from lab.conftest import Run, healthy, write_cloud

GUARD = "fournines-guard.service"
DROP_IN = "/run/systemd/system/fournines-guard.service.d"


@pytest.fixture(autouse=True)
def whole(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    lab.resume(cloud.name)
    healthy(cloud_file, fournines)


def on(fournines: Run, cloud: Cloud, host: str, command: str) -> str:
    return fournines("lab", "ssh", f"{cloud.name}/{host}", command, ok=False).stdout


def holder(fournines: Run, path: Path) -> str:
    said = json.loads(fournines("status", path, "--json", ok=False).stdout)
    [region] = said["regions"].values()
    return (region["vip_holders"] or [""])[0]


class Gates:
    """Every tenth of a second: on which hosts the kernel lets the VIP through while its address is there."""

    def __init__(self, fournines: Run, cloud: Cloud) -> None:
        self._ask = (
            "while :; do if ip -4 -br address | grep -q '{vip}/32' && nft list set ip fournines_vip granted"
            " | grep -q '{vip} '; then date +%s.%N; fi; sleep 0.1; done"
        )
        self._fournines, self._cloud = fournines, cloud
        self.vip = str(next(iter(cloud.regions.values())).vips.internal)

    def start(self) -> None:
        for host in self._cloud.hosts:
            loop = self._ask.format(vip=self.vip)
            on(
                self._fournines,
                self._cloud,
                host.name,
                f'nohup sh -c "{loop}" > /run/gates 2>/dev/null & echo $! > /run/gates.pid',
            )

    def stop(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for host in self._cloud.hosts:
            said = on(self._fournines, self._cloud, host.name, "kill $(cat /run/gates.pid); cat /run/gates")
            found[host.name] = [float(line) for line in said.split()]
        return found


def together(seen: dict[str, list[float]]) -> list[tuple[str, str, float]]:
    """Moments at which two hosts served, within a twentieth of a second: half a look apart."""
    moments = sorted((at, host) for host, times in seen.items() for at in times)
    return [(one, other, at) for (at, one), (then, other) in pairwise(moments) if one != other and then - at < 0.05]


@contextmanager
def asking(cloud: Cloud) -> Iterator[Callable[[], tuple[list[float], list[str]]]]:
    """A client that asks through the VIP every tenth of a second: how long each answer took, and what failed."""
    vip = next(iter(cloud.regions.values())).vips.internal
    took: list[float] = []
    failed: list[str] = []
    done = threading.Event()

    def one() -> None:
        began = time.monotonic()
        try:
            with urllib.request.urlopen(f"http://{vip}:9300/alive", timeout=15) as answer:
                answer.read()
        except (OSError, urllib.error.URLError) as error:
            failed.append(str(error))
        took.append(time.monotonic() - began)

    def loop() -> None:
        while not done.wait(0.1):
            threading.Thread(target=one, daemon=True).start()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield lambda: (took, failed)
    finally:
        done.set()
        thread.join()
        time.sleep(1.0)


def signal_guard(cloud: Cloud, host: str, number: int) -> None:
    for pid in cgroup.processes(next(cgroup.of_host(cloud.name, host).glob(f"payload/fournines.slice/{GUARD}"))):
        os.kill(pid, number)


def test_a_frozen_guard_loses_the_vip_for_good(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    before = holder(fournines, cloud_file)
    with asking(cloud) as answers:
        time.sleep(1.0)
        signal_guard(cloud, before, signal.SIGSTOP)  # nobody continues it, its watchdog ends it
        time.sleep(4.0)
        after = holder(fournines, cloud_file)
        time.sleep(6.0)
        took, failed = answers()
    assert after not in ("", before)
    assert holder(fournines, cloud_file) == after
    assert not failed
    assert max(took) < 5.0


def test_guards_that_are_all_dead_leave_the_vip_where_it_is(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    before = holder(fournines, cloud_file)
    program = "[Service]\\nExecStart=\\nExecStart=/bin/false\\n"
    broken = f"mkdir -p {DROP_IN} && printf '{program}' > {DROP_IN}/broken.conf && systemctl daemon-reload"
    try:
        for host in cloud.hosts:
            on(fournines, cloud, host.name, broken)
        with asking(cloud) as answers:
            time.sleep(1.0)
            for host in cloud.hosts:
                signal_guard(cloud, host.name, signal.SIGKILL)
            time.sleep(8.0)
            took, failed = answers()
        assert not failed
        assert max(took) < 5.0
    finally:
        for host in cloud.hosts:
            on(fournines, cloud, host.name, f"rm -rf {DROP_IN} && systemctl daemon-reload && systemctl restart {GUARD}")
    healthy(cloud_file, fournines)
    assert holder(fournines, cloud_file) == before


def test_a_dead_guard_and_a_cut_never_make_two_hosts_serve(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    before = holder(fournines, cloud_file)
    gates = Gates(fournines, cloud)
    gates.start()
    time.sleep(1.0)
    signal_guard(cloud, before, signal.SIGSTOP)
    lab.isolate(cloud.name, before, "management")
    try:
        time.sleep(6.0)
    finally:
        lab.heal(cloud.name, before, "management")
    time.sleep(2.0)
    seen = gates.stop()
    assert not together(seen)
    assert sum(map(bool, seen.values())) >= 2, "the VIP was seen on the old holder and on a new one"


def test_two_controllers_and_a_witness_survive_any_one_of_them(tmp_path: Path, fournines: Run) -> None:
    path = write_cloud(tmp_path, "test-witness", 32, hosts=3)
    text = path.read_text()
    text = text.replace("198.19.32.11, roles: [controller]", "198.19.32.11, roles: [controller, messaging]")
    text = text.replace("198.19.32.12, roles: [controller]", "198.19.32.12, roles: [controller, messaging]")
    path.write_text(text.replace("198.19.32.13, roles: [controller]", "198.19.32.13, roles: [witness, messaging]"))
    lab.down("test-witness")
    try:
        assert fournines("check", path).returncode == 0
        fournines("lab", "up", path)
        fournines("apply", path, "--yes", timeout=900)
        healthy(path, fournines)
        first = holder(fournines, path)
        fournines("lab", "power", "off", f"test-witness/{first}")
        time.sleep(5.0)
        second = holder(fournines, path)
        assert second not in ("", first)
        fournines("lab", "power", "on", f"test-witness/{first}")
        healthy(path, fournines)
        assert holder(fournines, path) == second
        fournines("lab", "power", "off", "test-witness/w3")
        time.sleep(5.0)
        assert holder(fournines, path) == second
    finally:
        lab.down("test-witness")
