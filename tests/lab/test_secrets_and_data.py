"""Rotations and backups on real hosts: nobody fails while secrets change, and what was dropped comes back."""

from __future__ import annotations

import json
import os
import random
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fournines.cloud.model import Cloud
from fournines.operate.rotate import state
from fournines.services import bus, load
from lab.conftest import Run, healthy

#: Which phase is cut off, and how far into it. Another run, another moment.
SEED = int(os.environ.get("FOURNINES_SEED", time.time_ns() % 1000))


@contextmanager
def _requests(path: Path) -> Generator[list[str]]:
    """A password buys a token twice a second through the public VIP meanwhile; yields what failed."""
    directory = load(path).state_dir
    auth = next(iter(json.loads((directory / "clouds.yaml").read_text())["clouds"].values()))["auth"]
    user = {"name": auth["username"], "domain": {"id": "default"}, "password": auth["password"]}
    body = json.dumps({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}).encode()
    failed: list[str] = []
    ended, asked = threading.Event(), [0]

    def ask() -> None:
        while not ended.wait(0.5):
            trust = ssl.create_default_context(cafile=str(directory / "ca.pem"))
            request = urllib.request.Request(
                f"{auth['auth_url']}/auth/tokens", body, {"Content-Type": "application/json"}
            )
            try:
                urllib.request.urlopen(request, timeout=30, context=trust).read()
            except OSError as error:
                failed.append(f"{time.strftime('%T')} {error}")
            asked[0] += 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield failed
    finally:
        ended.set()
        asking.join()
    assert asked[0] > 10, "too few requests to say anything"


def _cut_off(words: list[str], mark: str, lines: int) -> None:
    """Starts the command, and kills it once it has said `mark` and so many lines more."""
    argv = [str(Path(sys.executable).with_name("fournines")), *words]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if line.strip() == mark:
                break
        for _ in range(lines):
            process.stderr.readline()
        process.kill()


def test_a_rotation_that_is_killed_fails_nobody_and_is_continued(cloud_file: Path, fournines: Run) -> None:
    healthy(cloud_file, fournines)
    chance = random.Random(SEED)
    phase, lines = chance.choice(["accept", "use", "drop"]), chance.randint(1, 5)
    what = ["database", "messaging", "fernet-keys"]
    with _requests(cloud_file) as failed:
        _cut_off(["rotate", str(cloud_file), *what, "--yes"], f"phase {phase}", lines)
        begun = state(load(cloud_file))
        assert begun and begun.phase == phase, (SEED, begun)
        fournines("rotate", cloud_file, "certificates", "--yes", ok=False)  # refused: another one has begun
        assert state(load(cloud_file)) == begun
        fournines("rotate", cloud_file, *what, "--yes")
    assert failed == [], SEED
    after = load(cloud_file)
    assert state(after) is None
    assert bus.account(after, "probe").name == "probe.2"
    assert json.loads(fournines("plan", cloud_file, "--json").stdout)["empty"]
    healthy(cloud_file, fournines)


def test_what_was_dropped_comes_back(cloud_file: Path, cloud: Cloud, fournines: Run, tmp_path: Path) -> None:
    healthy(cloud_file, fournines)
    host = cloud.hosts[0].name
    query = "select count(*) from keystone.assignment"

    def sql(statement: str) -> str:
        return fournines("lab", "ssh", host, f'mariadb -N -e "{statement}"').stdout.strip()

    before = sql(query)
    made: dict[str, Any] = json.loads(fournines("backup", cloud_file, "--to", tmp_path, "--json").stdout)
    assert made["verified"]
    sql("drop table keystone.assignment; create table keystone.later (a int primary key)")
    fournines("restore", cloud_file, made["path"], "--yes")
    assert sql(query) == before
    assert sql("show tables from keystone like 'later'") == ""
    assert sql("select @@wsrep_desync") == "0"
    kept = json.loads(fournines("backup", "list", tmp_path, "--json").stdout)
    assert len(kept) == 2, "what was replaced is kept"
    healthy(cloud_file, fournines)

    file = next(Path(made["path"]).glob("database.*.sealed"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    refused = fournines("restore", cloud_file, made["path"], "--yes", ok=False)
    assert refused.returncode == 1
    assert "damaged" in refused.stderr
    healthy(cloud_file, fournines)
