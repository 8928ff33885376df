"""Packages of three controllers are upgraded, zone after zone; killed in a stage drawn by chance, it is continued.

A lab has no network: each host builds the packages that it has again, with a higher version, and has no other source.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fournines import lab
from lab.conftest import Run, healthy, write_cloud
from lab.test_drain import drained, killed

SEED = int(os.environ.get("FOURNINES_SEED", "7"))
NAME, BLOCK = "test-upgrade", 24
HOSTS = ("u1", "u2", "u3")
#: One daemon of each tier: of the load balancer, the database (whose package stops it), the bus, the cache.
PACKAGES = ("memcached", "haproxy", "mariadb-server", "rabbitmq-server")
REBUILD = Path(__file__).with_name("rebuild.sh").read_text()
#: Each is a stage of an upgrade: of the drain, or of the restarts that follow the transaction.
STAGES = ("base", "haproxy", "memcached", "mariadb")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, fournines: Run) -> Iterator[Path]:
    lab.down(NAME)
    path = write_cloud(tmp_path_factory.mktemp("upgrade"), NAME, BLOCK, hosts=3)
    fournines("lab", "up", path)
    try:
        fournines("apply", path, "--yes")
        healthy(path, fournines)
        yield path
    finally:
        lab.down(NAME)


def on(fournines: Run, host: str, script: str) -> str:
    return fournines("lab", "ssh", f"{NAME}/{host}", script).stdout.strip()


def rebuilt(fournines: Run, suffix: str, suite: str, label: str, hosts: tuple[str, ...] = HOSTS) -> None:
    words = shlex.join([suffix, suite, label, *PACKAGES])
    for host in hosts:
        on(fournines, host, f"sh -s -- {words} <<'SCRIPT'\n{REBUILD}\nSCRIPT")


def installed(fournines: Run, host: str) -> dict[str, str]:
    form = "${Package} ${Version}\\n"
    said = on(fournines, host, f"dpkg-query -W -f '{form}' {' '.join(PACKAGES)}")
    return dict(line.split() for line in said.splitlines())


def started(fournines: Run, host: str) -> list[str]:
    units = ("memcached", "haproxy", "mariadb", "rabbitmq-server", "keystone", "keepalived")
    return [on(fournines, host, f"systemctl show -p ExecMainStartTimestampMonotonic --value {unit}") for unit in units]


def shown(path: Path, fournines: Run, *words: str) -> dict[str, Any]:
    return json.loads(fournines("versions", path, "--json", *words).stdout)


def test_a_killed_upgrade_is_continued_and_held_after_its_canary(three: Path, fournines: Run) -> None:
    before = installed(fournines, "u1")
    ran = {host: started(fournines, host) for host in HOSTS}
    rebuilt(fournines, "+again1", "stable-security", "Debian-Security")
    memcached = shown(three, fournines, "--refresh")["hosts"]["u2"]["packages"]["memcached"]
    assert memcached["installed"] == before["memcached"]
    assert memcached["candidate"] == f"{before['memcached']}+again1"
    assert memcached["security"]

    killed("upgrade", str(three), "--canary", "rack1", "--yes", after=random.Random(SEED).choice(STAGES))
    said = fournines("upgrade", three, "--canary", "rack1", "--yes", timeout=1800).stdout
    assert "Held after zone rack1" in said
    new = {name: f"{version}+again1" for name, version in before.items()}
    assert installed(fournines, "u1") == new
    assert installed(fournines, "u2") == installed(fournines, "u3") == before
    healthy(three, fournines)
    assert not drained(three, fournines)
    assert fournines("plan", three, "--exit-code", ok=False).returncode == 0, "what is held is no difference"
    refused = fournines("upgrade", three, "--canary", "rack2", "--yes", ok=False)
    assert "another upgrade has not ended" in refused.stderr

    lock = three.with_name(f"{NAME}.versions.json")
    lock.unlink()  # as on another operator's machine: the hosts know it
    fournines("upgrade", three, "--continue", "--yes", timeout=1800)
    healthy(three, fournines)
    for host in HOSTS:
        assert installed(fournines, host) == new
        for old, now, unit in zip(
            ran[host], started(fournines, host), ("memcached", "haproxy", "mariadb"), strict=False
        ):
            assert old != now, f"{unit} on {host} still runs what it was started with"
        assert on(fournines, host, "ls /var/lib/fournines/pending; test ! -e /usr/sbin/policy-rc.d") == ""
    assert json.loads(lock.read_text())["locked"]["memcached"] == new["memcached"]
    assert fournines("plan", three, "--exit-code", ok=False).returncode == 0
    assert "Nothing to upgrade" in fournines("upgrade", three, "--yes").stdout


def test_what_keeps_a_host_from_being_upgraded_keeps_all(three: Path, fournines: Run) -> None:
    healthy(three, fournines)
    rebuilt(fournines, "+again2", "stable", "Debian", hosts=("u1", "u2"))
    refused = fournines("upgrade", three, "--dry-run", ok=False)
    assert refused.returncode == 1
    assert "u3: its package sources have no memcached" in refused.stderr
    rebuilt(fournines, "+again2", "stable", "Debian", hosts=("u3",))
    hold = "import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','w'); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(90)"
    begin = f"echo $$ > /run/held.pid; exec python3 -c {shlex.quote(hold)}"
    on(fournines, "u2", f"setsid -f sh -c {shlex.quote(begin)} > /dev/null 2>&1 < /dev/null; sleep 1")
    refused = fournines("upgrade", three, "--dry-run", ok=False)
    assert refused.returncode == 1
    assert "u2: dpkg is locked by process" in refused.stderr
    on(fournines, "u2", "kill $(cat /run/held.pid)")
    nothing = json.loads(fournines("upgrade", three, "--security", "--dry-run", "--json").stdout)
    assert nothing["target"] == {}, "it is another source's"
    on(fournines, "u3", "systemctl stop memcached")
    try:
        refused = fournines("upgrade", three, "--dry-run", ok=False)
        assert refused.returncode == 1
        assert "u3" in refused.stderr
    finally:
        on(fournines, "u3", "systemctl start memcached")
    healthy(three, fournines)


def test_no_client_waits_long_for_an_upgrade(three: Path, fournines: Run) -> None:
    """That no request is cut off, as the marks ask for, needs a machine on which none is in flight for long when a VIP
    moves: the verdict says so ("on a machine without idle time")."""
    healthy(three, fournines)
    rebuilt(fournines, "+again3", "stable", "Debian")
    argv = [str(Path(sys.executable).with_name("fournines")), "prove", str(three), "--operation", "upgrade", "--json"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=1800, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 2), f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    (fault,) = json.loads(done.stdout)["faults"]
    assert not fault["not_measured"], fault["reasons"]
    assert fault["writes"]["acknowledged"] > 1000
    assert fault["writes"]["lost"] == 0
    waits = {name: figures["worst_wait_s"] for name, figures in fault["functions"].items()}
    assert max(waits.values()) <= 3.0, waits
    assert all(version.endswith("+again3") for version in installed(fournines, "u3").values())
