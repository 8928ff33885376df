"""The report in Chromium, opened from disk with the network off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from fournines.prove.model import Campaign
from fournines.prove.report import render
from samples.browser import asked_and_logged, contrast, emulate, luminance, style
from samples.campaign import beside, campaign

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("report"), campaign())


def written(directory: Path, made: Campaign) -> str:
    path = directory / "report.html"
    path.write_text(render(made), encoding="utf-8")
    return path.as_uri()


def in_view(chrome: webdriver.Chrome, selector: str) -> WebElement:
    """Scrolling hides the tooltip, and its event comes a frame later."""
    element = chrome.find_element(By.CSS_SELECTOR, selector)
    chrome.execute_async_script(
        "arguments[0].scrollIntoView({block: 'center'});"
        "requestAnimationFrame(() => requestAnimationFrame(arguments[1]))",
        element,
    )
    return element


def test_asks_nobody_for_anything_and_logs_nothing(chrome: webdriver.Chrome, address: str) -> None:
    emulate(chrome)
    assert asked_and_logged(chrome, address) == ([], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_verdict_comes_first_and_can_be_read(chrome: webdriver.Chrome, address: str, scheme: str) -> None:
    emulate(chrome, scheme=scheme)
    chrome.get(address)
    verdict = chrome.find_element(By.ID, "verdict")
    assert verdict.is_displayed()
    assert "Fail" in verdict.text
    assert verdict.location["y"] < 200
    paper = style(chrome, "body", "backgroundColor")
    assert (luminance(paper) < 0.1) == (scheme == "dark")
    for selector in ("body", ".verdict", ".headline", ".eyebrow", ".meta", "a", "td.bad", ".unknown > span"):
        ratio = contrast(style(chrome, selector, "color"), paper)
        assert ratio >= 4.5, f"{selector} in {scheme}: {ratio:.1f}"


@pytest.mark.parametrize("made", [campaign, beside])
@pytest.mark.parametrize("width", [360, 768, 1280, 1600])
def test_fits_its_window(chrome: webdriver.Chrome, tmp_path: Path, made: Callable[[], Campaign], width: int) -> None:
    emulate(chrome, width=width)
    chrome.get(written(tmp_path, made()))
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    small = chrome.execute_script(
        "return [...document.querySelectorAll('main *')].filter(e => e.offsetWidth && e.childNodes.length"
        " && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())"
        " && parseFloat(getComputedStyle(e).fontSize) < 11).map(e => e.outerHTML.slice(0, 80))"
    )
    assert small == []


def test_pointer_reads_a_column(chrome: webdriver.Chrome, address: str) -> None:
    emulate(chrome)
    chrome.get(address)
    tip = chrome.find_element(By.ID, "tip")
    lane = in_view(chrome, '.plot[data-name="validate"]')
    assert not tip.is_displayed()
    webdriver.ActionChains(chrome).move_to_element(lane).perform()
    assert tip.is_displayed()
    assert tip.text.startswith("validate")
    assert "ok" in tip.text
    webdriver.ActionChains(chrome).move_to_element(chrome.find_element(By.ID, "each")).perform()
    assert not tip.is_displayed()


def test_keys_read_a_lane_from_the_injection_on(chrome: webdriver.Chrome, address: str) -> None:
    emulate(chrome)
    chrome.get(address)
    tip = chrome.find_element(By.ID, "tip")
    lane = in_view(chrome, '.plot[data-name="validate"]')
    lane.send_keys(Keys.ARROW_RIGHT)
    assert "+0.00 s" in tip.text
    lane.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "+0.20 s" in tip.text
    lane.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert "−0.10 s" in tip.text
    lane.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()


def test_every_lane_says_in_words_what_it_shows(chrome: webdriver.Chrome, address: str) -> None:
    chrome.get(address)
    lanes = chrome.find_elements(By.CSS_SELECTOR, ".plot[data-columns]")
    assert lanes
    assert all("longest gap" in (lane.get_attribute("aria-label") or "") for lane in lanes)


def test_prints_everything(chrome: webdriver.Chrome, address: str, tmp_path: Path) -> None:
    emulate(chrome, width=1031, scheme="dark", media="print")  # A4 landscape less its margins, at 96 dpi
    chrome.get(address)
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= 1031
    assert luminance(style(chrome, "body", "backgroundColor")) > 0.9
    chrome.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert chrome.execute_script("return [...document.querySelectorAll('details')].every(d => d.open)")
    assert chrome.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
