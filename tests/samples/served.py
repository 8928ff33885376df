"""`fournines serve` as a process of its own, and somebody who signs in to it with the break-glass token."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fournines.cloud.model import Cloud
from fournines.web.access import BREAK_GLASS

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_PROGRAM = "import sys; from fournines.cli.main import main; sys.argv = sys.argv[1:]; main()"


def begin(cloud: Cloud, listen: str, *words: str) -> tuple[subprocess.Popen[str], str]:
    """The process, and its address once it serves."""
    argv = [sys.executable, "-c", _PROGRAM, "fournines", "serve", str(cloud.source), "--listen", listen, *words]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    found = re.match(r"https://\S+", process.stdout.readline())
    assert found, "it does not serve"
    return process, found[0].rstrip("/")


@contextmanager
def served(cloud: Cloud, listen: str = "127.0.0.1:18449", *words: str) -> Generator[str]:
    """Its address."""
    process, url = begin(cloud, listen, *words)
    try:
        yield url
    finally:
        assert end(process, signal.SIGTERM) in (0, -signal.SIGTERM)


def end(process: subprocess.Popen[str], sign: signal.Signals) -> int:
    """How it ended."""
    process.send_signal(sign)
    if process.stdout:
        process.stdout.close()
    return process.wait(20)


def token(cloud: Cloud) -> str:
    return (cloud.state_dir / BREAK_GLASS).read_text().strip()


def break_glass(chrome: Chrome, url: str, cloud: Cloud) -> None:
    """Signs in anew; returns when the page says how the cloud is."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    chrome.get(f"{url}/")
    chrome.delete_all_cookies()  # of a test before: a session survives the server
    chrome.get(f"{url}/")
    deadline = time.monotonic() + 30
    while not chrome.find_elements(By.CSS_SELECTOR, "form.sign-in details summary"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    chrome.find_element(By.CSS_SELECTOR, "form.sign-in details summary").click()
    chrome.find_element(By.NAME, "token").send_keys(token(cloud), Keys.ENTER)
    while not chrome.find_elements(By.CSS_SELECTOR, ".sentence"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
