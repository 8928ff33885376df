"""A small cloud with a compute: its agent that hangs is restarted by the handler that every cloud has, and the alerts
of Nova's and Neutron's parts fire and resolve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fournines import lab
from fournines.services import load
from fournines.watch.act import last
from lab.alert_compute import COMPUTE, with_a_router
from lab.alert_faults import Site
from lab.alert_watch import each
from lab.conftest import Run, client, healthy
from lab.test_engine import on
from lab.test_watch import until, watching

NAME = "test-hands"
CLOUD = f"""\
cloud: {NAME}
release: "2025.1"
components: [nova, neutron]
accept: {{single-copy: "a lab's"}}
regions:
  one:
    vips: {{internal: 198.19.52.100, public: 198.19.53.100}}
    networks: {{management: 198.19.52.0/24, public: 198.19.53.0/24, tenant: 198.19.54.0/24}}
    zones:
      rack1: {{power: pdu-a, switch: tor-1}}
      rack2: {{power: pdu-b, switch: tor-2}}
    hosts:
      d1: {{zone: rack1, address: 198.19.52.11, roles: [controller, network]}}
      d2: {{zone: rack2, address: 198.19.52.12, roles: [compute, network]}}
      d3: {{zone: rack2, address: 198.19.52.13, roles: [monitoring]}}
"""
pytestmark = pytest.mark.timeout(3000)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, fournines: Run) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("hands") / "cloud.yaml"
    made.write_text(CLOUD)
    lab.down(NAME)
    fournines("lab", "up", made, "--apply", timeout=1800)
    healthy(made, fournines, 600)
    yield made
    fournines("lab", "down", made)


@pytest.mark.parametrize("fault", ["kill -s STOP", "stop"])
def test_a_compute_agent_is_restarted_by_the_shipped_handler(
    path: Path, fournines: Run, tmp_path: Path, fault: str
) -> None:
    """One that hangs runs on and reports nothing; one that was stopped is down."""
    healthy(path, fournines, 300)
    cloud = lab.access(load(path))
    before = on(cloud, "d2", "systemctl show -P MainPID nova-compute")
    with watching(path, tmp_path, "--functions", "validate") as folder:
        on(cloud, "d2", f"systemctl {fault} nova-compute")
        until(lambda: any(line["do"] == "notify" for line in last(folder, 20)), 300)
    record = [line for line in last(folder, 20)[::-1] if line["handler"] == "compute-agent"]
    assert [(line["do"], line["outcome"]) for line in record][:2] == [("restart", "begins"), ("restart", "ok")]
    assert any(line["text"] == "restart helped" for line in record)
    assert on(cloud, "d2", "systemctl is-active nova-compute") == "active\n"
    assert on(cloud, "d2", "systemctl show -P MainPID nova-compute") not in (before, "0\n")


def test_alerts_of_compute_fire_and_resolve(path: Path, fournines: Run) -> None:
    healthy(path, fournines, 300)
    with_a_router(client(path))
    found = list(each(Site(path), COMPUTE))
    assert [name for name, seconds, _ in found if seconds is None] == []
    assert [name for name, _, resolved in found if not resolved] == []
