"""Chromium, and what tests ask of a page in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update"
    " --disable-sync --disable-quic --disable-dev-shm-usage --no-proxy-server"
)


@contextmanager
def chromium(profile: Path) -> Generator[webdriver.Chrome, None, None]:
    """A browser of its own, which logs what it asks for. It takes whatever certificate a lab has."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("chromium and chromium-driver are not installed")
    options = Options()
    options.binary_location = program
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.accept_insecure_certs = True
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield browser
    finally:
        browser.quit()


def emulate(chrome: webdriver.Chrome, *, width: int = 1280, scheme: str = "light", media: str = "screen") -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def style(chrome: webdriver.Chrome, selector: str, name: str) -> str:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    return chrome.execute_script(script, selector, name)


def luminance(colour: str) -> float:
    """Of `rgb(r, g, b)`, WCAG 2.1."""
    channels = [int(c) / 255 for c in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def asked_and_logged(chrome: webdriver.Chrome, address: str) -> tuple[list[str], list[dict[str, str]]]:
    """What the page at `address` asks for beside itself, and what it writes to the console."""
    chrome.get_log("performance")
    chrome.get_log("browser")
    chrome.get(address)
    events = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if url != address and not url.startswith("data:")], chrome.get_log("browser")


#: Noted in every page from then on: when `.sentence` was there (`shown`, ms since the navigation), and how long each
#: frame's work took, with the style and layout that it causes (`frames`, ms).
_NOTE = """
window.noted = { shown: null, frames: [] };
const asked = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (draw) => asked((at) => {
  const began = performance.now();
  draw(at);
  document.body.offsetHeight;
  noted.frames.push(performance.now() - began);
});
new MutationObserver((_, observer) => {
  if (!document.querySelector(".sentence")) return;
  noted.shown = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true });
"""


def note(chrome: webdriver.Chrome) -> None:
    chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _NOTE})


def shown_after(chrome: webdriver.Chrome) -> float | None:
    """Seconds from the navigation until the page said how the cloud is; None: not yet."""
    found = chrome.execute_script("return window.noted?.shown")
    return None if found is None else found / 1000


def frames(chrome: webdriver.Chrome) -> list[float]:
    """Seconds of work of each frame since this was asked last."""
    return [ms / 1000 for ms in chrome.execute_script("return noted.frames.splice(0)")]


def heap(chrome: webdriver.Chrome) -> float:
    """Megabytes that the page holds: its scripts, its document, and what lies beside the heap of either."""
    chrome.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    used = chrome.execute_cdp_cmd("Runtime.getHeapUsage", {})
    return sum(used[part] for part in ("usedSize", "embedderHeapUsedSize", "backingStorageSize")) / 1e6
