"""The lease's program, run for real by several processes, on SQLite in place of MariaDB."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from fournines.services.render import program

LEASE = 1.2  # seconds
#: PyMySQL, as far as the program knows it. A file `away` stands for a database that does not answer.
_PYMYSQL = """
import os, sqlite3, types
class Error(Exception): pass
class ProgrammingError(Error): pass
err = types.SimpleNamespace(ProgrammingError=ProgrammingError)
class Connection:
    def __init__(self, path): self.db, self.path = sqlite3.connect(path, isolation_level=None, timeout=1), path
    def _force_close(self): self.db.close()
    def cursor(self): return Cursor(self)
class Cursor:
    def __init__(self, connection): self.connection = connection
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def execute(self, statement, values):
        if os.path.exists(self.connection.path + ".away"): raise OSError("away")
        try: self.done = self.connection.db.execute(
            statement.replace("%s", "?").replace("insert ignore", "insert or ignore"), values)
        except sqlite3.OperationalError as error:
            raise (ProgrammingError if "no such table" in str(error) else OSError)(error)
        return self.done.rowcount
    def fetchone(self): return self.done.fetchone()
def connect(database, **_): return Connection(database)
"""
#: The program, with a host's own folder of settings, which comes first.
_RUN = """\
import pathlib, sys, lease
lease.SETTINGS = pathlib.Path(sys.argv[1])
lease.main(sys.argv[2:])
"""
#: What must never run twice: says when it lives, ten times a second.
_WORK = """\
import sys, time
while True:
    with open(sys.argv[1], "a") as log:
        print(sys.argv[2], time.monotonic(), file=log)
    time.sleep(0.02)
"""


class Hosts:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "log"
        self.log.touch()
        self.away = root / "db.away"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        (root / "pymysql.py").write_text(_PYMYSQL)
        (root / "fournines_pymysql.py").write_text("from pymysql import connect\n")
        (root / "lease.py").write_text(program("lease.py"))
        (root / "work.py").write_text(_WORK)

    def start(self, name: str) -> None:
        directory = self.root / name
        directory.mkdir(exist_ok=True)
        wanted = {"host": name, "lease": LEASE, "database": {"database": str(self.root / "db")}}
        (directory / "work.json").write_text(json.dumps(wanted))
        work = [sys.executable, self.root / "work.py", self.log, name]
        argv = [*self.program(name), "work", "--", *work]
        self.running[name] = subprocess.Popen(
            argv, env={**os.environ, "PYTHONPATH": str(self.root)}, stderr=subprocess.DEVNULL
        )

    def program(self, name: str) -> list[str | Path]:
        return [sys.executable, "-c", _RUN, self.root / name]

    def holder(self, name: str) -> subprocess.CompletedProcess[str]:
        """Who that host says has the lease."""
        argv = [*self.program(name), "work", "--holder"]
        return subprocess.run(
            argv, env={**os.environ, "PYTHONPATH": str(self.root)}, capture_output=True, text=True, check=False
        )

    def lived(self) -> list[tuple[str, float]]:
        lines = (line.split() for line in self.log.read_text().splitlines())
        return [(name, float(at)) for name, at in lines]

    def working(self) -> str:
        """Who has said so within a tenth of a second; "": nobody."""
        seen = self.lived()
        return seen[-1][0] if seen and time.monotonic() - seen[-1][1] < 0.1 else ""

    def child(self, name: str) -> int:
        return int(Path(f"/proc/{self.running[name].pid}/task/{self.running[name].pid}/children").read_text())

    def lose_power(self, name: str) -> None:
        child, process = self.child(name), self.running.pop(name)
        process.kill()
        os.kill(child, signal.SIGKILL)
        process.wait(10)

    def shifts(self) -> list[tuple[str, float, float]]:
        """(who, first, last) in order of the first: overlaps are two at work."""
        found: dict[tuple[str, int], tuple[float, float]] = {}
        number, previous = 0, ""
        for name, at in sorted(self.lived(), key=lambda x: x[1]):
            number += name != previous
            previous = name
            first, _ = found.get((name, number), (at, at))
            found[name, number] = first, at
        return [(name, first, last) for (name, _), (first, last) in found.items()]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    made = Hosts(tmp_path)
    yield made
    for process in made.running.values():
        process.terminate()
    for process in made.running.values():
        process.wait(10)


def until(what: Callable[[], bool], within: float) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < within
        time.sleep(0.02)
    return time.monotonic() - began


def test_one_at_a_time_and_another_after_each_loss(hosts: Hosts) -> None:
    for name in ("ctl1", "ctl2", "ctl3"):
        hosts.start(name)
    until(lambda: bool(hosts.working()), 10)
    first = hosts.working()
    hosts.lose_power(first)
    waited = until(lambda: hosts.working() not in ("", first), 10)
    assert waited > 0.5 * LEASE, "it was taken before the holder could have been sure that it is gone"
    second = hosts.working()
    hosts.running[second].terminate()
    until(lambda: hosts.working() not in ("", first, second), 10)
    shifts = hosts.shifts()
    assert len(shifts) == 3, "each worked in one piece"
    assert all(before[2] < after[1] for before, after in pairwise(shifts))


def test_who_cannot_renew_ends_its_work_before_another_could_begin(hosts: Hosts) -> None:
    hosts.start("ctl1")
    until(lambda: hosts.working() == "ctl1", 10)
    at = time.monotonic()
    hosts.away.touch()
    hosts.running["ctl1"].wait(10)
    assert hosts.lived()[-1][1] - at < LEASE, "the last sign of life comes before the lease's end"
    hosts.away.unlink()
    hosts.start("ctl2")
    until(lambda: hosts.working() == "ctl2", 10)


def test_work_that_ends_by_itself_gives_the_lease_up(hosts: Hosts) -> None:
    hosts.start("ctl1")
    until(lambda: hosts.working() == "ctl1", 10)
    os.kill(hosts.child("ctl1"), signal.SIGKILL)
    hosts.start("ctl2")
    waited = until(lambda: hosts.working() == "ctl2", 10)
    assert hosts.running["ctl1"].wait(10) != 0
    assert waited < 5


def test_who_has_it_is_whose_count_goes_up(hosts: Hosts) -> None:
    hosts.start("ctl1")
    until(lambda: hosts.working() == "ctl1", 10)
    assert hosts.holder("ctl1").stdout == "ctl1\n"
    hosts.lose_power("ctl1")
    said = hosts.holder("ctl1")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == "work: nobody has the lease\n", "its row is there, and its count stands still"
    hosts.away.touch()
    assert "work: the database does not answer" in hosts.holder("ctl1").stderr
