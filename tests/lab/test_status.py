"""What heals by itself, on real daemons; and what `status` says meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fournines import lab
from fournines.cloud.model import Cloud
from lab.conftest import Run, healthy

On = Callable[[str, str], str]


@pytest.fixture
def on(cloud: Cloud, fournines: Run) -> On:
    def run(host: str, script: str) -> str:
        return fournines("lab", "ssh", f"{cloud.name}/{host}", script).stdout.strip()

    return run


@pytest.fixture(autouse=True)
def _well(cloud_file: Path, fournines: Run) -> Iterator[None]:
    """Healthy before, and again after, without anybody's help."""
    healthy(cloud_file, fournines)
    yield
    healthy(cloud_file, fournines)


def region(cloud_file: Path, fournines: Run) -> dict[str, Any]:
    return json.loads(fournines("status", cloud_file, "--json", ok=False).stdout)["regions"]["one"]


def eventually(holds: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within:g} s"
        time.sleep(0.3)


def everywhere(cloud: Cloud, on: On, script: str) -> list[str]:
    """On all hosts at the same time."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda host: on(host.name, script), cloud.hosts))


def test_a_database_whose_nodes_were_all_killed_comes_back_with_every_row(
    cloud: Cloud, cloud_file: Path, fournines: Run, on: On
) -> None:
    (writer,) = region(cloud_file, fournines)["writers"]
    stamp = str(time.time_ns())
    insert = "create table if not exists fournines.test (stamp bigint primary key); insert into fournines.test values"
    on(writer, f'mariadb -e "{insert} ({stamp})"')
    everywhere(cloud, on, "systemctl kill -s KILL mariadb")
    count = f'mariadb -N -e "select count(*) from fournines.test where stamp = {stamp}" 2> /dev/null'
    said = everywhere(cloud, on, f"for i in $(seq 120); do {count} && break; sleep 1; done")
    assert said == ["1"] * len(cloud.hosts)


def test_survivors_that_lost_primary_make_it_again(cloud: Cloud, cloud_file: Path, fournines: Run, on: On) -> None:
    """One node frozen, the other two apart until each is alone: no view keeps a majority. Together again, they are two
    of the last view's three, and need not wait for the third."""
    before = region(cloud_file, fournines)
    (writer,) = before["writers"]
    frozen, cut, third = (writer, *(h.name for h in cloud.hosts if h.name != writer))
    on(frozen, "systemctl kill -s STOP mariadb")
    try:
        lab.isolate(cloud.name, cut, "management")
        try:
            eventually(lambda: galera(cloud_file, fournines, third)["primary"] is False, 20)
        finally:
            lab.heal(cloud.name, cut, "management")
        eventually(lambda: region(cloud_file, fournines)["writers"] in ([cut], [third]), 20)
        assert galera(cloud_file, fournines, third)["cluster"] == galera_of(before, third)["cluster"]
    finally:
        on(frozen, "systemctl kill -s CONT mariadb")


def galera(cloud_file: Path, fournines: Run, host: str) -> dict[str, Any]:
    return galera_of(region(cloud_file, fournines), host)


def galera_of(said: dict[str, Any], host: str) -> dict[str, Any]:
    return said["hosts"][host]["galera"]


def test_a_frozen_writer_is_replaced_and_restarted(cloud_file: Path, fournines: Run, on: On) -> None:
    (writer,) = region(cloud_file, fournines)["writers"]
    pid = "systemctl show -P MainPID mariadb"
    frozen = on(writer, pid)
    on(writer, "systemctl kill -s STOP mariadb")
    eventually(lambda: writer not in (now := region(cloud_file, fournines)["writers"]) and len(now) == 1, 10)
    eventually(lambda: on(writer, pid) not in (frozen, "0"), 20)


def test_a_mariadb_that_lost_its_provider_is_restarted(cloud_file: Path, fournines: Run, on: On) -> None:
    said = region(cloud_file, fournines)
    reader = next(name for name in said["hosts"] if name not in said["writers"])
    started = "systemctl show -p ExecMainStartTimestampMonotonic --value mariadb"
    before = on(reader, started)
    on(reader, "mariadb -e \"set global wsrep_cluster_address = ''\"")
    eventually(lambda: on(reader, started) != before, 30)


def test_a_frozen_keepalived_is_killed_and_leaves_no_vip_behind(
    cloud: Cloud, cloud_file: Path, fournines: Run, on: On
) -> None:
    (holder,) = region(cloud_file, fournines)["vip_holders"]
    pid = "systemctl show -P MainPID keepalived"
    frozen = on(holder, pid)
    on(holder, "systemctl kill -s STOP keepalived")
    eventually(lambda: on(holder, f"test -e /proc/{frozen} || echo gone") == "gone", 8)
    eventually(lambda: len(region(cloud_file, fournines)["vip_holders"]) == 1, 8)
    assert on(holder, pid) not in (frozen, "0")


def test_a_frozen_balancer_is_killed_and_started_again(cloud_file: Path, fournines: Run, on: On) -> None:
    (holder,) = region(cloud_file, fournines)["vip_holders"]
    pid = "systemctl show -P MainPID haproxy"
    frozen = on(holder, pid)
    on(holder, "systemctl kill -s STOP haproxy")
    eventually(lambda: on(holder, pid) not in (frozen, "0"), 10)
    eventually(lambda: len(region(cloud_file, fournines)["vip_holders"]) == 1, 10)


def test_a_stopped_balancer_hands_the_vip_on_and_is_named(cloud_file: Path, fournines: Run, on: On) -> None:
    (holder,) = region(cloud_file, fournines)["vip_holders"]
    on(holder, "systemctl stop haproxy")
    try:
        eventually(lambda: region(cloud_file, fournines)["vip_holders"] not in ([holder], []), 10)
        assert f"{holder}: HAProxy does not answer" in fournines("status", cloud_file, ok=False).stdout
    finally:
        on(holder, "systemctl start haproxy")
