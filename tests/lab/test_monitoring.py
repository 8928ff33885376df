"""Every target is read; a daemon that is stopped raises its alert, and resolves it when it runs again."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fournines.services import load
from fournines.services.monitoring import CLIENT
from fournines.services.scrape import PROMETHEUS_PORT
from fournines.services.tls import CA
from lab.conftest import Run, healthy, write_cloud

NAME = "test-watched"
pytestmark = pytest.mark.timeout(1800)  # the image of hosts that are monitored may have to be built first


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, fournines: Run) -> Iterator[Path]:
    """Three controllers, two of which have the role `monitoring` as well."""
    path = write_cloud(tmp_path_factory.mktemp("watched"), NAME, 40, 3)
    path.write_text(path.read_text().replace("[controller]", "[controller, monitoring]", 2))
    fournines("lab", "up", path, "--apply", timeout=1800)
    yield path
    fournines("lab", "down", path)


def count(path: Path, fournines: Run, host: str, query: str) -> int:
    """How many series the Prometheus on `host` answers with."""
    address = load(path).host_by_name[host].address
    words = ["curl", "-fsS", "-G", "--cacert", CA, "--cert", CLIENT, "--data-urlencode", f"query={query}"]
    url = f"https://{address}:{PROMETHEUS_PORT}/api/v1/query"
    said = fournines("lab", "ssh", f"{NAME}/{host}", shlex.join([*words, url])).stdout
    return len(json.loads(said)["data"]["result"])


def until(path: Path, fournines: Run, host: str, query: str, wanted: int, within: float) -> None:
    ends = time.monotonic() + within
    while (found := count(path, fournines, host, query)) != wanted:
        assert time.monotonic() < ends, f"{query}: {found} series, not {wanted}"
        time.sleep(5)


def test_an_alert_fires_while_its_fault_lasts(watched: Path, fournines: Run) -> None:
    healthy(watched, fournines)
    first, second, third = [h.name for h in load(watched).hosts]
    firing = 'ALERTS{alertstate="firing",alertname!="Watchdog"}'
    for host in (first, second):
        until(watched, fournines, host, "up == 0", 0, 60)
        until(watched, fournines, host, "alertmanager_cluster_members == 2", 2, 60)
    until(watched, fournines, first, firing, 0, 400)
    fournines("lab", "ssh", f"{NAME}/{third}", "systemctl stop memcached")
    for host in (first, second):
        until(watched, fournines, host, 'ALERTS{alertname="CacheDown",alertstate="firing"}', 1, 120)
    fournines("lab", "ssh", f"{NAME}/{third}", "systemctl start memcached")
    until(watched, fournines, first, 'ALERTS{alertname="CacheDown",alertstate="firing"}', 0, 60)
