"""The dashboard in Chromium on a real lab: a plan applied, faults injected, a host replaced, the server killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By

from fournines import lab
from fournines.cloud.model import Cloud
from lab.conftest import Run, healthy
from lab.test_engine import empty, on
from samples.browser import chromium, emulate
from samples.served import begin, break_glass, end, served

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]
LISTEN = "127.0.0.1:18447"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as made:
        emulate(made)
        yield made


@pytest.fixture
def page(browser: webdriver.Chrome, cloud: Cloud, cloud_file: Path, fournines: Run) -> Iterator[Page]:
    healthy(cloud_file, fournines)
    with served(cloud, LISTEN) as url:
        break_glass(browser, url, cloud)
        yield Page(browser, url)
    healthy(cloud_file, fournines)


class Page:
    def __init__(self, chrome: webdriver.Chrome, url: str) -> None:
        self.chrome = chrome
        self.url = url

    def go(self, view: str) -> None:
        self.chrome.execute_script("location.hash = arguments[0]", view)

    def text(self, selector: str) -> str:
        return self.chrome.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def until(self, holds: Callable[[], object], within: float = 30.0) -> None:
        deadline = time.monotonic() + within
        while True:
            try:
                if holds():
                    return
            except StaleElementReferenceException:
                pass
            assert time.monotonic() < deadline, self.text("body")[-3000:]
            time.sleep(0.05)

    def click(self, selector: str, within: float = 30.0) -> None:
        self.until(lambda: self.chrome.find_elements(By.CSS_SELECTOR, selector), within)
        self.chrome.find_element(By.CSS_SELECTOR, selector).click()

    def says(self, selector: str, *words: str, within: float = 30.0) -> None:
        self.until(lambda: any(word in self.text(selector) for word in words), within)


def test_what_was_changed_by_hand_is_planned_and_put_back(
    page: Page, cloud: Cloud, cloud_file: Path, fournines: Run
) -> None:
    on(cloud, cloud.hosts[0].name, "echo '# by hand' >> /etc/memcached.conf")
    page.go("change")
    page.click("[data-do=plan]")
    page.says(".plan", "1 to update", within=60)
    page.click("details.change > summary")
    assert "# by hand" in page.text(".diff")
    page.click("[data-do=apply]")
    page.click("dialog [type=submit]")
    page.says(".applying .outcome", "done", within=240)
    empty(fournines, cloud_file)


def test_a_power_off_is_proven_and_seen_while_it_lasts(page: Page) -> None:
    page.go("prove")
    page.click('[data-arg="host.power_off@vip"]')
    page.chrome.find_element(By.ID, "functions").send_keys("validate, read_row")
    page.click(".choose .danger")
    page.click("dialog [type=submit]:not(:disabled)")
    page.until(lambda: page.chrome.find_elements(By.CSS_SELECTOR, ".cells .ok"), 120)
    page.go("now")
    page.says(".findings", "does not answer", "is not reachable", within=120)
    assert "live" in page.text("#age")
    page.go("prove")
    page.until(lambda: page.text(".campaign .outcome").split()[-1:] in (["done"], ["failed"]), 400)
    page.says(".campaign table", "pass", "fail", "unknown")
    assert "host.power_off" in page.text(".campaign table")
    page.until(lambda: page.chrome.find_elements(By.CSS_SELECTOR, ".run a[href$='/report']"))


def test_a_new_machine_takes_the_place_of_a_host(page: Page, cloud: Cloud) -> None:
    host = cloud.hosts[2].name
    page.go(f"map/{host}")
    page.says("#panel", "mariadb.service")
    lab.wipe(cloud.name, host, lambda _: None)
    page.until(lambda: "is healthy" not in page.text("h1"), 30)
    page.click(f'#panel [href="#operations/new/replace/{host}"]')
    page.click(".operation [value=go]")
    typed = page.chrome.find_element(By.CSS_SELECTOR, "dialog [name=typed]")
    typed.send_keys(host)
    page.click("dialog [type=submit]:not(:disabled)")
    page.says(".job .outcome", "done", "failed", within=900)
    assert "done" in page.text(".job .outcome"), page.text(".job")


def test_a_server_that_is_killed_while_it_applies(
    browser: webdriver.Chrome, cloud: Cloud, cloud_file: Path, fournines: Run
) -> None:
    """The job goes on; the page greys, comes back by itself, still signed in, and shows how it ended."""
    healthy(cloud_file, fournines)
    for host in cloud.hosts:
        if "memcached" in host.services:
            on(cloud, host.name, "echo '# by hand' >> /etc/memcached.conf")
    process, url = begin(cloud, LISTEN)
    try:
        break_glass(browser, url, cloud)
        page = Page(browser, url)
        page.go("change")
        page.click("[data-do=plan]")
        page.says(".plan", "to update", within=60)
        page.click("[data-do=apply]")
        page.click("dialog [type=submit]")
        page.says(".applying .outcome", "running")
        end(process, signal.SIGKILL)
        page.until(lambda: "stale" in (page.chrome.find_element(By.TAG_NAME, "body").get_attribute("class") or ""))
        page.says("#stale", "The server does not answer")
        process, _ = begin(cloud, LISTEN)
        page.until(lambda: "live" in page.text("#age"))
        page.says(".applying .outcome", "done", within=240)
    finally:
        end(process, signal.SIGTERM)
    empty(fournines, cloud_file)
