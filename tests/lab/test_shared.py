"""One database and one broker, each on a disk that two hosts see: they move, nothing that was acknowledged is lost, and
no two hosts ever have a disk mounted, whatever happens to them and to their power controllers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pymysql
import pytest

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.errors import FourninesError
from fournines.lab import cgroup, redfish, state
from fournines.prove.load.attempt import Attempt
from fournines.prove.load.messages import MessageProbes
from fournines.prove.load.spec import Broker
from fournines.services import broker, bus, load, tls
from fournines.services.database_access import PORT, address
from lab.conftest import Run, healthy

NAME = "test-duo"
EXAMPLE = Path(__file__).parents[2] / "examples" / "active-passive-two-nodes.yaml"
#: Seconds in which the database must answer again. The figures of the machine that they were measured on are in
#: decision 117.
BACK = 90.0
#: Where a host that has the disk has it mounted.
PLACES = {"database": "/var/lib/mysql", "messaging": "/var/lib/rabbitmq/mnesia"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, fournines: Run) -> Iterator[Path]:
    """The example, up and applied."""
    file = tmp_path_factory.mktemp("duo") / f"{NAME}.yaml"
    text = EXAMPLE.read_text().replace("cloud: duo", f"cloud: {NAME}")
    for network in (36, 37, 38):
        text = text.replace(f"198.18.{network}.", f"198.19.{network}.")
    file.write_text(text)
    lab.down(NAME)
    try:
        fournines("lab", "up", file)
        fournines("apply", file, "--yes", timeout=900)
        yield file
    finally:
        lab.down(NAME)


@pytest.fixture
def cloud(path: Path, fournines: Run) -> Cloud:
    lab.resume(NAME)
    healthy(path, fournines, within=300.0)
    return load(path)


def on(fournines: Run, host: str, command: str) -> str:
    return fournines("lab", "ssh", f"{NAME}/{host}", command, ok=False).stdout


def said(path: Path, fournines: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fournines("status", path, "--json", ok=False).stdout)
    return found


def active(path: Path, fournines: Run) -> str:
    [writer] = said(path, fournines)["regions"]["phx"]["writers"]
    return str(writer)


@dataclass
class Rows:
    """A client that writes numbers one after another: those that the database acknowledged, and when."""

    cloud: Cloud
    cafile: str
    acknowledged: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def connect(self) -> Any:
        region = self.cloud.regions["phx"]
        return pymysql.connect(
            host=str(address(self.cloud, region)),
            port=PORT,
            user="probe",
            password=self.cloud.secrets.get("probe.database"),
            database="probe",
            ssl=ssl.create_default_context(cafile=self.cafile),
            connect_timeout=2,
            read_timeout=5,
            write_timeout=5,
            autocommit=True,
        )

    def __enter__(self) -> Rows:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("create table if not exists moved (n int primary key)")
            cursor.execute("delete from moved")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        number, connection = 0, None
        while not self._ended.is_set():
            number += 1
            try:
                connection = connection or self.connect()
                with connection.cursor() as cursor:
                    cursor.execute("insert into moved values (%s)", (number,))
                self.acknowledged.append((time.monotonic(), number))
            except (pymysql.Error, OSError):
                connection = None
            time.sleep(0.05)

    def gap(self) -> float:
        """The longest time between two acknowledged rows, in seconds."""
        times = [at for at, _ in self.acknowledged]
        return max(later - earlier for earlier, later in pairwise(times))

    def lost(self) -> set[int]:
        """Those that were acknowledged and are not there."""
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("select n from moved")
            return {n for _, n in self.acknowledged} - {n for (n,) in cursor.fetchall()}


@dataclass
class Messages:
    """A client that publishes to a quorum queue and consumes from it: when each message was confirmed."""

    cloud: Cloud
    cafile: str
    confirmed: list[float] = field(default_factory=list[float])
    #: Of those that were confirmed; known at the end.
    lost: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self._ended, self._begun = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Messages:
        self._thread.start()
        assert self._begun.wait(30.0), "the broker lets nobody in"
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    async def _run(self) -> None:
        region, login = self.cloud.regions["phx"], bus.account(self.cloud, "probe")
        spec = Broker(
            nodes=tuple(str(address) for address in broker.addresses(self.cloud, region)),
            port=broker.port(self.cloud),
            vhost="probe",
            user=login.name,
            password=login.password,
            queue=f"moved-{time.time_ns()}",
            heartbeat=3.0,
            reconnect_delay=0.2,
            user_timeout=2.0,
            cafile=self.cafile,
        )
        probes = MessageProbes(spec, lambda *_: None)
        await probes.start()
        self._begun.set()
        number = 0
        while not self._ended.is_set():
            number += 1
            with contextlib.suppress(Exception):  # whatever ended it: it is not confirmed
                async with asyncio.timeout(2.0):
                    await probes.publish(Attempt("kept", time.monotonic(), str(number)))
                self.confirmed.append(time.monotonic())
            await asyncio.sleep(0.05)
        await probes.drain(20.0)
        self.lost = probes.confirmed - probes.consumed
        await probes.close()

    def gap(self) -> float:
        """The longest time between two confirmed messages, in seconds."""
        return max(later - earlier for earlier, later in pairwise(self.confirmed))


class Mounts:
    """Ten times a second, from outside: which hosts have the disk mounted, and which boot of theirs that is."""

    def __init__(self, lun: str = "database") -> None:
        self._lun = lun
        self.seen: list[tuple[float, dict[str, int]]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Mounts:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self.seen.append((time.monotonic(), now(self._lun)))
            time.sleep(0.1)

    def together(self) -> list[dict[str, int]]:
        return [hosts for _, hosts in self.seen if len(hosts) > 1]

    def holders(self) -> list[str]:
        """In the order in which they had it."""
        found: list[str] = []
        for _, hosts in self.seen:
            found += [host for host in hosts if found[-1:] != [host]]
        return found


def now(lun: str = "database") -> dict[str, int]:
    """Host -> its PID 1, of those that have the disk mounted."""
    found: dict[str, int] = {}
    for host in ("ctl1", "ctl2"):
        with contextlib.suppress(FourninesError, OSError):
            leader = lab.leader(NAME, host)
            if PLACES[lun] in lab.luns.mounted(NAME, host, leader):
                found[host] = leader
    return found


@pytest.fixture
def rows(cloud: Cloud, tmp_path: Path) -> Rows:
    cafile = tmp_path / "ca.pem"
    cafile.write_text(tls.internal_ca(cloud))
    return Rows(cloud, str(cafile))


def waits(until: Any, within: float, what: str) -> None:
    deadline = time.monotonic() + within
    while not until():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def isolate(host: str) -> None:
    for port in state.load(NAME).host(host).ports:
        lab.isolate(NAME, host, port.network)


def test_it_is_up_and_status_says_who_has_the_disk(path: Path, cloud: Cloud, fournines: Run) -> None:
    document = said(path, fournines)
    assert document["healthy"]
    [holder] = document["regions"]["phx"]["writers"]
    assert list(now()) == [holder]
    mon = on(fournines, holder, "crm_mon --one-shot --output-as=text")
    assert f"fournines-database-server (ocf:fournines:mariadb): Started {holder}" in " ".join(mon.split())
    assert "LUNs" in fournines("status", path).stdout
    quorum = on(fournines, "ctl1", "corosync-quorumtool -s")
    assert "Total votes:      3" in quorum and "Qdevice" in quorum
    witness = on(fournines, "wit1", "corosync-qnetd-tool -l -v")
    assert witness.count("client certificate verified") == 2
    fournines("plan", path, "--exit-code")


def test_a_person_moves_it(path: Path, cloud: Cloud, rows: Rows, fournines: Run) -> None:
    """The passive host has looked at the disk while the other one wrote to it: it must not go by what it saw then."""
    before = active(path, fournines)
    with rows, Mounts() as mounts:
        time.sleep(1.0)
        fournines("plan", path, "--exit-code")
        time.sleep(2.0)
        on(fournines, before, "crm_resource --move --resource fournines-database")
        waits(lambda: list(now()) not in ([], [before]), BACK, "it does not move")
        moved = time.monotonic()
        waits(lambda: rows.acknowledged[-1][0] > moved, BACK, "the database does not come back")
    on(fournines, before, "crm_resource --clear --resource fournines-database")
    print(f"moved by hand: longest gap {rows.gap():.1f} s, {len(rows.acknowledged)} rows")
    assert rows.lost() == set()
    assert mounts.together() == []
    healthy(path, fournines, within=60.0)  # the observers have seen where it is now
    assert active(path, fournines) != before
    whole(path, cloud, fournines)


def test_the_active_host_loses_power(path: Path, cloud: Cloud, rows: Rows, fournines: Run) -> None:
    before = active(path, fournines)
    with rows, Mounts() as mounts:
        time.sleep(3.0)
        lab.power(NAME, before, "off")
        cut = time.monotonic()
        waits(lambda: rows.acknowledged[-1][0] > cut + 0.5, BACK, "the database does not come back")
        time.sleep(2.0)
    print(f"power off of the active host: longest gap {rows.gap():.1f} s, {len(rows.acknowledged)} rows")
    assert rows.lost() == set()
    assert mounts.together() == []
    assert mounts.holders()[0] == before and len(mounts.holders()) > 1
    healthy(path, fournines, within=300.0)  # what was fenced has power again by itself
    assert active(path, fournines) != before
    whole(path, cloud, fournines)


def whole(path: Path, cloud: Cloud, fournines: Run) -> None:
    """The file system is clean: checked while nobody has it."""
    host = active(path, fournines)
    stop = "crm_resource --resource fournines-database --meta --set-parameter target-role --parameter-value Stopped"
    on(fournines, host, stop)
    try:
        waits(lambda: not now(), 60.0, "the group does not stop")
        disk = next(d for d in state.load(NAME).host(host).luns if d.file.endswith("database"))
        image = state.load(NAME).directory / "luns" / disk.file
        done = subprocess.run(["e2fsck", "-f", "-n", str(image)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    finally:
        on(fournines, host, "crm_resource --resource fournines-database --meta --delete-parameter target-role")
    healthy(path, fournines, within=120.0)


def test_the_brokers_host_loses_power(path: Path, cloud: Cloud, tmp_path: Path, fournines: Run) -> None:
    [before] = now("messaging")
    cafile = tmp_path / "ca.pem"
    cafile.write_text(tls.internal_ca(cloud))
    with Messages(cloud, str(cafile)) as messages, Mounts("messaging") as mounts:
        time.sleep(3.0)
        lab.power(NAME, before, "off")
        cut = time.monotonic()
        waits(lambda: messages.confirmed[-1] > cut + 0.5, BACK, "the broker does not come back")
        time.sleep(2.0)
    print(f"power off of the broker's host: longest gap {messages.gap():.1f} s, {len(messages.confirmed)} messages")
    assert messages.lost == set()
    assert mounts.together() == []
    assert mounts.holders()[0] == before and len(mounts.holders()) > 1
    healthy(path, fournines, within=300.0)
    assert list(now("messaging")) != [before]
    fournines("plan", path, "--exit-code")  # the accounts on the other host are those of this one


def test_the_active_host_is_cut_off(path: Path, cloud: Cloud, rows: Rows, fournines: Run) -> None:
    before = active(path, fournines)
    with rows, Mounts() as mounts:
        time.sleep(3.0)
        first = mounts.seen[-1][1]
        isolate(before)
        cut = time.monotonic()
        waits(lambda: rows.acknowledged[-1][0] > cut + 0.5, BACK, "the database does not come back")
        time.sleep(2.0)
    print(f"isolation of the active host: longest gap {rows.gap():.1f} s, {len(rows.acknowledged)} rows")
    assert rows.lost() == set()
    assert mounts.together() == []
    other = next(hosts for _, hosts in mounts.seen if hosts and before not in hosts)
    at = next(at for at, hosts in mounts.seen if hosts == other)
    # By then it had been fenced, or had let go of the disk by itself.
    assert all(before not in hosts or hosts[before] != first[before] for seen, hosts in mounts.seen if seen >= at)
    lab.resume(NAME)
    healthy(path, fournines, within=300.0)
    whole(path, cloud, fournines)


def test_a_host_that_cannot_be_fenced_is_waited_for(path: Path, cloud: Cloud, rows: Rows, fournines: Run) -> None:
    before = active(path, fournines)
    other = "ctl2" if before == "ctl1" else "ctl1"
    with rows, Mounts() as mounts:
        time.sleep(2.0)
        cgroup.destroy(cgroup.of_redfish(NAME))
        try:
            isolate(before)
            waits(lambda: not now(), 60.0, "the host that is cut off goes on")
            time.sleep(40.0)
            assert other not in mounts.holders(), "started before the fence was confirmed"
            problems = " ".join(p["what"] for p in said(path, fournines)["problems"])
            assert "what ran on it starts nowhere until it is fenced" in problems
        finally:
            redfish.start(state.load(NAME), cloud)
        lab.resume(NAME)
        waits(lambda: bool(now()), BACK, "nobody takes the database again")
    assert mounts.together() == []
    healthy(path, fournines, within=300.0)
    assert rows.lost() == set()
    whole(path, cloud, fournines)
