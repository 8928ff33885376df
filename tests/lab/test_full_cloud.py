"""The whole of OpenStack on five hosts: `examples/full-cloud.yaml`, brought up, used once by `smoke`, and taken down.

It goes before all other tests of the lab: its hosts and theirs do not fit on one small machine together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from fournines import lab
from fournines.services import load
from fournines.smoke.dashboard import address
from fournines.smoke.steps import STEPS
from lab.conftest import OpenStack, Run, client, healthy
from samples.browser import chromium

EXAMPLE = Path(__file__).parents[2] / "examples" / "full-cloud.yaml"
NAME = "test-metro"


# The first apply alone takes ten minutes on two cores, and counts towards the test that happens to come first.
pytestmark = pytest.mark.timeout(3000)


@pytest.fixture(scope="module")
def full_cloud(tmp_path_factory: pytest.TempPathFactory, fournines: Run) -> Iterator[Path]:
    """Up with one command, and healthy."""
    path = tmp_path_factory.mktemp("metro") / "full-cloud.yaml"
    text = EXAMPLE.read_text().replace("cloud: metro", f"cloud: {NAME}")
    path.write_text(re.sub(r"198\.18\.(\d+)\.", lambda m: f"198.19.{int(m[1]) + 32}.", text))
    lab.down(NAME)
    try:
        fournines("lab", "up", path, "--apply", timeout=1800)
        healthy(path, fournines)
        yield path
    finally:
        lab.down(NAME)


def test_one_command_brought_it_up_and_nothing_is_left_to_do(full_cloud: Path, fournines: Run) -> None:
    fournines("plan", full_cloud, "--exit-code")


def test_every_service_works_as_its_users_use_it(full_cloud: Path, fournines: Run) -> None:
    said = fournines("smoke", full_cloud, "--json", timeout=1100, ok=False)
    results = {step["name"]: (step["outcome"], step["said"]) for step in json.loads(said.stdout)["steps"]}
    assert {name: r for name, r in results.items() if r[0] != "passed"} == {}
    assert set(results) == {"clean_up", *(step.name for step in STEPS)}


def test_every_part_that_reports_is_up(full_cloud: Path) -> None:
    openstack: OpenStack = client(full_cloud)
    assert {s["State"] for s in openstack("compute", "service", "list")} == {"up"}
    assert {a["Alive"] for a in openstack("network", "agent", "list")} == {True}
    assert {s["State"] for s in openstack("volume", "service", "list")} == {"up"}
    assert {s["Status"] for s in openstack("orchestration", "service", "list")} == {"up"}
    for words in (("image", "list"), ("metric", "list"), ("alarm", "list"), ("container", "list")):
        assert isinstance(openstack(*words), list)


def test_a_person_signs_in_to_the_dashboard(full_cloud: Path, tmp_path: Path) -> None:
    """With a browser, scripts and styles and all, whatever host each of its requests comes to."""
    cloud = load(full_cloud)
    region = next(iter(cloud.regions.values()))
    with chromium(tmp_path) as browser:
        wait = WebDriverWait(browser, 60)
        browser.get(address(region, "/auth/login/"))
        browser.find_element(By.NAME, "username").send_keys("admin")
        browser.find_element(By.NAME, "password").send_keys(cloud.secrets.get("keystone.admin"))
        browser.find_element(By.ID, "loginBtn").click()
        wait.until(lambda b: "/auth/login" not in b.current_url)
        browser.get(address(region, "/project/instances/"))
        wait.until(lambda b: b.find_elements(By.ID, "instances"))
        for page in ("/project/networks/", "/project/network_topology/", "/identity/"):
            browser.get(address(region, page))
            assert "/auth/login" not in browser.current_url
            assert not [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"]
