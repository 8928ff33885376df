"""A fourth controller joins and leaves again; killed in a stage drawn by chance, each is continued."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from fournines import lab
from lab.conftest import Run, healthy, write_cloud
from lab.test_drain import killed

SEED = int(os.environ.get("FOURNINES_SEED", "7"))
NAME, BLOCK = "test-scale", 20
ADDED = f"s4:rack1:198.19.{BLOCK}.14:controller"


@pytest.fixture
def three(tmp_path: Path, fournines: Run) -> Iterator[Path]:
    """Three controllers that were applied, and a fourth host of which the file says nothing."""
    lab.down(NAME)
    path = write_cloud(tmp_path, NAME, BLOCK, hosts=3)
    text = path.read_text()
    path.write_text(f"{text}      s4: {{zone: rack1, address: 198.19.{BLOCK}.14, roles: [controller]}}\n")
    fournines("lab", "up", path)
    path.write_text(text)
    try:
        fournines("apply", path, "--yes")
        yield path
    finally:
        lab.down(NAME)


def asked(fournines: Run, host: str, script: str) -> str:
    return fournines("lab", "ssh", f"{NAME}/{host}", script).stdout.strip()


def members(fournines: Run, host: str) -> tuple[str, int]:
    """Of the database's group, and of the bus's cluster, as `host` counts them."""
    galera = asked(fournines, host, "mariadb -N -e \"show status like 'wsrep_cluster_size'\" | cut -f2")
    said = json.loads(asked(fournines, host, "rabbitmqctl -q cluster_status --formatter json"))
    return galera, len(said["disk_nodes"])


def started(fournines: Run, host: str) -> list[str]:
    units = "mariadb.service", "rabbitmq-server.service"
    return [asked(fournines, host, f"systemctl show -p ExecMainPID --value {unit}") for unit in units]


def test_three_to_four_and_back(three: Path, fournines: Run) -> None:
    healthy(three, fournines)
    chance = random.Random(SEED)
    before = [started(fournines, host) for host in ("s1", "s2", "s3")]
    killed(
        "scale", str(three), "--add", ADDED, "--yes", after=chance.choice(["agent", "mariadb", "rabbitmq", "haproxy"])
    )
    fournines("apply", three, "--yes", timeout=1200)
    healthy(three, fournines)
    assert members(fournines, "s1") == ("4", 4)
    assert [started(fournines, host) for host in ("s1", "s2", "s3")] == before, "no member restarts for another"

    killed("scale", str(three), "--remove", "s4", "--yes", after=chance.choice(["base", "agent", "rabbitmq", "remove"]))
    refused = fournines("plan", three, ok=False)
    if refused.returncode:
        assert "s4" in refused.stderr
    fournines("scale", three, "--remove", "s4", "--yes", timeout=1200)
    assert "s4" not in three.read_text()
    healthy(three, fournines)
    assert members(fournines, "s1") == ("3", 3)
    assert (
        asked(fournines, "s4", "systemctl is-active mariadb rabbitmq-server haproxy fournines-guard || true").split()
        == ["inactive"] * 4
    )
    assert fournines("plan", three, "--exit-code", ok=False).returncode == 0
