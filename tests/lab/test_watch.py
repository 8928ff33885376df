"""A real watch beside a real lab: an outage is as long as `prove` says, and a daemon that is down is started."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fournines.cloud.model import Cloud
from fournines.watch.act import last
from fournines.watch.incidents import Incidents
from fournines.watch.now import told
from lab.conftest import Run, healthy
from lab.test_engine import on
from lab.test_prove import prove

REGION = "one"


@contextmanager
def watching(path: Path, state: Path, *words: str) -> Iterator[Path]:
    """Once every function is known to be well; the folder of the region."""
    program = str(Path(sys.executable).with_name("fournines"))
    command = [program, "watch", str(path), "--state", str(state), *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: (now := told(state / REGION)) and set(now.functions.values()) == {"good"}, 60)
            yield state / REGION
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def until(holds: Callable[[], object], within: float) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_an_outage_is_as_long_as_prove_says_and_has_its_logs(cloud_file: Path, fournines: Run, tmp_path: Path) -> None:
    """Three times, and the difference of the median: two clients that ask five and ten times a second see an outage's
    two ends at moments of their own."""
    healthy(cloud_file, fournines)
    with watching(cloud_file, tmp_path, "--dry-run") as folder:
        document = prove(fournines, cloud_file, "service.kill@mariadb+all", "--repeat", "3")
        until(lambda: all(i.ended for i in Incidents(folder).all()), 60)
        until(lambda: all(Incidents(folder).require(i.id).of("logs") for i in Incidents(folder).all()), 120)
    proved = [fault["functions"]["read_row"]["longest_gap_s"] for fault in document["faults"]]
    every = sorted((Incidents(folder).require(i.id) for i in Incidents(folder).all()), key=lambda i: i.began)
    gaps = [i.of("ended")[0]["figures"]["read_row"][""]["longest_gap_s"] for i in every]
    gaps = [gap for gap in gaps if gap > 1.0]  # a host that starts its database again may be an incident of its own
    assert len(gaps) == len(proved) == 3, (gaps, proved)
    assert statistics.median(abs(a - b) for a, b in zip(gaps, proved, strict=True)) <= 0.2, (gaps, proved)
    assert any("the database" in line["sentence"] for i in every for line in i.of("agents"))
    assert any(line["entries"] for i in every for line in i.of("logs"))


def test_a_daemon_that_is_down_is_started_and_the_record_says_so(
    cloud_file: Path, cloud: Cloud, fournines: Run, tmp_path: Path
) -> None:
    healthy(cloud_file, fournines)
    own = cloud_file.with_name("handlers.yaml")
    handler = {"when": "daemon.down", "of": ["memcached"], "lasts": 3, "settle": 10, "do": ["restart", "notify"]}
    own.write_text(cloud_file.read_text() + f"\nhandlers: {{memcached: {json.dumps(handler)}}}\n")
    host = cloud.hosts[-1].name
    with watching(own, tmp_path, "--functions", "validate") as folder:
        on(cloud, host, "systemctl stop memcached")
        until(lambda: any(line["do"] == "notify" for line in last(folder, 20)), 60)
    assert on(cloud, host, "systemctl is-active memcached") == "active\n"
    record = last(folder, 20)[::-1]
    assert [(line["do"], line["outcome"]) for line in record][:2] == [("restart", "begins"), ("restart", "ok")]
    assert any(line["text"] == "restart helped" for line in record)
