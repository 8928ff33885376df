"""Three controllers go to another release, and to the Debian that has it, while clients ask. Killed at a moment drawn
by chance, it is continued.

Long: nearly all packages of each host are others then, which took 7 to 9 minutes a host on two busy cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from fournines import lab
from fournines.cloud.releases import releases
from fournines.services import load
from lab.asking import asked
from lab.conftest import Run, healthy, write_cloud
from lab.next_suite import gathered, taken
from lab.test_drain import drained, killed_when

SEED = int(os.environ.get("FOURNINES_SEED", "7"))
NAME, BLOCK = "test-release", 34
HOSTS = ("r1", "r2", "r3")
TO = "2026.2"
PREFIX = "next-release"
#: Said before a host is drained, before its packages change, when its daemons restart, and when the bus is made anew.
MOMENTS = (": drains", ": installs", ": restarts what has changed", "rabbitmq, on all of its hosts")
#: Seconds that no function may be away for.
LONGEST = 3.0


@pytest.fixture
def three(tmp_path: Path, fournines: Run) -> Iterator[Path]:
    """Applied, and with packages of the next suite within reach."""
    lab.down(NAME)
    path = write_cloud(tmp_path, NAME, BLOCK, hosts=3)
    fournines("lab", "up", path)
    root = lab.images(load(path), lambda _: None)["nspawn"]
    repository = gathered(root, releases()[TO].debian[0], tmp_path / "next")
    try:
        fournines("apply", path, "--yes")
        for host in HOSTS:
            taken(repository, f"{NAME}/{host}")
        yield path
    finally:
        lab.down(NAME)


def on(fournines: Run, host: str, script: str) -> str:
    return fournines("lab", "ssh", f"{NAME}/{host}", script).stdout.strip()


def stored(fournines: Run) -> dict[str, set[str]]:
    """Database node -> the rows and projects of this test that it has."""
    rows = f"select value from probe.probe where value like '{PREFIX}%'"
    projects = f"select name from keystone.project where name like '{PREFIX}%'"
    ask = shlex.join(["mariadb", "-N", "-B", "-e", f"{rows} union all {projects}"])
    return {host: set(on(fournines, host, ask).split()) for host in HOSTS}


def version(fournines: Run, host: str, package: str) -> str:
    return on(fournines, host, f"dpkg-query -W -f '${{Version}}' {package}")


def test_all_hosts_go_to_the_next_release(three: Path, fournines: Run, tmp_path: Path) -> None:
    healthy(three, fournines)
    before = {host: version(fournines, host, "rabbitmq-server") for host in HOSTS}
    text = three.read_text().replace(f'release: "{load(three).release}"', f'release: "{TO}"')
    three.write_text(f"{text}accept: {{untried-release: this is the rehearsal}}\n")
    assert fournines("check", three, ok=False).returncode == 0
    assert "the cloud has release 2025.1" in fournines("plan", three, ok=False).stderr
    upgrade = ("upgrade", str(three), "--to", TO)
    shown = json.loads(fournines(*upgrade, "--dry-run", "--json").stdout)
    assert sorted(host for move in shown["moves"] for host in move["hosts"]) == list(HOSTS)
    moment = random.Random(SEED).choice(MOMENTS)

    def work() -> None:
        killed_when(lambda line: moment in line, *upgrade, "--yes")
        fournines(*upgrade, "--yes", timeout=3600)

    done = asyncio.run(asked(lab.access(load(three)), tmp_path, PREFIX, work, lambda: stored(fournines)))
    for function, of in done.figures.items():
        print(f"{function}: longest gap {of.whole.longest_gap_s:.2f} s, worst wait {of.whole.worst_wait_s:.2f} s")
    acknowledged = done.acknowledged("write_row") | done.acknowledged("create_project")
    assert len(acknowledged) > 1000
    assert {host: len(acknowledged - there) for host, there in done.read.items()} == dict.fromkeys(HOSTS, 0)
    gaps = {function: of.whole.longest_gap_s for function, of in done.figures.items()}
    assert max(gaps.values()) <= LONGEST, gaps

    healthy(three, fournines)
    assert not drained(three, fournines)
    for host in HOSTS:
        assert f"VERSION_CODENAME={releases()[TO].debian[0]}" in on(fournines, host, "cat /etc/os-release")
        assert version(fournines, host, "keystone").split(":")[-1].startswith(releases()[TO].versions["keystone"])
        assert version(fournines, host, "rabbitmq-server") != before[host]
        assert on(fournines, host, "ls /var/lib/fournines/pending; test ! -e /usr/sbin/policy-rc.d") == ""
        nodes = json.loads(on(fournines, host, "rabbitmqctl -q cluster_status --formatter json"))
        assert len(nodes["running_nodes"]) == 3
    assert on(fournines, HOSTS[0], "runuser -u keystone -- keystone-manage db_sync --check; echo $?").endswith("0")
    lock = json.loads(three.with_name(f"{NAME}.versions.json").read_text())
    assert (lock["release"], lock["upgrade"]) == (TO, None)
    assert fournines("plan", three, "--exit-code", ok=False).returncode == 0
    fournines("smoke", three)
    assert f"has {TO} already" in fournines(*upgrade, "--yes", ok=False).stderr
